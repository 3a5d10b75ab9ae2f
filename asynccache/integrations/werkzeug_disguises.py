"""Classes of a watched view's request, its headers, its environ, its context and its `g`: they tell who watches.

An object is given such a class while it is watched, so that all who hold it see the same.
"""

from __future__ import annotations

import copy
import sys
from typing import TYPE_CHECKING, Any

from asynccache.http.disguises import teach, teach_keyed

if TYPE_CHECKING:
    from collections.abc import Callable

    from asynccache.integrations.werkzeug import ViewReads

_WATCHERS = "_asynccache_watchers"
_TWIN = "_asynccache_twin"
_OF_FRAMEWORKS = ("werkzeug.", "flask.", "quart.", "functools")
_SET_BY_FRAMEWORKS = frozenset({
    "method", "scheme", "server", "root_path", "path", "query_string", "headers", "environ", "scope", "shallow",
    "http_version", "body", "body_timeout", "json_module", "url_rule", "view_args", "routing_exception",
    "_files", "_form", "_parsing_lock", "_send_push_promise", "_max_content_length", "_max_form_memory_size",
    "_max_form_parts", "_parsed_content_type", "_cached_data", "_cached_json",
})  # fmt: skip
_kinds: dict[tuple[type, str], type] = {}


def disguise(owner: Any, make: Callable[[Any], type], reads: ViewReads) -> Callable[[], None]:
    """Let an object tell what is read of it, and give what ends that; several may watch, and end in any order."""
    kept = kept_by(owner)
    watchers = kept.setdefault(_WATCHERS, [])
    watchers.append(reads)
    if len(watchers) == 1:
        _exchange_class(owner, _kind(type(owner), make))

    def undo() -> None:
        watchers.remove(reads)
        if not watchers:
            _exchange_class(owner, type(owner).__mro__[1])
            kept.pop(_WATCHERS, None)
            kept.pop(_TWIN, None)

    return undo


def _exchange_class(owner: Any, kind: type) -> None:
    object.__setattr__(owner, "__class__", kind)  # whatever it does itself with what is assigned


def is_disguised(owner: Any) -> bool:
    """Tell whether somebody watches what is read of an object."""
    return _WATCHERS in kept_by(owner)


def kept_by(owner: Any) -> dict[str, Any]:
    """Give what an object keeps, without telling anybody."""
    return object.__getattribute__(owner, "__dict__")  # type: ignore[no-any-return]


def _kind(kind: type, make: Callable[[Any], type]) -> type:
    found = _kinds.get((kind, make.__name__))
    if found is None:
        found = _kinds[kind, make.__name__] = make(kind)
    return found


def _watchers(owner: Any) -> list[ViewReads]:
    return kept_by(owner).get(_WATCHERS, [])  # type: ignore[no-any-return]


def request_kind(kind: Any) -> type:
    """Make a class of requests that tell which of their attributes are looked at."""
    known = {name for base in kind.__mro__ if base.__module__.startswith(_OF_FRAMEWORKS) for name in vars(base)}

    def look(request: Any, name: str) -> Any:
        if name == "__dict__" and not _calls_from(_OF_FRAMEWORKS):
            for reads in _watchers(request):
                reads.asked_all()
        elif name not in _SET_BY_FRAMEWORKS and not name.startswith("__"):
            is_there = hasattr(kind, name) and name not in kept_by(request)
            for reads in _watchers(request):
                reads.attribute(name, of_framework=name in known, is_there=is_there)
        return kind.__getattribute__(request, name)

    def write(request: Any, name: str, value: Any) -> None:
        for reads in _watchers(request):
            reads.kept_written(f"request.{name}")
        kind.__setattr__(request, name, value)

    return _class(kind, {"__getattribute__": look, "__setattr__": write})


def _calls_from(modules: tuple[str, ...]) -> bool:
    """Tell whether a look is that of code in these modules: their cached properties look for themselves."""
    return str(sys._getframe(2).f_globals.get("__name__")).startswith(modules)  # noqa: SLF001  # no other way to know


