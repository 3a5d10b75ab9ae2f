"""A clock that stands still until it is told otherwise."""


class FakeClock:
    """Give a backend a time of your own: `LocalMemCacheBackend(clock=FakeClock())`.

    Args:
        start: seconds since 1970 that it shows at first; the default is a moment in 2001.
    """

    def __init__(self, start: float = 1_000_000_000.0) -> None:
        self._now = start

    def __call__(self) -> float:
        """Tell the time."""
        return self._now

    def __repr__(self) -> str:
        return f"<FakeClock {self._now}>"

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass; negative ones set the clock back, as real clocks sometimes are."""
        self._now += seconds
