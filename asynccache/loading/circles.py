"""Who waits for whom: loads that need each other must not wait in a circle, where none of them would ever end."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asynccache.loading.flight import Flight
    from asynccache.loading.flights import Flights

within: ContextVar[tuple[Flight, ...]] = ContextVar("asynccache_within", default=())
"""The loads that what runs here is part of."""
_FREE = nullcontext(True)


def inside(flight: Flight, *, alone: bool = False) -> AbstractContextManager[None]:
    """Mark what runs here as part of this load, so that it never waits for itself.

    What is `alone` is part of no other: nobody waits for it here.
    """
    return _Inside((flight,) if alone else (*within.get(), flight))


class _Inside(AbstractContextManager[None]):
    """A class, since a generator takes four times as long, twice for each load."""

    __slots__ = ("_flights", "_token")

    def __init__(self, flights: tuple[Flight, ...]) -> None:
        self._flights = flights

    def __enter__(self) -> None:
        self._token: Token[tuple[Flight, ...]] = within.set(self._flights)

    def __exit__(self, *failure: object) -> None:
        within.reset(self._token)


def waiting(flights: Flights, stuck: tuple[Flight, ...], flight: Flight) -> AbstractContextManager[bool]:
    """Note that the loads which are stuck wait for this flight; False where it waits for one of them: do not wait."""
    return _waiting(flights, stuck, flight) if stuck else _FREE


@contextmanager
def _waiting(flights: Flights, stuck: tuple[Flight, ...], flight: Flight) -> Iterator[bool]:
    with flights.lock:
        ends = not _reaches(flight, stuck)
        if ends:
            for one in stuck:
                one.waits_for.append(flight)
                flight.awaited_by.append(one)
    try:
        yield ends
    finally:
        if ends:
            with flights.lock:
                for one in stuck:
                    one.waits_for.remove(flight)
                    flight.awaited_by.remove(one)


def hold_up_a_right(flights: tuple[Flight, ...]) -> bool:
    """Tell whether these are part of a load that keeps other processes from loading, or such a one waits for them."""
    seen = set(flights)
    behind = [*within.get(), *flights]
    while behind:
        one = behind.pop()
        if one not in flights and one.ticket is not None and one.ticket.token:
            return True
        behind += [other for other in one.awaited_by if other not in seen]
        seen.update(one.awaited_by)
    return False


def _reaches(flight: Flight, stuck: tuple[Flight, ...]) -> bool:
    """Tell whether a flight is among these or waits, over however many others, for one of them."""
    seen: set[Flight] = set()
    ahead = [flight]
    while ahead:
        one = ahead.pop()
        if one in stuck:
            return True
        if one not in seen:
            seen.add(one)
            ahead += one.waits_for
    return False
