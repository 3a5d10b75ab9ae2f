"""Any pair of functions keeps the contract: sync and async, with a ttl or without, with `delete` or without."""

import asyncio
import functools
import logging
import threading
from math import ceil
from time import time

import pymemcache
import pytest
import redis
import redis.asyncio

from asynccache import FOREVER, BackendUnavailableError, CacheModule, CacheService, ConfigurationError
from asynccache.backends.callable_cache import CallableCacheBackend
from asynccache.testing import BackendContract, FakeClock, recorded_events
from asynccache.testing.contract import (
    CounterContract,
    HostileKeyContract,
    KindContract,
    LifetimeContract,
    ManyContract,
    ValueContract,
)
from asynccache.testing.contract.base import Flavour

DAY = 24 * 3600


class FreeTime:
    """Lifetimes are in the entries: a clock of the test's own is enough for a store that knows none."""

    time_is_free = True
    clock = FakeClock()

    def made(self, *functions):
        return lambda **options: CallableCacheBackend(*functions, **{"clock": self.clock, **options})

    async def pass_time(self, seconds):
        self.clock.advance(seconds)


def async_dict(entries):
    async def get(key):
        await asyncio.sleep(0)
        return entries[key]

    async def put(key, value):
        await asyncio.sleep(0)
        entries[key] = value

    async def delete(key):
        await asyncio.sleep(0)
        del entries[key]

    return get, put, delete


class TestDict(FreeTime, BackendContract):
    @pytest.fixture
    def backend_factory(self):
        entries = {}
        return self.made(entries.get, entries.__setitem__, entries.__delitem__)


class TestDictWithoutDeleteThatRaisesOnAMiss(FreeTime, ValueContract, LifetimeContract, KindContract):
    @pytest.fixture
    def backend_factory(self):
        entries = {}
        return self.made(entries.__getitem__, entries.__setitem__)


class TestAsyncPair(FreeTime, ValueContract, CounterContract, ManyContract):
    @pytest.fixture
    def backend_factory(self):
        return self.made(*async_dict({}))


class TestPymemcache(HostileKeyContract, KindContract):
    @pytest.fixture
    def backend_factory(self, memcached_server):
        client = pymemcache.PooledClient(memcached_server.address, default_noreply=False)
        yield functools.partial(CallableCacheBackend, client.get, client.set, client.delete)
        client.close()


class TestRedisPy(HostileKeyContract, KindContract):
    @pytest.fixture
    def backend_factory(self, redis_server):
        client = redis.Redis.from_url(redis_server.url)
        yield functools.partial(CallableCacheBackend, client.get, client.set, client.delete)
        client.close()


class TestAsyncRedisPy(ManyContract, KindContract):
    @pytest.fixture
    def flavour(self):
        return Flavour.ASYNC  # a client of that kind belongs to one loop

    @pytest.fixture
    async def backend_factory(self, redis_server):
        async with redis.asyncio.Redis.from_url(redis_server.url) as client:
            yield functools.partial(CallableCacheBackend, client.get, client.set, client.delete)


# The seed's own words


def test_a_pair_is_used_as_the_default():
    flask_cache = {}
    module = CacheModule.use(flask_cache.get, flask_cache.__setitem__, flask_cache.pop, key_prefix="shop", ttl=60)
    module.service.set("k", 1)
    assert list(flask_cache) == ["shop:1:k"]
    assert module.service.delete("k") is True
    assert flask_cache == {}


def test_get_my_item():
    entries = {}
    cache = CacheModule.use(entries.get, entries.__setitem__).service
    calculated = []

    def calculate_value():
        calculated.append(1)
        return {"price": 7}

    def get_my_item():
        rv = cache.get("my-item")
        if rv is None:
            rv = calculate_value()
            cache.set("my-item", rv, ttl=5 * 60)
        return rv

    assert [get_my_item(), get_my_item()] == [{"price": 7}] * 2
    assert len(calculated) == 1


