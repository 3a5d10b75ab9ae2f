"""A table as a plot: bars with their quartiles, or lines where something grows from row to row."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.measuring import Row, Table
from benchmarks.printing import duration

LIMIT, OURS, PEER = "#9e9e9e", "#3949ab", "#90a4ae"


def plot(table: Table, path: Path) -> None:
    """Draw a table as an SVG file."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": table.title, "font.size": 8})
    import matplotlib.pyplot as plt

    rows = [row for row in table.rows if row.spread(table.clock)]
    height = 3.5 if table.along else 0.9 + 0.28 * len(rows)
    figure, axis = plt.subplots(figsize=(8, height), layout="constrained")
    (_lines if table.along else _bars)(axis, table, rows)
    axis.set_title(table.title, fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
    axis.minorticks_off()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _bars(axis: Any, table: Table, rows: list[Row]) -> None:
    """Draw bars; or points where the scale is logarithmic, which has no foot for a bar to stand on."""
    spreads = {row.name: spread for row in rows if (spread := row.spread(table.clock))}
    middles = [one.middle for one in spreads.values()]
    logarithmic = bool(middles) and max(middles) > 20 * min(middles) > 0
    for name, one in spreads.items():
        ends, colour = [[one.middle - one.low], [one.high - one.middle]], _colour(table, name)
        if logarithmic:
            axis.errorbar(one.middle, name, xerr=ends, fmt="o", color=colour)
        else:
            axis.barh(name, one.middle, xerr=ends, color=colour, error_kw={"lw": 0.8})
        axis.annotate(duration(one.middle), (one.high, name), (6, 0), textcoords="offset points", va="center")
    if logarithmic:
        axis.set_xscale("log")
        axis.grid(axis="x", lw=0.3)
    axis.invert_yaxis()
    axis.margins(x=0.12)
    axis.xaxis.set_major_formatter(lambda seconds, _: duration(seconds))
    axis.set_xlabel(f"{_clock(table)} per operation, median and quartiles")


def _clock(table: Table) -> str:
    return table.clock.replace("cpu", "CPU") + " time"


def _colour(table: Table, name: str) -> str:
    if name == table.limit and name != table.ours:
        return LIMIT
    return OURS if name == table.ours or "asynccache" in name else PEER


def _lines(axis: Any, table: Table, rows: list[Row]) -> None:
    for line, group in groupby(sorted(rows, key=lambda row: row.line), key=lambda row: row.line):
        points = sorted((row.at, spread) for row in group if (spread := row.spread(table.clock)))
        xs, spreads = zip(*points, strict=True)
        axis.plot(xs, [spread.middle for spread in spreads], marker="o", markersize=3, label=line)
        axis.fill_between(xs, [spread.low for spread in spreads], [spread.high for spread in spreads], alpha=0.2)
    axis.set_xscale("symlog" if any(row.at == 0 for row in rows) else "log")
    axis.set_xticks(sorted({row.at for row in rows}))
    middles = [spread.middle for row in rows if (spread := row.spread(table.clock))]
    if max(middles) < 3 * min(middles):
        axis.set_ylim(0, 1.3 * max(middles))  # nothing flat is to look steep
    else:
        axis.set_yscale("log", subs=())
        axis.yaxis.get_major_locator().set_params(subs=(1, 2, 5))
    axis.set_xlabel(table.along)
    axis.xaxis.set_major_formatter(lambda number, _: f"{number:,.0f}")
    axis.yaxis.set_major_formatter(lambda seconds, _: duration(seconds))
    axis.set_ylabel(f"{_clock(table)} per operation")
    axis.legend(frameon=False)
