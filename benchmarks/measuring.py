"""Measuring in turns, A B A B, so that what slows the machine down slows all alike; medians and spread."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter, process_time


@dataclass
class Row:
    """What one subject took: seconds per operation in each round."""

    name: str
    seconds: list[float]
    note: str = ""

    @property
    def middle(self) -> float:
        """Give the median."""
        return median(self.seconds)

    @property
    def spread(self) -> float:
        """Give the distance of the fastest and the slowest round, as a fraction of the median."""
        return (max(self.seconds) - min(self.seconds)) / self.middle


@dataclass
class Table:
    """Subjects measured in one run, with what was wanted of them."""

    title: str
    rows: list[Row]
    baseline: str
    wanted: Mapping[str, str] = field(default_factory=dict)
    """What to reach, by the name of a row."""
    facts: Mapping[str, float | str] = field(default_factory=dict)
    """What is no time: hit ratios, bytes."""

    def ratio(self, row: Row) -> float:
        """Tell how many times as long as the baseline it took."""
        return row.middle / next(one.middle for one in self.rows if one.name == self.baseline)

    def text(self) -> str:
        """Draw the table."""
        width = max(len(row.name) for row in self.rows)
        lines = [self.title, "-" * len(self.title)]
        for row in self.rows:
            line = (
                f"{row.name:<{width}}  {row.middle * 1e6:10.3f} us  +-{row.spread / 2:4.0%}  {self.ratio(row):8.2f} x"
            )
            wanted = self.wanted.get(row.name, "")
            lines.append("  ".join(filter(None, [line, wanted and f"wanted: {wanted}", row.note])))
        lines += [f"{name}: {fact}" for name, fact in self.facts.items()]
        return "\n".join(lines)

    def as_json(self) -> dict[str, object]:
        """Give what is kept."""
        rows = [
            {"name": row.name, "seconds": row.seconds, "ratio": self.ratio(row), "wanted": self.wanted.get(row.name)}
            for row in self.rows
        ]
        return {"title": self.title, "baseline": self.baseline, "rows": rows, "facts": dict(self.facts)}


def in_turns(
    subjects: Mapping[str, Callable[[int], object]], count: int, rounds: int = 7, *, cpu: bool = False
) -> list[Row]:
    """Run each subject `count` times a round, in turns.

    Args:
        subjects: by name, functions that do their operation as many times as they are told.
        count: operations in a round.
        rounds: how many; one more goes before as a warm-up.
        cpu: count this process's CPU time instead of the wall's.
    """
    clock = process_time if cpu else perf_counter
    rows = {name: Row(name, []) for name in subjects}
    for turn in range(rounds + 1):
        for name, subject in subjects.items():
            gc.collect()
            gc.disable()
            started = clock()
            subject(count)
            seconds = clock() - started
            gc.enable()
            if turn:
                rows[name].seconds.append(seconds / count)
    return list(rows.values())
