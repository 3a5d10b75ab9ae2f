"""A table as text for the terminal and as Markdown for the documents."""

from __future__ import annotations

from benchmarks.measuring import Clock, Row, Spread, Table
from benchmarks.wanted import verdicts

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))
_CLOCKS: dict[Clock, str] = {"cpu": "CPU", "wall": "wall"}


def text(table: Table) -> str:
    """Draw the table for a terminal."""
    lines = cells(table)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    drawn = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([table.title, "-" * len(table.title), *drawn, *facts(table)])


def markdown(table: Table) -> str:
    """Write the table for a page, folded below its title."""
    head, *lines = [[cell.replace("|", "\\|") for cell in line] for line in cells(table)]
    aligned = ["---", *["---:"] * (len(head) - 3), "---", "---"]
    drawn = [f"| {' | '.join(line)} |" for line in (head, aligned, *lines)]
    opened = ['<details markdown="1">', f"<summary>{table.title}</summary>", ""]
    return "\n".join([*opened, *drawn, "", *(f"- {fact}" for fact in facts(table)), "", "</details>"])


def facts(table: Table) -> list[str]:
    """Write what is no time, and whether it is as wanted."""
    return [
        " ".join([f"{name}: {fact}", *(f"(wanted: {one.wanted}: {one})" for one in verdicts(table, name))])
        for name, fact in table.facts.items()
    ]


def cells(table: Table) -> list[list[str]]:
    """Give the head and the rows: what it took by each clock, ratios, what was wanted, and what came of it."""
    clocks = [table.clock, *(clock for clock in _CLOCKS if clock != table.clock and _has(table, clock))]
    others = [name for name in dict.fromkeys((table.limit, table.ours)) if table.row(name)]
    head = ["", *(word for clock in clocks for word in (_CLOCKS[clock], "+-")), *(f"x {name}" for name in others)]
    return [[*head, "wanted", ""], *(_line(table, row, clocks, others) for row in table.rows)]


def _has(table: Table, clock: Clock) -> bool:
    return any(row.rounds(clock) for row in table.rows)


def _line(table: Table, row: Row, clocks: list[Clock], others: list[str]) -> list[str]:
    taken = [cell for clock in clocks for cell in _taken(row.spread(clock))]
    ratios = [_ratio(table.ratio(row, name), itself=row.name == name) for name in others]
    judged = [(one.wanted, str(one)) for one in verdicts(table, row.name)]
    wishes, said = "; ".join(wish for wish, _ in judged), "; ".join(verdict for _, verdict in judged)
    return [row.name, *taken, *ratios, wishes, "; ".join(filter(None, [row.failed, said, row.note]))]


def _taken(spread: Spread | None) -> tuple[str, str]:
    if spread is None:
        return "-", ""
    half = (spread.high - spread.low) / 2
    return duration(spread.middle), f"{half / spread.middle:.0%}" if spread.middle else ""


def duration(seconds: float) -> str:
    """Write seconds with three digits that count."""
    size, unit = next(((size, unit) for size, unit in _UNITS if abs(seconds) >= size), _UNITS[-1])
    number = seconds / size
    return f"{number:.{0 if abs(number) >= 99.95 else 1 if abs(number) >= 9.995 else 2}f} {unit}"


def _ratio(spread: Spread | None, *, itself: bool) -> str:
    if itself or spread is None:
        return "1" if itself else "-"
    return f"{spread.middle:.3g}" if spread.tells_from(1) else "not told apart"
