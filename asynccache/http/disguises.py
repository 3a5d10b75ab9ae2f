"""Stand-ins for what a request carries, which behave the same and tell what was asked of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from starlette.authentication import AuthCredentials, SimpleUser


class Watcher(Protocol):
    """Who is told."""

    def asked(self, name: bytes, *, found: bool) -> None:
        """Note that the first header's name was compared with this one."""

    def asked_all(self) -> None:
        """Note that the headers were gone through."""

    def value_read(self) -> None:
        """Note that the first header's value was looked at."""

    def read(self, what: str) -> None:
        """Note that this identity was read."""

    def state_read(self, key: object) -> None:
        """Note that this item of the state was read; None: all of them."""

    def state_written(self, key: object) -> None:
        """Note that this item of the state is now the handler's own."""


class Name(bytes):
    """The first header's name: every look-up compares with it, and so tells what it looks for."""

    watcher: Watcher

    def __eq__(self, other: object) -> bool:
        found = bytes.__eq__(self, other)
        if isinstance(other, bytes):
            self.watcher.asked(bytes(other), found=found is True)
        return found

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = bytes.__hash__


class Value(bytes):
    """The first header's value: read without its name having been asked for, all headers were gone through."""

    watcher: Watcher
    __hash__ = bytes.__hash__


class Client(tuple[Any, ...]):  # noqa: SLOT001  # a tuple cannot have slots of its own
    """The client's address."""

    watcher: Watcher
    __hash__ = tuple.__hash__


class State(dict[Any, Any]):
    """The request's state."""

    watcher: Watcher

    def __setitem__(self, key: Any, value: Any) -> None:
        self.watcher.state_written(key)
        dict.__setitem__(self, key, value)


def _telling(base: type, method: str, tell: Callable[[Any], None]) -> Callable[..., Any]:
    original = getattr(base, method)

    def told(self: Any, *args: Any, **options: Any) -> Any:
        tell(self)
        return original(self, *args, **options)

    return told


def _keyed(base: type, method: str, tell: Callable[[Any, Any], None]) -> Callable[..., Any]:
    original = getattr(base, method)

    def told(self: Any, key: Any, *args: Any) -> Any:
        tell(self, key)
        return original(self, key, *args)

    return told


def _teach(disguise: type, base: type, methods: str, tell: Callable[[Any], None]) -> None:
    for method in methods.split():
        setattr(disguise, method, _telling(base, method, tell))


_BYTES = (
    "decode lower upper title startswith endswith split rsplit partition rpartition strip lstrip rstrip replace find "
    "index join hex __getitem__ __iter__ __contains__ __lt__ __le__ __gt__ __ge__ __add__ __hash__ __repr__ __str__"
)
_teach(Name, bytes, _BYTES, lambda name: name.watcher.asked_all())
_teach(Value, bytes, f"{_BYTES} __eq__ __ne__ __len__", lambda value: value.watcher.value_read())
_teach(
    Client,
    tuple,
    "__getitem__ __iter__ __contains__ __eq__ __ne__ __hash__ __repr__ index count __add__",
    lambda client: client.watcher.read("client"),
)
_teach(
    State,
    dict,
    "keys values items __iter__ __len__ copy __repr__ __eq__ __or__ popitem",
    lambda state: state.watcher.state_read(None),
)
for _method in ("__getitem__", "get", "__contains__", "pop", "setdefault"):
    setattr(State, _method, _keyed(dict, _method, lambda state, key: state.watcher.state_read(key)))

_SESSION = (
    "__getitem__ get __contains__ __iter__ __len__ keys values items pop popitem setdefault copy __eq__ __or__ "
    "__repr__ __setitem__ __delitem__ update clear __ior__ mark_accessed mark_modified"
)
_sessions: dict[type, type] = {}


def session_disguise(kind: type) -> type:
    """Give a subclass of a kind of session whose methods tell that they were called."""
    try:
        return _sessions[kind]
    except KeyError:
        disguise = type(kind.__name__, (kind,), {"__hash__": None})
        present = " ".join(method for method in _SESSION.split() if hasattr(kind, method))
        _teach(disguise, kind, present, lambda session: session.__dict__["_watcher"].read("session"))
        _sessions[kind] = disguise
        return disguise


class _Credentials(AuthCredentials):
    def __getattribute__(self, name: str) -> Any:
        return _looked_at(self, name, "auth")


class _User(SimpleUser):
    def __getattribute__(self, name: str) -> Any:
        return _looked_at(self, name, "user")


_logins: dict[type, type] = {AuthCredentials: _Credentials, SimpleUser: _User}


def login_disguise(login: Any, watcher: Watcher) -> Any:
    """Give a stand-in for Starlette's own credentials and user; classes of others stay themselves."""
    disguise = _logins.get(type(login))
    if disguise is None:
        return login
    stand_in: Any = object.__new__(disguise)
    stand_in.__dict__.update(login.__dict__, _watcher=watcher)
    return stand_in


def _looked_at(login: Any, name: str, what: str) -> Any:
    own = object.__getattribute__(login, "__dict__")
    if not name.startswith("__"):
        own["_watcher"].read(what)
    return object.__getattribute__(login, name)
