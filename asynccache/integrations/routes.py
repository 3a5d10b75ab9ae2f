"""What is wrong with the routes of an app, found before the first request comes."""

from __future__ import annotations

from functools import partial
from inspect import getmembers_static, isclass, signature
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.routing import BaseRoute, Host, Mount, Route, WebSocketRoute

from asynccache.decorator import cached_settings
from asynccache.errors import ConfigurationError
from asynccache.http.current import SCOPE_KEY, Installed
from asynccache.integrations.caching import check_backend, check_is_answered, refuse_websocket
from asynccache.integrations.evicting import check_evictions, check_is_routed
from asynccache.integrations.narrowing import check_declared

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from asynccache.http.settings import CacheSettings
    from asynccache.service import CacheService


class _Found(NamedTuple):
    """A route, the service that serves it, and the parameters in the paths above it; None: nobody knows them here."""

    route: Route | WebSocketRoute
    service: CacheService
    above: frozenset[str] | None


def check_routes(routes: Iterable[BaseRoute], service: CacheService) -> None:
    """Find what would fail at the first request, or never be cached."""
    found = list(_found(routes, service, frozenset()))
    endpoints = {id(one.route.endpoint) for one in found}
    for one in found:
        check_is_answered(one.route.endpoint, endpoints, repr(one.route.path))
        where = f"the route {one.route.path!r}"
        check_is_routed(one.route.endpoint, endpoints, where)
        names = None if one.above is None else one.above | frozenset(one.route.param_convertors)
        methods = getattr(one.route, "methods", None)
        check_evictions(_members(one.route.endpoint), one.service, where, methods=methods, names=names)
        for cached, settings in _cached(one.route.endpoint):
            if isinstance(one.route, WebSocketRoute):
                refuse_websocket(one.route.path)
            check_backend(settings, one.service, where)
            _check_tags(one, cached, settings)
            check_declared(settings, _declared(one.route), where)


def _found(routes: Iterable[BaseRoute], service: CacheService, above: frozenset[str] | None) -> Iterator[_Found]:
    """Give the routes of an app and of those mounted in it."""
    for route in routes:
        if isinstance(route, Route | WebSocketRoute):
            yield _Found(route, service, above)
        elif isinstance(route, Mount | Host):
            own = getattr(getattr(route.app, "state", None), SCOPE_KEY, None)
            names = None if above is None else above | frozenset(route.param_convertors)
            yield from _found(route.routes or (), own.service if isinstance(own, Installed) else service, names)
        elif (included := getattr(route, "effective_route_contexts", None)) is not None:  # FastAPI's include_router
            yield from _found([context.original_route for context in included()], service, None)


def _check_tags(found: _Found, cached: Any, settings: CacheSettings) -> None:
    """Find tags that name what is neither in the path nor an argument."""
    if found.above is None or isclass(cached):
        return
    known = {*found.above, *found.route.param_convertors, *signature(cached).parameters}
    if unknown := sorted(settings.tags.names - known):
        raise ConfigurationError(
            f"@Cache on the route {found.route.path!r}: tags name {unknown[0]!r}, and there are only {sorted(known)}"
        )


def _declared(route: Any) -> tuple[frozenset[str], ...] | None:
    """Give the parameters of the query that a route takes, by the names that they may have; None: nobody knows."""
    if not hasattr(route, "dependant"):
        return None
    from asynccache.integrations.fastapi_declared import declared

    return declared(route).query


def _cached(endpoint: Any) -> Iterator[tuple[Any, CacheSettings]]:
    """Give an endpoint, or the methods of a class, and what `@Cache` was told on them."""
    for cached in _members(endpoint):
        settings = cached_settings(cached)
        if settings is not None:
            yield cached, settings


def _members(endpoint: Any) -> list[Any]:
    """Give an endpoint, and the methods of a class."""
    while isinstance(endpoint, partial):
        endpoint = endpoint.func
    return [endpoint, *(member for _, member in getmembers_static(endpoint))] if isclass(endpoint) else [endpoint]
