"""Rights that a store may have granted without our hearing of it, or may still hold since it did not hear from us.

Nobody uses them, and until their leases end everybody waits for them. So whoever finds a right in his way ends those
that this process has forsaken there; those of other processes end by their leases.
"""

from __future__ import annotations

import threading

from asynccache.plan.forks import anew_in_child

_KEYS = 10_000
_TOKENS = 16
"""For each key; an outage is noticed before that."""


class Forsaken:
    """Their tokens by stored key, the oldest first; bounded, since an outage may be long. From any thread."""

    def __init__(self) -> None:
        self.begin_anew()
        anew_in_child(self)

    def begin_anew(self) -> None:
        """Leave them to the parent, in a forked child."""
        self._lock = threading.Lock()
        self._tokens: dict[str, list[bytes]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._tokens

    def add(self, key: str, token: bytes) -> None:
        """Note one; what the bound leaves no room for ends by its lease."""
        with self._lock:
            tokens = self._tokens.setdefault(key, [])
            if token not in tokens and len(tokens) < _TOKENS:
                tokens.append(token)
            if len(self._tokens) > _KEYS:
                del self._tokens[next(iter(self._tokens))]

    def forget(self, key: str) -> None:
        """Note that none of this key stands any more."""
        if self._tokens:
            with self._lock:
                self._tokens.pop(key, None)

    def take(self, key: str) -> bytes | None:
        """Give the oldest of this key, and forget it; None where there is none."""
        with self._lock:
            tokens = self._tokens.get(key)
            if not tokens:
                return None
            if len(tokens) == 1:
                del self._tokens[key]
            return tokens.pop(0)
