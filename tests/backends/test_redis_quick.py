"""The short way of single keys and of many on a loop: it is taken, and tells the same as the way of all others."""

import asyncio
import gc
from functools import partial
from itertools import product

import pytest
import redis

from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.redis_parts import Parts
from asynccache.backends.redis_scripting import Scripting
from asynccache.core.entry import Kind
from asynccache.core.events import BackendDown, BackendUp
from asynccache.core.fence import Notebook
from asynccache.errors import BackendUnavailableError, SerializationError
from asynccache.plan.io import BLOCKING, LOOP, run
from asynccache.serializers import PickleSerializer
from asynccache.testing import recorded_events
from tests.backends.making import making
from tests.servers import Redis

PATIENT = 5.0


@pytest.fixture
def make(redis_server, unique_prefix):
    with making(RedisCacheBackend, redis_server.url, key_prefix=unique_prefix, deadline=PATIENT) as make:
        yield make


@pytest.fixture
async def backend(make):
    """Give one whose line is open."""
    backend = make()
    await ready(backend)
    yield backend
    await backend.aclose()


@pytest.fixture
def raw(redis_server):
    with redis.Redis.from_url(redis_server.url) as client:
        yield client


async def ready(backend):
    await backend.set_async("ready", True)
    assert await backend.get_async("ready") is True
    assert backend._place.node_of(backend._own_parts[0]).open_line() is not None


def calls_of(raw, command):
    return raw.info("commandstats").get(f"cmdstat_{command}", {}).get("calls", 0)


def spoil(backend, raw, change):
    """Store something, and something else in its place."""
    backend.set("k", "good")
    name = backend.stored_key("k")
    raw.set(name, change(raw.get(name)))


def cleared(backend, raw):
    backend.set("k", "old")
    entry = raw.get(backend.stored_key("k"))
    backend.clear()
    raw.set(backend.stored_key("k"), entry)


def tagged(backend, raw):
    del raw
    backend.set("k", "of a tag", tags=["x"])


def invalidated(backend, raw):
    tagged(backend, raw)
    backend.invalidate_tags("x")


def of_another_key(backend, raw):
    backend.set("other", "other")
    raw.copy(backend.stored_key("other"), backend.stored_key("k"))


def kept(backend, raw):
    del raw
    run(backend.keep(BLOCKING, "k", "kept", 60.0, 60.0))


def kept_and_over(backend, raw):
    kept(backend, raw)
    raw.setrange(backend.stored_key("k"), AT, bytes(8))


AT = 16
"""Where an entry says when it was written."""
PLANTED = {
    "missing": lambda backend, raw: None,
    "text": lambda backend, raw: backend.set("k", "päge"),
    "nothing": lambda backend, raw: backend.set("k", None),
    "number": lambda backend, raw: backend.set("k", 7),
    "huge": lambda backend, raw: backend.set("k", b"x" * 300_000),
    "for ever": lambda backend, raw: backend.set("k", [1], ttl=float("inf")),
    "counter": lambda backend, raw: backend.incr("k", 5),
    "tagged": tagged,
    "invalidated": invalidated,
    "cleared": cleared,
    "of another generation": lambda backend, raw: spoil(backend, raw, lambda entry: b"foreign." + entry[8:]),
    "with a flipped bit": lambda backend, raw: spoil(backend, raw, lambda entry: entry[:-1] + bytes([entry[-1] ^ 1])),
    "cut": lambda backend, raw: spoil(backend, raw, lambda entry: entry[:-5]),
    "of another key": of_another_key,
    "foreign": lambda backend, raw: raw.set(backend.stored_key("k"), b"foreign" * 20),
    "empty": lambda backend, raw: raw.set(backend.stored_key("k"), b""),
    "a list": lambda backend, raw: raw.rpush(backend.stored_key("k"), "x"),
    "a page": lambda backend, raw: run(backend.write(BLOCKING, "k", b"page", 60.0, kind=Kind.PAGE)),
    "kept": kept,
    "kept and over": kept_and_over,
}


def plant(backend, raw, what):
    """Have something under the key `k`."""
    backend.delete("k")
    PLANTED[what](backend, raw)


