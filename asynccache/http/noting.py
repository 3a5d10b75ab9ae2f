"""What stand-ins tell of what is read: names of headers, identities, items of the state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from asynccache.http.page_rules import Seen

_ABSENT: Any = object()


class Noting:
    """Notes what is read of one scope, while it is `active`.

    Args:
        scope: the ASGI scope.
        shared_state: what the app's lifespan put into every request's state: the same for all.
    """

    active = True
    _everything = False
    _read_shared = False
    _granted = 0
    _unlooked = 0
    _seen: Seen | None = None

    def __init__(self, scope: MutableMapping[str, Any], shared_state: Mapping[str, Any]) -> None:
        self._scope = scope
        self._shared = shared_state
        self._names: set[bytes] = set()
        self._identity: set[str] = set()
        self._outer_names: set[bytes] = set()
        self._outer_identity: set[str] = set()
        self._own_state: set[object] = set()

    def asked(self, name: bytes, *, found: bool) -> None:
        """Note a header's name that was looked for."""
        if self.active:
            self._seen = None
            self._names.add(name.lower())
            self._granted += found
            self._unlooked -= self._unlooked > 0

    def taken(self, names: frozenset[bytes]) -> None:
        """Note names of headers that a framework takes for its handler, without looking at others."""
        if self.active:
            self._seen = None
            self._names |= names

    def asked_all(self) -> None:
        """Note that the headers were gone through."""
        if self.active:
            self._seen = None
            self._everything = True

    def iterated(self) -> None:
        """Note that somebody begins to go through the headers, who will look at the first or means to pass it by."""
        if self.active:
            self._seen = None
            self._unlooked += 1

    def value_read(self) -> None:
        """Note a look at the first value, which is in order as often as its name was found."""
        if self.active:
            self._seen = None
            self._granted -= 1
            self._everything |= self._granted < 0

    def read(self, what: str) -> None:
        """Note that an identity was read."""
        if self.active:
            self._seen = None
            self._identity.add(what)

    def state_read(self, key: object) -> None:
        """Note that an item of the state was read, or all of them."""
        if not self.active:
            return
        self._seen = None
        if key is None:  # items that are not there for this request may be there for others
            self._identity.add("state")
        elif key in self._own_state:
            pass
        elif key in self._shared and dict.get(self._scope["state"], key, _ABSENT) is self._shared[key]:  # type: ignore[index]
            self._read_shared = True
        else:
            self._identity.add(f"state.{key}")

    def state_written(self, key: object) -> None:
        """Note that an item is now the handler's own."""
        if self.active:
            self._seen = None
            self._own_state.add(key)

    def enter(self) -> None:
        """Know from now on that what is read is read below the wrapper, and not by guards and dependencies above."""
        self._outer_names |= self._names
        self._outer_identity |= self._identity
        self._names, self._identity, self._seen = set(), set(), None