async def test_our_own_get_and_set_can_be_handed_to_such_a_library():
    class Library:
        """What libraries do with a pair that they are given: positional calls, None is a miss."""

        @classmethod
        def use(cls, read_from, write_to):
            cls.read_from, cls.write_to = staticmethod(read_from), staticmethod(write_to)

        @classmethod
        def fetch(cls, key):
            if (found := cls.read_from(key)) is None:
                cls.write_to(key, found := {"fetched": key})
                return found
            return found | {"again": True}

    service = CacheService(default="local")
    Library.use(service.get, service.set)
    assert Library.fetch("url") == {"fetched": "url"}
    assert Library.fetch("url") == {"fetched": "url", "again": True}
    on_top = CacheService(default=CallableCacheBackend(service.get_async, service.set_async, service.delete_async))
    await on_top.set_async("k", {1, 2})
    assert await on_top.get_async("k") == {1, 2}
    assert await on_top.delete_async("k") is True


# What the functions are told


@pytest.mark.parametrize("name", ["timeout", "ttl", "ex", "time", "expire"])
@pytest.mark.parametrize("ttl", [0.2, 1, 1.5, 60, 30 * DAY - 1])
def test_ttl_is_given_in_whole_seconds_and_one_more_under_the_name_that_set_has(name, ttl):
    told = []
    namespace = {"told": told}
    exec(f"def put(key, value, extra=None, {name}=0): told.append({name})", namespace)
    CallableCacheBackend({}.get, namespace["put"]).set("k", 1, ttl)
    assert told == [ceil(ttl) + 1]


@pytest.mark.parametrize("ttl", [30 * DAY + 1, 10 * 365 * DAY, FOREVER])
def test_long_lifetimes_end_before_the_seconds_of_memcached_do(ttl):
    told = {}

    def put_relative(key, value, timeout):
        told["relative"] = timeout

    def put_as_memcached_reads_it(key, value, time):
        told["absolute"] = time

    for put in (put_relative, put_as_memcached_reads_it):
        CallableCacheBackend({}.get, put).set("k", 1, ttl)
    end = min(time() + ttl, 2**31 - DAY)
    assert told["relative"] == pytest.approx(end - time(), abs=5)
    assert told["absolute"] == pytest.approx(end, abs=5)


@pytest.mark.parametrize("signature", ["key, value", "key, value, timeout=None, /", "key, value, *timeout, **ttl"])
def test_set_that_takes_no_ttl_by_name_is_told_none(signature):
    namespace = {"told": (told := [])}
    exec(f"def put({signature}): told.append(dict(locals()))", namespace)
    assert CallableCacheBackend({}.get, namespace["put"]).set("k", 1, 60) is True
    assert not any(value for name, value in told[0].items() if name in {"timeout", "ttl"})


def test_keys_are_such_as_any_library_takes():
    entries = {}
    cache = CallableCacheBackend(entries.get, entries.__setitem__, key_prefix="shop")
    for key in ("plain", "a b", "k" * 300, "\n", "caf\xe9"):
        cache.set(key, key)
        assert cache.get(key) == key
    assert "shop:1:plain" in entries
    for key in entries:
        assert len(key) <= 200
        assert key.isascii()
        assert key.isprintable()
        assert " " not in key


async def test_function_that_returns_an_awaitable_is_awaited():
    get, put, _ = async_dict({})
    backend = CallableCacheBackend(lambda key: get(key), lambda key, value: put(key, value))
    assert await backend.set_async("k", 1) is True
    assert await backend.get_async("k") == 1
    assert backend.get("k") == 1


async def test_object_whose_call_is_a_coroutine_runs_on_the_loop():
    class Get:
        async def __call__(self, key):
            asyncio.get_running_loop()

    assert await CallableCacheBackend(Get(), {}.__setitem__).get_async("k", default="a miss") == "a miss"


@pytest.mark.parametrize("arguments", [(None, len), (len, "set"), (len, len, "delete"), (len, len, 0)])
def test_what_is_no_function_is_refused(arguments):
    with pytest.raises(ConfigurationError, match=r"give a function, such as cache\."):
        CallableCacheBackend(*arguments)


# What the functions answer


@pytest.mark.parametrize("refuse", [lambda: False, lambda: 1 / 0], ids=["returns False", "raises"])
@pytest.mark.parametrize("deletes", [True, False])
def test_refused_value_is_false_and_takes_the_old_one_with_it(refuse, deletes, caplog):
    entries = {}

    def put(key, value):
        if len(value) > 1000:
            return refuse()
        entries[key] = value
        return None

    cache = CallableCacheBackend(entries.get, put, entries.pop if deletes else None)
    cache.set_many({"k": "old", "many": "old"})
    assert cache.set("k", "x" * 1000) is False
    assert cache.set_many({"many": "x" * 1000, "other": "small"}) == ["many"]
    assert cache.get_many(["k", "many", "other"]) == {"other": "small"}
    assert cache.add("k", "x" * 1000) is False