async def told(backend, get):
    """Give what a get gives, counts and tells."""
    before = backend.stats()
    with recorded_events(backend) as events:
        value = await get()
    counted = {name: count - before[name] for name, count in backend.stats().items()}
    return value, counted, [(type(event), event.key) for event in events]


class TestTheSame:
    @pytest.mark.parametrize("what", PLANTED)
    async def test_as_by_the_way_of_all_others(self, backend, raw, what):
        async def one(key="k"):
            return backend.get(key, default="default")

        async def many():
            return {"k": "default"} | backend.get_many(["k"])

        async def quick_many():
            return {"k": "default"} | await backend.get_many_async(["k"])

        for slow, quick in ((one, lambda: backend.get_async("k", default="default")), (many, quick_many)):
            plant(backend, raw, what)
            expected = await told(backend, slow)
            is_left = raw.exists(backend.stored_key("k"))
            plant(backend, raw, what)
            assert await told(backend, quick) == expected
            assert raw.exists(backend.stored_key("k")) == is_left

    @pytest.mark.parametrize("what", PLANTED)
    async def test_reads_of_plans_too(self, backend, raw, what):
        plant(backend, raw, what)
        expected = run(backend.look(BLOCKING, "k"))
        plant(backend, raw, what)
        found = await backend.look(LOOP, "k")
        assert (found is None) == (expected is None)
        assert found is None or (found.value, found.tags) == (expected.value, expected.tags)

    async def test_what_another_serializer_wrote_is_a_damaged_entry(self, make, backend):
        signed = make(serializer=PickleSerializer(secret="s" * 32))
        signed.set("k", "signed")
        assert await backend.get_async("k", default="default") == "default"
        signed.set("k", "signed")
        assert await backend.get_many_async(["k"]) == {}
        assert backend.stats()["damaged"] == 2

    @pytest.mark.parametrize("value", ["text", None, 5, 2**70, {"a": (1, b"x")}, "x" * 300_000])
    async def test_what_is_set_is_found_by_all(self, make, backend, value):
        assert await backend.set_async("k", value, ttl=60) is True
        assert backend.get("k", default="default") == value
        assert await backend.get_async("k", default="default") == value
        assert await make().get_async("k", default="default") == value

    async def test_what_cannot_be_stored_takes_the_old_value_with_it(self, backend):
        await backend.set_async("k", "old")
        with pytest.raises(SerializationError):
            await backend.set_async("k", object())
        assert await backend.get_async("k") is None

    async def test_lone_surrogates_are_keys_like_any_other(self, backend):
        assert await backend.set_async("\ud800", 1) is True
        assert await backend.get_async("\ud800") == backend.get("\ud800") == 1
        assert await backend.get_many_async(["\ud800", "k"]) == {"\ud800": 1}

    async def test_what_is_no_key_is_refused(self, backend):
        for call in (backend.get_async(1), backend.set_async(1, 1), backend.get_many_async(["a", 1])):
            with pytest.raises(TypeError, match="a key is a str"):
                await call


