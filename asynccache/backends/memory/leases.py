"""Locks by name in one process: each is somebody's for a while, renewed as long as it is needed, and waited for."""

from __future__ import annotations

import time
from contextlib import contextmanager
from secrets import token_bytes
from typing import TYPE_CHECKING, NamedTuple

from asynccache.core.claims import Held, Lead, Ticket
from asynccache.plan.forks import anew_in_child
from asynccache.plan.waiters import waiter_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import RLock

    from asynccache.plan.io import IO

SLACK = 64


class _Lease(NamedTuple):
    token: bytes
    until: float


class Leases:
    """Who has which lock, and who waits for it. A forked child starts with all of them free.

    Args:
        lock: guards all this; nobody holds it when the process forks.
        clock: seconds, by which leases end.
    """

    def __init__(self, lock: RLock, clock: Callable[[], float]) -> None:
        self._lock = lock
        self._clock = clock
        self._last = 0
        self.begin_anew()
        anew_in_child(self)

    def begin_anew(self) -> None:
        """Leave all locks, and who waits for them, to the parent, in a forked child."""
        self._leases: dict[str, _Lease] = {}
        self._waiting: dict[str, list[Callable[[], object]]] = {}
        self._tidy_at = SLACK

    def claim(self, name: str, seconds: float) -> Lead | Held:
        """Give the lock for so many seconds, if it is free; its number is greater than those of all before."""
        with self._lock:
            left = self._left(name)
            if left > 0:
                return Held(left)
            self._last = max(self._last + 1, time.time_ns() // 1000)  # greater than those of an earlier process, too
            ticket = Ticket(name, token_bytes(8), self._last)
            self._leases[name] = _Lease(ticket.token, self._clock() + seconds)
            self._tidy()
            return Lead(ticket)

    def renew(self, ticket: Ticket, seconds: float) -> bool:
        """Let it stand for so many seconds from now; False where it is over, or another's."""
        with self._lock:
            if not self._is_held_by(ticket):
                return False
            self._leases[ticket.key] = _Lease(ticket.token, self._clock() + seconds)
            return True

    def end(self, ticket: Ticket) -> bool:
        """Free the lock, and wake all who wait for it; False where it was over, or another's."""
        with self._lock:
            if not self._is_held_by(ticket):
                return False
            del self._leases[ticket.key]
            waiting = self._waiting.pop(ticket.key, [])
        for tell in waiting:
            tell()
        return True

    async def wait(self, io: IO, name: str, seconds: float) -> None:
        """Wait until the lock is freed, at most so long."""
        waiter = waiter_of(io)
        with self._awaited(name, waiter.tell) as is_held:
            if is_held:
                await waiter.wait(seconds)

    @contextmanager
    def _awaited(self, name: str, tell: Callable[[], object]) -> Iterator[bool]:
        """Be told when the lock is freed; False where it is free already."""
        with self._lock:
            is_held = self._left(name) > 0
            if is_held:
                self._waiting.setdefault(name, []).append(tell)
        try:
            yield is_held
        finally:
            with self._lock:
                waiting = self._waiting.get(name, [])
                if tell in waiting:
                    waiting.remove(tell)
                if not waiting:
                    self._waiting.pop(name, None)

    def _left(self, name: str) -> float:
        lease = self._leases.get(name)
        return 0.0 if lease is None else lease.until - self._clock()

    def _is_held_by(self, ticket: Ticket) -> bool:
        lease = self._leases.get(ticket.key)
        return lease is not None and lease.token == ticket.token and lease.until > self._clock()

    def _tidy(self) -> None:
        """Forget locks whose holders never freed them."""
        if len(self._leases) >= self._tidy_at:
            self._leases = {name: lease for name, lease in self._leases.items() if lease.until > self._clock()}
            self._tidy_at = 2 * len(self._leases) + SLACK
