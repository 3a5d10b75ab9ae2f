"""How a load comes by the right to be run and stored, and what it is worth when somebody else was first."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager, nullcontext
from math import inf
from threading import get_ident
from time import monotonic
from typing import TYPE_CHECKING

from msgspec import Struct

from asynccache.core.claims import Held, Lead, found_by
from asynccache.core.policy import Verdict, judge
from asynccache.loading.circles import hold_up_a_right, within
from asynccache.loading.leases import holding
from asynccache.loading.load import check_lock
from asynccache.loading.outcomes import Landed
from asynccache.model import Capability
from asynccache.plan.io import BLOCKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from asynccache.core.claims import Claimed, Ticket
    from asynccache.core.entry import Entry
    from asynccache.core.policy import CachePolicy
    from asynccache.loading.flight import Flight
    from asynccache.loading.load import Load
    from asynccache.model import BaseCacheBackend
    from asynccache.plan.io import IO


_TELLS = frozenset({Capability.FENCES, Capability.SHARED})
"""What a store has that says, when it is asked for the right to load, that somebody else has stored a value."""


CIRCLE_SECONDS = 10.0
"""How long a load that one with a right waits for waits for other processes, which may wait for that right in turn."""


class Run(Struct, frozen=True):
    """A load that is about to be run.

    Args:
        load: what it loads.
        entry: what the caller found, if anything.
        look_again: whether somebody else may have loaded it since.
        behind: whether nobody waits for it.
    """

    load: Load
    entry: Entry | None = None
    look_again: bool = False
    behind: bool = False

    def is_content_with(self, entry: Entry, policy: CachePolicy) -> bool:
        """Tell whether nothing needs to be loaded where this is stored."""
        verdict = judge(entry, policy, self.load.backend.clock())
        return verdict is Verdict.FRESH or (verdict is Verdict.DUE and not self.behind)


class Right(Struct, frozen=True):
    """What a factory is run with: the right to store, if there is one, and an older value, if there is one."""

    ticket: Ticket | None
    stale: Entry | None

    def held(self, io: IO, backend: BaseCacheBackend) -> AbstractContextManager[None]:
        """Renew it in the meantime, if it is one that ends."""
        ticket = self.ticket
        return _NOT_HELD if ticket is None or not ticket.token else _held(io, backend, ticket)

    async def give_up(self, io: IO, backend: BaseCacheBackend) -> None:
        """Let others load."""
        if self.ticket is not None:
            await backend.release(io, self.ticket)


class Attendance:
    """How a load waits for those of other processes: as long as they take, unless they may wait for it in turn.

    Args:
        policy: may say that it does not wait.
        flights: what waits.
    """

    __slots__ = ("_flights", "_has_ended", "_until")

    def __init__(self, policy: CachePolicy, *flights: Flight) -> None:
        self._flights = flights
        self._has_ended = policy.lock is False
        self._until = inf

    @property
    def is_over(self) -> bool:
        """Whether it is to load for itself now."""
        return self._has_ended or monotonic() >= self._until

    async def wait(self, io: IO, load: Load, seconds: float) -> bool:
        """Wait until the load of somebody else may be over; False where there is no more waiting."""
        if not hold_up_a_right(self._flights):
            self._until = inf
        elif self._until == inf:
            self._until = monotonic() + CIRCLE_SECONDS
        if self.is_over:
            return False
        try:
            await load.backend.attend(io, load.key, min(seconds, self._until - monotonic()), load.version)
        except Exception as error:  # noqa: BLE001  # a store never fails a read-through
            load.note(error)
            self._has_ended = True
        return not self._has_ended


class Rights:
    """Gets rights to load.

    Args:
        look: finds what is stored, and what it is good for.
    """

    def __init__(self, look: Callable[[IO, Load, CachePolicy], Awaitable[tuple[Entry | None, Verdict]]]) -> None:
        self._look = look

    async def granted(self, io: IO, flight: Flight, wanted: Run, policy: CachePolicy) -> Right | Landed:
        """Get the right to load, waiting for whoever has it, or find what somebody else has stored meanwhile."""
        load, entry = wanted.load, wanted.entry
        check_lock(policy, load.backend)
        if not load.backend.capabilities >= _TELLS and (wanted.look_again or (flight.renews and policy.keeps_times)):
            proof = flight.ask()
            entry, _ = await self._look(io, load, policy)
            if entry is not None and wanted.look_again and wanted.is_content_with(entry, policy):
                return Landed(entry.value, load.replicas(entry.value), proof)
        if flight.displaced is not None:
            await _settled(io, load.backend, flight.displaced)
        attendance = Attendance(policy, flight)
        while (claimed := await self._claimed(io, flight, load, entry)) is not None:
            entry = found_by(claimed)  # what the store gives no more was invalidated: it is no stale value
            if isinstance(claimed, Lead):
                flight.ticket = claimed.ticket
                if not flight.doomed:
                    return Right(claimed.ticket, entry)
                flight.ticket = None  # nobody is to wait for what is not stored
                await load.backend.release(io, claimed.ticket)
                break
            if isinstance(claimed, Held):
                if not await attendance.wait(io, load, claimed.seconds):
                    break
            elif wanted.is_content_with(claimed.entry, policy):
                return Landed(claimed.entry.value, load.replicas(claimed.entry.value), flight.asked)
        return Right(None, entry)

    async def _claimed(self, io: IO, flight: Flight, load: Load, entry: Entry | None) -> Claimed | None:
        """Ask for the right; None where the store does not answer."""
        flight.ask()
        try:
            return await load.backend.claim(io, load.key, seen=entry, anew=flight.renews, version=load.version)
        except Exception as error:  # noqa: BLE001  # a store never fails a read-through
            load.note(error)
            return None


_NOT_HELD = nullcontext()


@contextmanager
def _held(io: IO, backend: BaseCacheBackend, ticket: Ticket) -> Iterator[None]:
    held = holding(io, backend, ticket)
    try:
        yield
    finally:
        held.stop()


async def _settled(io: IO, backend: BaseCacheBackend, displaced: Flight) -> None:
    """See to it that a load which is not to be stored any more is not, and keeps nobody waiting."""
    if displaced.ticket is not None:
        await backend.release(io, displaced.ticket)
    waits_for_this = displaced in within.get() or (io is BLOCKING and displaced.thread == get_ident())
    if displaced.is_storing and not waits_for_this:
        await io.twin(displaced.wait_in_thread, displaced.wait)
