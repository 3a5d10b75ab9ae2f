"""Rights to load that are renewed while their factories run.

On a loop by a task of that loop: one whose loop is blocked renews nothing, and rightly so. Off a loop by one thread for
all, which ends when there is nothing to renew.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

from asynccache.core.claims import LEASE_SECONDS
from asynccache.errors import BackendUnavailableError
from asynccache.plan.forks import anew_in_child
from asynccache.plan.io import BLOCKING, LOOP, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from asynccache.core.claims import Ticket
    from asynccache.model import BaseCacheBackend
    from asynccache.plan.io import IO

logger = logging.getLogger(__name__)
PARTS = 3
"""A right is renewed so often in the time for which it stands."""


class Holding:
    """A right that is being renewed, until `stop` or until it `is_lost`; it stands `until` then, by `monotonic()`.

    Args:
        backend: the one that granted it.
        ticket: the right.
        lease: seconds for which it stands each time.
    """

    __slots__ = ("_task", "_timer", "backend", "is_lost", "lease", "ticket", "until")

    def __init__(self, backend: BaseCacheBackend, ticket: Ticket, lease: float) -> None:
        self.backend = backend
        self.ticket = ticket
        self.lease = lease
        self.is_lost = False
        self.until = monotonic() + lease
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self, io: IO) -> None:
        """Renew it from now on, on this loop or in the thread."""
        if not self.ticket.token:
            return
        loop = None if io is BLOCKING else _loop()
        if loop is None:
            _thread.add(self)
        else:
            self._timer = loop.call_later(self.lease / PARTS, self._go_on)

    def stop(self) -> None:
        """Renew it no more; from the loop or, off a loop, the thread that began."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
        _thread.remove(self)

    def _go_on(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._renew(), name="asynccache lease")

    async def _renew(self) -> None:
        while not self.is_lost:
            await self.renew(LOOP)
            await asyncio.sleep(self.lease / PARTS)

    async def renew(self, io: IO) -> None:
        """Renew it once."""
        if not await self._stands(io, self.ticket):
            self.is_lost = True

    async def _stands(self, io: IO, ticket: Ticket) -> bool:
        """Renew a right; False where it is lost. A store that is away is asked again next time."""
        asked = monotonic()
        try:
            stands = await self.backend.hold(io, ticket, self.lease)
        except BackendUnavailableError:
            logger.debug("%s: a right could not be renewed", self.backend.name)
            return True
        if stands:
            self.until = asked + self.lease
        return stands


def holding(io: IO, backend: BaseCacheBackend, ticket: Ticket, lease: float = LEASE_SECONDS) -> Holding:
    """Renew this right from now on."""
    held = Holding(backend, ticket, lease)
    held.begin(io)
    return held


class _Several(Holding):
    """Rights of one store that are renewed together, until the last of them is lost."""

    __slots__ = ("_tickets",)

    def __init__(self, backend: BaseCacheBackend, tickets: list[Ticket], lease: float) -> None:
        super().__init__(backend, tickets[0], lease)
        self._tickets = tickets

    async def renew(self, io: IO) -> None:
        self._tickets = [ticket for ticket in self._tickets if await self._stands(io, ticket)]
        self.is_lost = not self._tickets


@contextmanager
def held_together(
    io: IO, backend: BaseCacheBackend, tickets: Iterable[Ticket | None], lease: float = LEASE_SECONDS
) -> Iterator[None]:
    """Renew these rights in the meantime, a hundred one after the other."""
    renewed = [ticket for ticket in tickets if ticket is not None and ticket.token]
    several = [_Several(backend, renewed[start : start + 100], lease) for start in range(0, len(renewed), 100)]
    for some in several:
        some.begin(io)
    try:
        yield
    finally:
        for some in several:
            some.stop()


def _loop() -> asyncio.AbstractEventLoop | None:
    """Find the loop that renews; None under trio, where backends need no loop, and the thread does as well."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class _LeaseThread:
    """Renews what is held off a loop. A forked child starts with nothing to renew."""

    def __init__(self) -> None:
        self.begin_anew()
        anew_in_child(self)

    def begin_anew(self) -> None:
        """Let the parent go on renewing its own, in a forked child."""
        self._changed = threading.Condition()
        self._due: dict[Any, float] = {}
        self._runs = False

    def add(self, held: Holding) -> None:
        """Renew this one, too."""
        with self._changed:
            self._due[held] = monotonic() + held.lease / PARTS
            if not self._runs:
                threading.Thread(target=self._run, name="asynccache-leases", daemon=True).start()
                self._runs = True
            self._changed.notify()

    def remove(self, held: Holding) -> None:
        """Renew this one no more."""
        with self._changed:
            if self._due.pop(held, None) is not None:
                self._changed.notify()

    def _run(self) -> None:
        while (held := self._next()) is not None:
            try:
                run(held.renew(BLOCKING))
            except Exception:
                logger.exception("%s: a right to load could not be renewed", held.backend.name)

    def _next(self) -> Holding | None:
        """Wait for the next one that is due; None where there is none any more."""
        with self._changed:
            while self._due:
                held: Holding = min(self._due, key=self._due.__getitem__)
                now = monotonic()
                if held.is_lost:
                    del self._due[held]
                elif self._due[held] <= now:
                    self._due[held] = now + held.lease / PARTS
                    return held
                else:
                    self._changed.wait(self._due[held] - now)
            self._runs = False
            return None


_thread = _LeaseThread()
