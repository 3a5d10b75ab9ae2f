"""Measuring in turns, A B A B, so that what slows the machine down slows all alike.

Each round gives the seconds of one operation by two clocks: CPU, which this process burnt, and wall, which passed. What
is told of the rounds is their median and their quartiles. A ratio of two subjects is the median of the ratios of the
rounds, since two runs that follow each other met the same machine; where half of these lie farther apart than the
median is from 1, the two are not told apart.
"""

from __future__ import annotations

import asyncio
import gc
import re
import statistics
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from math import inf
from time import perf_counter, process_time
from typing import Any, Literal

Clock = Literal["cpu", "wall"]


@dataclass(frozen=True)
class Taken:
    """What a run took, in seconds."""

    cpu: float
    wall: float


Subject = Callable[[int], object]
"""Does its operation as many times as it is told; gives `Taken` where it has measured itself, in another process."""


class AbsentError(Exception):
    """A peer cannot take part; the message says why."""


@dataclass(frozen=True)
class Spread:
    """A median, and the quartiles around it."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        found = list(values)
        if len(found) < 2:
            return cls(*found * 3) if found else None
        return cls(*statistics.quantiles(found, n=4, method="inclusive"))

    def tells_from(self, other: float) -> bool:
        """Tell whether half of the rounds lie closer together than their median is to `other`."""
        return self.high - self.low < abs(self.middle - other)


@dataclass
class Row:
    """What one subject took: seconds per operation in each round, by each clock that makes sense for it."""

    name: str
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    note: str = ""
    failed: str = ""
    """Why there are no figures."""
    line: str = ""
    """Which line of a plot it is on, where its table says `along` what."""
    at: float = 0
    """And where on that line."""

    def add(self, taken: Taken, count: int = 1) -> None:
        """Add a round of `count` operations."""
        self.cpu.append(taken.cpu / count)
        self.wall.append(taken.wall / count)

    def spread(self, clock: Clock) -> Spread | None:
        return Spread.of(self.rounds(clock))

    def rounds(self, clock: Clock) -> list[float]:
        return self.cpu if clock == "cpu" else self.wall


@dataclass
class Table:
    """Subjects measured in one run, with what was wanted of them."""

    title: str
    rows: list[Row]
    limit: str = ""
    """The row that all are compared with: a floor that nobody can be below."""
    wanted: Mapping[str, str] = field(default_factory=dict)
    """What to reach, by the name of a row or of a fact: see benchmarks/wanted.py for the forms."""
    facts: Mapping[str, float | str] = field(default_factory=dict)
    """What is no time: hit ratios, bytes, loads."""
    ours: str = ""
    """Our row that peers are compared with."""
    clock: Clock = "cpu"
    """Which clock ratios are of."""
    along: str = ""
    """What grows from row to row: the plot has lines then, each row standing at its `at`."""

    def row(self, name: str) -> Row | None:
        return next((row for row in self.rows if row.name == name), None)

    def ratio(self, row: Row, to: str) -> Spread | None:
        """Tell how many times as long as the row of the name `to` it took, round by round."""
        other = self.row(to)
        if other is None:
            return None
        pairs = zip(row.rounds(self.clock), other.rounds(self.clock), strict=False)
        return Spread.of(mine / its for mine, its in pairs if its > 0)

    def as_json(self) -> dict[str, Any]:
        """Give what is kept."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Table:
        """Make a table of what was kept."""
        return cls(**kept | {"rows": [Row(**row) for row in kept["rows"]]})


def in_turns(subjects: Mapping[str, Subject], count: int, rounds: int = 7, *, seconds: float = inf) -> list[Row]:
    """Run each subject `count` times a round, in turns. A subject that raises is a row that says so.

    Args:
        subjects: by name; `on` makes one of a coroutine function, `attempt` one of a peer that may be absent.
        count: operations in a round.
        rounds: how many; one more goes before as a warm-up.
        seconds: after which no further round begins, three rounds apart, which are always run.
    """
    rows = {name: Row(name) for name in subjects}
    started = perf_counter()
    for turn in range(rounds + 1):
        if turn > 3 and perf_counter() - started > seconds:
            break
        for name, subject in subjects.items():
            _take_turn(rows[name], subject, count, counts=turn > 0)
    return list(rows.values())


def _take_turn(row: Row, subject: Subject, count: int, *, counts: bool) -> None:
    if row.failed:
        return
    try:
        taken = timed(subject, count)
    except Exception as error:  # noqa: BLE001 - a peer that fails is a finding, not the end of the run
        row.failed = said_of(error)
        row.cpu, row.wall = [], []
        return
    if counts:
        row.add(taken, count)


def said_of(error: Exception) -> str:
    """Say in a line what went wrong, without the paths of this machine."""
    said = str(error) if isinstance(error, AbsentError) else f"{type(error).__name__}: {error}"
    return re.sub(r" \(/[^)]*\)", "", said.partition("\n")[0])


def timed(subject: Subject, count: int) -> Taken:
    """Run it, with no collection of garbage in between, and tell what it took."""
    gc.collect()
    gc.disable()
    try:
        cpu, wall = process_time(), perf_counter()
        own = subject(count)
        taken = Taken(process_time() - cpu, perf_counter() - wall)
    finally:
        gc.enable()
    return own if isinstance(own, Taken) else taken


def on(runner: asyncio.Runner, subject: Callable[[int], Awaitable[object]]) -> Subject:
    """Make a subject of a coroutine function: it runs on this runner's loop."""

    async def run(count: int) -> object:
        return await subject(count)

    return lambda count: runner.run(run(count))


def with_uvloop() -> asyncio.Runner:
    """Make a runner of a uvloop."""
    import uvloop

    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def attempt(make: Callable[[], Subject]) -> Subject:
    """Make a subject; where that fails, the subject fails, and so becomes a row that says why."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - as above
        failure = error

    def fail(count: int) -> object:
        raise failure

    return fail
