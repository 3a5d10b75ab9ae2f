"""Which loads were overtaken by a change, and which tags were invalidated: the fences of a store in memory.

A key that is changed forgets its tickets, and a load whose ticket is forgotten does not land: there is no more to it,
since nothing here happens at the same time. A tag has a mark, which all its entries hold; invalidating the tag spoils
the mark and makes room for a new one. Loads that began earlier and turn out to have that tag are told by numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST = 10_000
"""Keys with tickets, and invalidated tags, that are remembered; beyond that the oldest tickets, or all, are lost."""
MOST_OF_A_KEY = 16


class Mark:
    """What the entries with a tag have in common; it goes with the last of them."""

    __slots__ = ("__weakref__", "is_spoiled", "tag")

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.is_spoiled = False


class Tickets:
    """Tickets by stored key, and marks by namespace and tag. Whoever calls holds the lock of the store."""

    def __init__(self) -> None:
        self.by_key: dict[str, tuple[int, ...]] = {}
        self._position = 0
        self._marks: WeakValueDictionary[tuple[str, str], Mark] = WeakValueDictionary()
        self._spoiled: dict[tuple[str, str], int] = {}

    def next(self) -> int:
        """Give a number greater than all before."""
        self._position += 1
        return self._position

    def grant(self, stored_key: str) -> int:
        """Give a ticket for a load that begins now: a number greater than all before."""
        ticket = self.next()
        earlier = self.by_key.get(stored_key, ())
        self.by_key[stored_key] = (*earlier[1 - MOST_OF_A_KEY :], ticket)
        if len(self.by_key) > MOST:
            del self.by_key[next(iter(self.by_key))]
        return ticket

    def stands(self, stored_key: str, ticket: int) -> bool:
        """Tell whether the key has not changed since the ticket was granted."""
        return ticket in self.by_key.get(stored_key, ())

    def end(self, stored_key: str, ticket: int) -> bool:
        """Take a ticket back; tell whether it stood."""
        if not self.stands(stored_key, ticket):
            return False
        left = tuple(other for other in self.by_key[stored_key] if other != ticket)
        if left:
            self.by_key[stored_key] = left
        else:
            self.revoke(stored_key)
        return True

    def revoke(self, stored_key: str) -> None:
        """Forget the tickets of a key, which is changed."""
        self.by_key.pop(stored_key, None)
        if not self.by_key:
            self._spoiled.clear()

    def revoke_all(self, namespace: str) -> None:
        """Forget the tickets of a namespace, which is cleared."""
        for stored_key in [key for key in self.by_key if key.startswith(namespace)]:
            self.revoke(stored_key)

    def marks(self, namespace: str, tags: Iterable[str]) -> tuple[Mark, ...]:
        """Give the marks for an entry with these tags."""
        return tuple(self._mark(namespace, tag) for tag in tags)

    def spoil(self, namespace: str, tags: Iterable[str]) -> None:
        """Invalidate the entries with these tags, and loads under way that turn out to have one."""
        position = self.next()
        for tag in tags:
            mark = self._marks.pop((namespace, tag), None)
            if mark is not None:
                mark.is_spoiled = True
            if self.by_key:
                self._spoiled[namespace, tag] = position
        if len(self._spoiled) > MOST:
            self.by_key.clear()
            self._spoiled.clear()

    def allows(self, ticket: int, namespace: str, tags: Iterable[str]) -> bool:
        """Tell whether none of these tags was invalidated since the ticket was granted."""
        return all(self._spoiled.get((namespace, tag), 0) < ticket for tag in tags)

    def _mark(self, namespace: str, tag: str) -> Mark:
        mark = self._marks.get((namespace, tag))
        if mark is None:
            mark = self._marks[namespace, tag] = Mark(tag)
        return mark
