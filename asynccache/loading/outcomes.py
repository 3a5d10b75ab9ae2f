"""How a load can end, and what each of those who waited for it gets."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from asynccache.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Callable

    from asynccache.loading.loops import Loop


class Landed(Struct, frozen=True):
    """The load returned: `value` for the caller that led, `replica()` for each other.

    `proof` is the number of the question to the store whose answer was that it is good (`Flight.asked`); 0: none was.
    """

    value: Any
    replica: Callable[[], Any]
    proof: int = 0

    def for_leader(self) -> Any:
        """Give the very object that the factory returned."""
        return self.value

    def for_follower(self) -> Any:
        """Give a value of one's own."""
        return self.replica()


class Failed(Struct, frozen=True):
    """The load raised."""

    error: Exception

    @classmethod
    def remembered(cls, error: Exception) -> Failed:
        """Give the same failure without what its traceback keeps alive."""
        return cls(_fresh(error))

    def again(self) -> Failed:
        """Give the same failure for somebody who comes later: a fresh exception, with the original as its cause."""
        twin = _fresh(self.error)
        twin.__cause__ = self.error
        return Failed(twin)

    def for_leader(self) -> Any:
        """Raise the very exception."""
        raise self.error

    def for_follower(self) -> Any:
        """Raise a fresh exception of the same type, with the original as its cause."""
        raise self.again().error


class Gone(Struct, frozen=True):
    """The load was broken off: nobody knows the value, and whoever still wants it looks again.

    `error` is what broke it off, if not a cancellation; `closed_on` the loop whose callers are to give up, too.
    """

    error: BaseException | None = None
    closed_on: Loop | None = None

    def for_leader(self) -> Any:
        """Raise what broke it off."""
        raise self.error or asyncio.CancelledError("the load was cancelled")


GONE = Gone()
Outcome = Landed | Failed | Gone


def _fresh(error: Exception) -> Exception:
    """Make a twin of an exception; of a class that allows none, an exception that tells the same."""
    for make in (copy.copy, _remade):
        try:
            twin = make(error)
            if twin is not error and type(twin) is type(error) and twin.args == error.args:
                if hasattr(error, "__notes__"):
                    twin.__notes__ = list(error.__notes__)
                return twin
        except Exception:  # noqa: BLE001, S112  # an odd class must not hide what happened
            continue
    return CacheError(f"the load failed: {_told(error)}")


def _remade(error: Exception) -> Exception:
    """Copy without calling `__init__`, whose arguments nobody knows."""
    twin = type(error).__new__(type(error), *error.args)
    twin.__dict__.update(error.__dict__)
    twin.args = error.args
    return twin


def _told(error: Exception) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001  # an error that cannot be printed is told by its name
        return type(error).__name__
