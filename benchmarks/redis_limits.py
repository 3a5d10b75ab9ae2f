"""What a client of Redis cannot beat: a bare socket that one after the other uses, and Redis's own load maker."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measuring import AbsentError, Subject, Taken
from benchmarks.redis_peers import VALUE
from tests.servers import Redis, find

_LEAST = 100_000


@contextmanager
def raw_socket(server: Redis, command: bytes) -> Iterator[Subject]:
    """Say a command again and again, and read each reply to its end."""
    with socket.create_connection(("127.0.0.1", server.port)) as link, link.makefile("rb") as replies:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def ask(count: int) -> None:
            for _ in range(count):
                link.sendall(command)
                first = replies.readline()
                if first.startswith(b"$"):
                    replies.read(int(first[1:]) + 2)

        yield ask


def packed(*words: bytes) -> bytes:
    """Give a command as it is sent."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def load_maker(server: Redis, test: str) -> Subject:
    """Let redis-benchmark ask, a hundred commands at once on one connection; it counts no CPU of ours."""
    found = find("redis-server")
    program = Path(found.path).with_name("redis-benchmark")

    def ask(count: int) -> Taken:
        if not program.exists():
            raise AbsentError("there is no redis-benchmark here")
        words = [program, "-p", str(server.port), "-t", test, "-n", str(max(count, _LEAST)), "-c", "1", "-P", "100"]
        words += ["-d", str(len(VALUE)), "--csv"]
        said = subprocess.run(words, check=True, capture_output=True, text=True, env=found.env or None).stdout
        rate = float(said.splitlines()[1].split(",")[1].strip('"'))
        return Taken(cpu=count / rate, wall=count / rate)

    return ask
