"""Redis Cluster by the contract, and how an operation finds the server that keeps its key."""

import asyncio
from functools import partial
from multiprocessing import get_context

import pytest
from redis.crc import key_slot

from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.redis_parts import Parts
from asynccache.errors import BackendUnavailableError, ConfigurationError
from asynccache.testing import BackendContract
from tests.backends.making import making
from tests.backends.test_redis import use_alone
from tests.servers.redis_cluster import ClusterNode, tell
from tests.storms import Storm, follow_models, share_one_service, work_on_a_lying_wire

PATIENT = 5.0
RIGHTS = (
    "+@connection +info +time +get +mget +set +getrange +setrange +unlink +del +exists +pexpire +persist +pttl "
    "+incrby +bitfield +bitfield_ro +xadd +xread +eval +evalsha +script|load +cluster|slots +asking"
)
KEYS = [f"k{number}" for number in range(300)]


class TestContract(BackendContract):
    @pytest.fixture
    def backend_factory(self, redis_cluster):
        return partial(RedisCacheBackend, redis_cluster.url, deadline=PATIENT)


@pytest.fixture
def make(unique_prefix):
    with making(RedisCacheBackend, key_prefix=unique_prefix, deadline=PATIENT) as make:
        yield make


async def works(backend):
    assert backend.set("a", 1) is True
    assert await backend.get_async("a") == 1
    assert await backend.incr_async("a") == 2
    assert backend.delete("a") is True
    await backend.aclose()


class TestReach:
    async def test_one_node_tells_of_the_others(self, redis_cluster, make):
        backend = make(f"redis+cluster://{redis_cluster.nodes[4].address}/0")
        assert await backend.set_many_async(dict.fromkeys(KEYS, 1)) == []
        assert backend.get_many(KEYS) == dict.fromkeys(KEYS, 1)
        assert await backend.delete_many_async(KEYS) == len(KEYS)
        await backend.aclose()

    async def test_nodes_that_are_named_and_away_are_passed_over(self, redis_cluster, make):
        backend = make(f"redis+cluster://127.0.0.1:1,{redis_cluster.nodes[0].address}")
        for _ in range(5):
            await works(backend)

    async def test_user_and_password_are_those_of_all_nodes(self, redis_cluster, make):
        for node in redis_cluster.nodes:
            tell(node, f"ACL SETUSER app on >s,cret ~{{shop:* nocommands {RIGHTS}")
        address = redis_cluster.nodes[0].address
        await works(make(f"redis+cluster://app:s%2Ccret@{address}", key_prefix="shop"))
        with pytest.raises(BackendUnavailableError, match="invalid username-password"):
            make(f"redis+cluster://app:wrong@{address}").delete("a")

    def test_an_address_that_is_no_cluster_says_so(self, redis_server, make, caplog):
        backend = make(f"redis+cluster://{redis_server.address}")
        assert backend.get("a") is None
        with pytest.raises(BackendUnavailableError, match="cluster support disabled"):
            backend.delete("a")
        assert caplog.text.count("cluster support disabled") == 1

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"servers": "redis+cluster://a:7000/1"}, "database 0 only"),
            ({"servers": "redis+cluster://a:7000?db=1"}, "database 0 only"),
            ({"servers": "redis+cluster://a:7000", "options": {"db": 1}}, "database 0 only"),
            ({"servers": ["redis+cluster://a:7000", "redis://b"]}, "cannot be mixed"),
            ({"servers": ["redis+cluster://a:7000", "/run/redis.sock"]}, "cannot be mixed"),
            ({"servers": "redis+clusters://a:7000"}, "the scheme"),
            ({"servers": "redis+cluster://a:7000", "options": {"retry_on_timeout": True}}, "on_error"),
        ],
    )
    def test_what_cannot_work_is_an_error_at_once(self, given, said):
        with pytest.raises(ConfigurationError, match=said):
            RedisCacheBackend(**given)

    def test_the_password_is_never_shown(self):
        backend = RedisCacheBackend("redis+cluster://user:s3cret@a:7000,b:7001")
        assert "s3cret" not in repr(backend) + repr(backend.servers)
        assert "a:7000, b:7001" in repr(backend)


