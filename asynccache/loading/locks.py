"""Locks over processes: a right of the store that one caller at a time has, and that is renewed while the caller lives.

A right is a lease: what its holder forgets, or cannot do any more, ends by itself. Whoever waits is woken by the store.
"""

from __future__ import annotations

import os
import weakref
from contextvars import ContextVar
from dataclasses import dataclass
from math import inf, isfinite
from threading import get_ident
from time import monotonic
from typing import TYPE_CHECKING, Self

from asynccache.core.claims import Lead
from asynccache.core.lifetime import Ttl, seconds
from asynccache.errors import CacheTimeoutError, LockError
from asynccache.loading.errands import Errand
from asynccache.loading.leases import Holding
from asynccache.loading.loops import running_loop
from asynccache.loading.turns import lines
from asynccache.plan.io import BLOCKING, LOOP, run

if TYPE_CHECKING:
    from collections.abc import Hashable

    from asynccache.core.claims import Held, Ticket
    from asynccache.model import BaseCacheBackend, Version
    from asynccache.plan.io import IO

LEASE_SECONDS = 30.0
SLACK_SECONDS = 0.01
"""How much later than a lease ends it is asked for: stores count in milliseconds."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The lock that is wanted, for `lease` seconds at a time, within `timeout` seconds."""

    backend: BaseCacheBackend
    key: str
    lease: float
    version: Version
    timeout: float

    @classmethod
    def of(cls, backend: BaseCacheBackend, key: str, ttl: Ttl, version: Version, timeout: float | None) -> Wanted:
        """Check the arguments of a user."""
        backend.stored_key(key, version)
        lease = seconds(ttl, LEASE_SECONDS)
        if not lease or not isfinite(lease):
            raise ValueError(f"ttl={ttl!r}: a lock stands for a number of seconds above 0, and is renewed while held")
        wrong = f"timeout={timeout!r}: give the seconds to wait, 0 or more; None waits for ever"
        given: object = timeout
        if isinstance(given, bool) or not isinstance(given, int | float | None):
            raise TypeError(wrong)
        if timeout is not None and not timeout >= 0:
            raise ValueError(wrong)
        return cls(backend, key, lease, version, inf if timeout is None else timeout)

    @property
    def name(self) -> Hashable:
        """Give what this lock is known by in this process."""
        return id(self.backend), self.backend.stored_key(self.key, self.version)

    async def claim(self, io: IO) -> Lead | Held:
        """Ask the store once."""
        return await self.backend.claim_lock(io, self.key, self.lease, self.version)


