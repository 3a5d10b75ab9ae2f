import asyncio
import sys
import threading
import time

import pytest
import trio

from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.core.codec import DamagedEntryError
from asynccache.core.entry import Entry, Kind
from asynccache.errors import ConfigurationError, NotAnIntegerError, SerializationError
from asynccache.plan.io import BLOCKING, run
from asynccache.serializers import ICacheSerializer, JSONSerializer
from asynccache.testing import BackendContract, FakeClock
from asynccache.testing.events import recorded_events
from tests.conftest import LONG


class TestLocalMem(BackendContract):
    def make_backend(self, **options):
        return LocalMemCacheBackend(**options)


class TestLocalMemWithAClockOfItsOwn(BackendContract):
    time_is_free = True
    model_examples = 1_000 if LONG else 60
    model_steps = 50

    def make_backend(self, **options):
        self.clock = getattr(self, "clock", None) or FakeClock()
        return LocalMemCacheBackend(clock=self.clock, **options)

    async def pass_time(self, seconds):
        self.clock.advance(seconds)


@pytest.fixture
def cache():
    return LocalMemCacheBackend()


# Time


def test_nobody_who_waited_sees_what_expired(cache):
    for key in ("get", "has_key", "get_many", "incr", "add", "delete", "touch", "read"):
        cache.set(key, 5, ttl=0.05)
    cache.set("list", [1], ttl=0.05)
    time.sleep(0.15)
    assert cache.get("get", default="gone") == "gone"
    assert cache.get("list", default="gone") == "gone"
    assert cache.has_key("has_key") is False
    assert cache.get_many(["get_many"]) == {}
    assert cache.incr("incr") == 1
    assert cache.add("add", "new") is True
    assert cache.delete("delete") is False
    assert cache.touch("touch") is False
    assert run(cache.read(BLOCKING, "read")) is None


def test_clock_that_is_set_back_brings_nothing_back_that_was_freed():
    clock = FakeClock()
    cache = LocalMemCacheBackend(clock=clock, ttl=10)
    cache.set("k", 1)
    clock.advance(11)
    cache.set("other", 1)
    clock.advance(-11)
    assert cache.has_key("k") is False
    assert cache.has_key("other") is True


def test_clock_is_the_only_one_by_which_entries_end():
    cache, other = LocalMemCacheBackend(clock=lambda: 0.0), LocalMemCacheBackend()
    cache.set("k", 1)
    other.set("brief", 1, ttl=0.01)
    while other.has_key("brief"):
        time.sleep(0.005)
    assert cache.get("k") == 1


def test_expired_entries_are_freed_by_writes_where_the_clock_is_given():
    clock = FakeClock()
    cache = LocalMemCacheBackend(clock=clock, ttl=10)
    for number in range(5000):
        cache.set(f"k{number}", number)
    clock.advance(9.999)
    assert cache.stats()["entries"] == 5000
    clock.advance(0.02)
    cache.set("k", 1)
    assert cache.stats()["entries"] == 1
    assert cache.stats()["expired"] == 5000


# Values


def test_what_cannot_be_changed_is_shared(cache):
    for value in ("text" * 10, b"bytes" * 10, 10**40, 1.5, (1, ("a", b"b", None))):
        cache.set("k", value)
        assert cache.get("k") is value


def test_everything_is_shared_where_copies_are_off():
    cache = LocalMemCacheBackend(copy=False)
    mine = [object(), lambda: None]
    assert cache.set("k", mine) is True
    assert cache.get("k") is mine
    assert cache.replicas(mine)() is mine


def test_page_is_the_very_object_that_was_stored(cache):
    class Page:
        def __bytes__(self):
            return b"page"

    page = Page()
    run(cache.write(BLOCKING, "k", page, 60, None, Kind.PAGE))
    assert run(cache.read(BLOCKING, "k", None, Kind.PAGE)) == Entry(page)
    assert cache.peek("k", None, Kind.PAGE) is page
    assert cache.peek("k", None, Kind.MARKER) is None
    assert cache.peek("k", "other", Kind.PAGE) is None
    assert cache.get("k") is None


def test_plans_do_what_the_twins_do(cache):
    assert run(cache.insert(BLOCKING, "k", 1, 60)) is True
    assert run(cache.insert(BLOCKING, "k", 2, 60)) is False
    assert run(cache.bump(BLOCKING, "k", 4)) == cache.get("k") == 5
    assert run(cache.exists(BLOCKING, "k")) is True
    assert run(cache.remove(BLOCKING, "k")) is True
    assert run(cache.exists(BLOCKING, "k")) is cache.has_key("k") is False


def test_serializer_decides_what_comes_back():
    cache = LocalMemCacheBackend(serializer=JSONSerializer())
    cache.set("k", [1, {"a": None}])
    assert cache.get("k") == [1, {"a": None}]
    with pytest.raises(SerializationError):
        cache.set("k", [object()])
    assert cache.has_key("k") is False


class Forgetful(ICacheSerializer):
    """Cannot read what it wrote."""

    def dumps(self, value):
        return repr(value).encode()

    def loads(self, payload):
        raise DamagedEntryError("this is not the day")


