"""Stand-ins for whose request it is: the session, the credentials and the user, which tell that they were looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.authentication import AuthCredentials, SimpleUser

from asynccache.http.disguises import teach

if TYPE_CHECKING:
    from asynccache.http.disguises import Watcher

_SESSION = (
    "__getitem__ get __contains__ __iter__ __reversed__ __len__ keys values items pop popitem setdefault copy __eq__ "
    "__ne__ __or__ __ror__ __repr__ __setitem__ __delitem__ update clear __ior__ mark_accessed mark_modified"
)
_sessions: dict[type, type] = {}


def session_disguise(kind: type) -> type:
    """Give a subclass of a kind of session whose methods tell that they were called."""
    try:
        return _sessions[kind]
    except KeyError:
        disguise = type(kind.__name__, (kind,), {"__hash__": None, "__reduce_ex__": _reduced_session})
        present = " ".join(method for method in _SESSION.split() if hasattr(kind, method))
        teach(disguise, kind, present, lambda session: session.__dict__["_watcher"].read("session"))
        _sessions[kind] = disguise
        return disguise


def _reduced_session(session: Any, _protocol: Any) -> tuple[Any, ...]:
    """Let a copy be of the kind that the session is, and know of nobody who watches."""
    disguise: type[Any] = type(session)
    kind: Any = disguise.__mro__[1]
    session.__dict__["_watcher"].read("session")
    make, args, *rest = kind.__reduce_ex__(session, 0)  # later protocols insist on the class of what is pickled
    if rest and isinstance(rest[0], dict):
        rest[0] = {name: value for name, value in rest[0].items() if name != "_watcher"} or None
    return (make, tuple(kind if arg is disguise else arg for arg in args), *rest)


def disguise_session(session: Any, watcher: Watcher) -> tuple[Any, bool]:
    """Give what stands for a session, and whether all reading of it is seen.

    C code reads a dict without calling it. A session that is told when it is asked for, as Starlette's own since 1.0,
    is seen all the same.
    """
    try:
        disguise = session_disguise(type(session))
        if type(session) is dict:
            session = disguise(session)
            session.__dict__["_watcher"] = watcher
        else:
            session.__dict__["_watcher"] = watcher
            session.__class__ = disguise
    except (TypeError, AttributeError):
        return session, False
    return session, hasattr(disguise, "mark_accessed")


def undisguise_session(session: Any) -> None:
    """Let a session be what it was."""
    if "_watcher" in getattr(session, "__dict__", ()):
        session.__class__ = type(session).__mro__[1]
        del session.__dict__["_watcher"]


class _Credentials(AuthCredentials):
    __slots__ = ("_watcher",)  # beside what is the credentials' own

    def __getattribute__(self, name: str) -> Any:
        return _looked_at(self, name, "auth")

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _reduced_login(self, AuthCredentials, "auth")


class _User(SimpleUser):
    __slots__ = ("_watcher",)

    def __getattribute__(self, name: str) -> Any:
        return _looked_at(self, name, "user")

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _reduced_login(self, SimpleUser, "user")


_logins: dict[type, type] = {AuthCredentials: _Credentials, SimpleUser: _User}


def login_disguise(login: Any, watcher: Watcher) -> Any:
    """Give a stand-in for Starlette's own credentials and user; classes of others stay themselves."""
    disguise = _logins.get(type(login))
    if disguise is None:
        return login
    stand_in: Any = object.__new__(disguise)
    object.__getattribute__(stand_in, "__dict__").update(login.__dict__)
    object.__setattr__(stand_in, "_watcher", watcher)
    return stand_in


def _looked_at(login: Any, name: str, what: str) -> Any:
    if name == "__dict__" or not name.startswith("__"):
        object.__getattribute__(login, "_watcher").read(what)
    return object.__getattribute__(login, name)


def _reduced_login(login: Any, kind: type, what: str) -> tuple[Any, ...]:
    object.__getattribute__(login, "_watcher").read(what)
    return object.__new__, (kind,), dict(object.__getattribute__(login, "__dict__"))