class TestRoundTrips:
    async def test_gets_of_a_turn_are_one_command(self, backend, raw):
        await asyncio.gather(*(backend.set_async(f"k{number}", number) for number in range(100)))
        before = calls_of(raw, "mget")
        values = await asyncio.gather(*(backend.get_async(f"k{number}") for number in range(100)))
        assert values == list(range(100))
        assert calls_of(raw, "mget") - before <= 2

    async def test_a_set_is_one_command(self, backend, raw):
        before = calls_of(raw, "evalsha")
        await backend.set_async("k", 1, tags=["x"])
        await backend.set_async("k", 2)
        assert calls_of(raw, "evalsha") - before == 2

    async def test_several_values_are_set_in_one_step_each_as_by_itself(self, backend, raw):
        await backend.set_async("b", "old", tags=["x"])
        claimed = await backend.claim(LOOP, "c")
        before = calls_of(raw, "evalsha")
        assert await backend.set_many_async({"a": "päge", "b": 5, "c": [None]}, ttl=60) == []
        assert calls_of(raw, "evalsha") - before == 1
        assert await backend.land(LOOP, "c", "loaded before", 60.0, claimed.ticket) is False
        await backend.invalidate_tags_async("x")
        assert await backend.get_many_async("abc") == backend.get_many("abc") == {"a": "päge", "b": 5, "c": [None]}
        assert all(50_000 < raw.pttl(backend.stored_key(key)) <= 60_000 for key in "abc")
        assert await backend.incr_async("b") == 6
        await backend.set_many_async({"a": 1, "b": 2}, ttl=float("inf"))
        assert [raw.pttl(backend.stored_key(key)) for key in "ab"] == [-1, -1]
        raw.script_flush()
        assert await backend.set_many_async({"a": 3, "b": 4}) == []
        assert await backend.get_many_async("ab") == {"a": 3, "b": 4}

    async def test_nothing_is_asked_twice_where_nothing_was_ever_stored(self, backend, raw):
        raw.delete(Parts().of(backend.stored_key(""))[0].notebook)
        before = calls_of(raw, "mget")
        assert await backend.get_async("k") is None
        assert await backend.look(LOOP, "k") is None
        assert calls_of(raw, "mget") - before == 2

    async def test_a_get_after_a_set_of_the_same_task_finds_it(self, backend):
        async def own(number):
            for turn in range(20):
                await backend.set_async(f"k{number}", turn)
                assert await backend.get_async(f"k{number}") == turn

        await asyncio.gather(*map(own, range(20)))


class TestMany:
    async def test_all_that_is_there_in_the_order_of_the_keys(self, backend, raw):
        values = {f"k{number}": f"value {number}" for number in range(0, 2_000, 2)}
        await backend.set_many_async(values)
        await backend.set_async("k500", "tagged", tags=["x"])
        await backend.set_async("k900", 900)
        raw.set(backend.stored_key("k1000"), b"foreign")
        found = await backend.get_many_async([*[f"k{number}" for number in range(2_000)], "k0"])
        expected = values | {"k500": "tagged", "k900": 900}
        del expected["k1000"]
        assert list(found.items()) == list(expected.items())
        assert await backend.get_many_async([]) == {}

    @pytest.mark.parametrize("goes", ["kill", "freeze"])
    async def test_a_server_that_goes(self, fresh_redis, make, goes, caplog):
        backend = make(fresh_redis.url, deadline=0.15)
        await ready(backend)
        getattr(fresh_redis, goes)()
        before = backend.stats()["misses"]
        assert await backend.get_many_async([f"k{number}" for number in range(2_000)]) == {}
        assert backend.stats()["misses"] - before == 2_000
        backend.on_error = "raise"
        with pytest.raises(BackendUnavailableError):
            await backend.get_many_async(["k0"])
        await backend.aclose()
        gc.collect()  # nobody is told later of replies that were not waited for
        assert [record for record in caplog.records if record.name == "asyncio"] == []

    async def test_who_is_cancelled_leaves_nothing_behind(self, backend):
        await backend.set_many_async({f"k{number}": number for number in range(2_000)})
        for turns in range(6):
            task = asyncio.create_task(backend.get_many_async([f"k{number}" for number in range(2_000)]))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        gc.collect()
        assert await backend.get_async("k7") == 7


