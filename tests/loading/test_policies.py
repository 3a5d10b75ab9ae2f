"""Policies: what is renewed ahead, what stands in, how long callers wait, and what spares an origin that fails."""

import asyncio
import contextvars
import threading
from functools import partial

import pytest

from asynccache import CachePolicy, CacheService, CacheTimeoutError, current_load
from asynccache.backends.base import StoreBackend
from asynccache.backends.fallback_cache import FallbackCacheBackend
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.core.events import Hit, Loaded, LoadFailed, Miss
from asynccache.testing import FakeClock, recorded_events

AHEAD = CachePolicy(ttl=100, refresh_ahead=0.8)
REVALIDATE = CachePolicy(ttl=100, stale_while_revalidate=50)
IF_ERROR = CachePolicy(ttl=100, stale_if_error=50)


class Dict(StoreBackend):
    """Entries in a dict, as bytes."""

    def __init__(self, **options):
        super().__init__(**options)
        self.kept, self.stores = {}, 0

    async def _fetch(self, io, key):
        return self.kept.get(key)

    async def _store(self, io, key, raw, ttl):
        self.stores += 1
        self.kept[key] = raw
        return True

    async def _drop(self, io, key):
        return self.kept.pop(key, None) is not None


class Origin:
    """Answers 1, 2, 3 ... or raises; waits to be let go where it is told to."""

    def __init__(self):
        self.calls, self.fails = 0, None
        self.gate = None

    def load(self):
        self.calls += 1
        number = self.calls
        if self.gate is not None:
            self.gate.wait(10)
        if self.fails is not None:
            raise self.fails
        return number

    async def load_async(self):
        self.calls += 1
        number = self.calls
        if self.gate is not None:
            await self.gate.wait()
        if self.fails is not None:
            raise self.fails
        return number


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture(params=["local", "bytes", "chain"])
def store(request, clock):
    match request.param:
        case "local":
            return LocalMemCacheBackend(clock=clock)
        case "bytes":
            return Dict(clock=clock)
        case _:
            return FallbackCacheBackend([Dict(clock=clock), LocalMemCacheBackend(clock=clock)])


@pytest.fixture
def cache(store):
    with CacheService(default=store) as service:
        yield service


@pytest.fixture
def origin():
    return Origin()


@pytest.fixture(params=["sync", "async"])
def ask(request, cache, origin):
    """Give a function that asks for the key, in either way."""

    async def ask(policy, key="key"):
        if request.param == "sync":
            return cache.get_or_set(key, origin.load, policy=policy)
        return await cache.get_or_set_async(key, origin.load_async, policy=policy)

    return ask


async def settled(cache):
    """Wait until nothing is loading."""
    async with asyncio.timeout(5):
        while cache.flights.under_way or cache.loader.runner.running:
            await asyncio.sleep(0.001)


async def test_what_is_renewed_ahead_is_served_meanwhile_and_renewed_once(cache, clock, origin, ask):
    assert await ask(AHEAD) == 1
    clock.advance(79)
    assert [await ask(AHEAD) for _ in range(5)] == [1] * 5
    await settled(cache)
    assert origin.calls == 1
    clock.advance(2)
    assert await ask(AHEAD) == 1
    await settled(cache)
    assert [await ask(AHEAD) for _ in range(5)] == [2] * 5
    await settled(cache)
    assert origin.calls == 2
    clock.advance(79)
    assert await ask(AHEAD) == 2
    assert origin.calls == 2


