"""What Flask and Quart have in common: seeing what a view reads of its request, of `g` and of the session.

A view takes no request among its arguments: it looks at `request`, `session` and `g`. For the time of one call these
very objects are of a class that tells what was asked of them; afterwards they are what they were.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from asynccache.http.disguises import teach, teach_keyed
from asynccache.http.reads import Reads
from asynccache.http.snapshot import EMPTY_SESSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.datastructures import Headers

    from asynccache.http.rules import Seen

_HEADERS_OF = {
    "accept_mimetypes": "accept", "accept_charsets": "accept-charset", "accept_encodings": "accept-encoding",
    "accept_languages": "accept-language", "user_agent": "user-agent", "referrer": "referer", "origin": "origin",
    "authorization": "authorization", "cookies": "cookie", "cache_control": "cache-control", "pragma": "pragma",
    "date": "date", "max_forwards": "max-forwards", "range": "range", "if_range": "if-range", "if_match": "if-match",
    "if_none_match": "if-none-match", "if_modified_since": "if-modified-since",
    "if_unmodified_since": "if-unmodified-since", "content_type": "content-type", "mimetype": "content-type",
    "mimetype_params": "content-type", "is_json": "content-type", "content_encoding": "content-encoding",
    "content_md5": "content-md5", "access_control_request_headers": "access-control-request-headers",
    "access_control_request_method": "access-control-request-method",
}  # fmt: skip
_IDENTITY_OF = {"remote_addr": "client", "access_route": "client", "remote_user": "user"}
_KEYED = frozenset({
    "PATH_INFO", "QUERY_STRING", "REQUEST_METHOD", "SCRIPT_NAME", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT",
    "SERVER_PROTOCOL", "SERVER_SOFTWARE", "GATEWAY_INTERFACE",
})  # fmt: skip
_WATCH = "_asynccache_watch"
_kinds: dict[tuple[type, str], type] = {}


class ViewReads(Reads):
    """What a view reads until `stop`.

    Args:
        scope: the ASGI scope that stands for the request.
        context: the request's context, itself and no proxy of it.
        g: what the application keeps for this request.
    """

    def __init__(self, scope: Any, context: Any, g: Any) -> None:
        self._undo: list[Callable[[], None]] = []
        self._found = frozenset(vars(g))
        self._missed: set[str] = set()
        self._has_met_session = False
        self._session = plain_session(context)
        self._session_was_empty = not self._session
        super().__init__({name: value for name, value in scope.items() if name != "session"}, None, {})
        self._watch_request(context.request)
        self._become(g, _globals_kind, self)
        self._become(context, _context_kind, self)

    def header(self, name: object) -> None:
        """Note that a header was asked for."""
        if isinstance(name, str):
            self.asked(name.lower().replace("_", "-").encode("latin-1", "replace"), found=False)

    def attribute(self, name: str) -> None:
        """Note that an attribute of the request was looked at."""
        if name in _HEADERS_OF:
            self.header(_HEADERS_OF[name])
        elif name in _IDENTITY_OF:
            self.read(_IDENTITY_OF[name])

    def environ_item(self, key: object) -> None:
        """Note that an item of the WSGI environ was looked at."""
        if not isinstance(key, str) or key in _KEYED or key.startswith(("wsgi.", "werkzeug.")):
            return
        if key.startswith("HTTP_"):
            self.header(key.removeprefix("HTTP_"))
        elif key in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            self.header(key)
        elif key in {"REMOTE_ADDR", "REMOTE_PORT"}:
            self.read("client")
        else:
            self.read("user" if key in {"REMOTE_USER", "AUTH_TYPE"} else f"environ {key}")

    def global_read(self, name: object) -> None:
        """Note that an attribute of `g` was looked at: somebody's, unless the view itself puts it there."""
        if isinstance(name, str) and not name.startswith("__"):
            if name in self._found:
                self.read(f"g.{name}")
            elif self.active:
                self._seen = None
                self._missed.add(name)

    def global_written(self, name: object) -> None:
        """Note that the view put something of its own into `g`."""
        if self.active and isinstance(name, str):
            self._seen = None
            self._missed.discard(name)

    def session_met(self) -> None:
        """Note that the session was asked for."""
        if self.active:
            self._seen = None
            self._has_met_session = True

    def all_globals(self) -> None:
        """Note that somebody went through all of `g`."""
        self.read("g")

    def conditions(self) -> int:
        """Tell what must hold of other requests; an empty session counts only where it was looked at."""
        found = super().conditions()
        return found if self._has_met_session else found & ~EMPTY_SESSION

    def _sum_up(self) -> Seen:
        seen = super()._sum_up()
        mine = {f"g.{name}" for name in self._missed}
        if self._has_met_session and not (self._session_was_empty and not self._session):
            mine.add("session")
        return replace(seen, identity=seen.identity | mine)

    def stop(self) -> None:
        """Put everything back."""
        while self._undo:
            self._undo.pop()()
        super().stop()

    def _watch_request(self, request: Any) -> None:
        headers, environ = request.headers, getattr(request, "environ", None)
        if environ is not None:
            self._put(request, "environ", self._watched_environ(environ))
        self._become(headers, _headers_kind, (self, _twin(headers)))
        self._become(request, _request_kind, self)

    def _watched_environ(self, environ: dict[str, Any]) -> Environ:
        watched = Environ(environ)
        watched.watcher = self
        return watched

    def _put(self, owner: Any, name: str, value: Any) -> None:
        before = getattr(owner, name)
        setattr(owner, name, value)
        self._undo.append(lambda: setattr(owner, name, before))

    def _become(self, owner: Any, make: Callable[[type], type], watch: Any) -> None:
        kind = type(owner)
        watched = _kinds.get((kind, make.__name__))
        if watched is None:
            watched = _kinds[kind, make.__name__] = make(kind)
        owner.__dict__[_WATCH] = watch
        owner.__class__ = watched

        def undo() -> None:
            owner.__class__ = kind
            owner.__dict__.pop(_WATCH, None)

        self._undo.append(undo)