class TestFaults:
    async def test_who_is_cancelled_leaves_nothing_behind(self, backend):
        for operation, turns in product((backend.get_async, lambda key: backend.set_async(key, 5)), range(4)):
            task = asyncio.create_task(operation("k"))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        await backend.set_async("k", 6)
        assert await backend.get_async("k") == 6

    async def test_a_server_that_is_frozen_and_goes_on(self, fresh_redis, make):
        backend = make(fresh_redis.url, deadline=0.1)
        await ready(backend)
        with recorded_events(backend) as events:
            fresh_redis.freeze()
            assert await backend.get_async("ready", default="default") == "default"
            assert await backend.set_async("ready", 1) is False
            for _ in range(3):
                assert await backend.get_async("ready") is None
            fresh_redis.thaw()
            for _ in range(100):
                if await backend.get_async("ready") is not None:
                    break
                await asyncio.sleep(0.02)
        assert [type(event) for event in events] == [BackendDown, BackendUp]
        assert backend.stats()["errors"] >= 5
        backend.on_error = "raise"
        fresh_redis.kill()
        with pytest.raises(BackendUnavailableError):
            await backend.get_async("ready")
        with pytest.raises(BackendUnavailableError):
            await backend.set_async("ready", 1)
        await backend.aclose()

    async def test_a_server_that_forgot_its_scripts_is_told_again(self, backend, raw):
        raw.script_flush()
        assert await backend.set_async("k", 1) is True
        assert await backend.get_async("k") == 1
        for number in (1, 2):
            raw.script_flush()
            assert await backend.incr_async("n") == number
        raw.script_flush()
        assert await backend.delete_async("n") is True

    async def test_a_full_server_takes_the_old_value_with_it(self, launch, make, caplog):
        full = launch(Redis("--maxmemory-policy", "noeviction"))
        backend = make(full.url)
        await ready(backend)
        await backend.set_async("k", "old")
        with redis.Redis.from_url(full.url) as raw:
            raw.config_set("maxmemory", 1)
            assert await backend.set_async("k", "new") is False
            raw.config_set("maxmemory", 0)
        assert await backend.get_async("k") is None
        assert [record.getMessage().count("OOM") for record in caplog.records] == [1]
        await backend.aclose()


class TestOrder:
    async def test_nothing_is_used_of_data_that_is_another_process_s(self, backend, raw):
        notebook = Parts().of(backend.stored_key(""))[0].notebook
        raw.setrange(notebook, 51, "another.")
        assert await backend.get_async("ready") is None
        assert await backend.look(LOOP, "ready") is None
        assert await backend.get_many_async(["ready"]) == {}
        assert await backend.set_async("k", 1) is True  # which has it accepted
        assert await backend.get_async("k") == 1

    async def test_where_the_notebook_is_lost_nothing_is_valid_and_damage_is_told(self, backend, raw):
        notebook = Parts().of(backend.stored_key(""))[0].notebook
        for get in (backend.get_async, partial(backend.read, LOOP), lambda key: backend.get_many_async([key])):
            raw.delete(notebook)
            assert not await get("ready")
            raw.set(backend.stored_key("k"), b"foreign")
            assert not await get("k")
            assert raw.exists(backend.stored_key("k")) == 0
        assert backend.stats()["damaged"] == 3

    async def test_what_others_cleared_is_gone_at_once(self, make, backend):
        other = make()
        await ready(other)
        await backend.clear_async()
        assert await other.get_async("ready") is None
        assert await other.get_many_async(["ready"]) == {}

    async def test_followers_hear_of_a_set(self, backend):
        heard = []
        backend.changed.append(lambda part, view, change: heard.append((part, change.kind, change.what)))
        await backend.set_async("k", 1)
        stored_key = backend.stored_key("k")
        assert heard == [(stored_key.removesuffix("k"), "keys", (stored_key,))]

    def test_what_was_told_is_forgotten_when_another_process_tells(self):
        part = Parts().of("shop:1:")[0]
        scripting = Scripting(None, Parts(), keeps=True)
        mine, other = (bytes(Notebook(b"generati", 1, 5, keeper)) for keeper in (b"keeper-a", b"keeper-b"))
        told = scripting.told_by(part, mine, b"keeper-a")
        assert scripting.told_by(part, mine, b"keeper-a") is told
        assert scripting.told_by(part, mine, b"keeper-b") is None
        assert scripting.told_by(part, other, b"keeper-b") is None  # that is for `note`, which may have to say more
        assert scripting.told_by(part, None, b"keeper-a") is None
        assert scripting.told_by(part, mine[:-1], b"keeper-a") is None
        run(scripting.note(BLOCKING, part, Notebook(b"generati", 1, 6, b"keeper-b")))
        assert scripting.told_by(part, mine, b"keeper-a") is None
        assert scripting.told_by(part, other, b"keeper-b").book.keeper == b"keeper-b"
