"""What a set costs: of a new key while there is room, of a key that is there, and of a key for which another goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

from benchmarks.measuring import Subject, Table, attempt, in_turns
from benchmarks.memory_peers import EXPIRING, FLOOR, OURS, PEERS, SERVICE, Get, Set, django, floor, ours, service

ENTRIES = 10_000
KEYS = [f"key:{number:06}" for number in range(3 * ENTRIES)]
Make = Callable[[int], tuple[Get, Set]]


def sets(rounds: int) -> Iterator[Table]:
    makes: dict[str, Make] = {FLOOR: floor, OURS: ours, SERVICE: service, **PEERS, "Django LocMem": django}
    yield _table("Sets of new keys while there is room", _filling, makes, rounds)
    yield _table("Sets of keys that are there", _overwriting, makes, rounds)
    yield _table("Sets of new keys, each of which evicts another", _evicting, makes, rounds)
    expiring = {FLOOR: floor, **EXPIRING}
    yield _table("Sets of new keys that expire in 300 s, each of which evicts another", _evicting, expiring, rounds)


def _table(title: str, subject: Callable[[Make], Subject], makes: dict[str, Make], rounds: int) -> Table:
    subjects = {name: attempt(lambda make=make: subject(make)) for name, make in makes.items()}  # type: ignore[misc]
    return Table(title, in_turns(subjects, ENTRIES, rounds), FLOOR, ours=OURS)


def _filling(make: Make) -> Subject:
    loop = _loop()
    make(1)  # so that one that is not there says so
    kept: list[Any] = []

    def run(count: int) -> None:
        kept[:] = make(2 * ENTRIES)  # the last one is let go outside of the next round's loop, in ours and in others
        loop(kept[1], KEYS[:count])

    return run


def _overwriting(make: Make) -> Subject:
    loop, (_, put) = _loop(), make(2 * ENTRIES)
    loop(put, KEYS[:ENTRIES])
    return lambda count: loop(put, KEYS[:count])


def _evicting(make: Make) -> Subject:
    loop, (_, put) = _loop(), make(ENTRIES)
    loop(put, KEYS)
    parts = [KEYS[start : start + ENTRIES] for start in range(0, len(KEYS), ENTRIES)]

    def run(count: int) -> None:
        parts.append(parts.pop(0))  # of which none is there any more
        loop(put, parts[-1])

    return run


def _loop() -> Any:
    """Give a loop of its own, since the interpreter adapts the bytecode of each to what it calls."""
    return FunctionType(_put_all.__code__.replace(), globals())


def _put_all(put: Set, keys: list[str]) -> None:
    for key in keys:
        put(key, "value")
