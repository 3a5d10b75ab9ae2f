"""Quart: an extension, `@Cache` on views, and the service from the app.

    caching = Caching(app, CacheModule.setup(default="redis"))   # or Caching(), and init_app(app) in a factory

As in Flask, what is recorded of an answer is the response that `make_response` makes of it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self

from quart import Quart, current_app, has_app_context
from quart.globals import app_ctx, request_ctx
from quart.wrappers.response import DataBody, ResponseBody
from starlette.requests import Request

from asynccache.config import app_backends
from asynccache.current import Serving
from asynccache.decorator import handler_of
from asynccache.errors import ConfigurationError
from asynccache.http.call import Call
from asynccache.http.capture import Tee
from asynccache.http.current import SCOPE_KEY, Installed, finders
from asynccache.http.rules import Then
from asynccache.integrations.modules import installed_from
from asynccache.integrations.views import check_views
from asynccache.integrations.werkzeug import ViewReads, plain_session
from asynccache.module import CacheModule

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

    from injector import Injector, Module
    from quart import Response

    from asynccache.http.handler import Handler
    from asynccache.http.mark import Mark
    from asynccache.http.reads import Reads
    from asynccache.http.replay import Replay
    from asynccache.interface import ICacheService


class Caching:
    """Installs a cache on Quart apps.

    Args:
        app: the app, or None to call `init_app` later.
        modules: `CacheModule.setup(...)`, a list of modules with it, or an `Injector` made with it; None: what the
            app's config says under `CACHES`, or in Flask-Caching's words under `CACHE_TYPE`, else the environment.
    """

    def __init__(self, app: Quart | None = None, modules: Injector | Module | Iterable[Module] | None = None) -> None:
        self._modules = modules
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Quart) -> None:
        """Install it on an app; `ConfigurationError` where one is installed already.

        Backends open before the app serves and close after it.
        """
        if SCOPE_KEY in app.extensions:
            raise ConfigurationError("a cache is installed on this app already: give all backends to one of them")
        modules = CacheModule(app_backends(app.config)) if self._modules is None else self._modules
        found = app.extensions[SCOPE_KEY] = installed_from(modules)
        app.ensure_async = partial(_ensure_async, app.ensure_async)  # type: ignore[method-assign]
        app.asgi_app = _Announce(app, app.asgi_app, found)  # type: ignore[method-assign]
        service = found.service

        @app.before_serving
        async def start() -> None:
            await service.start()

        app.after_serving(service.aclose)


def get_cache_service(app: Quart | None = None) -> ICacheService:
    """Return the service of an app, or of the app that serves this request."""
    return _installed(current_app if app is None else app).service


def _installed(app: Any) -> Installed:
    found = app.extensions.get(SCOPE_KEY)
    if found is None:
        raise ConfigurationError("no cache is installed on this app: call Caching(app, CacheModule.setup(default=...))")
    return found  # type: ignore[no-any-return]


@finders.append
def _of_current_app() -> Installed | None:
    return current_app.extensions.get(SCOPE_KEY) if has_app_context() else None


class _Announce:
    """Tells what is below it which cache is installed, and looks once for what is wrong with the app's views."""

    def __init__(self, app: Quart, asgi_app: Callable[..., Awaitable[None]], found: Installed) -> None:
        self._app = app
        self._asgi_app = asgi_app
        self._found = found
        self._is_checked = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if not self._is_checked:
            check_views(self._app.view_functions, self._found.service)
            self._is_checked = True
        if scope["type"] == "lifespan":
            await self._asgi_app(scope, receive, send)
            return
        with Serving(self._found.service):
            await self._asgi_app(scope, receive, send)


