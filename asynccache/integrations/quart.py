"""Quart: an extension, `@Cache` on views, and the service from the app.

    caching = Caching(app, CacheModule.setup(default="redis"))   # or Caching(), and init_app(app) in a factory

As in Flask, what is recorded of an answer is the response that `make_response` makes of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from quart import Quart, current_app, has_app_context
from quart.globals import app_ctx, request_ctx
from quart.wrappers.response import DataBody, ResponseBody
from starlette.requests import Request

from asynccache.config import app_backends
from asynccache.current import finders
from asynccache.decorator import handler_of
from asynccache.errors import ConfigurationError
from asynccache.http.call import Call
from asynccache.http.current import SCOPE_KEY, Installed
from asynccache.http.mark import busy
from asynccache.http.rules import Then
from asynccache.integrations.modules import installed_from
from asynccache.integrations.recording import Recording, replayed
from asynccache.integrations.views import check_views
from asynccache.integrations.werkzeug import ViewReads, is_watched, plain_session
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
    from asynccache.service import CacheService


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
        service = found.service
        app.ensure_async = partial(_ensure_async, app.ensure_async)  # type: ignore[method-assign]
        app.asgi_app = _Check(app, app.asgi_app, service)  # type: ignore[method-assign]

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


def _of_current_app() -> Installed | None:
    return current_app.extensions.get(SCOPE_KEY) if has_app_context() else None


finders.append(_of_current_app)


class _Check:
    """Looks once, before the first request, for what is wrong with the views of an app."""

    def __init__(self, app: Quart, asgi_app: Callable[..., Awaitable[None]], service: CacheService) -> None:
        self._app = app
        self._asgi_app = asgi_app
        self._service = service
        self._is_checked = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if not self._is_checked:
            check_views(self._app.view_functions, self._service)
            self._is_checked = True
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
    if is_watched(_itself(request_ctx)):
        return await view(*args, **kwargs)
    answer = await handler.answer(_Call(view, args, kwargs))
    return await _recorded(answer) if isinstance(answer, _Unmade) else answer


@dataclass(frozen=True, slots=True)
class _Unmade:
    """What a view returned, of which a response is to be made and recorded."""

    answer: Any
    mark: Mark | None
    label: bytes


class _Call(Call):
    __slots__ = ("_scope",)

    def __init__(self, view: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        context = _itself(request_ctx)
        self._scope = dict(context.request.scope) | {
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
        return replayed(found, current_app.response_class)  # type: ignore[no-any-return]

    def recorded(self, answer: Any, mark: Mark | None, label: bytes) -> _Unmade:
        return _Unmade(answer, mark, label)


async def _recorded(answer: _Unmade) -> Any:
    """Make the response and record it, or let its body be recorded while it is sent."""
    try:
        response: Any = await current_app.make_response(answer.answer)
        recording = Recording(response, answer.mark, answer.label)
        await recording.start()
        if recording.is_on:
            await _record(recording)
    except BaseException as failure:
        if answer.mark is not None:
            answer.mark.land(Then.RUN if isinstance(failure, Exception) else Then.RETRY)
        raise
    return response


async def _record(recording: Recording) -> None:
    response = recording.response
    if isinstance(response.response, DataBody):
        await recording.pass_on(await response.get_data(as_text=False), is_last=True)
        recording.land(Then.RETRY)
    else:
        parts = response.iter_encode()
        first = await _next(recording, parts)
        await recording.pass_on(first)
        response.response = _Rest(recording, first, parts)


async def _next(recording: Recording, parts: Any) -> bytes:
    """Give the next part that is not empty; an empty one is the end."""
    recording.watch(active=True)
    with busy():
        async for part in parts:
            if part:
                return part  # type: ignore[no-any-return]
    return b""


class _Rest(ResponseBody):
    """A body that is recorded while it is sent."""

    def __init__(self, recording: Recording, first: bytes, parts: Any) -> None:
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
        while part := await _next(self._recording, self._parts):
            await self._recording.pass_on(part)
            yield part
        await self._recording.pass_on(b"", is_last=True)


def _itself(proxy: Any) -> Any:
    """Give what is behind one of Quart's proxies."""
    return proxy._get_current_object()  # noqa: SLF001  # werkzeug's way
