"""The short way to clusters, to the master of sentinels and past replicas, and that of tags; and what leaves it."""

import asyncio
from functools import partial

import pytest
import redis
from redis.crc import key_slot

from asynccache import CacheService
from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.redis_parts import Parts
from asynccache.backends.redis_questions import NOBODY, Signed
from asynccache.backends.redis_scripting import TABLE, Scripting
from asynccache.core.fence import Birth, Notebook
from asynccache.errors import BackendUnavailableError
from tests.backends.making import making
from tests.servers import RedisReplicaSet
from tests.servers.process import HOST, wait_until
from tests.servers.redis_cluster import identity, tell

PATIENT = 5.0
KEYS = [f"k{number}" for number in range(60)]


@pytest.fixture
def make(unique_prefix):
    with making(RedisCacheBackend, key_prefix=unique_prefix, deadline=PATIENT) as make:
        yield make


def spied(backend):
    """Have all written down that goes the way of all others."""
    tried = []

    def spy(asked):
        async def written_down(io, what, *rest):
            tried.append(what)
            return await asked(io, what, *rest)

        return written_down

    async def read_on(looked):
        tried.append("read on")
        return await reading_on(looked)

    place, reading_on = backend._place, backend._read_on
    place.read, place.write, backend._read_on = spy(place.read), spy(place.write), read_on
    return tried


async def opened(backend):
    """Have its lines open, know of whom they are, and write down what does not go the short way from then on."""
    for _ in range(2):
        for key in KEYS:
            assert await backend.set_async(key, f"value of {key}") is True
            assert await backend.get_async(key) == f"value of {key}"
    return spied(backend)


async def told_again(backend, key, expected):
    """Expect this of a key until it goes the short way again."""
    tried = spied(backend)
    for _ in range(50):
        before = len(tried)
        assert await backend.get_async(key) == expected
        if len(tried) == before:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it does not go the short way again")


async def load():
    raise AssertionError("it is there")


async def use(backend):
    """Do what has a short way, in all parts."""
    service = CacheService(default=backend)
    for key in KEYS:
        assert await backend.get_async(key) == await service.get_or_set_async(key, load) == f"value of {key}"
        assert await backend.set_async(key, None) is True
        assert await backend.has_key_async(key) is True
        assert await backend.delete_async(key) is True
        assert await backend.delete_async(key) is False
        assert await backend.get_async(key, default="default") == "default"
        assert [await backend.incr_async(key), await backend.incr_async(key, 4)] == [1, 5]
    assert backend.stats()["errors"] == backend.stats()["damaged"] == 0


class TestCluster:
    async def test_single_keys_go_the_short_way(self, redis_cluster, make):
        backend = make(redis_cluster.url)
        tried = await opened(backend)
        await use(backend)
        assert tried == []
        await backend.aclose()

    async def test_it_tells_the_same_as_the_way_of_all_others(self, redis_cluster, make):
        backend, other = make(redis_cluster.url), make(redis_cluster.url)
        await opened(backend)
        for number, key in enumerate(KEYS):
            other.set(key, number if number % 2 else [key], tags=[f"tag {number % 5}"] if number % 3 else [])
        for get in (backend.get_async, backend.get_async, CacheService(default=backend).get_async):
            assert await asyncio.gather(*map(get, KEYS)) == [other.get(key) for key in KEYS]
        other.invalidate_tags("tag 1")
        other.incr("k1")
        assert await asyncio.gather(*map(backend.get_async, KEYS)) == [other.get(key) for key in KEYS]
        other.clear()
        assert await asyncio.gather(*map(backend.get_async, KEYS)) == [None] * len(KEYS)
        await backend.aclose()

    async def test_slots_that_move_and_masters_that_change_or_die_are_followed(self, fresh_redis_cluster, make):
        cluster = fresh_redis_cluster
        backend = make(cluster.url)
        await opened(backend)
        part, entry, _ = Parts(16).spot(backend.stored_key("k0"))
        neighbour = next(key for key in KEYS[1:] if Parts(16).spot(backend.stored_key(key)).part == part)
        source = cluster.node_of(entry)
        target = next(node for node in cluster.nodes[:3] if node is not source)
        tell(target, "CLUSTER SETSLOT", key_slot(entry), "IMPORTING", identity(source))
        tell(source, "CLUSTER SETSLOT", key_slot(entry), "MIGRATING", identity(target))
        tell(source, "MIGRATE", HOST, target.port, "", 0, 5000, "KEYS", part.notebook)
        assert await backend.get_async("k0") is None  # TRYAGAIN
        assert await backend.set_async("k0", "new") is False
        with pytest.raises(BackendUnavailableError, match="TRYAGAIN"):
            await backend.delete_async("k0")
        cluster.move_slot(key_slot(entry), source, target, half=True)
        assert await backend.get_async("k0") is None  # ASK, and nobody has accepted it for who has it now
        for change in (partial(cluster.finish_move, key_slot(entry), target), partial(cluster.fail_over, target)):
            change()
            while not await backend.set_async(neighbour, 1):  # MOVED
                await asyncio.sleep(0.02)
            await told_again(backend, "k0", "value of k0")
        assert await backend.delete_async("k0") is True
        assert await backend.get_async("k0") is None
        cluster.node_of(entry).kill()
        assert await backend.get_async("k0", default="away") == "away"
        assert backend._place.node_of(part) is None
        assert await backend.set_async("k0", 1) is False
        with pytest.raises(BackendUnavailableError):
            await backend.delete_async("k0")
        await backend.aclose()


