"""How cost grows with a number, in words, by what was measured: the exponent of a straight line through the logarithms.

Cost = c * n ** exponent; or, for small numbers, cost = a + b * n.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from math import log
from statistics import linear_regression

from benchmarks.measuring import Clock, Row
from benchmarks.printing import duration

FLAT = 0.15
"""Exponents up to this one are called constant: a hundred times as many cost twice as much at the worst."""


def laws(rows: Iterable[Row], clock: Clock, counted: str, *, each: bool = False) -> dict[str, float | str]:
    """Give the exponent of each line of a table, and its law in words, as facts; or what `each` more one adds."""
    facts: dict[str, float | str] = {}
    for line, group in groupby(sorted(rows, key=lambda row: row.line), key=lambda row: row.line):
        points = sorted((row.at, spread.middle) for row in group if (spread := row.spread(clock)))
        if len(points) > 2:
            facts |= (_added if each else _exponent)(line, points, counted)
    return facts


def _added(line: str, points: list[tuple[float, float]], counted: str) -> dict[str, float | str]:
    (slope, start), most = linear_regression(*zip(*points, strict=True)), points[-1][0]
    told = f"{duration(start)}, and {duration(slope)} more for each of the {counted}, up to {most:.0f}"
    bend = {f"bend: {line}": round(_bend(points), 2)} if slope * most > start / 2 else {}
    return bend | {f"law: {line}": told}


def _exponent(line: str, points: list[tuple[float, float]], counted: str) -> dict[str, float | str]:
    found = linear_regression([log(at) for at, _ in points], [log(cost) for _, cost in points]).slope
    return {f"exponent: {line}": round(found, 2), f"law: {line}": _words(found, counted)}


def _bend(points: list[tuple[float, float]]) -> float:
    """Tell how many times as much each one adds in the upper half as in the lower: 1 is a straight line, 3 a square.

    Where all together add little, it says nothing.
    """
    (least, low), (most, high) = points[0], points[-1]
    at, cost = min(points, key=lambda point: abs(point[0] - (least + most) / 2))
    below, above = (cost - low) / (at - least), (high - cost) / (most - at)
    return above / below if below > 0 else 1.0


def _words(found: float, counted: str) -> str:
    if found <= FLAT:
        return f"constant: ten times the {counted} cost {10**found:.2f} times as much"
    if abs(found - 1) <= FLAT:
        return f"in proportion to the {counted}"
    kind = "slower than" if found < 1 else "faster than"
    return f"{kind} the {counted}: ten times as many cost {10**found:.1f} times as much"