def test_delete_that_cannot_be_done_is_never_silent():
    entries = {}

    def put(key, value):
        return bool(value) and not entries.update({key: value})

    cache = CallableCacheBackend(entries.get, put)
    cache.set("k", 1)
    with pytest.raises(BackendUnavailableError, match="False for an empty value"):
        cache.delete("k")


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_other_kinds_of_bytes_are_taken(kind):
    entries = {}
    cache = CallableCacheBackend(entries.get, lambda key, value: entries.update({key: kind(value)}))
    cache.set("k", [1])
    assert cache.get("k") == [1]
    assert cache.delete("k") is True
    assert cache.get("k", default="a miss") == "a miss"


def test_store_of_text_is_told_of_once_and_misses(caplog):
    entries = {}
    cache = CallableCacheBackend(entries.get, lambda key, value: entries.update({key: value.hex()}))
    for _ in range(3):
        cache.set("k", 1)
        assert cache.get("k", default="a miss") == "a miss"
    assert len([record for record in caplog.records if "it gave a str where bytes were set" in record.message]) == 1


def test_what_others_put_under_our_key_is_a_miss_and_removed():
    entries = {":1:k": b"not an entry", ":1:pickled": b"\x80\x04K\x01."}
    cache = CallableCacheBackend(entries.get, entries.__setitem__, entries.pop)
    assert cache.get_many(["k", "pickled"]) == {}
    assert entries == {}
    assert cache.stats()["damaged"] == 2


async def test_outage_is_short_cut_and_found_to_be_over(caplog):
    entries, broken = {}, True

    def get(key):
        if broken:
            raise OSError("connection refused")
        return entries.get(key)

    cache = CallableCacheBackend(get, entries.__setitem__, entries.pop)
    with recorded_events(cache) as events:
        for _ in range(10):
            assert await cache.get_async("k", default="a miss") == "a miss"
        with pytest.raises(BackendUnavailableError):
            await cache.incr_async("k")
        broken = False
        while not events or type(events[-1]).__name__ != "BackendUp":
            await cache.get_async("k")
            await asyncio.sleep(0.01)
    assert [type(event).__name__ for event in events] == ["BackendDown", "BackendUp"]
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 2
    assert await cache.set_async("k", 1) is True
    assert await cache.get_async("k") == 1


def test_an_outage_can_be_an_error():
    cache = CallableCacheBackend(lambda key: 1 / 0, {}.__setitem__, on_error="raise")
    with pytest.raises(BackendUnavailableError, match="ZeroDivisionError"):
        cache.get("k")


async def test_timeouts_of_the_functions_are_told_as_they_are():
    async def get(key):
        await asyncio.wait_for(asyncio.sleep(60), 0.01)

    cache = CallableCacheBackend(get, {}.__setitem__, on_error="raise")
    with pytest.raises(BackendUnavailableError, match="get: TimeoutError"):
        await cache.get_async("k")


async def test_cancelled_caller_cancels_an_async_function():
    cancelled = asyncio.Event()

    async def get(key):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    cache = CallableCacheBackend(get, {}.__setitem__)
    waiting = asyncio.ensure_future(cache.get_async("k"))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert cancelled.is_set()
    assert cache.stats()["errors"] == 0


async def test_cancelled_set_does_not_come_after_a_later_delete():
    entries, under_way, go_on = {}, threading.Event(), threading.Event()

    def put(key, value):
        under_way.set()
        go_on.wait(5)
        entries[key] = value

    cache = CallableCacheBackend(entries.get, put, entries.pop)
    setting = asyncio.ensure_future(cache.set_async("k", "stale"))
    await asyncio.to_thread(under_way.wait, 5)
    setting.cancel()
    deleting = asyncio.ensure_future(cache.delete_async("k"))
    await asyncio.sleep(0.05)
    go_on.set()
    await deleting
    assert entries == {}
    assert await cache.get_async("k", default="a miss") == "a miss"
