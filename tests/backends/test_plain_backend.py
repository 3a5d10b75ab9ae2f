"""A class with plain methods is a backend: sync ones, asynchronous ones, or both, as one writes them elsewhere."""

import asyncio
import threading

import pytest

from asynccache import BackendUnavailableError, BaseCacheBackend, CacheModule, CacheService
from asynccache.backends.callable_cache import CallableCacheBackend
from asynccache.backends.fallback_cache import FallbackCacheBackend
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.plain import PlainBackend
from asynccache.testing import BackendContract, FakeClock
from asynccache.testing.contract import CounterContract, KindContract, LifetimeContract, ValueContract


class DictBackend(BaseCacheBackend):
    """Written as for Ellar."""

    def __init__(self, entries, **options):
        super().__init__(**options)
        self.entries = entries
        self.threads = set()
        self.closed = 0

    def get(self, key, version=None):
        self.threads.add(threading.current_thread())
        return self.entries.get(key)

    def set(self, key, value, ttl=None, version=None):
        if ttl == 0:
            return self.delete(key, version)
        self.entries[key] = value
        return True

    def delete(self, key, version=None):
        return self.entries.pop(key, None) is not None

    def close(self):
        self.closed += 1


class AsyncDictBackend(BaseCacheBackend):
    """Written with coroutines only, which wait."""

    def __init__(self, entries, **options):
        super().__init__(**options)
        self.entries = entries

    async def get_async(self, key, version=None):
        await asyncio.sleep(0)
        return self.entries.get(key)

    async def set_async(self, key, value, ttl=None, version=None):
        await asyncio.sleep(0)
        self.entries[key] = value
        return True

    async def delete_async(self, key, version=None):
        await asyncio.sleep(0)
        return self.entries.pop(key, None) is not None


class DjangoStyleBackend(DictBackend):
    """Other names for the arguments, no `delete`, and both twins."""

    def get(self, key, default=None, version=None):
        return self.entries.get(key, default)

    async def get_async(self, key, default=None, version=None):
        await asyncio.sleep(0)
        return self.entries.get(key, default)

    def set(self, key, value, timeout=300, version=None):
        self.entries[key] = value

    async def set_async(self, key, value, timeout=300, version=None):
        await asyncio.sleep(0)
        self.entries[key] = value

    delete = BaseCacheBackend.delete


class TestPlainMethods(BackendContract):
    @pytest.fixture
    def backend_factory(self):
        entries = {}
        return lambda **options: DictBackend(entries, **options)


class TestAsynchronousMethods(CounterContract, KindContract):
    @pytest.fixture
    def backend_factory(self):
        entries = {}
        return lambda **options: AsyncDictBackend(entries, **options)


class TestBothTwinsAndNoDelete(ValueContract, LifetimeContract):
    time_is_free = True
    clock = FakeClock()

    @pytest.fixture
    def backend_factory(self):
        entries = {}
        return lambda **options: DjangoStyleBackend(entries, **{"clock": self.clock, **options})

    async def pass_time(self, seconds):
        self.clock.advance(seconds)


async def test_it_is_a_backend_wherever_one_is_asked_for():
    entries = {}
    options = {"BACKEND": f"{__name__}.DictBackend", "KEY_PREFIX": "shop", "OPTIONS": {"entries": entries}}
    module = CacheModule.setup(default=DictBackend(entries, key_prefix="shop"), other="local")
    async with module.service as cache:
        assert await cache.get_or_set_async("k", lambda: None) is None
        assert await cache.get_or_set_async("k", lambda: "not asked") is None
        with cache.replaced(other=DictBackend(entries, key_prefix="shop")):
            assert cache.get("k", backend="other", default="a miss") is None
    assert CacheService(default=options).get("k", default="a miss") is None
    assert list(entries) == ["shop:1:k"]


def test_it_may_be_part_of_a_chain():
    with CacheService(default=FallbackCacheBackend([DictBackend({}), LocalMemCacheBackend()])) as cache:
        assert cache.set("k", None) is True
        assert cache.get("k", default="a miss") is None


