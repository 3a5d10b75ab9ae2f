"""Read-through of many keys: one factory call for all that are missing, and each key a load of its own."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import trio
import trio.testing

from asynccache import (
    CachePolicy,
    CacheService,
    CacheTimeoutError,
    ConfigurationError,
    SerializationError,
    current_load,
)
from asynccache.backends.base import StoreBackend
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.testing import FakeClock, recorded_events


class Shelf(StoreBackend):
    """A store of bytes without any order, which counts what it is asked."""

    def __init__(self, **options):
        super().__init__(**options)
        self.raws, self.asked = {}, []

    async def _fetch(self, io, key):
        self.asked.append("fetch")
        return self.raws.get(key)

    async def _store(self, io, key, raw, ttl):
        self.asked.append("store")
        self.raws[key] = raw
        return True

    async def _drop(self, io, key):
        self.asked.append("drop")
        return self.raws.pop(key, None) is not None

    async def _fetch_many(self, io, keys):
        self.asked.append("fetch_many")
        return {key: self.raws[key] for key in keys if key in self.raws}

    async def _store_many(self, io, raws, ttl):
        self.asked.append("store_many")
        self.raws |= raws
        return []


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture(params=["local", "shelf"])
def cache(request, clock):
    make = {"local": LocalMemCacheBackend, "shelf": Shelf}[request.param]
    return CacheService(default=make(clock=clock))


@pytest.fixture(params=["async", "sync"])
def many(request, cache):
    """Ask for many in both flavours."""

    async def ask(*args, **options):
        if request.param == "async":
            return await cache.get_or_set_many_async(*args, **options)
        return cache.get_or_set_many(*args, **options)

    return ask


class Source:
    """An origin that knows the lengths of words, and remembers what it was asked for."""

    def __init__(self, *unknown):
        self.asked, self.unknown, self.error = [], unknown, None

    def __call__(self, keys):
        self.asked.append(list(keys))
        if self.error is not None:
            raise self.error
        return {key: [len(key)] for key in keys if key not in self.unknown}


class SlowSource(Source):
    """The same, which answers when it is told to."""

    def __init__(self, *unknown):
        super().__init__(*unknown)
        self.begun, self.go = asyncio.Event(), asyncio.Event()

    async def __call__(self, keys):
        self.begun.set()
        await self.go.wait()
        return super().__call__(keys)


async def test_what_is_missing_is_loaded_by_one_call_and_stored(cache, many):
    source = Source()
    cache.set("bb", "stored")
    assert await many(["a", "bb", "ccc", "a"], source) == {"a": [1], "bb": "stored", "ccc": [3]}
    assert source.asked == [["a", "ccc"]]
    found = await many(["ccc", "bb", "dddd", "a"], source)
    assert list(found.items()) == [("ccc", [3]), ("bb", "stored"), ("dddd", [4]), ("a", [1])]
    assert source.asked[1:] == [["dddd"]]


async def test_where_all_are_stored_nothing_is_loaded(cache, many):
    cache.set_many({"a": None, "b": 0, "c": ""})
    assert await many(["a", "b", "c"], None.__class__) == {"a": None, "b": 0, "c": ""}
    assert await many([], None.__class__) == {}


async def test_what_the_factory_does_not_know_is_absent_and_asked_for_again(cache, many):
    source = Source("bb")
    assert await many(["a", "bb"], source) == {"a": [1]}
    assert not cache.has_key("bb")
    assert await many(["a", "bb"], source) == {"a": [1]}
    assert source.asked == [["a", "bb"], ["bb"]]
    assert cache.flights.under_way == {}


async def test_what_a_factory_returns_beyond_what_was_asked_is_left(cache, many):
    assert await many(["a"], lambda keys: {"a": 1, "other": 2}) == {"a": 1}
    assert not cache.has_key("other")


async def test_a_store_without_order_is_asked_twice(clock):
    shelf = Shelf(clock=clock)
    cache = CacheService(default=shelf)
    keys = [f"key{number}" for number in range(1000)]
    assert len(await cache.get_or_set_many_async(keys, Source())) == 1000
    assert shelf.asked == ["fetch_many", "store_many"]
    assert len(cache.get_or_set_many(keys, Source())) == 1000
    assert shelf.asked[2:] == ["fetch_many"]


async def test_versions_tags_and_ttls_are_those_of_all(cache, many, clock):
    source = Source()
    await many(["a", "bb"], source, 10, 2, tags=["words"])
    assert (cache.has_key("a"), cache.has_key("a", version=2)) == (False, True)
    cache.invalidate_tags("words", version=2)
    await many(["a", "bb"], source, 10, 2)
    clock.advance(9)
    assert await many(["a", "bb"], source, version=2) == {"a": [1], "bb": [2]}
    assert len(source.asked) == 2
    clock.advance(2)
    await many(["a"], source, version=2)
    assert len(source.asked) == 3


async def test_single_callers_wait_for_a_batch_and_get_a_value_of_their_own(cache):
    source = SlowSource()
    batch = asyncio.create_task(cache.get_or_set_many_async(["a", "bb"], source))
    await source.begun.wait()
    single = asyncio.create_task(cache.get_or_set_async("bb", lambda: 1 / 0))
    thread = asyncio.create_task(asyncio.to_thread(cache.get_or_set, "a", lambda: 1 / 0))
    await asyncio.sleep(0.02)
    source.go.set()
    values, value, other = await asyncio.gather(batch, single, thread)
    assert (values, value, other) == ({"a": [1], "bb": [2]}, [2], [1])
    assert value is not values["bb"]


async def test_a_batch_waits_for_single_loads_and_other_batches(cache):
    one, two = SlowSource(), SlowSource()
    go, begun = asyncio.Event(), asyncio.Event()

    async def load():
        begun.set()
        await go.wait()
        return "single"

    single = asyncio.create_task(cache.get_or_set_async("a", load))
    await begun.wait()
    first = asyncio.create_task(cache.get_or_set_many_async(["a", "bb"], one))
    await one.begun.wait()
    second = asyncio.create_task(cache.get_or_set_many_async(["a", "bb", "ccc"], two))
    await two.begun.wait()
    for event in (go, one.go, two.go):
        event.set()
    assert await second == {"a": "single", "bb": [2], "ccc": [3]}
    assert (await first, await single) == ({"a": "single", "bb": [2]}, "single")
    assert (one.asked, two.asked) == ([["bb"]], [["ccc"]])


async def test_who_waits_for_a_key_that_the_factory_does_not_know_loads_it_alone(cache):
    source = SlowSource("bb")
    batch = asyncio.create_task(cache.get_or_set_many_async(["a", "bb"], source))
    await source.begun.wait()
    single = asyncio.create_task(cache.get_or_set_async("bb", lambda: "mine"))
    await asyncio.sleep(0.01)
    source.go.set()
    assert (await batch, await single) == ({"a": [1]}, "mine")


async def test_where_the_factory_fails_all_fail_each_in_its_own_way(cache):
    source = SlowSource()
    source.error = OSError("down")
    batch = asyncio.create_task(cache.get_or_set_many_async(["a", "bb"], source))
    await source.begun.wait()
    single = asyncio.create_task(cache.get_or_set_async("bb", lambda: 1))
    other = asyncio.create_task(cache.get_or_set_many_async(["a"], Source()))
    await asyncio.sleep(0)
    source.go.set()
    failed = await asyncio.gather(batch, single, other, return_exceptions=True)
    assert failed[0] is source.error
    for error in failed[1:]:
        assert (type(error), error is source.error, error.__cause__) == (OSError, False, source.error)
    assert not cache.has_key("a")
    assert cache.flights.under_way == {}


async def test_a_value_that_cannot_be_stored_spoils_no_other(cache, many):
    with pytest.raises(SerializationError):
        await many(["a", "bad", "c"], lambda keys: {"a": 1, "bad": object(), "c": 3})
    assert cache.get_many(["a", "bad", "c"]) == {"a": 1, "c": 3}


async def test_what_is_no_mapping_or_no_function_is_refused(cache, many):
    with pytest.raises(TypeError, match="not a list"):
        await many(["a"], lambda keys: [1])
    with pytest.raises(TypeError, match="is a dict"):
        await many(["a"], {"a": 1})
    with pytest.raises(TypeError, match="one key"):
        await many("abc", Source())
    with pytest.raises(TypeError, match="str"):
        await many(["a", 7], Source())
    with pytest.raises(TypeError, match="CachePolicy"):
        await many(["a"], Source(), policy="fast")
    assert cache.flights.under_way == {}


async def _load(keys):
    return dict.fromkeys(keys, 1)


def test_a_sync_call_refuses_an_async_factory(cache):
    with pytest.raises(TypeError, match="get_or_set_many_async"):
        cache.get_or_set_many(["a"], _load)
    with pytest.raises(TypeError, match="_async"):
        cache.get_or_set_many(["a"], lambda keys: _load(keys))
    assert cache.flights.under_way == {}


@pytest.mark.parametrize("change", ["delete", "set", "tags", "clear"])
async def test_a_key_that_changes_meanwhile_is_not_stored_and_the_others_are(cache, change):
    if change == "clear" and isinstance(cache.get_backend(), Shelf):
        return
    source = SlowSource()
    batch = asyncio.create_task(cache.get_or_set_many_async(["a", "bb"], source, tags=["words"]))
    await source.begun.wait()
    match change:
        case "delete":
            await cache.delete_async("a")
        case "set":
            await cache.set_async("a", "new")
        case "tags":
            await cache.invalidate_tags_async("words")
        case "clear":
            await cache.clear_async()
    source.go.set()
    assert await batch == {"a": [1], "bb": [2]}
    left = {"delete": {"bb": [2]}, "set": {"a": "new", "bb": [2]}, "tags": {}, "clear": {}}
    assert cache.get_many(["a", "bb"]) == left[change]


async def test_who_leaves_cancels_the_load_unless_somebody_waits_for_a_part_of_it(cache):
    alone, shared = SlowSource(), SlowSource()
    leaving = asyncio.create_task(cache.get_or_set_many_async(["a", "bb"], alone))
    staying = asyncio.create_task(cache.get_or_set_many_async(["ccc", "dddd"], shared))
    await alone.begun.wait()
    single = asyncio.create_task(cache.get_or_set_async("ccc", lambda: 1))
    await asyncio.sleep(0.01)
    leaving.cancel()
    staying.cancel()
    await asyncio.gather(leaving, staying, return_exceptions=True)
    await asyncio.sleep(0.01)
    assert cache.loader.runner.running == 1
    alone.go.set()
    shared.go.set()
    assert await single == [3]
    assert (alone.asked, shared.asked) == ([], [["ccc", "dddd"]])
    assert cache.get_many(["a", "bb", "ccc", "dddd"]) == {"ccc": [3]}
    assert (cache.flights.under_way, cache.loader.runner.running) == ({}, 0)


async def test_the_last_to_leave_cancels_it(cache):
    source = SlowSource()
    batch = asyncio.create_task(cache.get_or_set_many_async(["a", "bb"], source))
    await source.begun.wait()
    single = asyncio.create_task(cache.get_or_set_async("a", lambda: 1))
    await asyncio.sleep(0.01)
    for task in (batch, single):
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0.01)
    assert (cache.flights.under_way, cache.loader.runner.running, source.asked) == ({}, 0, [])


@pytest.mark.parametrize("ticks", range(6))
async def test_cancelled_at_any_moment_it_leaves_nothing_behind(cache, ticks):
    task = asyncio.create_task(cache.get_or_set_many_async(["a", "bb"], _load))
    for _ in range(ticks):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0.01)
    assert (cache.flights.under_way, cache.loader.runner.running) == ({}, 0)
    assert await cache.get_or_set_many_async(["a", "bb"], _load) == {"a": 1, "bb": 1}


async def test_closing_ends_it_and_those_who_wait(cache):
    source = SlowSource()
    batch = asyncio.create_task(cache.get_or_set_many_async(["a", "bb"], source))
    await source.begun.wait()
    single = asyncio.create_task(cache.get_or_set_async("a", lambda: 1))
    await asyncio.sleep(0.01)
    await cache.aclose()
    for ended in await asyncio.gather(batch, single, return_exceptions=True):
        assert isinstance(ended, asyncio.CancelledError)
    assert (cache.flights.under_way, source.asked) == ({}, [])


async def test_closing_ends_those_who_wait_for_what_others_load(cache):
    begun = asyncio.Event()

    async def load():
        begun.set()
        await asyncio.sleep(60)

    single = asyncio.create_task(cache.get_or_set_async("a", load))
    await begun.wait()
    many = asyncio.create_task(cache.get_or_set_many_async(["a", "bb"], _load))
    await asyncio.sleep(0.02)
    await cache.aclose()
    for ended in await asyncio.gather(single, many, return_exceptions=True):
        assert isinstance(ended, asyncio.CancelledError)


def test_a_backend_that_is_not_for_trio_says_so():
    cache = CacheService(default="redis://127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="trio"):
        trio.run(cache.get_or_set_many_async, ["a"], Source())
    assert cache.flights.under_way == {}


def test_threads_share_what_they_load(cache):
    lock, asked = threading.Lock(), []

    def load(keys):
        with lock:
            asked.extend(keys)
        return dict.fromkeys(keys, 1)

    def work(start):
        keys = [f"key{number % 40}" for number in range(start, start + 20)]
        return cache.get_or_set_many(keys, load) == dict.fromkeys(keys, 1)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(0, 400, 5)))
    assert sorted(asked) == sorted({f"key{number}" for number in range(40)})


def test_trio_shares_what_it_loads():
    cache, source = CacheService(default="local"), Source()
    answers = []

    async def main():
        go = trio.Event()

        async def load(keys):
            await go.wait()
            return source(keys)

        async def ask(*keys):
            answers.append(await cache.get_or_set_many_async(keys, load))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, "a", "bb")
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(ask, "bb", "ccc")
            await trio.testing.wait_all_tasks_blocked()
            go.set()

    trio.run(main)
    assert sorted(map(str, answers)) == ["{'a': [1], 'bb': [2]}", "{'bb': [2], 'ccc': [3]}"]
    assert sorted(source.asked) == [["a", "bb"], ["ccc"]]


async def test_a_factory_may_ask_for_what_it_loads(cache, many):
    def load(keys):
        inner = cache.get_or_set(keys[0], lambda: "inner")
        nested = cache.get_or_set_many(["x", *keys], lambda keys: dict.fromkeys(keys, "nested"))
        return {key: [inner, nested[key]] for key in keys}

    assert await many(["a", "bb"], load) == {"a": ["inner", "nested"], "bb": ["inner", "nested"]}


async def test_listeners_hear_of_each_key(cache, many):
    cache.set("bb", 1)
    with recorded_events(cache) as events:
        await many(["a", "bb"], Source())
        with pytest.raises(ZeroDivisionError):
            await many(["ccc"], lambda keys: 1 / 0)
    told = [(type(event).__name__, event.key) for event in events]
    assert told == [("Hit", "bb"), ("Miss", "a"), ("Loaded", "a"), ("Miss", "ccc"), ("LoadFailed", "ccc")]


# Policies


async def test_what_a_policy_says_of_values_holds_for_each(cache, many):
    policy = CachePolicy(condition=lambda value: value != 2, negative_ttl=0)
    await many(["a", "b", "c"], lambda keys: {"a": 1, "b": 2, "c": None}, policy=policy)
    assert cache.get_many(["a", "b", "c"]) == {"a": 1}


async def test_a_factory_sets_ttl_and_tags_of_all(cache, many, clock):
    def load(keys):
        current_load().ttl = 5
        current_load().tags = ["found"]
        return dict.fromkeys(keys, 1)

    await many(["a", "b"], load)
    cache.invalidate_tags("found")
    assert cache.get_many(["a", "b"]) == {}
    await many(["a", "b"], load)
    clock.advance(6)
    assert cache.get_many(["a", "b"]) == {}


async def test_it_does_not_wait_longer_than_the_hard_timeout_and_the_load_goes_on(cache, many):
    release = threading.Event()

    def load(keys):
        release.wait(5)
        return dict.fromkeys(keys, 1)

    async def load_on_loop(keys):
        return await asyncio.to_thread(load, keys)

    for ask, factory in (
        (cache.get_or_set_many_async, load_on_loop),
        (lambda *args, **options: asyncio.to_thread(cache.get_or_set_many, *args, **options), load),
    ):
        with pytest.raises(CacheTimeoutError, match=r"loading 2 keys took more than 0\.05 seconds"):
            await ask(["a", "bb"], factory, policy=CachePolicy(hard_timeout=0.05))
        release.set()
        for _ in range(200):
            if cache.get_many(["a", "bb"]) == {"a": 1, "bb": 1}:
                break
            await asyncio.sleep(0.01)
        assert await asyncio.to_thread(cache.delete_many, ["a", "bb"]) == 2
        release.clear()


async def test_it_does_not_wait_longer_for_what_others_load(cache):
    source = SlowSource()
    single = asyncio.create_task(cache.get_or_set_many_async(["a"], source))
    await source.begun.wait()
    policy = CachePolicy(hard_timeout=0.02)
    for ask in (cache.get_or_set_many_async, partial(asyncio.to_thread, cache.get_or_set_many)):
        with pytest.raises(CacheTimeoutError):
            await ask(["a", "bb"], Source(), policy=policy)
    source.go.set()
    assert await single == {"a": [1]}


async def test_a_condition_that_raises_is_the_failure_of_its_key(cache, many):
    with pytest.raises(ZeroDivisionError):
        await many(["a", "b"], lambda keys: {"a": 0, "b": 2}, policy=CachePolicy(condition=lambda value: 1 / value))
    assert cache.get_many(["a", "b"]) == {"b": 2}


async def test_stale_values_stand_in_for_a_load_that_fails_or_is_slow(cache, many, clock):
    policy = CachePolicy(ttl=10, stale_if_error=100, soft_timeout=0.05)
    await many(["a", "bb"], Source(), policy=policy)
    clock.advance(20)
    assert await many(["a", "bb"], lambda keys: 1 / 0, policy=policy) == {"a": [1], "bb": [2]}
    with pytest.raises(ZeroDivisionError):
        await many(["a", "ccc"], lambda keys: 1 / 0, policy=policy)
    clock.advance(2)
    release = threading.Event()

    async def slow(keys):
        await asyncio.to_thread(release.wait, 5)
        return dict.fromkeys(keys, "new")

    assert await cache.get_or_set_many_async(["a", "bb"], slow, policy=policy) == {"a": [1], "bb": [2]}
    release.set()
    for _ in range(200):
        if cache.get("a") == "new":
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it was not stored")


async def test_what_is_due_is_served_and_renewed_behind_by_one_call(cache, many, clock):
    policy, source = CachePolicy(ttl=10, refresh_ahead=0.5), Source()
    await many(["a", "bb", "ccc"], source, policy=policy)
    clock.advance(6)
    cache.set("ccc", "fresh")
    assert await many(["a", "bb", "ccc"], source, policy=policy) == {"a": [1], "bb": [2], "ccc": "fresh"}
    await until_nothing_is_loaded(cache)
    assert source.asked[1:] == [["a", "bb"]]
    clock.advance(6)
    assert await many(["a", "bb"], source, policy=policy) == {"a": [1], "bb": [2]}


async def test_what_is_over_is_served_and_renewed_behind_where_the_policy_allows_it(cache, many, clock):
    policy, source = CachePolicy(ttl=10, stale_while_revalidate=5), Source()
    await many(["a", "bb"], source, policy=policy)
    clock.advance(11)
    assert await many(["a", "new", "bb"], source, policy=policy) == {"a": [1], "new": [3], "bb": [2]}
    await until_nothing_is_loaded(cache)
    assert source.asked[1:] == [["new"], ["a", "bb"]]
    clock.advance(9)
    assert await many(["a", "bb"], source) == {"a": [1], "bb": [2]}
    clock.advance(20)
    await many(["a"], source, policy=policy)
    assert source.asked[3:] == [["a"]]


async def test_no_right_is_left_of_what_is_over_and_was_served(clock):
    backend, policy = LocalMemCacheBackend(clock=clock), CachePolicy(ttl=10, stale_while_revalidate=5)
    cache = CacheService(default=backend)
    await cache.get_or_set_many_async(["a"], Source(), policy=policy)
    clock.advance(11)
    with pytest.raises(ZeroDivisionError):
        await cache.get_or_set_many_async(["a", "b"], lambda keys: len(keys) / 0, policy=policy)
    assert backend._do.store.tickets.by_key == {}


class Gated(Shelf):
    """Answers questions about one key, and about many, when it is told to."""

    def __init__(self, **base):
        super().__init__(**base)
        self.gates = {"one": asyncio.Event(), "many": asyncio.Event()}
        self.reached = set()

    async def _fetch(self, io, key):
        await self._pass("one")
        return await super()._fetch(io, key)

    async def _fetch_many(self, io, keys):
        await self._pass("many")
        return await super()._fetch_many(io, keys)

    async def _pass(self, name):
        self.reached.add(name)
        await self.gates[name].wait()


async def test_what_is_over_is_not_for_those_who_wait_and_did_not_allow_it(clock):
    store = Gated(clock=clock)
    cache, policy = CacheService(default=store), CachePolicy(ttl=10, stale_while_revalidate=5)
    store.gates["many"].set()
    await cache.get_or_set_many_async(["a"], Source(), policy=policy)
    store.gates["many"].clear()
    store.reached.clear()
    clock.advance(11)
    strict = asyncio.create_task(cache.get_or_set_async("a", lambda: "new"))
    lenient = asyncio.create_task(cache.get_or_set_many_async(["a"], dict.fromkeys, policy=policy))
    while len(store.reached) < 2:
        await asyncio.sleep(0)
    store.gates["one"].set()
    await asyncio.sleep(0.01)
    assert not strict.done()
    store.gates["many"].set()
    assert await lenient == {"a": [1]}
    assert await strict in {"new", None}
    await until_nothing_is_loaded(cache)


async def test_who_leaves_while_it_looks_at_what_somebody_else_loads_keeps_nobody_from_loading_the_rest(clock):
    store, slow = Gated(clock=clock), SlowSource()
    store.gates["one"].set()
    cache, policy = CacheService(default=store), CachePolicy(ttl=10, stale_while_revalidate=5)
    leading = asyncio.create_task(cache.get_or_set_async("a", lambda: slow(["a"])))
    await slow.begun.wait()
    leaving = asyncio.create_task(cache.get_or_set_many_async(["a", "b"], dict.fromkeys, policy=policy))
    while "many" not in store.reached:
        await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    async with asyncio.timeout(5):
        assert await cache.get_or_set_async("b", lambda: "b") == "b"
    slow.go.set()
    await leading


@pytest.mark.parametrize("policy", [{"refresh_ahead": 0.5}, {"stale_while_revalidate": 9}], ids=["ahead", "after"])
async def test_nobody_waits_for_what_somebody_else_renews(cache, clock, policy):
    policy, slow = CachePolicy(ttl=10, **policy), SlowSource()
    await cache.get_or_set_many_async(["a"], Source(), policy=policy)
    clock.advance(6 if policy.refresh_ahead else 11)
    assert await cache.get_or_set_many_async(["a"], slow, policy=policy) == {"a": [1]}
    await slow.begun.wait()
    assert await cache.get_or_set_many_async(["a", "new"], Source(), policy=policy) == {"a": [1], "new": [3]}
    assert cache.get_or_set_many(["a"], Source(), policy=policy) == {"a": [1]}
    slow.go.set()
    await until_nothing_is_loaded(cache)
    assert slow.asked == [["a"]]


async def test_stale_values_stand_in_for_what_somebody_else_loads_in_vain_or_slowly(cache, clock):
    policy = CachePolicy(ttl=10, stale_if_error=50, soft_timeout=0.02)
    slow = SlowSource()
    await cache.get_or_set_many_async(["a"], Source(), policy=policy)
    clock.advance(11)
    leading = asyncio.create_task(cache.get_or_set_async("a", lambda: slow(["a"]), 10))
    await slow.begun.wait()
    assert await cache.get_or_set_many_async(["a"], Source(), policy=policy) == {"a": [1]}
    patient = CachePolicy(ttl=10, stale_if_error=50)
    waiting = asyncio.create_task(cache.get_or_set_many_async(["a"], Source(), policy=patient))
    await asyncio.sleep(0.02)
    slow.error = OSError("down")
    slow.go.set()
    assert await waiting == {"a": [1]}
    with pytest.raises(OSError, match="down"):
        await leading


async def until_nothing_is_loaded(cache):
    """Wait for what is renewed behind."""
    for _ in range(500):
        if not cache.loader.runner.running:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it is still loading")


async def test_a_failure_is_remembered_where_the_policy_wants_a_pause(cache, many, clock):
    policy, source = CachePolicy(error_backoff=5), Source()
    source.error = OSError("down")
    for _ in range(3):
        with pytest.raises(OSError, match="down"):
            await many(["a", "bb"], source, policy=policy)
    assert source.asked == [["a", "bb"]]
    clock.advance(6)
    source.error = None
    assert await many(["a", "bb"], source, policy=policy) == {"a": [1], "bb": [2]}


async def test_a_lock_where_there_is_none_is_refused():
    cache = CacheService(default=Shelf())
    with pytest.raises(ConfigurationError, match="lock=True"):
        await cache.get_or_set_many_async(["a"], Source(), policy=CachePolicy(lock=True))
    assert cache.flights.under_way == {}


class Broken(Shelf):
    """A store that fails in a way that no store should."""

    async def _fetch_many(self, io, keys):
        raise OSError("broken")

    async def _store_many(self, io, raws, ttl):
        raise OSError("broken")

    async def _store(self, io, key, raw, ttl):
        raise OSError("broken")


async def test_a_store_that_fails_fails_no_read_through():
    cache = CacheService(default=Broken())
    assert await cache.get_or_set_many_async(["a"], Source()) == {"a": [1]}
    assert cache.get_or_set_many(["a"], Source()) == {"a": [1]}
