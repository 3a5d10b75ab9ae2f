"""Quart: an extension, `@Cache` on views, and the service from the app.

    caching = Caching(app, CacheModule.setup(default="redis"))   # or Caching(), and init_app(app) in a factory

As in Flask, what is recorded of an answer is the response that `make_response` makes of it.
"""

from __future__ import annotations

from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from quart import Quart, current_app, has_app_context, has_request_context
from quart.globals import app_ctx, request_ctx
from quart.templating import _default_template_ctx_processor
from starlette.requests import Request

from asynccache.core.page_keys import READING
from asynccache.current import finders
from asynccache.decorator import cached_settings, handler_of
from asynccache.http.call import Call
from asynccache.http.current import SCOPE_KEY, Installed
from asynccache.http.entrance import note_entrance
from asynccache.http.evictions import answered
from asynccache.http.views import Views, frameworks
from asynccache.integrations.extensions import found_on, itself, put_on
from asynccache.integrations.quart_recording import Unmade
from asynccache.integrations.recording import looked_at, replayed
from asynccache.integrations.views import answers, check_views
from asynccache.integrations.werkzeug import ViewReads, hidden_query, is_watched, plain_session

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

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
        service = put_on(app, self._modules).service
        app.ensure_async = partial(_ensure_async, app.ensure_async)  # type: ignore[method-assign]
        app.process_response = partial(_process, app.process_response)  # type: ignore[method-assign]
        _render_without_reading(app)
        app.asgi_app = _Check(app, app.asgi_app, service)  # type: ignore[method-assign]

        @app.before_serving
        async def start() -> None:
            await service.start()

        app.after_serving(service.aclose)


def get_cache_service(app: Quart | None = None) -> ICacheService:
    """Return the service of an app, or of the app that serves this request."""
    return found_on(current_app if app is None else app).service


def _of_current_app() -> Installed | None:
    return current_app.extensions.get(SCOPE_KEY) if has_app_context() else None


finders.append(_of_current_app)


def _render_without_reading(app: Quart) -> None:
    """Leave request, session and `g` in templates to the proxies of these names: else each template gets the session.

    Looking at it, whether the template uses it or not, would tell whose it is.
    """
    processors = app.template_context_processors[None]
    if _default_template_ctx_processor in processors:
        processors.remove(_default_template_ctx_processor)


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
        note_entrance(self._asgi_app, scope)
        await answered(self._asgi_app, self._service, scope, receive, send)


def _ensure_async(ensure_async: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a view callable: a cached one by way of the store."""
    handler = handler_of(function)
    if handler is None:
        called = ensure_async(function)
        return called if cached_settings(function) is None else partial(_through, called)
    owner = getattr(function, "__self__", None)
    view = ensure_async(handler.function)
    return partial(_answer, handler, view) if owner is None else partial(_answer, handler, view, owner)


async def _process(process_response: Callable[..., Awaitable[Any]], response: Any, *context: Any) -> Any:
    """Look at a response when all others have had their part in it."""
    return looked_at(await process_response(response, *context))


async def _through(called: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
    """Call what decorators made of a cached view; a sync one, in a thread, gives what the view is to be awaited for."""
    answer = await called(*args, **kwargs)
    return await answer if isawaitable(answer) else answer


async def _answer_awaited(handler: Handler, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer where a decorator above calls the view."""
    return await _answer(handler, itself(current_app).ensure_async(handler.function), *args, **kwargs)


def _answer_at_once(handler: Handler, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer where the wrapper of a sync view is called: to be awaited, but by others than the route a function."""
    return _answer_awaited(handler, args, kwargs) if _is_of_route(handler) else handler.function(*args, **kwargs)


def _is_of_route(handler: Handler) -> bool:
    """Tell whether a cached view is that of the route, and not called by one, nor by itself."""
    context = itself(request_ctx)
    return answers(current_app.view_functions.get(context.request.endpoint or ""), handler) and not is_watched(context)


def _serves() -> bool:
    return has_request_context() and SCOPE_KEY in current_app.extensions


frameworks.append(Views(_serves, _answer_awaited, _answer_at_once))


async def _answer(handler: Handler, view: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
    """Answer a request; what is to be recorded is one step behind, since Quart makes responses asynchronously."""
    if not _is_of_route(handler):
        return await view(*args, **kwargs)
    call = _Call(view, args, kwargs)
    if call.scope["method"] in handler.settings.methods - READING:
        await call.measure_body()
    answer = await handler.answer(call)
    return await answer.recorded() if isinstance(answer, Unmade) else answer


class _Call(Call):
    __slots__ = ("_scope",)

    def __init__(self, view: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        context = itself(request_ctx)
        self._scope = dict(context.request.scope) | {
            "session": plain_session(context),
            "path_params": context.request.view_args or {},
            "app": itself(current_app),
            SCOPE_KEY: found_on(current_app),
        }
        super().__init__(view, Request(self._scope), args, kwargs)

    @property
    def scope(self) -> Any:
        return self._scope

    async def measure_body(self) -> None:
        """Say how long the body is where no header does: so Quart's test client sends it."""
        headers = self._scope["headers"]
        if {name.lower() for name, _ in headers}.isdisjoint({b"content-length", b"transfer-encoding"}):
            length = str(len(await self.body())).encode()
            self._scope["headers"] = [*headers, (b"content-length", length)]

    def hide(self, kept: bytes) -> None:
        self.hiding = hidden_query(itself(request_ctx).request, kept)

    async def body(self) -> bytes:
        return await itself(request_ctx).request.get_data()  # type: ignore[no-any-return]

    def watch(self, shared_state: Mapping[str, Any]) -> Reads:
        del shared_state
        return ViewReads(self._scope, itself(request_ctx), itself(app_ctx).g)

    def replayed(self, found: Replay) -> Response:
        return replayed(found, current_app.response_class)  # type: ignore[no-any-return]

    def recorded(self, answer: Any, mark: Mark | None, label: bytes) -> Unmade:
        return Unmade(answer, mark, label, self.hiding)
