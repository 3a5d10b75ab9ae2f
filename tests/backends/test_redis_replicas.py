"""A leader with two replicas and ACL users: who is asked what, and what happens when one is away."""

import asyncio
from functools import partial

import pytest
import redis

from asynccache.backends.redis import RedisCacheBackend
from asynccache.core.events import BackendDown, BackendUp
from asynccache.errors import BackendUnavailableError
from asynccache.plan.io import BLOCKING, LOOP, run
from asynccache.testing import BackendContract, recorded_events
from tests.backends.making import making
from tests.servers import RedisReplicaSet
from tests.servers.process import wait_until

PATIENT = 5.0
USER = "app:s%2Ccret"
RIGHTS = ["on", ">s,cret", "~*", "&*", "+@all"]


def with_user(servers):
    for server in (servers.leader, *servers.replicas):
        with redis.Redis.from_url(server.url) as raw:
            raw.execute_command("ACL", "SETUSER", "app", *RIGHTS)
    return servers


@pytest.fixture(scope="module")
def servers(redis_replica_set):
    return with_user(redis_replica_set)


@pytest.fixture
def own_servers(launch):
    return with_user(launch(RedisReplicaSet(2)))


def url(servers):
    return f"redis://{USER}@" + ",".join(server.address for server in (servers.leader, *servers.replicas)) + "/0"


def in_sync(servers):
    wait_until(servers.is_in_sync, "the replicas have all")


class TestContract(BackendContract):
    @pytest.fixture
    def backend_factory(self, servers):
        self.servers = servers
        return partial(RedisCacheBackend, url(servers), deadline=PATIENT)

    async def replicated(self):
        await asyncio.to_thread(in_sync, self.servers)


@pytest.fixture
def make(unique_prefix):
    with making(RedisCacheBackend, key_prefix=unique_prefix, deadline=PATIENT) as make:
        yield lambda servers, **options: make(url(servers), **options)


def gets_of(server):
    with redis.Redis.from_url(server.url) as raw:
        stats = raw.info("commandstats")
    return sum(stats.get(f"cmdstat_{command}", {}).get("calls", 0) for command in ("get", "mget"))


class TestWhoIsAsked:
    async def test_plain_reads_are_spread_over_the_replicas(self, servers, make):
        writer, reader = make(servers), make(servers)
        writer.set("a", 1)
        in_sync(servers)
        asked = [gets_of(server) for server in (servers.leader, *servers.replicas)]
        for _ in range(20):
            assert reader.get("a") == 1
            assert await reader.get_async("a") == 1
            assert reader.get_many(["a"]) == {"a": 1}
            assert await reader.get_many_async(["a"]) == {"a": 1}
            assert reader.has_key("a") is True
            assert await reader.has_key_async("a") is True
        now = [gets_of(server) for server in (servers.leader, *servers.replicas)]
        asked = [after - before for before, after in zip(asked, now, strict=True)]
        assert asked[0] == 0
        assert asked[1] > 10
        assert asked[2] > 10
        assert sum(asked) == 120
        await reader.aclose()

    async def test_the_reads_of_a_read_through_ask_the_leader(self, servers, make):
        backend = make(servers)
        before = gets_of(servers.leader)
        for _ in range(10):
            run(backend.read(BLOCKING, "a"))
            await backend.read(LOOP, "a")
            await backend.read_many(LOOP, ["a", "b"])
        assert gets_of(servers.leader) - before == 30
        await backend.aclose()

    async def test_what_was_just_written_is_read_from_the_leader(self, own_servers, make):
        for replica in own_servers.replicas:
            replica.freeze()
        backend = make(own_servers)
        backend.set("a", 1)
        await backend.incr_async("a")
        assert await backend.get_async("a") == 2
        assert backend.get_many(["a", "b"]) == {"a": 2}
        backend.delete("a")
        assert backend.get("a") is None
        assert backend.stats()["errors"] == 0
        await backend.aclose()

    def test_writes_go_to_the_first_only(self, servers, make, unique_prefix):
        backend = make(servers)
        for number in range(50):
            assert backend.set(f"k{number}", number) is True
            assert backend.incr(f"k{number}") == number + 1
        assert backend.delete_many([f"k{number}" for number in range(50)]) == 50


class TestAway:
    @pytest.mark.parametrize("how", ["kill", "freeze"])
    async def test_the_leader_answers_for_a_replica_that_is_away(self, own_servers, make, how):
        writer = make(own_servers)
        writer.set("a", 1)
        in_sync(own_servers)
        for replica in own_servers.replicas:
            getattr(replica, how)()
        reader = make(own_servers, deadline=0.3)
        for _ in range(20):
            assert await reader.get_async("a") == 1
            assert reader.get("a") == 1
            assert reader.get_many(["a"]) == {"a": 1}
        assert reader.set("b", 1) is True
        await reader.aclose()

    async def test_replicas_answer_while_the_leader_is_away(self, own_servers, make):
        writer = make(own_servers)
        writer.set("a", 1)
        in_sync(own_servers)
        own_servers.leader.kill()
        reader = make(own_servers)
        for _ in range(10):
            assert await reader.get_async("a") == 1
            assert reader.get("a") == 1
        assert reader.set("a", 2) is False
        with pytest.raises(BackendUnavailableError):
            reader.delete("a")
        await reader.aclose()

    def test_an_outage_names_the_replica_and_its_end(self, own_servers, make):
        away = own_servers.replicas[0]
        away.kill()
        reader = make(own_servers)
        with recorded_events(reader) as events:
            for _ in range(30):
                reader.get("a")
            assert [type(event) for event in events] == [BackendDown]
            assert away.address in events[0].reason
            away.restart()
            with_user(own_servers)
            wait_until(lambda: reader.get("a") is None and len(events) > 1, "it is asked again")
            assert [type(event) for event in events] == [BackendDown, BackendUp]

    async def test_a_leader_that_is_a_replica_refuses(self, servers, unique_prefix, caplog):
        """As after a failover that nobody told us of."""
        backend = RedisCacheBackend(
            f"redis://{USER}@{servers.replicas[0].address}", key_prefix=unique_prefix, deadline=PATIENT
        )
        assert await backend.set_async("a", 1) is False
        assert backend.set("a", 1) is False
        for operation in (backend.incr_async, backend.delete_async, backend.touch_async):
            with pytest.raises(BackendUnavailableError, match="READONLY"):
                await operation("a")
        assert await backend.get_async("a") is None
        assert caplog.text.count("READONLY") == 1
        await backend.aclose()
        backend.close()


async def test_closing_does_not_wait_for_servers_that_are_frozen(own_servers, make):
    backend = make(own_servers)
    await asyncio.gather(*(backend.get_async("a") for _ in range(50)))
    backend.get("a")
    for server in (own_servers.leader, *own_servers.replicas):
        server.freeze()
    async with asyncio.timeout(1):
        await backend.aclose()
    backend.close()
