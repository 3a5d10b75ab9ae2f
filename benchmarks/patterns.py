"""What is asked of a cache: some keys often, keys in loops, other keys each hour, keys that never come back.

Or what a file says was asked for: a key to a line, in that order, optionally with white space and the size of its value
in bytes behind it (`GET:/index.html 5120`). Empty lines do not count.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path


@dataclass(frozen=True)
class Trace:
    """What was asked for, in that order."""

    name: str
    keys: list[str]
    sizes: list[int]
    """Bytes of the value at each line; 1 where none is said."""

    @classmethod
    def read(cls, path: Path) -> Trace:
        lines = [line.split() for line in path.read_text(errors="replace").splitlines() if line.strip()]
        return cls(path.name, [line[0] for line in lines], [int(line[1]) if len(line) > 1 else 1 for line in lines])

    @classmethod
    def drawn(cls, name: str, keys: list[str]) -> Trace:
        return cls(name, keys, [1] * len(keys))


def zipf(chance: random.Random, keys: int, skew: float, count: int) -> list[int]:
    """Draw keys of which the n-th is asked for in proportion to 1 / n ** skew."""
    weights = list(accumulate(1 / (rank + 1) ** skew for rank in range(keys)))
    return chance.choices(range(keys), cum_weights=weights, k=count)


def patterns(keys: int, count: int) -> Iterator[Trace]:
    """Draw what is asked for."""
    chance = random.Random(7)
    for skew in (0.8, 0.99, 1.2):
        yield Trace.drawn(f"zipf {skew}", _named(zipf(chance, keys, skew, count)))
    hot = zipf(chance, keys, 0.9, count)
    scan = range(keys, keys + keys * 15 // 100)
    looping = [key for start in range(0, count, 3000) for key in (*hot[start : start + 3000], *scan)]
    yield Trace.drawn("loop and scan", _named(looping[:count]))
    shifting = [(key + number // (count // 5) * keys // 4) % keys for number, key in enumerate(hot)]
    with_strangers = [~number if chance.random() < 0.3 else key for number, key in enumerate(shifting)]
    yield Trace.drawn("shift and one-hit", _named(with_strangers))


def _named(numbers: list[int]) -> list[str]:
    return [f"key:{number}" for number in numbers]
