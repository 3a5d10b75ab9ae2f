"""Litestar: a plugin, `@Cache` on handlers and `Controller` classes, and the service as a dependency.

    Litestar([report, Products], plugins=[CachePlugin(CacheModule.setup(default="redis"))])

Litestar makes the answer after the handler has returned; so the routes of cached handlers let requests through a
passage, below all middleware. What answers from the store goes out as it was: `after_request` hooks and return DTOs had
their part in it the first time.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from litestar import Litestar, Request
from litestar.di import Provide
from litestar.plugins import InitPlugin, ReceiveRoutePlugin
from litestar.routes import HTTPRoute, WebSocketRoute

from asynccache.core.query import Parameters
from asynccache.current import Serving
from asynccache.decorator import cached_settings, handler_of
from asynccache.errors import ConfigurationError
from asynccache.http.current import SCOPE_KEY, installed, service_of
from asynccache.http.entrance import note_entrance_late
from asynccache.http.evictions import answered
from asynccache.http.statement import take_back
from asynccache.integrations.caching import check_backend, refuse_websocket
from asynccache.integrations.evicting import check_evictions
from asynccache.integrations.litestar_passage import LitestarPassage, let_replays_pass
from asynccache.integrations.modules import installed_from
from asynccache.integrations.narrowing import check_declared, hide
from asynccache.interface import ICacheService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from injector import Injector, Module
    from litestar.config.app import AppConfig
    from litestar.connection import ASGIConnection
    from litestar.handlers import HTTPRouteHandler
    from litestar.routes.base import BaseRoute

    from asynccache.http.settings import CacheSettings


class CachePlugin(InitPlugin, ReceiveRoutePlugin):
    """Installs a cache on a Litestar app.

    Args:
        modules: `CacheModule.setup(...)`, a list of modules with it, or an `Injector` made with it.
        dependency: the name under which handlers get the service: `async def visits(cache_service: ICacheService)`.
    """

    def __init__(self, modules: Injector | Module | Iterable[Module], dependency: str = "cache_service") -> None:
        self.installed = installed_from(modules)
        self._dependency = dependency

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Let the app know its cache, which opens before it and closes after it."""
        if SCOPE_KEY in app_config.state:
            raise ConfigurationError("two CachePlugins on one app: give all backends to one CacheModule.setup")
        app_config.state[SCOPE_KEY] = self.installed
        app_config.lifespan.insert(0, self._lifespan)
        app_config.before_send.append(_last_look)
        app_config.dependencies.setdefault(self._dependency, Provide(self._service, sync_to_thread=False))
        app_config.signature_namespace.setdefault("ICacheService", ICacheService)
        return app_config

    def receive_route(self, route: BaseRoute) -> None:
        """Let handlers know the cache, and the requests of cached ones through a passage; find what could not work."""
        if isinstance(route, WebSocketRoute) and cached_settings(route.route_handler.fn) is not None:
            refuse_websocket(route.path)
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                if self._is_cached(handler, route.path):
                    let_replays_pass(handler)
            for handler, model in route.route_handler_map.values():
                where = f"the route {route.path!r}"
                check_evictions([handler.fn], self.installed.service, where, methods=handler.http_methods)
                if (settings := cached_settings(handler.fn)) is not None:
                    check_declared(settings, _declared(model), where)
            route.__class__ = ServedRoute

    def _is_cached(self, handler: HTTPRouteHandler, path: str) -> bool:
        settings = cached_settings(handler.fn)
        if settings is None:
            return False
        check_backend(settings, self.installed.service, f"the route {path!r}")
        if handler.cache:
            raise ConfigurationError(
                f"@Cache on the route {path!r}, which has Litestar's own cache={handler.cache!r}: use one of them"
            )
        return True

    @asynccontextmanager
    async def _lifespan(self, _app: Litestar) -> AsyncIterator[None]:
        async with self.installed.service:
            yield

    def _service(self) -> ICacheService:
        return self.installed.service


async def _last_look(message: Any, _scope: Any) -> None:
    """Look at the head of an answer when all middleware has had its part in it."""
    take_back(message)


def get_cache_service(where: ASGIConnection[Any, Any, Any, Any] | Litestar) -> ICacheService:
    """Return the service of the app that serves this connection, or of this app."""
    return service_of({"app": where} if isinstance(where, Litestar) else {"app": where.app})


class ServedRoute(HTTPRoute):
    """A route of an app with a cache, whose handlers may be cached."""

    __slots__ = ()

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle a request, that of a cached handler by way of a passage."""
        found = scope[SCOPE_KEY] = installed(scope)
        with Serving(found):
            await answered(self._let_through, found.service, scope, receive, send)

    async def _let_through(self, scope: Any, receive: Any, send: Any) -> None:
        handler, model = self.route_handler_map[scope["method"]]
        settings = cached_settings(handler.fn)
        app: Any = super().handle
        if settings is None:
            await app(scope, receive, send)
            return
        note_entrance_late(scope["app"], scope)
        passage = LitestarPassage(scope, receive, send, scope[SCOPE_KEY])
        if _may_read(handler, model):
            passage.watch()
        passage.is_prepared = True
        if scope["method"] in settings.methods:
            hide(passage, settings, _parameters(settings, model))
        await passage.run(app)


def _declared(model: Any) -> list[frozenset[str]] | None:
    """Give the parameters of the query that a route and its dependencies take; None: any."""
    if "query" in model.expected_reserved_kwargs:
        return None
    return [frozenset({parameter.field_alias}) for parameter in model.expected_query_params]


def _parameters(settings: CacheSettings, model: Any) -> Parameters | None:
    names = _declared(model) if settings.is_by_declared else None
    return None if names is None else Parameters(frozenset[str]().union(*names))


def _may_read(handler: HTTPRouteHandler, model: Any) -> bool:
    """Tell whether anything before the wrapper could read of a request: guards, hooks, dependencies, parameters."""
    return bool(
        model.dependency_batches
        or model.expected_header_params
        or model.expected_cookie_params
        or model.expected_reserved_kwargs
        or handler.resolve_guards()
        or handler.resolve_before_request()
        or handler.resolve_request_class() is not Request
        or handler_of(handler.fn) is None
    )