def headers_kind(kind: Any) -> type:
    """Make a class of headers that tell which are asked for; they are looked up in a twin, which tells nothing."""

    def by_name(method: str) -> Callable[..., Any]:
        def told(headers: Any, name: Any, *args: Any, **options: Any) -> Any:
            for reads in _watchers(headers):
                reads.header(name)
            return getattr(_twin(headers), method)(name, *args, **options)

        return told

    def as_a_whole(method: str) -> Callable[..., Any]:
        def told(headers: Any, *args: Any, **options: Any) -> Any:
            for reads in _watchers(headers):
                reads.asked_all()
            return getattr(_twin(headers), method)(*args, **options)

        return told

    def item(headers: Any, key: Any) -> Any:
        return (by_key if isinstance(key, str) else by_place)(headers, key)

    def reduced(headers: Any, protocol: Any) -> Any:
        del protocol
        return copy.copy, (all_of(headers),)

    by_key, by_place, all_of = by_name("__getitem__"), as_a_whole("__getitem__"), as_a_whole("__copy__")
    own: dict[str, Any] = {name: as_a_whole(name) for name in _OF_HEADERS if hasattr(kind, name)}
    own |= {name: by_name(name) for name in _BY_HEADER}
    return _class(kind, own | {"__getitem__": item, "__reduce_ex__": reduced})


_BY_HEADER = ("__contains__", "_get_key", "get", "getlist", "get_all", "setdefault", "setlistdefault")
_OF_HEADERS = (
    "__iter__", "__len__", "__repr__", "__str__", "__eq__", "__or__", "__copy__", "copy", "keys", "values", "items",
    "pop", "popitem", "to_wsgi_list",
)  # fmt: skip


def give_twin(headers: Any) -> None:
    """Let headers, before they are watched, have a twin with the same content."""
    plain: Any = type(headers)
    twin = object.__new__(plain)
    kept_by(twin).update(kept_by(headers))
    kept_by(headers)[_TWIN] = twin


def _twin(headers: Any) -> Any:
    return kept_by(headers)[_TWIN]


def context_kind(kind: Any) -> type:
    """Make a class of request contexts that tell when the session is asked for."""

    def look(context: Any, name: str) -> Any:
        if name in {"session", "_session", "flashes"}:
            for reads in _watchers(context):
                reads.session_met(flashes=name == "flashes" and bool(kept_by(context).get(name)))
        return kind.__getattribute__(context, name)

    def copied(context: Any) -> Any:  # for another thread
        watchers = kept_by(context).pop(_WATCHERS, [])
        try:
            made = kind.copy(context)
        finally:
            kept_by(context)[_WATCHERS] = watchers
        kept_by(made)[_WATCHERS] = list(watchers)
        return made

    return _class(kind, {"__getattribute__": look, "copy": copied})


def globals_kind(kind: Any) -> type:
    """Make a class of `g` that tells which of its attributes are looked at."""

    def look(g: Any, name: str) -> Any:
        if name == "__dict__":
            _tell_all(g)
        elif not hasattr(kind, name):
            _tell(g, name)
            if name in kept_by(g):
                return kept_by(g)[name]
            raise AttributeError(name)
        return object.__getattribute__(g, name)

    def write(g: Any, name: str, value: Any) -> None:
        _tell_written(g, name)
        kept_by(g)[name] = value

    def names(g: Any) -> Any:
        _tell_all(g)
        return iter([name for name in kept_by(g) if name != _WATCHERS])

    own: dict[str, Any] = {"__getattribute__": look, "__setattr__": write, "__iter__": names}
    return _class(kind, own | {name: _by_name(name) for name in ("get", "pop", "setdefault", "__contains__")})


def _by_name(method: str) -> Callable[..., Any]:
    original = getattr(dict, method)

    def told(g: Any, name: Any, *args: Any) -> Any:
        _tell(g, name)
        if method == "setdefault":
            _tell_written(g, name)
        return original(kept_by(g), name, *args)

    return told


def _tell(g: Any, name: Any) -> None:
    for reads in _watchers(g):
        reads.kept_read(f"g.{name}")


def _tell_written(g: Any, name: Any) -> None:
    for reads in _watchers(g):
        reads.kept_written(f"g.{name}")


def _tell_all(g: Any) -> None:
    for reads in _watchers(g):
        reads.read("g")


def _class(kind: type, own: dict[str, Any]) -> type:
    """Make a subclass that looks like its base; what compares by value is not hashed."""
    return type(kind.__name__, (kind,), {"__module__": kind.__module__, "__hash__": kind.__hash__, **own})


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
