"""Table B: gets and sets of 512 bytes by how many tasks ask at once, and what else a server is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack

from benchmarks import redis_peers as peers
from benchmarks.measuring import Subject, Table, in_turns
from benchmarks.options import Options
from benchmarks.redis_bulk import bulk
from benchmarks.redis_limits import load_maker, packed, raw_socket
from benchmarks.redis_peers import Guest, guests, subjects
from benchmarks.redis_pressure import pressure
from tests.servers import Redis, RedisCluster, RedisReplicaSet, RedisSentinels

OURS, OURS_UVLOOP = "asynccache", "asynccache, uvloop"
POOL, POOL_UVLOOP = "redis.asyncio, pool", "redis.asyncio, pool, uvloop"
UNTAGGED = "asynccache, no tags"
WAITING_POOL = "redis.asyncio, pool of 100 that waits"
SOCKET, LOAD_MAKER = "raw blocking socket", "redis-benchmark -P 100"
WANTED_GETS = {
    1: {POOL: ">= 4 x ours", OURS: f"<= 1/0.7 x {SOCKET}"},
    100: {
        POOL: f">= 20 x ours; >= 25 x {OURS_UVLOOP}",
        "valkey-glide": ">= 8 x ours",
        OURS: f"<= 1/0.4 x {LOAD_MAKER}",
    },
    1000: {WAITING_POOL: ">= 20 x ours"},
}
COUNTS = {1: 500, 10: 1_000, 100: 3_000, 1000: 5_000}
"""Operations in a round, by tasks: so many that it does not matter what tasks themselves cost."""


def run(options: Options) -> Iterable[Table]:
    seconds = 1.0 if options.quick else 12.0
    with Redis() as server, ExitStack() as open_ones:
        found = guests(_makes(server), open_ones)
        for tasks in (1, 10, 100):
            yield _gets(server, found, tasks, seconds)
        for tasks in (1, 100):
            yield _sets(server, found, tasks, seconds)
        yield _gets(server, found, 1_000, seconds)  # after which a pool without room is of no use
    yield from _elsewhere(seconds)
    yield from bulk(seconds)
    yield from pressure(options)


def _makes(server: Redis) -> dict[str, Callable[[], peers.Make]]:
    return {
        OURS: lambda: peers.ours(server.url),
        OURS_UVLOOP: lambda: peers.ours(server.url),
        POOL: lambda: peers.pool(server.url),
        POOL_UVLOOP: lambda: peers.pool(server.url),
        WAITING_POOL: lambda: peers.waiting_pool(server.url),
        "redis.asyncio, one connection": lambda: peers.single(server.url),
        "coredis": lambda: peers.coredis(server),
        "valkey-glide": lambda: peers.glide(server),
    }


def _gets(server: Redis, found: dict[str, Guest | Exception], tasks: int, seconds: float) -> Table:
    asked = subjects(found, lambda guest: guest.gets(tasks))
    if tasks < 1_000:
        del asked[WAITING_POOL]
    asked |= {LOAD_MAKER: load_maker(server, "get")} if tasks == 100 else {}
    with raw_socket(server, packed(b"GET", b"key1")) as plain:
        asked |= {SOCKET: plain} if tasks == 1 else {}
        return _table(f"B. Redis, gets by {tasks} task(s)", asked, tasks, seconds, WANTED_GETS.get(tasks, {}))


def _sets(server: Redis, found: dict[str, Guest | Exception], tasks: int, seconds: float) -> Table:
    asked = subjects(found, lambda guest: guest.sets(tasks))
    del asked[WAITING_POOL]
    asked |= {LOAD_MAKER: load_maker(server, "set")} if tasks == 100 else {}
    return _table(f"B. Redis, sets by {tasks} task(s)", asked, tasks, seconds, {})


def _table(title: str, asked: dict[str, Subject], tasks: int, seconds: float, wanted: dict[str, str]) -> Table:
    rows = in_turns(asked, count=COUNTS[tasks], rounds=9, seconds=seconds)
    return Table(title, rows, ours=OURS, wanted=wanted, clock="wall")


def _elsewhere(seconds: float) -> Iterator[Table]:
    """Ask what is no single server without secrets."""
    with RedisReplicaSet(1) as both:
        makes = {OURS: lambda: peers.ours(*both.urls), POOL: lambda: peers.pool(both.leader.url)}
        yield _asked_elsewhere("a leader and a replica", makes, seconds)
    with Redis(tls=True) as secret:
        assert secret.certificates is not None
        ca = secret.certificates.authority
        makes = {
            OURS: lambda: peers.ours(secret.url, options={"ssl_ca_certs": ca}),
            POOL: lambda: peers.pool(secret.url, ssl_ca_certs=ca, socket_connect_timeout=peers.PATIENCE),
        }
        yield _asked_elsewhere("TLS", makes, seconds)
    with RedisCluster() as cluster:
        makes = {
            OURS: lambda: peers.ours(cluster.url),
            POOL: lambda: peers.redis_py_cluster(cluster),
            "coredis": lambda: peers.coredis_cluster(cluster),
        }
        yield _asked_elsewhere("a cluster of three", makes, seconds)
    with RedisSentinels() as service:
        makes = {OURS: lambda: peers.ours(service.url), POOL: lambda: peers.sentinels_pool(service)}
        yield _asked_elsewhere("the master of sentinels", makes, seconds)
    with Redis() as server:
        makes = {
            OURS: lambda: peers.ours(server.url, key_prefix="tagged", tags=("a", "b")),
            UNTAGGED: lambda: peers.ours(server.url),
        }
        yield _asked_elsewhere("two tags", makes, seconds, {OURS: f"<= 2 x {UNTAGGED}"})


def _asked_elsewhere(
    where: str, makes: dict[str, Callable[[], peers.Make]], seconds: float, wanted: dict[str, str] | None = None
) -> Table:
    with ExitStack() as open_ones:
        asked = subjects(guests(makes, open_ones), lambda guest: guest.gets(100))
        return _table(f"B. Redis, gets by 100 tasks: {where}", asked, 100, seconds, wanted or {})