async def test_plain_methods_run_in_threads_where_a_loop_runs_and_in_the_callers_elsewhere():
    own = DictBackend({})
    cache = CacheService(default=own)
    await cache.get_async("k")
    assert threading.current_thread() not in own.threads
    cache.get("k")
    assert threading.current_thread() in own.threads


async def test_each_twin_serves_its_own_callers():
    called = []

    class Both(DjangoStyleBackend):
        def get(self, key):
            called.append("get")

        async def get_async(self, key):
            called.append("get_async")

    cache = CacheService(default=Both({}))
    cache.get("k")
    await cache.get_async("k")
    assert called == ["get", "get_async"]


def test_options_listeners_and_life_are_those_of_the_own_class():
    own = DictBackend({}, key_prefix="shop", version=7, ttl=None, clock=FakeClock(5.0))
    with CacheService(default=own) as cache:
        backend = cache.get_backend()
        assert isinstance(backend, PlainBackend)
        assert backend.own is own
        assert (backend.key_prefix, backend.version, backend.default_ttl) == ("shop", 7, float("inf"))
        assert (backend.clock(), backend.serializer, backend.name) == (5.0, own.serializer, "DictBackend")
        assert "DictBackend" in repr(backend)
    assert own.closed == 1


async def test_coroutine_that_closes_is_awaited_by_both_twins():
    closed = []

    class Closing(AsyncDictBackend):
        async def aclose(self):
            await asyncio.sleep(0)
            closed.append(self)

    async with CacheService(default=Closing({})):
        pass
    await asyncio.to_thread(CacheService(default=Closing({})).close)
    assert len(closed) == 2


def test_stats_and_plans_of_opening_are_reached():
    opened = []

    class Counting(DictBackend):
        close = BaseCacheBackend.close

        async def open(self, io):
            opened.append("open")

        async def shut(self, io):
            opened.append("shut")

        def stats(self):
            return {"files": 3}

    with CacheService(default=Counting({})) as cache:
        cache.set("k", 1)
        cache.get("k")
        assert cache.stats()["default"] == {"hits": 1, "misses": 0, "errors": 0, "damaged": 0, "files": 3}
    assert opened == ["open", "shut"]


def test_a_backend_with_plans_is_left_as_it_is():
    class Louder(CallableCacheBackend):
        def get(self, key, version=None, *, default=None):
            return str(super().get(key, version, default=default)).upper()

    entries = {}
    backend = Louder(entries.get, entries.__setitem__)
    assert CacheService(default=backend).get_backend() is backend
    backend.set("k", "v")
    assert backend.get("k") == "V"


@pytest.mark.parametrize("written", [[], ["get"], ["set", "delete"], ["get_async", "delete"], ["read", "get", "set"]])
def test_a_class_that_lacks_something_says_what(written):
    half = type("Half", (BaseCacheBackend,), {name: lambda self, key: None for name in written})
    with pytest.raises(TypeError, match=r"Half lacks.*'write'.*get and set.*_fetch, _store and _drop"):
        half()


def test_a_later_class_may_write_what_is_missing():
    class Reading(BaseCacheBackend):
        def get(self, key):
            return None

    class Writing(Reading):
        def set(self, key, value):
            return None

    assert CacheService(default=Writing()).set("k", 1) is True


def test_what_is_not_written_says_that_a_service_has_it():
    with pytest.raises(NotImplementedError, match="hand it to a CacheService"):
        DictBackend({}).has_key("k")


def test_errors_of_the_own_methods_are_outages():
    class Broken(DictBackend):
        def get(self, key, value=None, ttl=None):
            raise OSError("disk on fire")

        set = delete = get

    cache = CacheService(default=Broken({}))
    with pytest.raises(BackendUnavailableError, match="disk on fire"):
        cache.delete("k")
    assert cache.get("k", default="a miss") == "a miss"
    assert cache.get_or_set("k", lambda: "loaded") == "loaded"
