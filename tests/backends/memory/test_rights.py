"""Tags, clear and rights to load in local memory, beyond what every backend does."""

import asyncio
import gc
import sys
import threading
import time

import pytest

from asynccache import CacheService
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.memory.expiry import PERIOD
from asynccache.core.claims import Hit, Lead
from asynccache.core.entry import Kind
from asynccache.errors import SerializationError
from asynccache.plan.io import BLOCKING, run
from asynccache.testing import FakeClock


class Page:
    def __bytes__(self):
        return b"page"


@pytest.fixture(params=["real time", "a clock"])
def cache(request):
    return LocalMemCacheBackend(**({} if request.param == "real time" else {"clock": FakeClock()}))


def claimed(cache, key, **options):
    answer = run(cache.claim(BLOCKING, key, **options))
    assert isinstance(answer, Lead)
    return answer.ticket


def landed(cache, key, value, ticket, **options):
    return run(cache.land(BLOCKING, key, value, 60, ticket, **options))


# Tags


def test_invalidated_page_is_found_by_no_path(cache):
    page = Page()
    run(cache.write(BLOCKING, "k", page, 60, None, Kind.PAGE, tags=("x",)))
    assert cache.peek("k", None, Kind.PAGE) is page
    cache.invalidate_tags("x")
    assert cache.peek("k", None, Kind.PAGE) is None
    assert run(cache.read(BLOCKING, "k", None, Kind.PAGE)) is None
    assert cache.stats()["entries"] == 0


def test_invalidated_value_is_found_by_no_path(cache):
    for value in ("text", [1], 5):
        cache.set("k", value, tags=["x"])
        assert cache.get("k") == cache.peek("k", None, Kind.VALUE) == value
        cache.invalidate_tags("x")
        assert cache.peek("k", None, Kind.VALUE) is None
        assert cache.get("k") is None


def test_tags_stay_with_a_counter(cache):
    cache.set("k", 5, tags=["x"])
    assert cache.incr("k") == cache.get("k") == 6
    cache.invalidate_tags("x")
    assert cache.get("k") is None
    assert cache.incr("k") == 1


def test_read_throughs_see_tags_and_tell_copies_apart(cache):
    cache.set("k", 1, tags=["x", "y"])
    first = run(cache.look(BLOCKING, "k"))
    cache.set("k", 1, tags=["x", "y"])
    second = run(cache.look(BLOCKING, "k"))
    cache.touch("k", 60)
    third = run(cache.look(BLOCKING, "k"))
    assert first.tags == ("x", "y")
    assert 0 < first.at < second.at < third.at


def test_what_was_invalidated_leaves_when_it_is_read_and_when_it_is_time():
    clock = FakeClock()
    cache = LocalMemCacheBackend(clock=clock)
    for number in range(100):
        run(cache.keep(BLOCKING, f"k{number}", "v", 10, 50, tags=("x",)))
    cache.invalidate_tags("x")
    assert cache.get_many(f"k{number}" for number in range(10)) == {}
    assert cache.stats()["entries"] == 90
    clock.advance(11)
    assert cache.stats()["entries"] == 0


def test_tags_of_entries_that_left_take_no_memory():
    cache = LocalMemCacheBackend(max_entries=10)
    for number in range(1000):
        cache.set(f"k{number}", number, tags=[f"tag {number}"])
    gc.collect()
    assert len(cache._do.store.tickets._marks) <= 20


def test_tags_count_as_memory():
    bare, tagged = LocalMemCacheBackend(), LocalMemCacheBackend()
    bare.set("k", "v")
    tagged.set("k", "v", tags=["a tag", "another"])
    assert tagged.stats()["bytes"] - bare.stats()["bytes"] > 800
    assert LocalMemCacheBackend(max_bytes=1000).set("k", "v", tags=["a", "b"]) is False


# Rights


