"""The least that S3-FIFO takes in Python: a dict, two deques and ghosts, and nothing of what a cache promises.

It has no lock, counts no bytes and no hits, knows no times, versions or tags: what ours takes beyond it is for those.
"""

from __future__ import annotations

from collections import deque

MOST_AT_ONCE = 32


class Slot:
    __slots__ = ("seen", "value")


class BareS3Fifo:
    def __init__(self, entries: int) -> None:
        self.slots: dict[str, Slot] = {}
        self.small: deque[str] = deque()
        self.main: deque[str] = deque()
        self.entries = entries
        self.at_once = min(1 + entries // 500, MOST_AT_ONCE)
        self.mask = (1 << (entries - 1).bit_length()) - 1
        self.ghosts = bytearray(b"\xff") * (self.mask + 1)

    def get(self, key: str) -> object:
        slot = self.slots.get(key)
        if slot is None:
            return None
        slot.seen += 1
        return slot.value

    def set(self, key: str, value: object) -> None:
        slot = self.slots.get(key)
        if slot is None:
            if len(self.slots) >= self.entries:
                self.evict()
            self.slots[key] = slot = Slot()
            slot.seen = 0
            mark = hash(key)
            (self.main if self.ghosts[mark & self.mask] == mark % 251 else self.small).append(key)
        slot.value = value

    def evict(self) -> None:
        slots, small, main, least, left = self.slots, self.small, self.main, self.entries // 20, self.at_once
        while left:
            from_small = len(small) > least or not main
            key = small.popleft() if from_small else main.popleft()
            slot = slots[key]
            if slot.seen:
                slot.seen = 0 if from_small else min(slot.seen, 3) - 1
                main.append(key)
                continue
            if from_small:
                mark = hash(key)
                self.ghosts[mark & self.mask] = mark % 251
            del slots[key]
            left -= 1
