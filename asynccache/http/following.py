"""Waiting for whoever runs the handler, but not for ever, and less for one who sends a stream to a slow reader."""

from __future__ import annotations

from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from asynccache.http.page_rules import Then
from asynccache.loading.outcomes import Landed

if TYPE_CHECKING:
    from asynccache.loading.flight import Flight
    from asynccache.plan.io import IO

FOLLOW_SECONDS = 30.0
SENDING_SECONDS = 1.0
SLOW_SECONDS = 10.0
"""How long a page that is being sent may still be stored, where others wait for it."""
_sent_since: dict[Flight, float] = {}
"""When the first part was sent of answers that are on their way, in this process."""


def begin_sending(flight: Flight) -> bool:
    """Note that an answer is on its way, and not complete; tell whether that is new."""
    if flight in _sent_since:
        return False
    _sent_since[flight] = monotonic()
    return True


def sent(flight: Flight) -> None:
    """Note that an answer has been sent, or is not to be waited for any more."""
    _sent_since.pop(flight, None)


async def followed(io: IO, flight: Flight, seconds: float | None = None) -> Landed | Then:
    """Wait for what becomes of a flight, at most so long: then RUN."""
    limit = FOLLOW_SECONDS if seconds is None else seconds
    outcome: Any = await io.twin(_follow_in_thread, _follow, flight, limit)
    return outcome if isinstance(outcome, Landed | Then) else Then.RETRY


async def _follow(flight: Flight, seconds: float) -> Any:
    give_up_at = monotonic() + seconds
    while (left := give_up_at - monotonic()) > 0 and not _is_slow(flight):
        with suppress(TimeoutError):
            return await flight.wait(min(SENDING_SECONDS, left))
    return Then.RUN


def _follow_in_thread(flight: Flight, seconds: float) -> Any:
    give_up_at = monotonic() + seconds
    while (left := give_up_at - monotonic()) > 0 and not _is_slow(flight):
        with suppress(TimeoutError):
            return flight.wait_in_thread(min(SENDING_SECONDS, left))
    return Then.RUN


def _is_slow(flight: Flight) -> bool:
    """Tell whether the answer is sent so slowly that nobody waits for it; in the end, it is not stored either."""
    since = _sent_since.get(flight)
    seconds = 0.0 if since is None else monotonic() - since
    if seconds >= SLOW_SECONDS:
        flight.break_off(Then.RUN)
    return seconds >= SENDING_SECONDS
