"""When a loaded value is stored, and for how long: frozen numbers and the pure functions over them."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any

from asynccache.core.lifetime import FOREVER, Ttl, seconds


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """How a read-through treats what it loads; every field may be left out.

    Args:
        ttl: seconds or a `timedelta`; `None` is the backend's default.
        jitter: fraction of the ttl, 0 to 1, by which lifetimes are shortened at random, so that entries
            written together do not expire together.
        negative_ttl: the ttl of a loaded `None`; `None` treats it like any other value.
        condition: called with the loaded value; it is stored only where this is true.

    Raises `ValueError` for a jitter outside 0 to 1 and for a NaN, `TypeError` for what is no ttl, and for a condition
    that is no plain function.
    """

    ttl: Ttl = None
    jitter: float = 0.0
    negative_ttl: Ttl = None
    condition: Callable[[Any], bool] | None = None

    def __post_init__(self) -> None:
        seconds(self.ttl, 0.0)
        seconds(self.negative_ttl, 0.0)
        if isinstance(self.jitter, bool) or not isinstance(self.jitter, int | float):
            raise TypeError(f"jitter={self.jitter!r}: give a fraction from 0 to 1")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter={self.jitter!r}: give a fraction from 0 to 1")
        condition: object = self.condition
        if condition is not None and (not callable(condition) or iscoroutinefunction(condition)):
            raise TypeError(f"condition={condition!r}: give a plain function of the value")


def lifetime(policy: CachePolicy, value: object, *, default: float, luck: float) -> float | None:
    """Tell for how many seconds a loaded value is to be stored; `None`: not at all.

    `luck` is a random number from 0 to 1 that the caller drew.
    """
    if policy.condition is not None and not policy.condition(value):
        return None
    ttl = policy.negative_ttl if value is None and policy.negative_ttl is not None else policy.ttl
    whole = seconds(ttl, default)
    return whole if whole == FOREVER else whole * (1 - policy.jitter * luck)
