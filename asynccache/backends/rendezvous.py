"""Which of several servers has a key: rendezvous hashing (Thaler and Ravishankar, 1998).

Every server draws a number for every key and the highest wins. The order in which servers are named decides nothing,
and adding or removing one moves the keys of that one only.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Rendezvous:
    """Finds the place of keys among the named places.

    Args:
        names: what tells the places apart, the same on every node: addresses, for instance.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._salts = [(name, blake2b(name.encode(), digest_size=32).digest()) for name in sorted(names)]

    def place(self, key: bytes) -> str:
        """Give the name of the place where this key lives."""
        if len(self._salts) == 1:
            return self._salts[0][0]
        return max((blake2b(key, key=salt, digest_size=8).digest(), name) for name, salt in self._salts)[1]