def test_change_by_whatever_way_keeps_a_load_from_landing(cache):
    changes = [
        lambda: cache.set("k", 1),
        lambda: cache.set("k", 1, tags=["x"]),
        lambda: cache.delete("k"),
        lambda: cache.touch("k", 60),
        lambda: cache.touch("k", 0),
        lambda: cache.decr("k"),
        lambda: cache.set_many({"k": 1}, ttl=0),
        lambda: cache.delete_many(["k"]),
        cache.clear,
        lambda: run(cache.write(BLOCKING, "k", Page(), 60, None, Kind.PAGE)),
        lambda: run(cache.keep(BLOCKING, "k", 1, 60, 60)),
        lambda: refused(cache),
    ]
    for number, change in enumerate(changes):
        cache.set("k", 1)
        ticket, other = claimed(cache, "k", anew=True), claimed(cache, "other")
        change()
        assert (number, landed(cache, "k", "older", ticket)) == (number, False)
        assert landed(cache, "other", "v", other) is (change != cache.clear)
        cache.delete_many(["k", "other"])


def refused(cache):
    with pytest.raises(SerializationError):
        cache.set("k", object())


def test_what_changes_nothing_keeps_no_load_from_landing(cache):
    cache.set("there", 1)
    ticket = claimed(cache, "k")
    assert cache.touch("k", 60) is False
    assert cache.add("there", 2) is False
    cache.get("k")
    assert landed(cache, "k", "v", ticket) is True


def test_entry_that_expires_keeps_no_load_from_landing():
    clock = FakeClock()
    cache = LocalMemCacheBackend(clock=clock)
    run(cache.keep(BLOCKING, "k", "old", 10, 5))
    seen = run(cache.look(BLOCKING, "k"))
    answer = run(cache.claim(BLOCKING, "k", seen=seen))
    assert answer.stale == seen
    clock.advance(20)
    cache.set("other", 1)
    assert landed(cache, "k", "new", answer.ticket) is True
    assert cache.get("k") == "new"


def test_what_is_over_and_kept_stands_in_and_is_no_hit():
    clock = FakeClock()
    cache = LocalMemCacheBackend(clock=clock)
    run(cache.keep(BLOCKING, "k", "old", 10, 50))
    assert isinstance(run(cache.claim(BLOCKING, "k")), Hit)
    clock.advance(20)
    answer = run(cache.claim(BLOCKING, "k"))
    assert isinstance(answer, Lead)
    assert answer.stale.value == "old"


def test_what_is_kept_stays_when_the_wheel_has_it_twice():
    clock = FakeClock()
    cache = LocalMemCacheBackend(clock=clock)
    run(cache.keep(BLOCKING, "k", "old", PERIOD + 1, 50))  # soon enough for a bucket
    cache.set("later", 1, 300)
    clock.advance(PERIOD + 0.5)
    cache.set("other", 1)  # all are looked at, and those put into buckets that are due soon
    clock.advance(1)
    cache.set("other", 2)
    assert run(cache.look(BLOCKING, "k")).value == "old"


def test_value_that_cannot_be_stored_takes_the_old_one_and_the_right_with_it(cache):
    cache.set("k", "old")
    ticket = claimed(cache, "k", anew=True)
    with pytest.raises(SerializationError):
        landed(cache, "k", object(), ticket)
    assert cache.get("k") is None
    assert landed(cache, "k", "v", ticket) is False


def test_hit_of_a_claim_leaves_no_ticket_behind(cache):
    cache.set("k", 1)
    assert isinstance(run(cache.claim(BLOCKING, "k")), Hit)
    assert cache._do.store.tickets.by_key == {}


async def test_no_load_leaves_a_ticket_behind():
    cache = CacheService(default="local")

    async def fail():
        raise KeyError("gone")

    async def linger():
        await asyncio.sleep(60)

    await cache.get_or_set_async("fine", lambda: 1, 60, tags=["x"])
    await cache.get_or_set_async("nothing", lambda: 1, 0)
    with pytest.raises(KeyError):
        await cache.get_or_set_async("failed", fail)
    task = asyncio.create_task(cache.get_or_set_async("cancelled", linger))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0.01)
    assert cache.get_backend()._do.store.tickets.by_key == {}


