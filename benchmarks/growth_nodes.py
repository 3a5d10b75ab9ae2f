"""Nodes with two tiers over one Redis: when all of them know of an invalidation, and what hits cost them meanwhile."""

from __future__ import annotations

import select
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from typing import IO

from asynccache import CacheService
from benchmarks.measuring import Clock, Row, Taken
from tests.servers import Redis

NODES = (1, 2, 4, 8)
HITS = 20_000
DELIVERIES = 20
PAUSE_SECONDS = 0.005
"""Between two invalidations that all nodes hear of while they are measured."""


def measured(rounds: int) -> Iterator[tuple[str, Clock, list[Row]]]:
    """Give tables: their titles, clocks and rows."""
    delivered, hits, nodes = [], [], list[Node]()
    with Redis() as server, CacheService(default=server.url) as writer:
        try:
            for several in NODES:
                nodes += [Node(server.url) for _ in range(several - len(nodes))]
                delivered.append(_deliveries(writer, nodes))
                hits.append(_hits(writer, nodes, rounds))
        finally:
            for node in nodes:
                node.close()
    yield "processes with tiers over one Redis, from a delete in another one until all know", "wall", delivered
    yield "processes with tiers over one Redis, a hit while another one deletes", "cpu", hits


def _deliveries(writer: CacheService, nodes: list[Node]) -> Row:
    """Delete keys that all nodes hold, and ask each when it saw that."""
    row = Row(f"delete, {len(nodes)}", line="delete", at=len(nodes))
    for number in range(DELIVERIES):
        key = f"key{len(nodes)}:{number}"
        writer.set(key, "value", 600)
        for order in ("hold", "watch"):
            for node in nodes:
                node.say(order, key)
            assert {node.answer() for node in nodes} == {order}
        began = time.monotonic()
        writer.delete(key)
        row.add(Taken(0, max(float(node.answer()) for node in nodes) - began))
    row.cpu.clear()
    return row


def _hits(writer: CacheService, nodes: list[Node], rounds: int) -> Row:
    """Have all nodes read at once what they hold, while they hear of what is deleted."""
    row, numbers = Row(f"hit, {len(nodes)}", line="hit", at=len(nodes)), count()
    writer.set("hot", "value", 600)
    for _ in range(rounds):
        for node in nodes:
            node.say("hits", str(HITS))
        while not all(node.has_answered() for node in nodes):
            writer.delete(f"other{next(numbers)}")
            time.sleep(PAUSE_SECONDS)
        taken = [tuple(map(float, node.answer().split())) for node in nodes]
        cpu, wall = (sum(seconds) / len(nodes) for seconds in zip(*taken, strict=True))
        row.add(Taken(cpu, wall), HITS)
    return row


class Node:
    """A process with tiers."""

    def __init__(self, url: str) -> None:
        command = [sys.executable, "-m", "benchmarks.growth_node", url]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.answer() == "ready"

    def say(self, order: str, what: str) -> None:
        print(order, what, file=_pipe(self._child.stdin), flush=True)

    def answer(self) -> str:
        """Wait for the next line."""
        line = _pipe(self._child.stdout).readline().strip()
        assert line, "a node came to its end"
        return line

    def has_answered(self) -> bool:
        return bool(select.select([_pipe(self._child.stdout)], [], [], 0)[0])

    def close(self) -> None:
        self._child.kill()
        self._child.communicate()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
