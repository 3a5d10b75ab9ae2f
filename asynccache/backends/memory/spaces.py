"""Slots by their places: those of the default version by keys, those of others by names and keys.

What waits in queues and wheels are places, not slots: so a removed slot is gone at once, and a place that leads
nowhere is passed over when its turn comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from asynccache.backends.memory.slots import Slot

MOST_AT_ONCE = 32
"""Slots that are exchanged before it is looked whether to renew."""
Place = str | tuple[str, str]
"""A key of the default space; or the name of another space, and a key."""


class Space:
    """The slots of one version, by key. Readers ask for the dict each time: it may be another one a moment later."""

    __slots__ = ("name", "slots")

    def __init__(self, name: str) -> None:
        self.name = name
        self.slots: dict[Place, Slot] = {}


class Spaces:
    """All slots.

    Args:
        name: of the default space, which stays when it is empty.
    """

    __slots__ = ("_others", "default", "elsewhere", "renewed_in", "spent", "units")

    def __init__(self, name: str) -> None:
        self.default = Space(name)
        self.elsewhere = 0
        """Slots in other spaces than the default one."""
        self.units = 0
        """Of all slots together."""
        self.spent = 0
        """Hits of slots that are gone, and those for which others were spared and that do not count any more."""
        self._others: dict[str, Space] = {}
        self.renewed_in = 0
        """How many slots may be exchanged for others before `renew` is called."""

    def __len__(self) -> int:
        return len(self.default.slots) + self.elsewhere

    def __iter__(self) -> Iterator[Space]:
        yield self.default
        yield from self._others.values()

    def place(self, name: str, key: str) -> Place:
        """Give the place of a key."""
        return key if name == self.default.name else (name, key)

    def places(self) -> list[Place]:
        """List all places."""
        others = [(space.name, key) for space in self._others.values() for key in space.slots]
        return [*self.default.slots, *others]  # type: ignore[list-item]  # in a space there are keys

    def leading(self, places: Iterable[Place]) -> Iterator[Place]:
        """Leave out the places where there is no slot."""
        is_default = self.default.slots.__contains__
        if self.elsewhere:
            return (place for place in places if is_default(place) or self.find(place))
        return filter(is_default, places)

    def find(self, place: Place) -> Slot | None:
        """Give the slot at a place."""
        if type(place) is tuple:
            space = self._others.get(place[0])
            return None if space is None else space.slots.get(place[1])
        return self.default.slots.get(place)

    def put(self, place: Place, slot: Slot) -> None:
        """Put a slot at a place, instead of the one that is there; its units are counted by whoever does."""
        if type(place) is tuple:
            space = self._others.get(place[0])
            if space is None:
                space = self._others[place[0]] = Space(place[0])
            self.elsewhere += place[1] not in space.slots
            space.slots[place[1]] = slot
        else:
            self.default.slots[place] = slot

    def pop(self, place: Place) -> None:
        """Take away the slot at a place, if there is one."""
        slot = self._popped(place) if type(place) is tuple else self.default.slots.pop(place, None)
        if slot is not None:
            self.units -= slot.units
            self.spent += slot.seen

    def _popped(self, place: tuple[str, str]) -> Slot | None:
        space = self._others.get(place[0])
        slot = None if space is None else space.slots.pop(place[1], None)
        if space is not None and slot is not None:
            self.elsewhere -= 1
            if not space.slots:
                del self._others[space.name]
        return slot

    def take(self, name: str) -> dict[Place, Slot]:
        """Take away all slots of a space, at once for readers; their hits are still to be counted."""
        if name == self.default.name:
            slots, self.default.slots = self.default.slots, {}
        else:
            space = self._others.pop(name, None)
            slots = {} if space is None else space.slots
            self.elsewhere -= len(slots)
        self.units = self.units - sum(slot.units for slot in slots.values()) if self else 0
        return slots

    def renew(self) -> None:
        """Keep the default dict small, when so many slots of a full cache were exchanged for others.

        A dict never reuses the places of what was removed: when all are used, it grows to three times what is in it.
        A copy is half as large. It is worth its time where it has room for a third as many to come.
        """
        slots = self.default.slots
        room = _usable(len(slots)) - len(slots)
        if 3 * room >= len(slots):
            self.default.slots = {**slots}
            self.renewed_in = room - MOST_AT_ONCE
        else:
            self.renewed_in = len(slots)


def _usable(entries: int) -> int:
    """Give the room of the smallest dict for so many: two thirds of a power of two, of 8 at least (CPython's rule)."""
    return (2 << max(3, ((3 * entries + 1) // 2 - 1).bit_length())) // 3
