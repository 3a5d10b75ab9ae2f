"""Callers at once in eight processes over one Redis: the load is one for all of them."""

from __future__ import annotations

import select
import subprocess
import sys
import time
from typing import IO

from benchmarks.measuring import AbsentError, Row, Table, Taken, said_of
from benchmarks.stampede_process import CALLERS, OURS, WAYS
from tests.servers import Redis

PROCESSES = 8
START_SECONDS, PATIENCE_SECONDS = 40.0, 10.0
"""How long the processes may take to start, and then for each stampede."""


def table(rounds: int) -> Table:
    rows, loads = [], {}
    for name in WAYS:
        with Redis() as server:
            row, ran = _measured(name, server.url, rounds)
            rows.append(row)
            loads |= {f"loads: {name}": ran} if not row.failed else {}
    title = f"E. Stampede: {PROCESSES} processes with {CALLERS} tasks each over one Redis: the last one done"
    return Table(title, rows, "", {f"loads: {OURS}": "<= 1"}, loads, OURS, "wall")


def _measured(name: str, url: str, rounds: int) -> tuple[Row, int]:
    """Give what the stampedes took, and the most loads of one."""
    row, most, fleet = Row(name), 0, Fleet(name, url)
    try:
        fleet.answers(START_SECONDS)
        for number in range(rounds + 1):
            taken, ran = fleet.stampede(f"key{number}")
            if number:  # the first one is a warm-up
                row.add(taken)
                most = max(most, ran)
    except Exception as error:  # noqa: BLE001 - a peer that fails is a finding, not the end of the run
        row.cpu, row.wall, row.failed = [], [], said_of(error)
    finally:
        fleet.close()
    return row, most


class Fleet:
    """The processes."""

    def __init__(self, name: str, url: str) -> None:
        command = [sys.executable, "-m", "benchmarks.stampede_process", name, url]
        pipe = subprocess.PIPE
        self._children = [
            subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
            for _ in range(PROCESSES)
        ]

    def stampede(self, key: str) -> tuple[Taken, int]:
        """Give the CPU seconds of a caller, the seconds until the last of all had its value, and the loads."""
        started = time.monotonic()
        for child in self._children:
            print(key, file=_pipe(child.stdin), flush=True)
        ends, cpus, loads = zip(*self.answers(), strict=True)
        cpu = sum(map(float, cpus)) / PROCESSES / CALLERS
        return Taken(cpu, max(map(float, ends)) - started), sum(map(int, loads))

    def answers(self, seconds: float = PATIENCE_SECONDS) -> list[list[str]]:
        """Read a line of each."""
        until, lines = time.monotonic() + seconds, []
        for child in self._children:
            pipe = _pipe(child.stdout)
            if not select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
                raise AbsentError(f"not done after {seconds:.0f} s")
            lines.append(pipe.readline().split())
            if lines[-1][:1] in ([], ["failed"]):
                raise AbsentError(" ".join(lines[-1][1:]) or "a process failed")
        return lines

    def close(self) -> None:
        for child in self._children:
            child.kill()
            child.communicate()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
