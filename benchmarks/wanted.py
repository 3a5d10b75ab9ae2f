"""What a table wants of a row or a fact, written as people say it, and whether it was reached.

    <= 2.5 x           times the limit's row
    >= 1.8 x ours      times our row
    <= 1/0.7 x NAME    times the row of that name
    <= 15 us           seconds by the table's clock (ns, us, ms, s)
    <= 15 us CPU       by this one: CPU or wall
    <= 10 us more      than the limit
    <= 140             the number of a fact

Several are put together by semicolons.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.measuring import Clock, Row, Spread, Table

_FORM = re.compile(r"(<=|>=) (-?[\d.]+)(?:/([\d.]+))?(?: (x|ns|us|ms|s)(?: (.+))?)?")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
_CLOCKS: dict[str, Clock] = {"CPU": "cpu", "wall": "wall"}


@dataclass(frozen=True)
class Verdict:
    """A wish, and what came of it."""

    wanted: str
    at_most: bool
    bound: float
    found: Spread | None
    """In the unit of the bound."""

    @property
    def reached(self) -> bool:
        if self.found is None:
            return False
        return self.found.middle <= self.bound if self.at_most else self.found.middle >= self.bound

    def __str__(self) -> str:
        if self.found is None:
            return "not measured"
        word = "reached" if self.reached else f"missed by {self._distance()}"
        unsure = self.found.low < self.bound < self.found.high
        return f"{word}, at {self.found.middle:.3g}{' (the bound is within the spread)' * unsure}"

    def _distance(self) -> str:
        if self.found is None or self.bound <= 0:
            return f"{abs(self.found.middle - self.bound):.3g}" if self.found else ""
        return f"{abs(self.found.middle / self.bound - 1):.0%}"


def verdicts(table: Table, name: str) -> list[Verdict]:
    """Judge what is wanted of a row or a fact."""
    return [_verdict(table, name, wish) for wish in table.wanted.get(name, "").split("; ") if wish]


def all_verdicts(table: Table) -> Iterator[tuple[str, Verdict]]:
    """Judge all that is wanted, by name."""
    for name in table.wanted:
        for verdict in verdicts(table, name):
            yield name, verdict


def _verdict(table: Table, name: str, wish: str) -> Verdict:
    form = _FORM.fullmatch(wish)
    if form is None:
        raise ValueError(f"{table.title}: {name!r} is wanted to be {wish!r}; see benchmarks/wanted.py for the forms")
    sign, bound, divisor, unit, of = form.groups()
    row = table.row(name)
    found = _fact(table, name) if row is None or unit is None else _found(table, row, unit, of or "")
    return Verdict(wish, sign == "<=", float(bound) / float(divisor or 1), found)


def _fact(table: Table, name: str) -> Spread | None:
    fact = table.facts.get(name)
    return Spread(fact, fact, fact) if isinstance(fact, int | float) else None


def _found(table: Table, row: Row, unit: str, of: str) -> Spread | None:
    if unit == "x":
        return table.ratio(row, {"": table.limit, "ours": table.ours}.get(of, of))
    seconds = row.rounds(_CLOCKS.get(of, table.clock))
    if of == "more":
        limit = table.row(table.limit)
        seconds = [mine - its for mine, its in zip(seconds, limit.rounds(table.clock) if limit else [], strict=False)]
    elif of not in {"", *_CLOCKS}:
        raise ValueError(f"{table.title}: {of!r} is no clock; see benchmarks/wanted.py for the forms")
    return Spread.of(second / _SECONDS[unit] for second in seconds)