class BaseLock:
    """What locks of both flavours share. Not reentrant: whoever has a lock and wants it again gets a `LockError`."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._holding: Holding | None = None
        self._ticket: Ticket | None = None
        self._entered_by: object = None
        self._is_entering = False
        self._pid = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._wanted.key!r:.80}{' held' if self.is_held else ''}>"

    def __del__(self) -> None:
        if self._holding is not None:  # nobody is left to leave the block
            self._holding.is_lost = True

    @property
    def number(self) -> int:
        """The fencing number: greater than that of whoever had this lock before.

        Hand it on to what the lock protects, which is then able to refuse a smaller one than it has seen. `LockError`
        outside the block.
        """
        if self._ticket is None:
            raise LockError(f"the lock {self._wanted.key!r:.80} has no number outside its block")
        return self._ticket.born

    @property
    def is_held(self) -> bool:
        """Whether nobody else can have it yet, by all that is known here; once lost, it stays lost."""
        holding = self._holding
        if holding is None or self._pid != os.getpid():
            return False
        if monotonic() >= holding.until:
            holding.is_lost = True
        return not holding.is_lost

    async def _acquire(self, io: IO) -> None:
        wanted = self._wanted
        self._check_entry()
        self._is_entering = True
        give_up_at = monotonic() + wanted.timeout
        try:
            turn = lines.join(io, wanted.name)
            try:
                has_come = await turn.comes(wanted.timeout)
                while has_come:
                    asked = monotonic()
                    answer = await self._claimed(io)
                    if isinstance(answer, Lead):
                        await self._begin(io, answer.ticket, asked)
                        return
                    left = give_up_at - monotonic()
                    has_come = left > 0
                    if has_come:
                        for_at_most = min(answer.seconds + SLACK_SECONDS, left)
                        await wanted.backend.attend_lock(io, wanted.key, for_at_most, wanted.version)
            finally:
                turn.end()
        finally:
            self._is_entering = False
        raise CacheTimeoutError(f"the lock {wanted.key!r:.80} was not free within {wanted.timeout} seconds")

    async def _claimed(self, io: IO) -> Lead | Held:
        raise NotImplementedError

    async def _begin(self, io: IO, ticket: Ticket, asked: float) -> None:
        wanted = self._wanted
        self._ticket = ticket
        self._pid = os.getpid()
        self._entered_by = _who()
        self._holding = Holding(wanted.backend, ticket, wanted.lease)
        self._holding.until = asked + wanted.lease
        try:
            self._holding.begin(io)
        except BaseException:  # no more threads
            self._end()
            await wanted.backend.release(io, ticket)
            raise
        _entered.set((*(ref for ref in _entered.get() if ref() is not None), weakref.ref(self)))

    def _end(self) -> Ticket | None:
        """Renew it no more; give the right, if it is to be released."""
        holding, self._holding = self._holding, None
        ticket, self._ticket = self._ticket, None
        self._entered_by = None
        if holding is not None:
            holding.stop()
        return ticket if self._pid == os.getpid() else None

    def _tell(self, *, held: bool, failure: BaseException | None) -> None:
        if held:
            return
        lost = f"the lock {self._wanted.key!r:.80} was lost before its block was left: another may have had it since"
        if failure is None:
            raise LockError(lost)
        failure.add_note(lost)

    def _check_entry(self) -> None:
        if self._is_entering or self._holding is not None:
            raise LockError(f"{self!r} is in use: make one for each block, by service.lock(...)")
        name, who = self._wanted.name, _who()
        for other in filter(None, (ref() for ref in _entered.get())):
            if other._entered_by == who and other._wanted.name == name and other.is_held:  # noqa: SLF001  # its like
                raise LockError(f"the lock {self._wanted.key!r:.80} is held here already, and is not reentrant")


class Lock(BaseLock):
    """A lock for `with`; see `ICacheService.lock`."""

    def __enter__(self) -> Self:
        run(self._acquire(BLOCKING))
        return self

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        held = self.is_held
        ticket = self._end()
        stood = ticket is not None and run(self._wanted.backend.release(BLOCKING, ticket))
        self._tell(held=held and stood, failure=failure)

    async def _claimed(self, io: IO) -> Lead | Held:
        return await self._wanted.claim(io)


class AsyncLock(BaseLock):
    """A lock for `async with`; see `ICacheService.lock_async`."""

    async def __aenter__(self) -> Self:
        await self._acquire(LOOP)
        return self

    async def __aexit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        if running_loop() is None:  # a coroutine that is thrown away, whose loop is closed: the right ends by itself
            return
        held = self.is_held
        ticket = self._end()
        stood = ticket is not None and await Errand(self._task_name, self._released(ticket)).result()
        self._tell(held=held and stood, failure=failure)

    async def _claimed(self, io: IO) -> Lead | Held:
        claimed: Lead | Held = await Errand(self._task_name, self._wanted.claim(io), self._given_back).result()
        return claimed

    async def _given_back(self, claimed: Lead | Held) -> None:
        if isinstance(claimed, Lead):
            await self._released(claimed.ticket)

    async def _released(self, ticket: Ticket) -> bool:
        return await self._wanted.backend.release(LOOP, ticket)

    @property
    def _task_name(self) -> str:
        return f"asynccache lock {self._wanted.key!r:.80}"


_entered: ContextVar[tuple[weakref.ref[BaseLock], ...]] = ContextVar("asynccache_locks", default=())


def _who() -> tuple[int, int]:
    """Tell who runs here: a thread, and the task in it."""
    loop = running_loop()
    return get_ident(), 0 if loop is None else id(loop.task())
