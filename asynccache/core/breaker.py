"""When to stop asking a server that does not answer: a circuit breaker without a clock of its own."""

from dataclasses import dataclass
from enum import Enum


class Change(Enum):
    """What an outcome did to the breaker."""

    NONE = 0
    OPENED = 1
    CLOSED = 2


@dataclass(slots=True)
class Breaker:
    """Open after `threshold` failures in a row, then let one probe through every `pause` seconds.

    Times are monotonic seconds that the caller brings.
    """

    threshold: int = 3
    pause: float = 0.25
    failures: int = 0
    opened_at: float | None = None
    next_probe: float = 0.0

    def allows(self, now: float) -> bool:
        """Tell whether to ask the server; while open, one caller per pause is the probe."""
        if self.opened_at is None:
            return True
        if now < self.next_probe:
            return False
        self.next_probe = now + self.pause
        return True

    def failed(self, now: float) -> Change:
        """Note a failure."""
        self.failures += 1
        if self.opened_at is not None:
            self.next_probe = now + self.pause
            return Change.NONE
        if self.failures < self.threshold:
            return Change.NONE
        self.opened_at = now
        self.next_probe = now + self.pause
        return Change.OPENED

    def succeeded(self) -> Change:
        """Note an answer."""
        self.failures = 0
        if self.opened_at is None:
            return Change.NONE
        self.opened_at = None
        return Change.CLOSED
