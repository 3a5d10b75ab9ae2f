"""What stands between a backend and one server that may be slow, frozen, gone or confused.

One deadline for a whole operation, waiting for a connection included; a breaker, so that a server that is down costs
one probe in a while and not a deadline for everybody; every foreign error turned into `BackendUnavailableError`, here
and nowhere else; one log line and one event when a server goes, one when it is back.

    async with guard.attempt_in_time("get"):       # on a loop
        reply = await client.get(key)

    with guard.attempt("get") as due:              # off a loop: the client's timeouts bound it, `due.left()` each
        reply = client.get(key)

A `CancelledError` passes through untouched. Whoever holds a connection drops it on any `BaseException`.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from asynccache.core.breaker import Breaker, Change
from asynccache.core.events import BackendDown, BackendUp
from asynccache.errors import BackendUnavailableError, ConfigurationError
from asynccache.plan.forks import anew_in_child
from asynccache.wire.connection import STALLED
from asynccache.wire.faults import BusyError, OutOfStepError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import AsyncIterator

    from asynccache.core.events import Event

logger = logging.getLogger(__name__)
_WORD = re.compile(r"\w*")


class NotAskedError(BackendUnavailableError):
    """The server is known to be down: nothing was sent."""


class RefusedError(Exception):
    """The server answered, and refused: it is not down, yet the operation was not done."""


class Owner(Protocol):
    """The backend for which a guard speaks."""

    name: str

    def tell(self, event: Event) -> None:
        """Hand an event to all listeners."""


@dataclass(frozen=True, slots=True)
class Due:
    """The moment by which an operation has to be over, in monotonic seconds."""

    at: float

    def left(self) -> float:
        """Give the seconds that are left; `TimeoutError` when there are none."""
        seconds = self.at - monotonic()
        if seconds <= 0:
            raise TimeoutError("the deadline is over")
        return seconds


@dataclass(eq=False)
class OutageGuard:
    """Watches over the operations at one server, from any thread and any loop.

    Args:
        owner: the backend, whose name is logged and whose listeners hear `BackendDown` and `BackendUp`.
        server: how to name the server in logs and errors; never with a password.
        deadline: seconds for a whole operation; `math.inf` where nothing bounds it.
        foreign: the client library's own errors; `OSError` and `EOFError` count in any case.
        counts: where the operations that failed are counted, as `errors`.
    """

    owner: Owner
    server: str
    deadline: float
    foreign: tuple[type[Exception], ...]
    counts: Counter[str]
    breaker: Breaker = field(default_factory=Breaker)

    def __post_init__(self) -> None:
        self.begin_anew()
        anew_in_child(self)
        self._refusals: set[str] = set()
        self._why = ""
        self._failures: tuple[type[Exception], ...] = (OSError, EOFError, OutOfStepError, *self.foreign)
        self.faults: tuple[type[Exception], ...] = (RefusedError, BusyError, *self._failures)

    def begin_anew(self) -> None:
        """Forget the parent's lock, in a forked child."""
        self._lock = threading.Lock()

    def attempt(self, tried: str, due: Due | None = None) -> _Attempt:
        """Ask the server in a `with`, or raise at once while it is down; `tried` names the operation in errors.

        Give `due` where the operation has begun elsewhere.
        """
        return _Attempt(self, tried, due)

    def lost(self, tried: str, failure: Exception) -> BackendUnavailableError:
        """Give the error of an operation that this ended, and note whose fault it is; what is no fault is raised."""
        match failure:
            case RefusedError():
                self.answered()
                return self._refused(tried, failure)
            case BusyError():
                return self.unavailable(f"{tried}: {failure}")
        if not isinstance(failure, self._failures):
            raise failure
        self._failed(failure)
        return self.unavailable(f"{tried}: {self._said(failure)}")

    @asynccontextmanager
    async def attempt_in_time(self, tried: str) -> AsyncIterator[None]:
        """Like `attempt`, for the body of an `async with`, which the deadline interrupts."""
        with self.attempt(tried):
            async with in_time(self.deadline):
                yield

    @property
    def is_down(self) -> bool:
        """Tell whether operations are short-cut."""
        return self.breaker.opened_at is not None

    @property
    def lets_through(self) -> bool:
        """Tell whether the next operation would be let through: the server is up, or a probe is due."""
        return self.breaker.opened_at is None or monotonic() >= self.breaker.next_probe

    def try_now(self) -> None:
        """Let the next operation be the probe: another server is in the place of the one that was down."""
        with self._lock:
            self.breaker.next_probe = 0.0

    def dismiss(self) -> None:
        """Forget an outage: the server is not to be asked any more."""
        self.answered("is not needed any more")

    def unavailable(
        self, what: str, kind: type[BackendUnavailableError] = BackendUnavailableError
    ) -> BackendUnavailableError:
        """Give, and count, the error of an operation that was not done."""
        self.counts["errors"] += 1
        return kind(f"{self.server}: {what}")

    def admit(self, tried: str) -> None:
        """Raise at once while the server is down, unless this is the probe."""
        if self.breaker.opened_at is None:
            return
        with self._lock:
            allowed = self.breaker.allows(monotonic())
        if not allowed:
            down = f"down for {self._down_seconds():.1f} s: {self._why}"
            raise self.unavailable(f"{tried}: not asked, {down}", NotAskedError)

    def answered(self, how: str = "answers again") -> None:
        """Note that the server is up."""
        if not self.breaker.failures and self.breaker.opened_at is None:
            return
        with self._lock:
            seconds = self._down_seconds()
            change = self.breaker.succeeded()
        if change is Change.CLOSED:
            logger.warning("%s: %s %s after %.1f s", self.owner.name, self.server, how, seconds)
            self.owner.tell(BackendUp(self.owner.name, seconds))

    def _failed(self, failure: Exception) -> None:
        self._why = said = self._said(failure)
        with self._lock:
            change = self.breaker.failed(monotonic())
        if change is Change.OPENED:
            reason = f"{self.server}: {said}"
            logger.warning("%s: down, asked again every %.2f s: %s", self.owner.name, self.breaker.pause, reason)
            self.owner.tell(BackendDown(self.owner.name, reason))

    def note_refusal(self, tried: str, said: str) -> None:
        """Log what the server refused, once for each first word of what it said."""
        word = _WORD.match(said)[0]  # type: ignore[index]  # it matches anything
        if word not in self._refusals:
            self._refusals.add(word)
            logger.warning("%s: %s refused %s (said once): %s", self.owner.name, self.server, tried, _line(said))

    def _refused(self, tried: str, refusal: RefusedError) -> BackendUnavailableError:
        self.note_refusal(tried, str(refusal))
        return self.unavailable(f"{tried} was refused: {_line(refusal)}")

    def _down_seconds(self) -> float:
        opened_at = self.breaker.opened_at
        return 0.0 if opened_at is None else monotonic() - opened_at

    def _said(self, failure: Exception) -> str:
        if isinstance(failure, TimeoutError) and self.deadline < inf:
            return f"no answer within {self.deadline:g} s"
        kind = "" if isinstance(failure, OutOfStepError) else f"{type(failure).__name__}: "
        return f"{kind}{_line(failure)}"