class TestSentinels:
    async def test_single_keys_go_the_short_way_and_many_do(self, redis_sentinels, make):
        backend = make(redis_sentinels.url)
        for _ in range(5):  # each of three sentinels, when it is first listened to, puts the master in doubt
            tried = await opened(backend)
            assert await backend.get_many_async(KEYS) == {key: f"value of {key}" for key in KEYS}
            await use(backend)
            if not tried:
                break
        assert tried == []
        await backend.aclose()

    async def test_what_is_written_while_a_failover_begins_is_not_said_to_be_done(self, redis_sentinels, make):
        backend = make(redis_sentinels.url)
        await opened(backend)
        news = backend._place._news
        for number, write in enumerate((partial(backend.set_async, "k1", 1), partial(backend.delete_async, "k1"))):
            writing = asyncio.create_task(write())
            await asyncio.sleep(0)  # it is on its way
            news.begin(f"sentinel {number}")
            (outcome,) = await asyncio.gather(writing, return_exceptions=True)
            assert outcome is False or isinstance(outcome, BackendUnavailableError)
            assert await write_refused(backend, "k2")
            assert await backend.get_async("k2") == "value of k2"
            news.settle()
            assert await backend.set_async("k3", 3) is True
        await backend.aclose()


async def write_refused(backend, key):
    with pytest.raises(BackendUnavailableError, match="the sentinels are changing the master"):
        await backend.delete_async(key)
    return await backend.set_async(key, "lost") is False


class TestReplicas:
    async def test_what_was_just_written_the_short_way_is_read_from_the_leader(self, redis_replica_set, make):
        backend = make(list(redis_replica_set.urls))
        tried = await opened(backend)
        for replica in redis_replica_set.replicas:
            replica.freeze()
        try:
            for number, key in enumerate(KEYS):
                assert await backend.set_async(key, number) is True
                assert await backend.get_async(key) == number
                assert await backend.delete_async(key) is True
                assert await backend.get_async(key) is None
        finally:
            for replica in redis_replica_set.replicas:
                replica.thaw()
        assert set(tried) == {"get"}
        assert backend.stats()["errors"] == 0
        await backend.aclose()

    async def test_plain_reads_go_the_short_way_to_replicas_that_are_not_behind(self, launch, make):
        servers = launch(RedisReplicaSet(1))
        reader, writer = make(list(servers.urls)), make(servers.leader.url)
        writer.set("k", "old", tags=["x"])
        writer.set("untagged", "old")
        await asyncio.to_thread(wait_until, lambda: reader.get("untagged") == "old", "the replica has it")
        for key in ("k", "untagged"):
            assert await reader.get_async(key) == "old"
        tried = spied(reader)
        before = reads_of(servers.leader)
        assert await reader.get_async("untagged") == "old"
        assert await reader.get_async("missing") is None
        assert tried == []
        assert reads_of(servers.leader) == before
        tell(servers.replicas[0], "REPLICAOF NO ONE")
        writer.set("untagged", "new")
        writer.invalidate_tags("x")
        assert await reader.set_async("mine", 1) is True
        assert await reader.get_async("untagged") == "new"
        assert await reader.get_async("k") is None
        servers.replicas[0].kill()
        assert await reader.get_async("untagged") == "new"
        await reader.aclose()


