"""Starlette: `install` a cache on an app, and find it from a request."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from injector import Injector, Module
from starlette.applications import Starlette

from asynccache.current import serve, serve_no_longer
from asynccache.errors import ConfigurationError
from asynccache.http.current import SCOPE_KEY, Installed, installed, service_of
from asynccache.http.entrance import note_entrance, renewing
from asynccache.http.evictions import answered, evicting
from asynccache.http.passing import on_its_own, passing
from asynccache.http.statement import take_back
from asynccache.integrations.modules import installed_from
from asynccache.integrations.routes import check_routes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from starlette.requests import HTTPConnection
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from asynccache.interface import ICacheService


_OTHERS = ("ellar", "flask", "litestar", "quart")


def install(app: Starlette, modules: Injector | Module | Iterable[Module]) -> Injector:
    """Install a cache on an app, before or after routes are added, and return the app's injector.

    The app's own lifespan is kept: the service opens before it and closes after it. Where no lifespan runs, in a
    mounted app or a test client without `with`, the first operation opens.

    Args:
        app: a Starlette app or one that inherits from it; apps mounted below it use the same cache.
        modules: `CacheModule.setup(...)`, a list of modules with it, or an `Injector` made with it.

    Raises `ConfigurationError` where a cache is installed already, where the app has begun to run, and where there is
    no `CacheModule`.
    """
    if not isinstance(app, Starlette):
        raise ConfigurationError(f"install takes a Starlette app, not {type(app).__name__}{_elsewhere(type(app))}")
    if hasattr(app.state, SCOPE_KEY):
        raise ConfigurationError("a cache is installed on this app already: give all backends to one CacheModule.setup")
    if app.middleware_stack is not None:
        raise ConfigurationError("this app runs already: call install where the app is made")
    found = installed_from(modules)
    setattr(app.state, SCOPE_KEY, found)
    app.add_middleware(_Announce, found=found)
    if any(kind.__module__.startswith("fastapi.") for kind in type(app).__mro__):
        from asynccache.integrations.fastapi import let_through

        let_through(app)
    _wrap_lifespan(app, found)
    return found.injector


def _elsewhere(kind: type) -> str:
    framework = kind.__module__.partition(".")[0]
    return f": that takes what asynccache.integrations.{framework} has" if framework in _OTHERS else ""


def get_cache_service(where: HTTPConnection | Starlette) -> ICacheService:
    """Return the service of the app that serves this request, or of this app.

    Raises `ConfigurationError` where no cache is installed, and for what is neither a request nor an app.
    """
    if isinstance(where, Starlette):
        return installed_on(where).service
    scope = getattr(where, "scope", None)
    if not isinstance(scope, dict):
        raise ConfigurationError(f"get_cache_service takes a request, a websocket or an app, not {where!r:.80}")
    return service_of(scope)


def installed_on(app: Starlette) -> Installed:
    """Return what `install` put on an app; `ConfigurationError` where it was not called."""
    return installed({"app": app})


class _Announce:
    """Tells what is below it which cache is installed."""

    def __init__(self, app: ASGIApp, found: Installed) -> None:
        self.app = app
        self.found = found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = scope[SCOPE_KEY] = self.found
        token = serve(found)  # and not `with Serving(found)`: every request of the app pays for this
        try:
            if renewing or evicting or passing.get() is not None:
                await self._answer(scope, receive, _last_look(send))
            else:
                await self.app(scope, receive, _last_look(send))
        finally:
            serve_no_longer(token)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the app answer where some handler renews or evicts, or this request is made within another one."""
        with on_its_own(scope):
            note_entrance(self.app, scope)
            await answered(self.app, self.found.service, scope, receive, send)


def _last_look(send: Send) -> Send:
    """Look at the head of an answer when all that is below has had its part in it."""

    def looked_at(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            take_back(message)
        return send(message)

    return looked_at


def _wrap_lifespan(app: Starlette, found: Installed) -> None:
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(running: Starlette) -> AsyncIterator[Any]:
        check_routes(app.routes, found.service)
        async with found.service, inner(running) as state:
            found.lifespan_state.clear()
            found.lifespan_state.update(state or {})
            yield state

    app.router.lifespan_context = lifespan