def _ensure_async(ensure_async: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a view callable: a cached one by way of the store."""
    handler = handler_of(function)
    if handler is None:
        return ensure_async(function)  # type: ignore[no-any-return]
    owner = getattr(function, "__self__", None)
    view = ensure_async(handler.function)
    return partial(_answer, handler, view) if owner is None else partial(_answer, handler, view, owner)


async def _answer(handler: Handler, view: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
    """Answer a request; what is to be recorded is one step behind, since Quart makes responses asynchronously."""
    call = _Call(view, args, kwargs)
    answer = await handler.answer(call)
    return await answer.recorded() if isinstance(answer, _Recording) else answer


class _Call(Call):
    __slots__ = ("_scope",)

    def __init__(self, view: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        context = _itself(request_ctx)
        self._scope = dict(context.request.scope) | {
            "state": {},
            "session": plain_session(context),
            "app": _itself(current_app),
            SCOPE_KEY: _installed(current_app),
        }
        super().__init__(view, Request(self._scope), args, kwargs)

    @property
    def scope(self) -> Any:
        return self._scope

    async def body(self) -> bytes:
        return await _itself(request_ctx).request.get_data()  # type: ignore[no-any-return]

    def watch(self, shared_state: Mapping[str, Any]) -> Reads:
        del shared_state
        return ViewReads(self._scope, _itself(request_ctx), _itself(app_ctx).g)

    def replayed(self, found: Replay) -> Response:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in found.raw_headers]
        response = current_app.response_class(bytes(found.body), found.status_code)
        response.headers.clear()
        response.headers.extend(headers)
        return response

    def recorded(self, answer: Any, mark: Mark | None, label: bytes) -> _Recording:
        return _Recording(answer, mark, label)


class _Recording:
    """Lets an answer go through the tee, as the messages that it would be in ASGI."""

    def __init__(self, answer: Any, mark: Mark | None, label: bytes) -> None:
        self._answer = answer
        self._mark = mark
        self._tee = Tee(mark, label, self._take)

    async def recorded(self) -> Any:
        """Make the response and record it, or let its body be recorded while it is sent."""
        try:
            response: Any = await current_app.make_response(self._answer)
            self._response = response
            said = self._said = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
            await self._tee({"type": "http.response.start", "status": response.status_code, "headers": said})
            if self._mark is not None and self._mark.open:
                await self._send_body(response)
        except Exception:
            self.land(Then.RUN)
            raise
        except BaseException:
            self.land(Then.RETRY)
            raise
        return response

    async def _send_body(self, response: Any) -> None:
        if isinstance(response.response, DataBody):
            await self._tee({"type": "http.response.body", "body": await response.get_data(as_text=False)})
            self.land(Then.RETRY)
            return
        parts = response.iter_encode()
        first = await anext(parts, b"")
        await self.pass_on(first)
        response.response = _Rest(self, first, parts)

    async def pass_on(self, part: bytes, *, is_last: bool = False) -> None:
        """Record a part of the body; what is read before the next is asked for is read by others."""
        await self._tee({"type": "http.response.body", "body": part, "more_body": not is_last})
        self.watch(active=False)

    def watch(self, *, active: bool) -> None:
        """Watch what is read, or do not."""
        if self._mark is not None and self._mark.open:
            self._mark.reads.active = active

    def land(self, then: Then) -> None:
        """Tell those who wait, if nobody did."""
        if self._mark is not None:
            self._mark.land(then)

    async def _take(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            for name, value in message["headers"][len(self._said) :]:
                self._response.headers.add(name.decode("latin-1").title(), value.decode("latin-1"))


class _Rest(ResponseBody):
    """A body that is recorded while it is sent."""

    def __init__(self, recording: _Recording, first: bytes, parts: Any) -> None:
        self._recording = recording
        self._first = first
        self._parts = parts

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._recording.land(Then.RUN if isinstance(failure[1], Exception) else Then.RETRY)
        await self._parts.aclose()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._sent()

    async def _sent(self) -> AsyncIterator[bytes]:
        yield self._first
        self._recording.watch(active=True)
        async for part in self._parts:
            await self._recording.pass_on(part)
            yield part
            self._recording.watch(active=True)
        await self._recording.pass_on(b"", is_last=True)


def _itself(proxy: Any) -> Any:
    """Give what is behind one of Quart's proxies."""
    return proxy._get_current_object()  # noqa: SLF001  # werkzeug's way