class TestRouting:
    def test_a_key_is_on_the_master_of_its_part(self, redis_cluster, make, unique_prefix):
        backend = make(redis_cluster.url)
        for key in ("a", "b", "c", "{tag}d"):
            backend.set(key, 1)
            backend.incr(key)
            wire = Parts(16).spot(backend.stored_key(key)).entry
            assert wire.startswith(f"{{{unique_prefix}:1:".encode())
            assert tell(redis_cluster.node_of(wire), "EXISTS", wire) == 1

    @pytest.mark.parametrize("key", ["a", "{", "}", "{}", "{}{tag}", "a{tag}b", "}{", "{{tag}}", "{a}{b}", "ü {ü}"])
    async def test_counters_need_no_second_key(self, redis_cluster, make, key):
        backend = make(redis_cluster.url)
        assert backend.incr(key) == 1
        assert await backend.incr_async(key, 2**40) == 2**40 + 1
        assert backend.get_many([key, "missing"]) == {key: 2**40 + 1}
        await backend.aclose()

    async def test_a_moved_slot_is_followed_at_once(self, fresh_redis_cluster, make):
        cluster, backend = fresh_redis_cluster, make(fresh_redis_cluster.url, on_error="raise")
        stored = Parts(16).spot(backend.stored_key("a")).entry
        await backend.set_async("a", 1)
        source = cluster.node_of(stored)
        target = next(node for node in cluster.nodes[:3] if node is not source)
        cluster.move_slot(key_slot(stored), source, target, half=True)
        with pytest.raises(BackendUnavailableError, match="TRYAGAIN"):
            await backend.incr_async("a")
        cluster.finish_move(key_slot(stored), target)
        assert await backend.incr_async("a") == 2
        assert backend.get_many(["a", *KEYS]) == {"a": 2}
        assert await backend.delete_async("a") is True
        assert backend.add("a", 5) is True
        assert backend.touch("a", None) is True
        assert backend.get("a") == 5
        assert backend.stats()["errors"] == 1
        await backend.aclose()

    async def test_batches_go_to_all_masters(self, redis_cluster, make):
        backend = make(redis_cluster.url)
        values = {f"k{number}": "x" * number for number in range(1_500)}
        assert await backend.set_many_async(values) == []
        assert await backend.get_many_async([*values, "missing"]) == values
        assert backend.get_many(values) == values
        assert backend.delete_many([*values, "missing"]) == len(values)
        await backend.aclose()


class TestNobodyGetsAnothersData:
    async def test_cancelled_operations_disturb_nobody(self, redis_cluster, make):
        backend = make(redis_cluster.url)
        storm = Storm(backend, 10_000)
        await storm.run()
        assert set(storm.seen) == {"right"}
        assert backend.stats()["errors"] == backend.stats()["damaged"] == 0
        await backend.aclose()

    async def test_results_of_cancelled_neighbours_reach_nobody(self, redis_cluster, make):
        backend = make(redis_cluster.url)
        differences = await asyncio.gather(*[follow_models(backend, seed, 30) for seed in range(20)])
        assert [difference for found in differences for difference in found] == []
        assert backend.stats()["errors"] == 0
        await backend.aclose()

    async def test_stray_replies_mislead_nobody(self, launch, fault_proxy, make):
        """The proxy stands before a cluster of one, which is told to name it to its clients."""
        node = launch(ClusterNode())
        tell(node, "CLUSTER ADDSLOTSRANGE", 0, 16383)
        proxy = fault_proxy(node.host, node.port)
        tell(node, "CONFIG SET cluster-announce-port", proxy.port)
        backend, wrong = make(f"redis+cluster://{proxy.address}", deadline=0.15), []
        proxy.set(prepend_p=0.05, drop_p=0.02, prepend=b"$5\r\nSTRAY\r\n")
        await asyncio.gather(*[work_on_a_lying_wire(backend, f"worker {number}", wrong) for number in range(20)])
        assert wrong == []
        await backend.aclose()

    def test_threads_and_loops_share_one_service(self, redis_cluster, make):
        share_one_service(make(redis_cluster.url))

    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    async def test_it_works_on_after_a_fork(self, redis_cluster, make):
        backend = make(redis_cluster.url)
        await backend.set_async("shared", "value")
        backend.set("shared", "value")
        children = [get_context("fork").Process(target=use_alone, args=(backend, name)) for name in "ab"]
        for child in children:
            child.start()
        for number in range(200):
            assert await backend.get_async("shared") == "value"
            assert backend.incr("parent") == number + 1
        for child in children:
            await asyncio.to_thread(child.join)
        assert [child.exitcode for child in children] == [0, 0]
        await backend.aclose()
