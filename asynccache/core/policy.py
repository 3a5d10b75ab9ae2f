"""When a loaded value is stored, for how long it is good, and what stands in for it: frozen numbers, pure functions."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from inspect import iscoroutinefunction
from typing import Any

from asynccache.core.entry import Entry
from asynccache.core.lifetime import FOREVER, Ttl, seconds

PAUSE_SECONDS = 1.0
"""How long a failed load is not tried again where a value stands in and the policy names no `error_backoff`."""
_FRACTION = "give a fraction from 0 to 1"


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """How a read-through treats what it loads; every field may be left out. All times are seconds.

    Args:
        ttl: seconds or a `timedelta`; `None` is the backend's default.
        jitter: fraction of the ttl, 0 to 1, by which lifetimes are shortened at random, so that entries
            written together do not expire together.
        refresh_ahead: fraction of the ttl, above 0 and below 1, after which the next reader gets the stored value and
            has it renewed in the background.
        stale_while_revalidate: how long after its end a value is served at once, while it is renewed in the background.
        stale_if_error: how long after its end a value stands in where a load fails.
        soft_timeout: how long a caller waits for a load where a value can stand in (needs `stale_if_error`); the load
            goes on, and what it returns is stored.
        hard_timeout: how long a caller waits for a load at all, then `CacheTimeoutError`; the load goes on, too.
        error_backoff: how long after a failed load no other is begun; callers get the stale value or, each a fresh
            copy of, the same exception. Left out: a second where a value stands in, and not at all elsewhere.
        negative_ttl: the ttl of a loaded `None`; `None` treats it like any other value.
        lock: one load per key over all processes that share the store. `None`: where the backend can; `True`: a backend
            that cannot is a `ConfigurationError`; `False`: who finds another process loading loads at once for itself,
            and that value is not stored.
        condition: called with the loaded value; it is stored only where this is true.

    Raises `ValueError` for numbers out of range and for a NaN, `TypeError` for what is no number, and for a condition
    that is no plain function.
    """

    ttl: Ttl = None
    jitter: float = 0.0
    refresh_ahead: float | None = None
    stale_while_revalidate: float = 0.0
    stale_if_error: float = 0.0
    soft_timeout: float | None = None
    hard_timeout: float | None = None
    error_backoff: float | None = None
    negative_ttl: Ttl = None
    lock: bool | None = None
    condition: Callable[[Any], bool] | None = None

    def __post_init__(self) -> None:
        seconds(self.ttl, 0.0)
        seconds(self.negative_ttl, 0.0)
        if not 0 <= _number("jitter", self.jitter, _FRACTION) <= 1:
            raise ValueError(f"jitter={self.jitter!r}: {_FRACTION}")
        if self.refresh_ahead is not None and not 0 < _number("refresh_ahead", self.refresh_ahead, _FRACTION) < 1:
            raise ValueError(f"refresh_ahead={self.refresh_ahead!r}: give a fraction above 0 and below 1")
        _check_seconds(self)
        if self.lock is not None and type(self.lock) is not bool:
            raise TypeError(f"lock={self.lock!r}: give True, False or None")
        condition: object = self.condition
        if condition is not None and (not callable(condition) or iscoroutinefunction(condition)):
            raise TypeError(f"condition={condition!r}: give a plain function of the value")

    @property
    def keeps_times(self) -> bool:
        """Whether it matters when an entry was written and when it ends, beyond whether it is over."""
        return self.refresh_ahead is not None or self.stale_while_revalidate > 0 or self.stale_if_error > 0

    @property
    def kept_seconds(self) -> float | None:
        """How long after its end a value is kept; None: nobody will look at its times."""
        return max(self.stale_while_revalidate, self.stale_if_error) if self.keeps_times else None

    @property
    def is_timed(self) -> bool:
        """Whether callers wait for a limited time only."""
        return self.soft_timeout is not None or self.hard_timeout is not None


class Verdict(Enum):
    """What a read-through does with what it found."""

    FRESH = "serve it"
    DUE = "serve it and renew it in the background"
    STALE = "load; it stands in where that fails or is slow"
    DEAD = "load"


SERVED = frozenset({Verdict.FRESH, Verdict.DUE})
"""What readers get without waiting."""


def judge(entry: Entry | None, policy: CachePolicy, now: float) -> Verdict:
    """Say what an entry, or none, is good for at `now`, seconds of the clock that its times are of.

    One that is over but younger than `stale_while_revalidate` is `DUE`.
    """
    if entry is None:
        return Verdict.DEAD
    written_at, fresh_until, dead_at = entry.times
    if now < fresh_until:
        ahead = policy.refresh_ahead
        if ahead is None or fresh_until == FOREVER or now < written_at + ahead * (fresh_until - written_at):
            return Verdict.FRESH
        return Verdict.DUE
    if now >= dead_at:
        return Verdict.DEAD
    if now < fresh_until + policy.stale_while_revalidate:
        return Verdict.DUE
    return Verdict.STALE if now < fresh_until + policy.stale_if_error else Verdict.DEAD


def is_paused(failed_at: float, pause_seconds: float, now: float) -> bool:
    """Tell whether a load that failed then is not to be tried again yet; a clock that was set back pauses nothing."""
    return failed_at <= now < failed_at + pause_seconds


def lifetime(policy: CachePolicy, value: object, given: Ttl = None, *, default: float, luck: float) -> float | None:
    """Tell for how many seconds a loaded value is to be stored; `None`: not at all.

    A ttl that was `given` beats that of the policy. `luck` is a random number from 0 to 1 that the caller drew.
    """
    if policy.condition is not None and not policy.condition(value):
        return None
    ttl = policy.ttl if given is None else given
    if value is None and policy.negative_ttl is not None:
        ttl = policy.negative_ttl
    whole = seconds(ttl, default)
    return whole if whole == FOREVER else whole * (1 - policy.jitter * luck)


def merged(policy: object, ttl: Ttl) -> CachePolicy:
    """Give the policy, or one of nothing but defaults, in which an explicit ttl beats its own; wrong ones raise."""
    chosen: object = _PLAIN if policy is None else policy
    if not isinstance(chosen, CachePolicy):
        raise TypeError(f"policy is a CachePolicy, not {type(chosen).__name__}")
    return chosen if ttl is None else replace(chosen, ttl=ttl)


def _check_seconds(policy: CachePolicy) -> None:
    for name in ("stale_while_revalidate", "stale_if_error"):
        if not 0 <= _number(name, getattr(policy, name), "give seconds") < FOREVER:
            raise ValueError(f"{name}={getattr(policy, name)!r}: give seconds, 0 or more")
    for name in ("soft_timeout", "hard_timeout", "error_backoff"):
        given = getattr(policy, name)
        if given is not None and not 0 < _number(name, given, "give seconds") < FOREVER:
            raise ValueError(f"{name}={given!r}: give seconds, more than 0")
    if policy.soft_timeout is None:
        return
    if not policy.stale_if_error:
        raise ValueError("soft_timeout without stale_if_error: there is never a value that could stand in")
    if policy.hard_timeout is not None and policy.hard_timeout < policy.soft_timeout:
        raise ValueError(f"hard_timeout={policy.hard_timeout!r} is less than soft_timeout={policy.soft_timeout!r}")


def _number(name: str, given: object, wanted: str) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise TypeError(f"{name}={given!r}: {wanted}")
    return given


_PLAIN = CachePolicy()
