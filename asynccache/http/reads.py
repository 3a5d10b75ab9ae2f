"""Seeing what a handler reads of its request, from the scope it is given: header names, and whose identity.

Only what is in the scope is exchanged, in place and for the time of one call, so that all who hold the scope see the
same. Where reading cannot be seen, carrying is reading: who the user is, credentials that are not Starlette's, and
sessions that are not told when somebody asks for them. While messages go outwards nothing counts: middleware reads,
too.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers

from asynccache.http.carried import CARRIED_USER, carried_login, has_read_body, has_session
from asynccache.http.disguises import Client, Name, Pairs, State, Text, Value
from asynccache.http.noting import Noting
from asynccache.http.page_rules import Seen
from asynccache.http.personal import disguise_session, login_disguise, undisguise_session
from asynccache.http.snapshot import EMPTY_SESSION, NO_RANGE, NO_USER, SHARED_STATE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping

    Scope = MutableMapping[str, Any]

_KEYED = frozenset({b"host"})
_IDENTITY = {b"cookie": "cookie", b"authorization": "authorization"}
_CONDITIONAL = frozenset({
    b"if-none-match", b"if-modified-since", b"if-match", b"if-unmodified-since", b"if-range", b"range",
})  # fmt: skip
_CACHED_BY_STARLETTE = ("_headers", "_cookies", "_state")
_EXCHANGED = ("headers", "client", "state", "session", "auth", "user")
_ABSENT: Any = object()


def is_watched(scope: Scope) -> bool:
    """Tell whether somebody sees already what is read of this scope."""
    headers = scope["headers"]
    return type(headers) is Pairs or (bool(headers) and type(headers[0][0]) is Name)


class Reads(Noting):
    """What is read of one scope until `stop`; who made it puts everything back by `stop`.

    Args:
        scope: the ASGI scope.
        request: an object that may have kept parts of the scope under Starlette's private names.
        shared_state: what the app's lifespan put into every request's state: the same for all.

    `headers` are those that the stand-ins stand for.
    """

    _session_is_seen = True

    def __init__(self, scope: Scope, request: Any, shared_state: Mapping[str, Any]) -> None:
        super().__init__(scope, shared_state)
        self._request = request
        self._before = {key: scope.get(key, _ABSENT) for key in _EXCHANGED}
        self.headers: list[Any] = self._before["headers"]
        self._stand_ins: dict[str, Any] = {}
        self._had_session = has_session(scope)
        self._login = carried_login(scope)
        self._forget_cached()
        self._disguise()

    # What came of it

    def seen(self) -> Seen:
        """Tell what was read so far."""
        if self._seen is None:
            self._seen = self._sum_up()
        return self._seen

    def _sum_up(self) -> Seen:
        names = self._names | self._outer_names
        within = _identity_of(self._names, self._identity)
        above = _identity_of(self._outer_names, self._outer_identity) - within
        identity = within | above
        everything = self._everything or self._unlooked > 0
        if everything:
            identity.add("cookie")
        if not self._had_session and not self._has_session():
            identity.discard("session")
        elif not self._session_is_seen or self._scope.get("session") is not self._stand_ins.get("session"):
            identity.add("session")
        if self._login is not None:
            identity.add(self._login)
        plain = names - _KEYED - _CONDITIONAL - _IDENTITY.keys()
        carried = {name for name, _ in self._before["headers"]}
        conditional = names & carried & _CONDITIONAL
        if self._scope["method"] == "GET" and self._has_read_body():
            conditional.add(b"content-length")
        return Seen(frozenset(plain), everything, frozenset(identity), frozenset(conditional), frozenset(above))

    def spoken(self) -> frozenset[str]:
        """Tell whose identity was read, whatever came of it: what a key callback thereby speaks for."""
        found = _identity_of(self._names, self._identity)
        return frozenset(found | {CARRIED_USER} if "user" in found else found)

    def conditions(self) -> int:
        """Tell what must hold of other requests that the same response answers, as far as nothing speaks for it.

        That nobody was logged in may have been read as well, and where no session was, that there was none.
        """
        unseen = "session" not in self._scope or not self._session_is_seen
        found = NO_USER | (EMPTY_SESSION if unseen or "session" in self._identity | self._outer_identity else 0)
        found |= SHARED_STATE if self._read_shared else 0
        return found | (NO_RANGE if b"range" in self._names | self._outer_names else 0)

    def _has_read_body(self) -> bool:
        return has_read_body(self._scope, self._request)

    def _has_session(self) -> bool:
        before, self.active = self.active, False
        try:
            return has_session(self._scope)
        finally:
            self.active = before

    @property
    def has_stopped(self) -> bool:
        """Whether everything has been put back."""
        return not self._before

    def originals(self) -> dict[str, Any]:
        """Give what the stand-ins stand for, where nobody has put something else in their place."""
        scope, before = self._scope, self._before
        return {
            key: before[key]
            for key, stand_in in self._stand_ins.items()
            if before[key] is not _ABSENT and (key == "headers" or scope.get(key) is stand_in)
        }

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let others read meanwhile, and see what was written."""
        self.active = False
        self._publish()
        try:
            yield
        finally:
            self.active = True

    # Exchanging, and putting back

    def _disguise(self) -> None:
        before = self._before
        self._stand_ins["headers"] = self._disguised_headers(list(before["headers"]))
        self._stand_ins["state"] = self._told(State({} if before["state"] is _ABSENT else before["state"]))
        if before["client"] is not _ABSENT and before["client"] is not None:
            self._stand_ins["client"] = self._disguised_client(tuple(before["client"]))
        for key in ("auth", "user"):
            if before[key] is not _ABSENT:
                self._stand_ins[key] = login_disguise(before[key], self)
        if before["session"] is not _ABSENT:
            self._stand_ins["session"], self._session_is_seen = disguise_session(before["session"], self)
        self._scope.update(self._stand_ins)

    def _disguised_headers(self, headers: list[Any]) -> Pairs:
        first = headers[0] if headers else (b"", b"")
        name, value = Name(first[0]), Value(first[1])
        pairs = Pairs([(name, value), *headers[1:]])
        pairs.watcher = name.watcher = value.watcher = self
        if hasattr(self._request, "__dict__"):
            self._request.__dict__["_headers"] = Headers(raw=pairs)  # made by Starlette it would hold a plain list
        return pairs

    def _disguised_client(self, client: tuple[Any, ...]) -> Client:
        stand_in = Client([self._told(Text(item)) if type(item) is str else item for item in client])
        stand_in.plain = client
        return self._told(stand_in)  # type: ignore[no-any-return]

    def _told(self, stand_in: Any) -> Any:
        stand_in.watcher = self
        return stand_in

    def stop(self) -> None:
        """Put everything back; what was written in the meantime stays. A second call does nothing."""
        if not self._before:
            return
        self.active = False
        self._publish()
        before, self._before = self._before, {}
        stand_ins, self._stand_ins = self._stand_ins, {}  # which know this, and would be garbage for the collector
        undisguise_session(before["session"])
        for key, stand_in in stand_ins.items():
            if key == "headers" or self._scope.get(key) is stand_in:
                self._put_back(key, before[key])
        self._forget_cached()

    def _put_back(self, key: str, original: Any) -> None:
        if original is not _ABSENT:
            self._scope[key] = original
        elif written := dict(self._scope.pop(key)):
            self._scope[key] = written

    def _publish(self) -> None:
        """Copy what was written into stand-ins to what they stand for."""
        for key in ("state", "session"):
            original, stand_in = self._before.get(key), self._stand_ins.get(key)
            if type(original) is dict and stand_in is not None and (original or dict.__len__(stand_in)):
                written = dict(dict.items(stand_in))  # its own methods would tell, and take their time
                original.clear()
                original.update(written)

    def _forget_cached(self) -> None:
        if self._request is not None:
            forget_cached(self._request)


def forget_cached(request: Any) -> None:
    """Let a request look into its scope again for what Starlette keeps under its private names."""
    kept = getattr(request, "__dict__", {})
    for name in _CACHED_BY_STARLETTE:
        kept.pop(name, None)


def _identity_of(names: set[bytes], identity: set[str]) -> set[str]:
    return identity.union(_IDENTITY[name] for name in names if name in _IDENTITY)