async def test_a_key_read_ten_times_a_second_waits_for_its_first_load_only(cache, clock, origin, ask):
    waited = 0
    for _ in range(3_000):
        before = origin.calls
        value = await ask(AHEAD)
        waited += value != before and value == before + 1
        await settled(cache)
        clock.advance(0.1)
    assert (waited, origin.calls) == (1, 1 + 300 // 80)


async def test_two_who_see_it_due_renew_it_once(cache, clock, origin):
    await cache.get_or_set_async("key", origin.load_async, policy=AHEAD)
    clock.advance(90)
    origin.gate = asyncio.Event()
    ask = partial(cache.get_or_set_async, "key", origin.load_async, policy=AHEAD)
    assert await asyncio.gather(*[ask() for _ in range(1_000)]) == [1] * 1_000
    origin.gate.set()
    await settled(cache)
    assert (await ask(), origin.calls) == (2, 2)


async def test_what_is_over_is_served_while_it_is_renewed(cache, clock, origin, ask):
    assert await ask(REVALIDATE) == 1
    clock.advance(149)
    assert await ask(REVALIDATE) == 1
    await settled(cache)
    assert await ask(REVALIDATE) == 2
    clock.advance(151)
    assert await ask(REVALIDATE) == 3
    assert origin.calls == 3


async def test_what_is_over_is_a_miss_for_everybody_else(cache, clock, ask):
    assert await ask(REVALIDATE) == 1
    clock.advance(101)
    assert await cache.get_async("key") is None
    assert await cache.has_key_async("key") is False
    assert await ask(CachePolicy(ttl=100)) == 2
    assert await ask(CachePolicy(ttl=100)) == 2


async def test_a_stale_value_stands_in_for_an_error(cache, clock, origin, ask):
    assert await ask(IF_ERROR) == 1
    clock.advance(149)
    origin.fails = KeyError("gone")
    assert await ask(IF_ERROR) == 1
    assert origin.calls == 2
    clock.advance(2)
    with pytest.raises(KeyError):
        await ask(IF_ERROR)


async def test_a_stale_value_does_not_stand_in_where_the_load_succeeds(clock, ask):
    assert await ask(IF_ERROR) == 1
    clock.advance(101)
    assert await ask(IF_ERROR) == 2


async def test_a_failed_renewal_is_tried_again_after_a_second(cache, clock, origin, ask):
    await ask(REVALIDATE)
    clock.advance(101)
    origin.fails = KeyError("gone")
    for _ in range(5):
        assert await ask(REVALIDATE) == 1
        await settled(cache)
    assert origin.calls == 2
    clock.advance(1)
    assert await ask(REVALIDATE) == 1
    await settled(cache)
    assert origin.calls == 3


async def test_back_off_answers_at_once_with_fresh_copies_of_the_error(clock, origin, ask):
    policy = CachePolicy(error_backoff=5)
    origin.fails = KeyError("gone")
    errors = []
    for _ in range(3):
        with pytest.raises(KeyError, match="gone") as raised:
            await ask(policy)
        errors.append(raised.value)
    assert origin.calls == 1
    assert len({id(error) for error in errors}) == 3
    assert len({id(error.__traceback__) for error in errors}) == 3
    with pytest.raises(KeyError):
        await ask(policy, "key")
    clock.advance(5)
    origin.fails = None
    assert await ask(policy) == 2


async def test_back_off_ends_with_a_success_and_is_not_for_other_keys(clock, origin, ask, cache):
    policy = CachePolicy(error_backoff=5)
    origin.fails = KeyError("gone")
    with pytest.raises(KeyError):
        await ask(policy)
    origin.fails = None
    assert await ask(policy, "another") == 2
    clock.advance(6)
    assert await ask(policy) == 3
    cache.delete("key")
    assert await ask(policy) == 4


async def test_back_off_serves_the_stale_value(clock, origin, ask):
    policy = CachePolicy(ttl=100, stale_if_error=50, error_backoff=5)
    await ask(policy)
    clock.advance(101)
    origin.fails = KeyError("gone")
    assert [await ask(policy) for _ in range(3)] == [1, 1, 1]
    assert origin.calls == 2


def blocked(origin, flavour):
    origin.gate = threading.Event() if flavour == "sync" else asyncio.Event()
    return origin.gate


SLOW = CachePolicy(ttl=100, stale_if_error=50, soft_timeout=0.02, hard_timeout=0.05)


async def test_a_slow_load_is_left_for_the_stale_value_and_stored_once(cache, clock, origin, ask, request):
    assert await ask(CachePolicy(ttl=100, stale_if_error=50)) == 1
    clock.advance(101)
    gate = blocked(origin, request.node.callspec.params["ask"])
    with recorded_events(cache.get_backend()) as events:
        assert [await ask(SLOW) for _ in range(3)] == [1, 1, 1]
        assert origin.calls == 2
        gate.set()
        await settled(cache)
    assert [type(event) for event in events] == [Miss, Miss, Miss, Loaded]
    assert await ask(SLOW) == 2


async def test_without_a_stale_value_a_slow_load_ends_in_a_timeout_and_is_stored_once(cache, origin, ask, request):
    gate = blocked(origin, request.node.callspec.params["ask"])
    for _ in range(3):
        with pytest.raises(CacheTimeoutError, match=r"'key' took more than 0\.05 seconds"):
            await ask(SLOW)
    assert origin.calls == 1
    gate.set()
    await settled(cache)
    assert await ask(SLOW) == 1


async def test_a_caller_who_is_cancelled_cancels_a_load_nobody_else_waits_for(cache, origin):
    origin.gate = asyncio.Event()
    caller = asyncio.create_task(cache.get_or_set_async("key", origin.load_async, policy=CachePolicy(hard_timeout=9)))
    await asyncio.sleep(0.01)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    await settled(cache)
    origin.gate.set()
    assert not await cache.has_key_async("key")


async def test_a_cancelled_follower_does_not_end_what_is_renewed_behind(cache, clock, origin):
    await cache.get_or_set_async("key", origin.load_async, policy=REVALIDATE)
    clock.advance(101)
    origin.gate = asyncio.Event()
    assert await cache.get_or_set_async("key", origin.load_async, policy=REVALIDATE) == 1
    await asyncio.sleep(0)
    follower = asyncio.create_task(cache.get_or_set_async("key", origin.load_async))
    await asyncio.sleep(0.01)
    follower.cancel()
    await asyncio.gather(follower, return_exceptions=True)
    origin.gate.set()
    await settled(cache)
    assert await cache.get_async("key") == 2


@pytest.mark.parametrize("how", ["delete", "set", "touch"])
async def test_a_change_keeps_what_is_renewed_behind_from_landing(cache, clock, origin, ask, how, request):
    await ask(REVALIDATE)
    clock.advance(101)
    gate = blocked(origin, request.node.callspec.params["ask"])
    assert await ask(REVALIDATE) == 1
    while origin.calls < 2:
        await asyncio.sleep(0.001)
    if how == "delete":
        await cache.delete_async("key")
    elif how == "set":
        await cache.set_async("key", "mine")
    else:
        await cache.touch_async("key")
    gate.set()
    await settled(cache)
    assert await cache.get_async("key") == ("mine" if how == "set" else None)


async def test_a_deleted_value_never_stands_in(cache, clock, origin, ask):
    await ask(IF_ERROR)
    clock.advance(101)
    await cache.delete_async("key")
    origin.fails = KeyError("gone")
    with pytest.raises(KeyError):
        await ask(IF_ERROR)


async def test_closing_ends_what_is_renewed_behind(cache, clock, origin):
    await cache.get_or_set_async("key", origin.load_async, policy=REVALIDATE)
    clock.advance(101)
    origin.gate = asyncio.Event()
    await cache.get_or_set_async("key", origin.load_async, policy=REVALIDATE)
    await cache.aclose()
    assert not cache.flights.under_way
    assert not cache.loader.runner.running


def test_closing_waits_for_threads_and_stores_nothing_of_them(cache, clock, origin):
    cache.get_or_set("key", origin.load, policy=REVALIDATE)
    clock.advance(101)
    origin.gate = threading.Event()
    assert cache.get_or_set("key", origin.load, policy=REVALIDATE) == 1
    while origin.calls < 2:
        pass
    threading.Timer(0.05, origin.gate.set).start()
    cache.close()
    assert not cache.loader.runner.running
    assert cache.get("key") is None


async def test_what_is_not_to_be_stored_takes_the_stale_value_with_it(cache, clock, origin, ask):
    policy = CachePolicy(ttl=100, stale_if_error=50, condition=lambda value: value != 2)
    assert await ask(policy) == 1
    clock.advance(101)
    assert await ask(policy) == 2
    origin.fails = KeyError("gone")
    with pytest.raises(KeyError):
        await ask(policy)


async def test_hits_and_misses_are_told_apart(cache, clock, ask):
    with recorded_events(cache.get_backend()) as events:
        await ask(IF_ERROR)
        await ask(IF_ERROR)
        clock.advance(101)
        await ask(IF_ERROR)
    assert [type(event) for event in events] == [Miss, Loaded, Hit, Miss, Loaded]
    assert (cache.get_backend().stats()["hits"], cache.get_backend().stats()["misses"]) == (1, 2)


async def test_an_explicit_ttl_beats_the_policys(cache, clock, origin):
    for _ in range(2):
        await cache.get_or_set_async("key", origin.load_async, 10, policy=REVALIDATE)
    clock.advance(11)
    assert await cache.get_async("key") is None
    assert await cache.get_or_set_async("key", origin.load_async, 10, policy=REVALIDATE) == 1


async def test_for_ever_is_never_renewed(cache, clock, origin, ask):
    policy = CachePolicy(ttl=float("inf"), refresh_ahead=0.5, stale_if_error=5)
    assert await ask(policy) == 1
    clock.advance(1e9)
    assert await ask(policy) == 1
    await settled(cache)
    assert origin.calls == 1


async def test_a_thousand_who_wait_for_a_failing_load_get_an_error_each(cache):
    calls = []

    async def fail():
        calls.append(1)
        await asyncio.sleep(0.05)
        raise KeyError("gone")

    policy = CachePolicy(error_backoff=5, hard_timeout=5)
    waiting = [cache.get_or_set_async("key", fail, policy=policy) for _ in range(1_000)]
    errors = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(error) for error in errors} == {KeyError}
    assert len({id(error) for error in errors}) == 1_000
    assert len({id(error.__traceback__) for error in errors}) == 1_000
    assert len(calls) == 1


