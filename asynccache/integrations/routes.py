"""What is wrong with the routes of an app, found before the first request comes."""

from __future__ import annotations

from functools import partial
from inspect import getmembers_static, isclass
from typing import TYPE_CHECKING, Any

from starlette.routing import BaseRoute, Host, Mount, Route, WebSocketRoute

from asynccache.decorator import cached_settings, wrapper_of
from asynccache.errors import ConfigurationError, UnknownBackendError
from asynccache.http.current import SCOPE_KEY, Installed
from asynccache.http.rights import check_lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from asynccache.http.settings import CacheSettings
    from asynccache.service import CacheService


def check_routes(routes: Iterable[BaseRoute], service: CacheService) -> None:
    """Find what would fail at the first request, or never be cached."""
    found = list(_with_service(routes, service))
    endpoints = {id(route.endpoint) for route, _ in found}
    for route, its_service in found:
        wrapper = wrapper_of(route.endpoint)
        if wrapper is not None and id(wrapper) not in endpoints:
            raise ConfigurationError(
                f"@Cache above the route decorator of {route.path!r} caches nothing: move @Cache below it, so that the "
                "route gets what @Cache returns"
            )
        for settings in _settings(route.endpoint):
            _check(route, settings, its_service)


def _with_service(
    routes: Iterable[BaseRoute], service: CacheService
) -> Iterator[tuple[Route | WebSocketRoute, CacheService]]:
    """Give the routes of an app and of those mounted in it, each with the service that serves it."""
    for route in routes:
        if isinstance(route, Route | WebSocketRoute):
            yield route, service
        elif isinstance(route, Mount | Host):
            own = getattr(getattr(route.app, "state", None), SCOPE_KEY, None)
            yield from _with_service(route.routes or (), own.service if isinstance(own, Installed) else service)
        elif (included := getattr(route, "effective_route_contexts", None)) is not None:  # FastAPI's include_router
            yield from _with_service([context.original_route for context in included()], service)


def _check(route: Route | WebSocketRoute, settings: CacheSettings, service: CacheService) -> None:
    if isinstance(route, WebSocketRoute):
        raise ConfigurationError(f"@Cache on the websocket route {route.path!r}: only HTTP responses can be cached")
    try:
        check_lock(settings.policy, service.get_backend(settings.backend))
    except UnknownBackendError as unknown:
        raise UnknownBackendError(f"@Cache on the route {route.path!r}: {unknown}") from None


def _settings(endpoint: Any) -> Iterator[CacheSettings]:
    """Give what `@Cache` was told on an endpoint, and on the methods of a class."""
    while isinstance(endpoint, partial):
        endpoint = endpoint.func
    members = [member for _, member in getmembers_static(endpoint)] if isclass(endpoint) else []
    for cached in (endpoint, *members):
        settings = cached_settings(cached)
        if settings is not None:
            yield settings
