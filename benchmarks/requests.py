"""Table D: CPU time of the server for a request, under uvicorn, against a bare route and other caches.

Each app has a server of its own; one client asks them in turns, and the CPU clock of each process is read from outside.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from benchmarks.measuring import Row, Table
from benchmarks.request_apps import APPS, PAGE

SIZES = (800, 40_000)
ROUNDS = 9
REQUESTS = 800
BARE = "Starlette, bare"
RAW = "raw ASGI"
BEFORE_ROUTING = (RAW, "CacheMiddleware hit", "@Cache(edge=True) hit")
WANTED = {
    "asynccache hit": "<= 1.0 x",
    "asynccache installed, route uncached": "<= 10 us more",
    "fastapi-cache2 hit": ">= 10 x ours",
    "Ellar hit": ">= 10 x ours",
}
REQUEST = (
    f"GET {PAGE} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
    "Accept: text/html,application/xhtml+xml\r\nAccept-Language: en\r\nAccept-Encoding: gzip, deflate\r\n\r\n"
).encode()


def run() -> list[Table]:
    routed = [name for name in APPS if name not in BEFORE_ROUTING]
    return [table for size in SIZES for table in (_routed(_rows(routed, size), size), _before_routing(size))]


def _rows(names: Iterable[str], size: int) -> dict[str, Row]:
    """Ask the servers of these apps in turns."""
    with ExitStack() as servers:
        running = {name: servers.enter_context(_Server.running(name, size)) for name in names}
        rows = {name: Row(name, []) for name in running}
        for turn in range(ROUNDS + 1):
            for name, server in running.items():
                seconds = server.cpu_of(REQUESTS)
                if turn:
                    rows[name].seconds.append(seconds / REQUESTS)
    return rows


def _before_routing(size: int) -> Table:
    wanted = dict.fromkeys(BEFORE_ROUTING[1:], "<= 1.1 x" if size < 10_000 else "<= 1.2 x")
    title = f"D. CPU of a request that is answered before routing, {size} bytes"
    return Table(title, list(_rows(BEFORE_ROUTING, size).values()), RAW, wanted)


def _routed(rows: dict[str, Row], size: int) -> Table:
    ours = rows["asynccache hit"].middle
    facts = {f"{name}, times ours": round(row.middle / ours, 2) for name, row in rows.items() if "hit" in name}
    return Table(f"D. CPU of a request, {size} bytes", list(rows.values()), BARE, WANTED, facts, "asynccache hit")


class _Server:
    """A server in another process, and a connection to it."""

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self._clock = ~pid << 3 | 2  # the CPU clock of a process: clock_getcpuclockid(3)
        self._connection = connection

    @classmethod
    @contextmanager
    def running(cls, name: str, size: int) -> Iterator[_Server]:
        command = [sys.executable, "-m", "benchmarks.request_apps", name, str(size)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.settimeout(30)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                yield cls(process.pid, connection)
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()

    def cpu_of(self, requests: int) -> float:
        """Ask so many times, and give the CPU time that the server took for it."""
        before = time.clock_gettime(self._clock)
        for _ in range(requests):
            self._connection.sendall(REQUEST)
            self._read()
        return time.clock_gettime(self._clock) - before

    def _read(self) -> None:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._connection.recv(65536)
        head, _, body = received.partition(b"\r\n\r\n")
        head = head.lower()
        if not head.startswith(b"http/1.1 200"):
            raise RuntimeError(head.decode())
        missing = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]) - len(body)
        while missing > 0:
            missing -= len(self._connection.recv(65536))
