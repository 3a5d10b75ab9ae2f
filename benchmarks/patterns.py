"""What is asked of a cache: some keys often, keys in loops, other keys each hour, keys that never come back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import accumulate


def zipf(chance: random.Random, keys: int, skew: float, count: int) -> list[int]:
    """Draw keys of which the n-th is asked for in proportion to 1 / n ** skew."""
    weights = list(accumulate(1 / (rank + 1) ** skew for rank in range(keys)))
    return chance.choices(range(keys), cum_weights=weights, k=count)


def patterns(keys: int, count: int) -> Iterator[tuple[str, list[str]]]:
    """Give what is asked for, by the name of the pattern."""
    chance = random.Random(7)
    for skew in (0.8, 0.99, 1.2):
        yield f"zipf {skew}", _named(zipf(chance, keys, skew, count))
    hot = zipf(chance, keys, 0.9, count)
    scan = range(keys, keys + keys * 15 // 100)
    looping = [key for start in range(0, count, 3000) for key in (*hot[start : start + 3000], *scan)]
    yield "loop and scan", _named(looping[:count])
    shifting = [(key + number // (count // 5) * keys // 4) % keys for number, key in enumerate(hot)]
    yield (
        "shift and one-hit",
        _named([~number if chance.random() < 0.3 else key for number, key in enumerate(shifting)]),
    )


def _named(numbers: list[int]) -> list[str]:
    return [f"key:{number}" for number in numbers]
