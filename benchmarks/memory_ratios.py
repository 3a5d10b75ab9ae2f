"""How often caches find what they are asked for, and what it costs to ask, and to store what was not there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FunctionType
from typing import Any

from benchmarks.measuring import Row, Table, timed
from benchmarks.memory_peers import FLOOR, MORE_PEERS, OURS, PEERS, Get, Set, floor, ours
from benchmarks.patterns import Trace, patterns

PARTS = (0.01, 0.1)
"""Entries that there is room for, as a part of the keys."""
ASKED: dict[str, Callable[[int], tuple[Get, Set]]] = {FLOOR: floor, OURS: ours, **PEERS, **MORE_PEERS}
Ratios = dict[str, dict[str, float]]


def hit_ratios(keys: int, count: int) -> Table:
    """Ask for what is drawn; the wishes are about the mean of all patterns."""
    rows, ratios = _asked(patterns(keys, count), lambda trace: keys)
    mean = {name: 100 * sum(found[name] for found in ratios.values()) / len(ratios) for name in ASKED}
    best = "hits, mean: asynccache's less theine's, points"
    facts: dict[str, float | str] = {best: round(mean[OURS] - mean["theine"], 2)} if "theine" in mean else {}
    facts["hits, mean"] = ", ".join(f"{name} {ratio:.2f} %" for name, ratio in mean.items())
    return Table(
        "A get, and a set where it missed: all patterns, room for 1 % and 10 % of the keys",
        rows,
        FLOOR,
        {OURS: "<= 0.2 x theine", best: ">= -0.1"},
        facts | _told(ratios),
        OURS,
    )


def hit_ratios_of(trace: Trace) -> Iterator[Table]:
    """Ask for what a file says."""
    keys = len(set(trace.keys))
    for part in PARTS:
        rows, ratios = _asked([trace] * 3, lambda trace: keys, [part])
        facts = _told(ratios)
        if set(trace.sizes) != {1}:
            found = {name: _of_bytes(make, trace, max(1, int(keys * part))) for name, make in ASKED.items()}
            facts |= {f"bytes found, {name}": f"{100 * ratio:.2f} %" for name, ratio in found.items()}
        title = f"A get, and a set where it missed: {trace.name}, {len(trace.keys):,} gets of {keys:,} keys"
        yield Table(f"{title}, room for {part:.0%}", rows, FLOOR, facts=facts, ours=OURS)


def _asked(
    traces: Iterable[Trace], keys_of: Callable[[Trace], int], parts: Iterable[float] = PARTS
) -> tuple[list[Row], Ratios]:
    rows = {name: Row(name) for name in ASKED}
    ratios: Ratios = {}
    for trace in traces:
        for part in parts:
            found = ratios[f"{trace.name}, room for {part:.0%}"] = {}
            for name, make in ASKED.items():
                found[name] = _ask(rows[name], make, trace.keys, max(1, int(keys_of(trace) * part)))
    return list(rows.values()), ratios


def _ask(row: Row, make: Callable[[int], tuple[Get, Set]], keys: list[str], entries: int) -> float:
    hits = 0

    def run(count: int) -> None:
        nonlocal hits
        hits = loop(get, put, keys)

    try:
        get, put = make(entries)
        loop = _loop_for(row.name)
        row.add(timed(run, len(keys)), len(keys))
    except Exception as error:  # noqa: BLE001 - a peer that fails is a finding, not the end of the run
        row.failed = f"{type(error).__name__}: {error}"
    return hits / len(keys)


def _loop_for(name: str) -> Any:
    """Give a loop of its own, since the interpreter adapts the bytecode of each to what it calls."""
    loop = _ask_theine if name == "theine" else _ask_all
    return FunctionType(loop.__code__.replace(), globals())


def _ask_all(get: Get, put: Set, keys: list[str]) -> int:
    hits = 0
    for key in keys:
        if get(key) is None:
            put(key, "value")
        else:
            hits += 1
    return hits


def _ask_theine(get: Get, put: Set, keys: list[str]) -> int:
    hits = 0
    for key in keys:
        if get(key)[1]:
            hits += 1
        else:
            put(key, "value")
    return hits


def _of_bytes(make: Callable[[int], tuple[Get, Set]], trace: Trace, entries: int) -> float:
    get, put = make(entries)
    found = 0
    for key, size in zip(trace.keys, trace.sizes, strict=True):
        if get(key) in {None, (None, False)}:
            put(key, "value")
        else:
            found += size
    return found / sum(trace.sizes)


def _told(ratios: Mapping[str, Mapping[str, float]]) -> dict[str, float | str]:
    return {
        f"hits, {trace}": ", ".join(f"{name} {100 * ratio:.2f} %" for name, ratio in found.items())
        for trace, found in ratios.items()
    }
