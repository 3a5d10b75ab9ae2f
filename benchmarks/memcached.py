"""Table C: gets and sets of 512 bytes by how many tasks ask at once, and a hundred keys at a time."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

from benchmarks import memcached_peers as peers
from benchmarks.measuring import Subject, Table, in_turns
from benchmarks.memcached_peers import NAMES, get_many_of
from benchmarks.options import Options
from benchmarks.redis_peers import KEYS, Guest, Make, guests, subjects
from tests.servers import Memcached

OURS = "asynccache"
AIOMCACHE, EMCACHE, PYMEMCACHE = "aiomcache", "emcache", "pymemcache in threads"
SOCKET, SOCKET_MANY = "raw blocking socket", "raw blocking socket, 100 keys a question"
WANTED_GETS = {
    100: {AIOMCACHE: ">= 8 x ours", EMCACHE: ">= 5 x ours", PYMEMCACHE: ">= 20 x ours"},
}


def run(options: Options) -> Iterable[Table]:
    seconds = 4.0 if options.quick else 20.0
    with Memcached() as server, ExitStack() as open_ones:
        found = guests(_makes(server), open_ones)
        for tasks in (1, 10, 100, 1000):
            yield _gets(server, found, tasks, seconds)
        for tasks in (1, 100):
            asked = subjects(found, lambda guest, tasks=tasks: guest.sets(tasks))
            yield _table(f"C. memcached, sets by {tasks} task(s)", asked, max(500, 2 * tasks), seconds)
        for tasks in (1, 10):
            yield _many(server, found, tasks, seconds)


def _makes(server: Memcached) -> dict[str, Callable[[], Make]]:
    return {
        OURS: lambda: peers.ours(server),
        f"{OURS}, uvloop": lambda: peers.ours(server),
        f"{OURS} over aiomcache": lambda: peers.ours_over_aiomcache(server),
        AIOMCACHE: lambda: peers.aiomcache(server),
        EMCACHE: lambda: peers.emcache(server),
        "emcache, autobatching": lambda: peers.emcache(server, autobatching=True),
        PYMEMCACHE: lambda: peers.pymemcache(server),
        "pylibmc in threads": lambda: peers.pylibmc(server),
    }


def _gets(server: Memcached, found: dict[str, Guest | Exception], tasks: int, seconds: float) -> Table:
    asked = subjects(found, lambda guest: guest.gets(tasks))
    wanted = WANTED_GETS.get(tasks, {})
    with raw_socket(server, [NAMES[KEYS[1]]]) as one, raw_socket(server, list(NAMES.values())[:100]) as many:
        limit, plain = (SOCKET, one) if tasks == 1 else (SOCKET_MANY, lambda count: many(count // 100))
        asked |= {limit: plain}
        return _table(f"C. memcached, gets by {tasks} task(s)", asked, max(1_000, 2 * tasks), seconds, limit, wanted)


def _many(server: Memcached, found: dict[str, Guest | Exception], tasks: int, seconds: float) -> Table:
    asked = subjects(found, lambda guest: get_many_of(guest, 100, tasks))
    wanted = {EMCACHE: ">= 1 x ours"}
    with raw_socket(server, list(NAMES.values())[:100]) as plain:
        asked |= {SOCKET: plain}
        return _table(f"C. memcached, get_many of 100 keys by {tasks} task(s)", asked, 20, seconds, SOCKET, wanted)


def _table(
    title: str,
    asked: dict[str, Subject],
    count: int,
    seconds: float,
    limit: str = "",
    wanted: dict[str, str] | None = None,
) -> Table:
    rows = in_turns(asked, count=count, rounds=15, seconds=seconds)
    return Table(title, rows, limit=limit, ours=OURS, wanted=wanted or {}, clock="cpu")


@contextmanager
def raw_socket(server: Memcached, keys: list[bytes]) -> Iterator[Subject]:
    """Get keys again and again, and read each reply to its end."""
    question = b"get %b\r\n" % b" ".join(keys)
    with socket.create_connection((server.host, server.port)) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def ask(count: int) -> None:
            for _ in range(count):
                link.sendall(question)
                while not link.recv(1 << 18).endswith(b"END\r\n"):
                    pass

        yield ask
