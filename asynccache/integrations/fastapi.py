"""FastAPI: `install` from `asynccache`, `@Cache` below the route decorator, and the service as a dependency.

FastAPI makes the answer after the handler has returned, and calls dependencies before it. So the innermost of the app's
middleware lets every request through a passage, which watches what dependencies read and records what goes out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.routing import Host, Mount, Route

from asynccache.decorator import handler_of
from asynccache.http.connections import watch_connections
from asynccache.http.current import installed, service_of
from asynccache.http.passage import Passage
from asynccache.integrations.fastapi_declared import declared
from asynccache.integrations.narrowing import hide, narrow, watch_within
from asynccache.interface import ICacheService

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Iterator

    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Receive, Scope, Send

    from asynccache.http.settings import CacheSettings


def get_cache_service(connection: HTTPConnection) -> ICacheService:
    """Return the service of the app that serves this request: a dependency, for `Depends(get_cache_service)`."""
    return service_of(connection.scope)


CacheServiceDep = Annotated[ICacheService, Depends(get_cache_service)]
"""The service as a parameter of a handler or dependency: `async def visits(cache: CacheServiceDep)`."""


def let_through(app: Any) -> None:
    """Let the requests of an app, and of those mounted in it, through passages; `install` calls it."""
    watch_connections()
    narrow(APIRoute, _prepare)
    watch_within(Route, but=APIRoute)
    watch_within(Mount)
    watch_within(Host)
    app.user_middleware.append(Middleware(Capture))


def _prepare(route: Any, passage: Passage, settings: CacheSettings) -> None:
    """Let the passage know what a route takes, and watch what is read, before its dependencies are called.

    Where it has none, and nothing is around the wrapper, nobody reads before that does.
    """
    found = declared(route, passage.scope)
    if found.may_read or type(route) is not APIRoute or handler_of(passage.scope["endpoint"]) is None:
        passage.watch()
    passage.taken_headers = found.headers
    hide(passage, settings, found.parameters)


class Capture:
    """The innermost middleware of a FastAPI app."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._has_looked = False

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Let a request through a passage."""
        if scope["type"] != "http":
            return self.app(scope, receive, send)
        if not self._has_looked:
            self._has_looked = True
            _let_mounted_through(scope["app"].routes)
        return Passage(scope, receive, send, installed(scope)).run(self.app)


def _let_mounted_through(routes: Iterable[BaseRoute]) -> None:
    """Put the middleware into mounted apps too, below their own, as long as they have not begun to run."""
    for app in _mounted(routes):
        classes: list[Any] = [middleware.cls for middleware in app.user_middleware]
        if app.middleware_stack is None and Capture not in classes:
            app.user_middleware.append(Middleware(Capture))
        _let_mounted_through(app.routes)


def _mounted(routes: Iterable[BaseRoute]) -> Iterator[FastAPI]:
    for route in routes:
        if isinstance(route, Mount | Host):
            if isinstance(route.app, FastAPI):
                yield route.app
            else:
                yield from _mounted(route.routes or ())
