"""Flask: an extension, `@Cache` on views, and the service from the app.

    caching = Caching(app, CacheModule.setup(default="redis"))   # or Caching(), and init_app(app) in a factory

Views are called in threads and wait there; what is recorded of their answers is the response that `make_response`
makes of them, so that functions called after the request, and the session's cookie, stay outside.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote_from_bytes

from flask import Flask, Response, current_app, has_app_context
from flask.globals import app_ctx, request_ctx
from flask.signals import appcontext_popped, appcontext_pushed
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
from asynccache.plan.io import BLOCKING, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from injector import Injector, Module

    from asynccache.http.handler import Handler
    from asynccache.http.mark import Mark
    from asynccache.http.reads import Reads
    from asynccache.http.replay import Replay
    from asynccache.interface import ICacheService
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
        if SCOPE_KEY in app.extensions:
            raise ConfigurationError("a cache is installed on this app already: give all backends to one of them")
        modules = CacheModule(app_backends(app.config)) if self._modules is None else self._modules
        app.extensions[SCOPE_KEY] = installed_from(modules)
        app.ensure_sync = partial(_ensure_sync, app.ensure_sync)  # type: ignore[method-assign]  # as Flask says
        app.before_request_funcs.setdefault(None, []).insert(0, _Check(app))
        appcontext_pushed.connect(_enter, app)
        appcontext_popped.connect(_leave, app)


def get_cache_service(app: Flask | None = None) -> ICacheService:
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


class _Check:
    """Looks once, before the first request, for what is wrong with the views of an app."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._is_done = False

    def __call__(self) -> None:
        if not self._is_done:
            check_views(self._app.view_functions, _installed(self._app).service)
            self._is_done = True


def _enter(app: Flask, **_: Any) -> None:
    serving = Serving(_installed(app).service)
    serving.__enter__()
    _context().__dict__[SCOPE_KEY] = serving


def _leave(app: Flask, **_: Any) -> None:
    del app
    serving = _context().__dict__.pop(SCOPE_KEY, None) if has_app_context() else None
    if serving is not None:
        serving.__exit__()


def request_context() -> Any:
    """Give the context of the request, itself and no proxy of it."""
    context: Any = request_ctx
    return context._get_current_object()  # noqa: SLF001  # werkzeug's way behind a proxy


def _context() -> Any:
    context: Any = app_ctx
    return context._get_current_object()  # noqa: SLF001  # werkzeug's way behind a proxy