class Environ(dict[str, Any]):
    """The WSGI environ of a request that is watched."""

    watcher: ViewReads


teach_keyed(
    Environ, dict, "__getitem__ get __contains__ pop setdefault", lambda environ, key: environ.watcher.environ_item(key)
)
teach(
    Environ,
    dict,
    "keys values items __iter__ __reversed__ __len__ copy __repr__ __eq__ __ne__ __or__ __ror__ popitem",
    lambda environ: environ.watcher.asked_all(),
)


def _twin(headers: Headers) -> Headers:
    """Give headers with the same content, which tell nothing."""
    twin: Any = object.__new__(type(headers))
    twin.__dict__.update(headers.__dict__)
    return twin  # type: ignore[no-any-return]


def _request_kind(kind: Any) -> type:
    def look(request: Any, name: str) -> Any:
        if name in _HEADERS_OF or name in _IDENTITY_OF:
            watch = object.__getattribute__(request, "__dict__").get(_WATCH)
            if watch is not None:
                watch.attribute(name)
        return kind.__getattribute__(request, name)

    return type(kind.__name__, (kind,), {"__getattribute__": look})


def _headers_kind(kind: type) -> type:
    def by_name(method: str) -> Callable[..., Any]:
        def told(headers: Any, name: Any, *args: Any, **options: Any) -> Any:
            reads, twin = headers.__dict__[_WATCH]
            reads.header(name)
            return getattr(twin, method)(name, *args, **options)

        return told

    def as_a_whole(method: str) -> Callable[..., Any]:
        def told(headers: Any, *args: Any, **options: Any) -> Any:
            reads, twin = headers.__dict__[_WATCH]
            reads.asked_all()
            return getattr(twin, method)(*args, **options)

        return told

    one = ("__getitem__", "__contains__", "get", "getlist", "get_all")
    all_ = ("__iter__", "__len__", "__repr__", "__str__", "keys", "values", "items", "to_wsgi_list", "__eq__")
    return type(
        kind.__name__,
        (kind,),
        {name: by_name(name) for name in one} | {name: as_a_whole(name) for name in all_} | {"__hash__": None},
    )


def _context_kind(kind: Any) -> type:
    def look(context: Any, name: str) -> Any:
        if name == "session":
            object.__getattribute__(context, "__dict__")[_WATCH].session_met()
        return kind.__getattribute__(context, name)

    return type(kind.__name__, (kind,), {"__getattribute__": look})


def plain_session(context: Any) -> Any:
    """Give the session of a request's context, without anybody having asked for it."""
    kept = object.__getattribute__(context, "__dict__")
    return kept.get("_session", kept.get("session"))


def _kept(g: Any) -> dict[str, Any]:
    return object.__getattribute__(g, "__dict__")  # type: ignore[no-any-return]


def _globals_kind(kind: type) -> type:
    def look(g: Any, name: str) -> Any:
        if name == "__dict__":
            _kept(g)[_WATCH].all_globals()
        elif not hasattr(kind, name):
            _kept(g)[_WATCH].global_read(name)
            if name in _kept(g):
                return _kept(g)[name]
            raise AttributeError(name)
        return object.__getattribute__(g, name)

    own: dict[str, Any] = {"__getattribute__": look, "__setattr__": _write, "__iter__": _names}
    return type(kind.__name__, (kind,), own | {name: _by_name(name) for name in _BY_NAME})


_BY_NAME = ("get", "pop", "setdefault", "__contains__")


def _write(g: Any, name: str, value: Any) -> None:
    _kept(g)[_WATCH].global_written(name)
    _kept(g)[name] = value


def _names(g: Any) -> Any:
    _kept(g)[_WATCH].all_globals()
    return iter([name for name in _kept(g) if name != _WATCH])


def _by_name(method: str) -> Callable[..., Any]:
    original = getattr(dict, method)

    def told(g: Any, name: Any, *args: Any) -> Any:
        _kept(g)[_WATCH].global_read(name)
        if method == "setdefault":
            _kept(g)[_WATCH].global_written(name)
        return original(_kept(g), name, *args)

    return told
