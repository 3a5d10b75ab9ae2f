"""How a table is kept small without counting it: a little work with every so many writes.

What is over is removed four times as fast as new entries come. How many rows there are is told by a sample: hashes of
keys lie evenly between 0 and 2**31, so a stretch that holds 1,000 of them tells the number of all to 3 % (one
standard deviation, 1/sqrt(1,000)); a smaller table is counted.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from asynccache.backends.sql_rows import PLACES

EVERY = 64
"""Rows that are written between two cullings."""
SAMPLE = 1_000
_PACE = 4


@dataclass(slots=True)
class Culler:
    """Decides when to look and how much to remove.

    Args:
        max_entries: rows that may stay.
    """

    max_entries: int
    _written: int = field(default_factory=lambda: random.randrange(EVERY))

    def due(self, rows: int) -> int:
        """Note that rows were written; give how many to remove at most, 0 where it is not time yet."""
        before, self._written = self._written, self._written + rows
        return 0 if before // EVERY == self._written // EVERY else _PACE * max(EVERY, rows)

    def start(self) -> int:
        """Give the place at which the sample begins: any in the lower half, or 0 where all are to be counted."""
        return 0 if self.max_entries < SAMPLE else random.randrange(PLACES // 2)

    def excess(self, start: int, count: int, last: int | None) -> int:
        """Give by how many rows a table is too large whose sample from `start` on has `count` rows up to `last`."""
        if last is None:
            return 0
        stretch = last - start + 1 if count >= SAMPLE else PLACES - start
        return max(0, round(count * PLACES / stretch) - self.max_entries)