def _ensure_sync(ensure_sync: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a view callable: a cached one by way of the store."""
    handler = handler_of(function)
    if handler is None:
        return ensure_sync(function)  # type: ignore[no-any-return]
    owner = getattr(function, "__self__", None)
    view = ensure_sync(handler.function)
    return partial(_answer, handler, view) if owner is None else partial(_answer, handler, view, owner)


def _answer(handler: Handler, view: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    call = _Call(view, args, kwargs)
    return run(handler.answer(call))


class _Call(Call):
    __slots__ = ("_scope",)
    io: ClassVar[IO] = BLOCKING

    def __init__(self, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        async def make(*args: Any, **kwargs: Any) -> Any:
            return view(*args, **kwargs)

        self._scope = scope_of(request_ctx.request.environ, plain_session(request_context()))
        self._scope["app"] = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
        self._scope[SCOPE_KEY] = _installed(current_app)
        super().__init__(make, Request(self._scope), args, kwargs)

    @property
    def scope(self) -> Any:
        return self._scope

    async def body(self) -> bytes:
        return request_ctx.request.get_data()

    def watch(self, shared_state: Mapping[str, Any]) -> Reads:
        del shared_state
        return ViewReads(self._scope, request_context(), _context().g)

    def replayed(self, found: Replay) -> Response:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in found.raw_headers]
        response = current_app.response_class(bytes(found.body), found.status_code)
        response.headers.clear()
        response.headers.extend(headers)
        return response

    def recorded(self, answer: Any, mark: Mark | None, label: bytes) -> Response:
        try:
            response = current_app.make_response(answer)
        except BaseException:
            if mark is not None:
                mark.land(Then.RUN)
            raise
        return _Recording(response, mark, label).response


class _Recording:
    """Lets a response go through the tee, as the messages that it would be in ASGI."""

    def __init__(self, response: Response, mark: Mark | None, label: bytes) -> None:
        self.response = response
        self._mark = mark
        self._tee = Tee(mark, label, self._take)
        self._said = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
        try:
            self._send({"type": "http.response.start", "status": response.status_code, "headers": self._said})
            if mark is not None and mark.open:
                self._send_body()
        except BaseException:
            self._land(Then.RUN)
            raise

    async def _take(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            for name, value in message["headers"][len(self._said) :]:
                self.response.headers.add(name.decode("latin-1").title(), value.decode("latin-1"))

    def _send(self, message: dict[str, Any]) -> None:
        run(self._tee(message))

    def _send_body(self) -> None:
        response = self.response
        if not response.is_streamed and not response.direct_passthrough:
            self._send({"type": "http.response.body", "body": response.get_data()})
            self._land(Then.RETRY)
            return
        parts = iter(response.response if response.direct_passthrough else response.iter_encoded())
        first = next(parts, b"")
        self._send({"type": "http.response.body", "body": first, "more_body": True})
        self._watch(active=False)
        response.response = self._rest(first, parts)

    def _rest(self, first: Any, parts: Iterator[Any]) -> Iterator[Any]:
        try:
            yield first
            self._watch(active=True)
            for part in parts:
                self._send({"type": "http.response.body", "body": part, "more_body": True})
                self._watch(active=False)
                yield part
                self._watch(active=True)
            self._send({"type": "http.response.body", "body": b""})
        except Exception:
            self._land(Then.RUN)
            raise
        finally:
            self._land(Then.RETRY)
            close = getattr(parts, "close", None)
            if close is not None:
                close()

    def _watch(self, *, active: bool) -> None:
        """Watch what is read, or do not: between two parts of a stream others read."""
        if self._mark is not None and self._mark.open:
            self._mark.reads.active = active

    def _land(self, then: Then) -> None:
        if self._mark is not None:
            self._mark.land(then)


def scope_of(environ: dict[str, Any], session: Any) -> dict[str, Any]:
    """Give the ASGI scope that says what a WSGI environ says."""
    headers = [
        (key[5:].replace("_", "-").lower().encode("latin-1"), value.encode("latin-1"))
        for key, value in environ.items()
        if key.startswith("HTTP_")
    ]
    headers += [
        (name, environ[key].encode("latin-1"))
        for name, key in ((b"content-type", "CONTENT_TYPE"), (b"content-length", "CONTENT_LENGTH"))
        if environ.get(key)
    ]
    if "HTTP_HOST" not in environ:
        headers.append((b"host", f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}".encode("latin-1")))
    root = environ.get("SCRIPT_NAME", "").encode("latin-1")
    path = root + environ.get("PATH_INFO", "").encode("latin-1")
    scope = {
        "type": "http",
        "http_version": environ.get("SERVER_PROTOCOL", "HTTP/1.1").partition("/")[2] or "1.1",
        "method": environ["REQUEST_METHOD"],
        "scheme": environ["wsgi.url_scheme"],
        "path": path.decode("utf-8", "replace"),
        "raw_path": quote_from_bytes(path, safe="/!$&'()*+,;=:@~").encode(),
        "root_path": root.decode("utf-8", "replace"),
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1"),
        "headers": headers,
        "client": (environ.get("REMOTE_ADDR", ""), 0),
        "state": {},
        "session": session,
    }
    if environ.get("REMOTE_USER"):
        scope["user"] = environ["REMOTE_USER"]
    return scope