async def test_one_of_a_thousand_is_cancelled_and_nobody_else(cache, clock, origin):
    origin.gate = asyncio.Event()
    policy = CachePolicy(hard_timeout=5)
    ask = partial(cache.get_or_set_async, "key", origin.load_async, policy=policy)
    waiting = [asyncio.create_task(ask()) for _ in range(1_000)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting[0].cancel()
    origin.gate.set()
    assert await asyncio.gather(*waiting[1:]) == [1] * 999
    assert origin.calls == 1


async def test_a_failing_store_makes_loads_of_it(cache, monkeypatch, ask):
    async def broken(*_, **__):
        raise OSError("broken")

    for plan in ("look", "claim"):
        monkeypatch.setattr(cache.get_backend(), plan, broken)
    assert [await ask(AHEAD), await ask(AHEAD)] == [1, 2]


async def test_failures_are_told(cache, clock, origin, ask):
    await ask(REVALIDATE)
    clock.advance(101)
    origin.fails = KeyError("gone")
    with recorded_events(cache.get_backend()) as events:
        await ask(REVALIDATE)
        await settled(cache)
    assert [type(event) for event in events] == [Miss, LoadFailed]


async def test_the_factory_sees_the_older_value_and_may_keep_it(cache, clock):
    seen = []

    def load():
        now = current_load()
        seen.append((now.has_stale, now.stale))
        return now.not_modified() if now.has_stale else "v1"

    assert cache.get_or_set("key", load, policy=IF_ERROR) == "v1"
    clock.advance(101)
    assert cache.get_or_set("key", load, policy=IF_ERROR) == "v1"
    clock.advance(99)
    assert await cache.get_async("key") == "v1"
    assert seen == [(False, None), (True, "v1")]


async def test_the_factory_sets_the_ttl(cache, clock):
    async def load():
        current_load().ttl = 7
        await asyncio.sleep(0)
        return "v"

    await cache.get_or_set_async("key", load, 100)
    clock.advance(6.9)
    assert await cache.get_async("key") == "v"
    clock.advance(0.2)
    assert await cache.get_async("key") is None


async def test_the_ttl_of_the_factory_beats_that_of_none_and_0_stores_nothing(cache, clock):
    def load():
        current_load().ttl = 0

    cache.get_or_set("key", load, policy=CachePolicy(negative_ttl=60))
    assert not cache.has_key("key")


def test_outside_of_a_load_there_is_one_that_does_nothing():
    now = current_load()
    now.ttl = 5
    assert (now.has_stale, now.stale, current_load().ttl) == (False, None, None)
    with pytest.raises(LookupError):
        now.not_modified()
    with pytest.raises(ValueError, match="NaN"):
        now.ttl = float("nan")


def test_a_load_within_another_has_its_own(cache):
    def inner():
        current_load().ttl = 5
        return "inner"

    def outer():
        cache.get_or_set("inner", inner)
        return current_load().ttl

    assert cache.get_or_set("outer", outer) is None


async def test_a_renewal_in_a_thread_knows_the_context_of_its_reader(cache, clock):
    word = contextvars.ContextVar("word", default="none")
    seen = []

    def load():
        seen.append(word.get())
        return len(seen)

    cache.get_or_set("key", load, policy=REVALIDATE)
    clock.advance(101)
    word.set("mine")
    cache.get_or_set("key", load, policy=REVALIDATE)
    await settled(cache)
    assert seen == ["none", "mine"]


async def test_a_soft_timeout_alone_bounds_the_wait_where_a_value_stands_in(clock, origin, ask, request, cache):
    policy = CachePolicy(ttl=100, stale_if_error=50, soft_timeout=0.02)
    assert await ask(policy) == 1
    clock.advance(101)
    gate = blocked(origin, request.node.callspec.params["ask"])
    assert await ask(policy) == 1
    gate.set()
    await settled(cache)
    assert await ask(policy) == 2


class Lingering(Dict):
    """Answers reads of one task when it is told to."""

    def __init__(self, **options):
        super().__init__(**options)
        self.lingers = None

    async def _fetch(self, io, key):
        found = await super()._fetch(io, key)
        if self.lingers is not None:
            go, self.lingers = self.lingers, None
            await io.call(go.wait)
        return found


async def test_who_saw_it_due_before_it_was_renewed_does_not_renew_it_again(clock, origin):
    store = Lingering(clock=clock)
    with CacheService(default=store) as cache:
        ask = partial(cache.get_or_set_async, "key", origin.load_async, policy=AHEAD)
        await ask()
        clock.advance(90)
        go = store.lingers = asyncio.Event()
        late = asyncio.create_task(ask())
        await asyncio.sleep(0)
        assert await ask() == 1
        await settled(cache)
        go.set()
        assert await late == 1
        await settled(cache)
        assert origin.calls == 2


def test_failures_of_the_last_thousand_keys_are_remembered(cache, origin):
    origin.fails = KeyError("gone")
    for number in range(1_002):
        with pytest.raises(KeyError):
            cache.get_or_set(f"key {number}", origin.load, policy=CachePolicy(error_backoff=5))
    for number, calls in ((1_001, 1_002), (2, 1_002), (1, 1_003)):
        with pytest.raises(KeyError):
            cache.get_or_set(f"key {number}", origin.load, policy=CachePolicy(error_backoff=5))
        assert origin.calls == calls