@pytest.mark.parametrize("way", ["backend", "another service"])
async def test_change_past_the_service_keeps_its_load_from_landing(way):
    backend = LocalMemCacheBackend()
    cache, other = CacheService(default=backend), CacheService(default=backend)
    target = backend if way == "backend" else other
    changes = {
        "delete": lambda: target.delete_async("k"),
        "set": lambda: target.set_async("k", "newer"),
        "tag": lambda: target.invalidate_tags_async("x"),
        "clear": lambda: target.clear_async(),
    }
    for name, change in changes.items():
        began, go_on = asyncio.Event(), asyncio.Event()

        async def load(began=began, go_on=go_on):
            began.set()
            await go_on.wait()
            return "older"

        loading = asyncio.create_task(cache.get_or_set_async("k", load, 60, tags=["x"]))
        await began.wait()
        await change()
        go_on.set()
        assert await loading == "older"
        assert (name, await backend.get_async("k")) == (name, "newer" if name == "set" else None)
        await backend.delete_async("k")


# Clear


def test_clear_gives_the_memory_back(cache):
    for number in range(3000):
        cache.set(f"k{number}", number, float("inf"), number % 3 + 1, tags=["x"] if number % 2 else [])
    cache.get("k0")
    cache.clear()
    assert cache.stats()["entries"] == 2000
    cache.clear(2)
    cache.clear(3)
    assert cache.stats() == {"hits": 1, "misses": 0, "entries": 0, "bytes": 0, "evictions": 0, "expired": 0}
    cache.set("k0", "new")
    assert cache.get("k0") == "new"


def test_a_great_many_are_out_of_sight_at_once_and_freed_soon(cache):
    for number in range(5000):
        cache.set(f"k{number}", "old")
    cache.get("k2400")
    cache.clear()
    assert cache.get("k2400") is None
    cache.set("k2400", "new")
    counts = {"hits": 1, "misses": 1, "entries": 1, "evictions": 0, "expired": 0}
    assert cache.stats().items() >= counts.items()
    limit = time.monotonic() + 5
    while cache._do.store._cleared:
        assert time.monotonic() < limit
        time.sleep(0.005)
    assert cache.stats().items() >= counts.items()
    assert cache.get("k2400") == "new"


def test_clear_and_evictions_and_expiry_do_not_get_in_each_others_way():
    cache = LocalMemCacheBackend(max_entries=500)
    over, wrong = threading.Event(), []

    def hammer(number):
        try:
            while not over.is_set():
                number = (number * 1103515245 + 12345) % 2**31
                cache.set(f"k{number // 64 % 900}", number, 0.01, number % 3 + 1, tags=["x"] if number % 5 == 0 else [])
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=hammer, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for number in range(150):
        cache.clear(number % 3 + 1)
        cache.invalidate_tags("x")
        assert cache.stats()["entries"] <= 500
    over.set()
    for thread in threads:
        thread.join()
    for version in (1, 2, 3):
        cache.clear(version)
    assert wrong == []
    assert {name: cache.stats()[name] for name in ("entries", "bytes")} == {"entries": 0, "bytes": 0}


# Many at once


def test_nothing_that_was_loaded_before_an_invalidation_is_found_after_it():
    """The origin counts up; whoever invalidated knows how far it was, and must never find less."""
    cache = LocalMemCacheBackend()
    origin, wrong, over = [0], [], threading.Event()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def load():
        while not over.is_set():
            answer = run(cache.claim(BLOCKING, "k"))
            if isinstance(answer, Lead):
                landed(cache, "k", origin[0], answer.ticket, tags=("x",))

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(1500):
            origin[0] += 1
            [lambda: cache.delete("k"), lambda: cache.invalidate_tags("x"), cache.clear][number % 3]()
            found = cache.get("k", default=origin[0])
            if found < origin[0]:
                wrong.append((number, found, origin[0]))
    finally:
        over.set()
        sys.setswitchinterval(interval)
        for thread in threads:
            thread.join()
    assert wrong == []