def test_value_that_cannot_be_decoded_is_a_miss_removed_and_told():
    cache = LocalMemCacheBackend(serializer=Forgetful())
    cache.set("k", [1])
    with recorded_events(cache) as events:
        assert cache.get("k", default="a miss") == "a miss"
    assert [event.key for event in events] == ["k"]
    assert cache.has_key("k") is False
    cache.set("k", [1])
    with pytest.raises(NotAnIntegerError):
        cache.incr("k")


def test_bounds_are_positive_integers():
    for bound in (0, -1, 1.5, True, None, "10"):
        for name in ("max_entries", "max_bytes"):
            with pytest.raises(ConfigurationError, match=f"{name}=.*positive int"):
                LocalMemCacheBackend(**{name: bound})


def test_entry_larger_than_the_cache_is_not_stored():
    cache = LocalMemCacheBackend(max_bytes=1000)
    cache.set("k", "old")
    assert cache.set("k", "x" * 1000) is False
    assert cache.set_many({"k": [1] * 1000, "other": 1}) == ["k"]
    assert cache.add("k", "x" * 1000) is False
    assert cache.get_many(["k", "other"]) == {"other": 1}


def test_counter_of_a_cache_that_keeps_nothing_by_default():
    cache = LocalMemCacheBackend(ttl=0)
    assert [cache.incr("n"), cache.incr("n", 5)] == [1, 5]
    assert cache.has_key("n") is False


def test_it_tells_what_happened():
    cache = LocalMemCacheBackend(max_entries=3, max_bytes=100_000)
    for number in range(5):
        cache.set(f"k{number}", number)
    cache.set("list", [1])
    cache.get_many(["list", "k4", "k4", "missing"])
    cache.get("list")
    cache.get("k0")
    cache.set("list", 2)
    stats = cache.stats()
    assert 3 * 256 < stats.pop("bytes") < 1100
    assert stats == {"hits": 3, "misses": 2, "entries": 3, "evictions": 3, "expired": 0}


def test_it_needs_no_asyncio(cache):
    async def visit():
        await cache.set_async("k", [1], ttl=60)
        return await cache.get_async("k"), await cache.incr_async("n"), await cache.get_many_async(["k", "n"])

    assert trio.run(visit) == ([1], 1, {"k": [1], "n": 1})


# Many at once


def value_of(key, number):
    return f"{key}={number}" if number % 2 else [key, number]


def belongs(key, value):
    return value is None or (value.startswith(f"{key}=") if isinstance(value, str) else value[0] == key)


class Storm:
    """Threads that hit a cache as hard as they can, and note what was wrong."""

    def __init__(self, cache):
        self.cache = cache
        self.over = threading.Event()
        self.wrong = []

    def check(self, key, value):
        if not belongs(key, value):
            self.wrong.append((key, value))

    def hammer(self, number):
        while not self.over.is_set():
            number = (number * 1103515245 + 12345) % 2**31
            key, version = f"k{number // 64 % 400}", number // 8 % 3 or None
            match number // 256 % 5:
                case 0:
                    self.cache.set(key, value_of(key, number), 0.001 + number % 7 / 100, version)
                case 1:
                    self.cache.delete(key, version)
                case 2:
                    self.cache.touch(key, 0.02, version)
                case 3:
                    self.cache.set("big", "x" * (number % 50_000))
                case 4:
                    self.check(key, self.cache.get(key, version))

    async def hammer_on_loop(self, seed):
        for number in range(seed, seed + 2000):
            key = f"k{number % 400}"
            await self.cache.set_async(key, value_of(key, number), ttl=0.05)
            self.check(key, await self.cache.get_async(key))
            if number % 20 == 0:
                await asyncio.sleep(0)

    def started(self, work, *args):
        def guarded():
            try:
                work(*args)
            except BaseException as error:
                self.wrong.append(error)

        thread = threading.Thread(target=guarded)
        thread.start()
        return thread


def test_threads_and_loops_find_what_they_stored_within_the_bounds():
    cache = LocalMemCacheBackend(max_entries=150, max_bytes=60_000)
    storm = Storm(cache)
    threads = [storm.started(storm.hammer, seed) for seed in range(8)]
    loops = [storm.started(asyncio.run, storm.hammer_on_loop(seed * 100)) for seed in range(4)]
    while any(thread.is_alive() for thread in loops):
        stats = cache.stats()
        assert stats["entries"] <= 150
        assert stats["bytes"] <= 60_000
        time.sleep(0.001)
    storm.over.set()
    for thread in (*threads, *loops):
        thread.join()
    assert storm.wrong == []
    assert cache.stats()["hits"] > 100


@pytest.fixture
def hasty():
    """Let threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("hasty")
def test_no_increment_is_lost_between_threads(cache):
    def count():
        for _ in range(500):
            cache.incr("n")
            cache.decr("n", 2)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.get("n") == -4000


@pytest.mark.usefixtures("hasty")
def test_one_of_many_adds_wins_between_threads(cache):
    winners = []

    def add(name):
        winners.extend([number for number in range(200) if cache.add(f"k{number}", name)])

    threads = [threading.Thread(target=add, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(winners) == list(range(200))


def test_reader_never_finds_a_place_empty_that_is_overwritten(cache):
    cache.set("k", 0)
    stop, misses = threading.Event(), []

    def read():
        while not stop.is_set():
            if cache.get("k") is None or not cache.has_key("k"):
                misses.append(1)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(20_000):
        cache.set("k", number if number % 2 else [number])
    stop.set()
    for reader in readers:
        reader.join()
    assert misses == []
