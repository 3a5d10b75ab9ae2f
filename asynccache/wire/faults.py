"""What goes wrong on a connection, and is not a `TimeoutError` or another `OSError`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class OutOfStepError(Exception):
    """A reply does not fit its question: this connection answers somebody else and has to go."""


class BusyError(Exception):
    """It was not done, which says nothing new about the server: too many came before, or it failed others, too."""


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """What a server answered in the place of a reply."""

    said: str


class Once:
    """Makes the exceptions of all whom one event fails: only one of them is the server's fault, since it was one."""

    def __init__(self, kind: Callable[[str], Exception]) -> None:
        self._kind = kind

    def __call__(self, said: str) -> Exception:
        """Make the next one."""
        kind, self._kind = self._kind, BusyError
        return kind(said)