def reads_of(server):
    with redis.Redis.from_url(server.url) as raw:
        return raw.info("commandstats").get("cmdstat_mget", {}).get("calls", 0)


class TestTags:
    @pytest.fixture
    async def backend(self, redis_server, make):
        backend = make(redis_server.url)
        await opened(backend)
        await backend.set_async("k", "tagged", tags=["x", "y"])
        assert await backend.get_async("k") == "tagged"
        yield backend
        await backend.aclose()

    async def test_they_are_asked_for_once_as_long_as_nothing_is_changed(self, backend):
        tried, service = spied(backend), CacheService(default=backend)
        for _ in range(5):
            assert await backend.get_async("k") == await service.get_or_set_async("k", load) == "tagged"
            assert await backend.get_many_async(["k", "k0"]) == {"k": "tagged", "k0": "value of k0"}
            assert await backend.has_key_async("k") is True
        assert tried == []
        backend.set("k0", "new")
        for _ in range(3):
            assert await backend.get_async("k") == "tagged"
        assert tried == ["set", "read on", "look at tags"]

    async def test_nothing_that_others_invalidated_is_ever_found(self, redis_server, make, backend):
        other, service = make(redis_server.url), CacheService(default=backend)
        for number in range(100):
            await asyncio.gather(
                backend.set_async("k", number, tags=["x", f"tag {number}"]),
                *[backend.get_async("k") for _ in range(5)],
                other.set_async("k0", number),
            )
            assert await backend.get_async("k") == await service.get_async("k") == number
            hurried = [asyncio.create_task(backend.get_async("k")) for _ in range(3)]
            await other.invalidate_tags_async(["x", f"tag {number}"][number % 2])
            assert await asyncio.gather(backend.get_async("k"), service.get_async("k")) == [None, None]
            assert await backend.get_many_async(["k"]) == {}
            assert set(await asyncio.gather(*hurried)) <= {number, None}
        await other.aclose()

    async def test_a_table_that_is_lost_is_missed_once_something_is_changed(self, redis_server, make, backend):
        table = Parts().of(backend.stored_key(""))[0].table
        with redis.Redis.from_url(redis_server.url) as raw:
            raw.delete(table)
        assert await backend.get_async("k") == "tagged"  # which it is: nothing was invalidated since
        make(redis_server.url).set("k0", "new")
        assert await backend.get_async("k") is None
        await backend.set_async("k", "again", tags=["x"])
        assert await backend.get_async("k") == "again"

    def test_stamps_are_known_for_one_notebook_of_one_process(self):
        part, scripting = Parts().of("shop:1:")[0], Scripting(None, Parts(), keeps=True)
        book = bytes(Notebook(b"generati", 1, 5, b"keeper-a"))
        told = scripting.told_by(part, book, b"keeper-a")
        entry, stamps = Birth(b"generati", 3, (7,)), {TABLE: 1, 7: 2}
        told.note(stamps, Signed([bytes(Notebook(b"generati", 1, 6, b"keeper-a"))], b"keeper-a"))
        told.note(stamps, Signed([book], b"keeper-b"))
        assert not told.vouches_for(entry)
        told.note(stamps, Signed([book], b"keeper-a"))
        assert told.vouches_for(entry)
        assert not told.vouches_for(entry._replace(born=1))
        assert not told.vouches_for(entry._replace(gen=b"another."))
        assert not told.vouches_for(entry._replace(cells=(7, 8)))
        later = scripting.told_by(part, bytes(Notebook(b"generati", 1, 6, b"keeper-a")), b"keeper-a")
        assert not later.vouches_for(entry)
        nobody = scripting.told_by(part, book, NOBODY)
        nobody.note(stamps, Signed([book], NOBODY))
        assert not nobody.vouches_for(entry)
        told.note({TABLE: 0}, Signed([book], b"keeper-a"))
        assert not told.vouches_for(entry)
