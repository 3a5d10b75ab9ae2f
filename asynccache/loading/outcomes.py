"""How a load can end, and what each of those who waited for it gets."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asynccache.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Landed:
    """The load returned: `value` for the caller that led, `replica()` for each other."""

    value: Any
    replica: Callable[[], Any]

    def for_leader(self) -> Any:
        """Give the very object that the factory returned."""
        return self.value

    def for_follower(self) -> Any:
        """Give a value of one's own."""
        return self.replica()


@dataclass(frozen=True, slots=True)
class Failed:
    """The load raised."""

    error: Exception

    def for_leader(self) -> Any:
        """Raise the very exception."""
        raise self.error

    def for_follower(self) -> Any:
        """Raise a fresh exception of the same type, with the original as its cause."""
        raise _fresh(self.error) from self.error


@dataclass(frozen=True, slots=True)
class Gone:
    """The load was cancelled: nobody knows the value, and whoever still wants it looks again."""


GONE = Gone()
Outcome = Landed | Failed | Gone


def _fresh(error: Exception) -> Exception:
    try:
        twin = copy.copy(error)
    except Exception:  # noqa: BLE001  # an exception class that cannot be copied must not hide what happened
        return CacheError(f"the load failed: {type(error).__name__}: {error}")
    if type(twin) is not type(error):
        return CacheError(f"the load failed: {type(error).__name__}: {error}")
    return twin.with_traceback(None)