def _line(said: object) -> str:
    """Give what a server or its client said as one line of the log, however many it was."""
    return " ".join(str(said).split())


class _Attempt:
    """One operation at one server; a class, since a generator costs twice as much."""

    __slots__ = ("_due", "_guard", "_tried")

    def __init__(self, guard: OutageGuard, tried: str, due: Due | None) -> None:
        self._guard = guard
        self._tried = tried
        self._due = due

    def __enter__(self) -> Due:
        self._guard.admit(self._tried)
        return self._due or Due(monotonic() + self._guard.deadline)

    def __exit__(self, kind: type[BaseException] | None, failure: BaseException | None, trace: object) -> None:
        if failure is None:
            self._guard.answered()
        elif isinstance(failure, self._guard.faults):
            raise self._guard.lost(self._tried, failure) from failure


@asynccontextmanager
async def in_time(seconds: float) -> AsyncIterator[None]:
    """Interrupt the body of an `async with` by `TimeoutError` after so many seconds.

    Unlike `asyncio.timeout` it tells a slow server from a loop that was blocked by somebody's code: when its timer is
    late, replies may be waiting to be read, and the body gets the time back (once, at most the deadline again).
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as scope:
        due = loop.time() + seconds
        timers: list[asyncio.TimerHandle] = []

        def over() -> None:
            late = loop.time() - due
            if late > STALLED and len(timers) == 1:
                timers.append(loop.call_later(min(late, seconds), over))
            else:
                scope.reschedule(loop.time())

        timers.append(loop.call_at(due, over))
        try:
            yield
        finally:
            timers[-1].cancel()


def checked_deadline(deadline: object) -> float:
    """Return a deadline in seconds that is above 0; anything else is a `ConfigurationError`."""
    if isinstance(deadline, bool) or not isinstance(deadline, int | float) or not 0 < deadline < float("inf"):
        raise ConfigurationError(f"deadline={deadline!r}: give seconds above 0, such as 0.15")
    return deadline
