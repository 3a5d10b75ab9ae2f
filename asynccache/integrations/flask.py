"""Flask: an extension, `@Cache` on views, and the service from the app.

    caching = Caching(app, CacheModule.setup(default="redis"))   # or Caching(), and init_app(app) in a factory

Views are called in threads and wait there; what is recorded of their answers is the response that `make_response`
makes of them, so that functions called after the request, and the session's cookie, stay outside.
"""

from __future__ import annotations

from contextlib import closing, suppress
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, ClassVar

from flask import Flask, Response, current_app, has_app_context, has_request_context
from flask.globals import app_ctx, request_ctx
from starlette.requests import Request
from werkzeug.wsgi import ClosingIterator

from asynccache.current import finders
from asynccache.decorator import handler_of
from asynccache.http.call import Call
from asynccache.http.current import SCOPE_KEY, Installed
from asynccache.http.renewals import RENEWAL_KEY
from asynccache.http.views import Views, frameworks
from asynccache.integrations.extensions import found_on, itself, put_on
from asynccache.integrations.flask_evicting import dispatch_evicting
from asynccache.integrations.flask_recording import recorded
from asynccache.integrations.recording import last_looked_at, replayed
from asynccache.integrations.views import answers, check_views
from asynccache.integrations.werkzeug import ViewReads, hidden_query, is_watched, plain_session
from asynccache.integrations.werkzeug_disguises import kept_by
from asynccache.integrations.wsgi import environ_like, scope_of
from asynccache.loading.outcomes import GONE
from asynccache.plan.io import BLOCKING, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from injector import Injector, Module

    from asynccache.http.handler import Handler
    from asynccache.http.mark import Mark
    from asynccache.http.reads import Reads
    from asynccache.http.renewals import Renewal
    from asynccache.http.replay import Replay
    from asynccache.interface import ICacheService
    from asynccache.loading.running import Runner
    from asynccache.plan.io import IO


class Caching:
    """Installs a cache on Flask apps.

    Args:
        app: the app, or None to call `init_app` later.
        modules: `CacheModule.setup(...)`, a list of modules with it, or an `Injector` made with it; None: what the
            app's config says under `CACHES`, or in Flask-Caching's words under `CACHE_TYPE`, else the environment.
    """

    def __init__(self, app: Flask | None = None, modules: Injector | Module | Iterable[Module] | None = None) -> None:
        self._modules = modules
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Install it on an app; `ConfigurationError` where one is installed already, and for what is wrong in it."""
        put_on(app, self._modules)
        app.ensure_sync = partial(_ensure_sync, app.ensure_sync)  # type: ignore[method-assign]  # as Flask says
        app.full_dispatch_request = partial(dispatch_evicting, app, app.full_dispatch_request)  # type: ignore[method-assign]  # likewise
        app.process_response = last_looked_at(app.process_response)  # type: ignore[assignment,method-assign]
        app.before_request_funcs.setdefault(None, []).insert(0, _Check(app))


def get_cache_service(app: Flask | None = None) -> ICacheService:
    """Return the service of an app, or of the app that serves this request."""
    return found_on(current_app if app is None else app).service


def _of_current_app() -> Installed | None:
    return current_app.extensions.get(SCOPE_KEY) if has_app_context() else None


finders.append(_of_current_app)


class _Check:
    """Looks once, before the first request, for what is wrong with the views of an app."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._is_done = False

    def __call__(self) -> None:
        if not self._is_done:
            check_views(self._app.view_functions, found_on(self._app).service, is_wsgi=True)
            self._is_done = True


def _ensure_sync(ensure_sync: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a view callable: a cached one by way of the store."""
    handler = handler_of(function)
    if handler is None:
        return ensure_sync(function)  # type: ignore[no-any-return]
    owner = getattr(function, "__self__", None)
    view = ensure_sync(handler.function)
    return partial(_answer, handler, view) if owner is None else partial(_answer, handler, view, owner)


def _answer(handler: Handler, view: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return run(handler.answer(_Call(view, args, kwargs))) if _is_of_route(handler) else view(*args, **kwargs)


def _answer_at_once(handler: Handler, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer where a decorator above calls the wrapper of a sync view."""
    return _answer(handler, handler.function, *args, **kwargs)


async def _answer_awaited(handler: Handler, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer where an async decorator above awaits it, on a loop that Flask made for this request alone."""
    call = _Call(handler.function, args, kwargs)
    return await (handler.answer(call) if _is_of_route(handler) else call.run())


def _is_of_route(handler: Handler) -> bool:
    """Tell whether a cached view is that of the route, and not called by one, nor by itself."""
    view = current_app.view_functions.get(request_ctx.request.endpoint or "")
    return answers(view, handler) and not is_watched(itself(request_ctx))


def _serves() -> bool:
    return has_request_context() and SCOPE_KEY in current_app.extensions


frameworks.append(Views(_serves, _answer_awaited, _answer_at_once))


class _Call(Call):
    __slots__ = ("_scope",)
    io: ClassVar[IO] = BLOCKING

    def __init__(self, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        async def make(*args: Any, **kwargs: Any) -> Any:
            answer = view(*args, **kwargs)
            return await answer if isawaitable(answer) else answer

        context = itself(request_ctx)
        self._scope = scope_of(context.request.environ, plain_session(context)) | {
            "path_params": context.request.view_args or {},
            "app": itself(current_app),
            SCOPE_KEY: found_on(current_app),
            RENEWAL_KEY: context.request.environ.get(RENEWAL_KEY),
        }
        super().__init__(make, Request(self._scope), args, kwargs)

    @property
    def scope(self) -> Any:
        return self._scope

    async def body(self) -> bytes:
        return request_ctx.request.get_data()

    def hide(self, kept: bytes) -> None:
        self.hiding = hidden_query(itself(request_ctx).request, kept)

    @property
    def can_be_renewed(self) -> bool:
        return True

    def renew(self, renewal: Renewal, runner: Runner) -> None:
        app, environ = itself(current_app), environ_like(kept_by(request_ctx.request)["environ"])
        environ[RENEWAL_KEY] = renewal
        with suppress(RuntimeError):  # no more threads: the process ends
            runner.own_in_thread(renewal.flight, partial(_send, app, environ, renewal))

    def watch(self, shared_state: Mapping[str, Any]) -> Reads:
        del shared_state
        return ViewReads(self._scope, itself(request_ctx), itself(app_ctx).g)

    def replayed(self, found: Replay) -> Response:
        return replayed(found, current_app.response_class)  # type: ignore[no-any-return]

    def recorded(self, answer: Any, mark: Mark | None, label: bytes) -> Response:
        return recorded(answer, mark, label, self.hiding)


def _send(app: Flask, environ: dict[str, Any], renewal: Renewal) -> None:
    """Let an app answer a request that renews a page, in a thread of the cache's; nobody gets what it answers."""
    error = None
    try:
        with closing(ClosingIterator(app.wsgi_app(environ, _begin_response))) as answer:
            for _ in answer:
                pass
    except Exception as failure:  # noqa: BLE001  # whoever reads the page meanwhile has it
        error = failure
    finally:
        renewal.end(error)
        renewal.flight.settle(GONE)


def _begin_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
    """Be what a WSGI server gives to an app."""
    del status, headers, exc_info
    return len
