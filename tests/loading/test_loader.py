"""Read-through: one load however many ask, and nobody harmed by another's fate."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from asynccache import CachePolicy, CacheService, SerializationError
from asynccache.backends.base import StoreBackend
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.core.events import Hit, Loaded, LoadFailed, Miss
from asynccache.testing import recorded_events


@pytest.fixture
def cache():
    with CacheService(default=LocalMemCacheBackend()) as service:
        yield service


class Source:
    """A slow origin that counts how often it is asked."""

    def __init__(self, value="value", seconds=0.05):
        self.value, self.seconds, self.calls = value, seconds, 0

    def load(self):
        self.calls += 1
        time.sleep(self.seconds)
        return self._answer()

    async def load_async(self):
        self.calls += 1
        await asyncio.sleep(self.seconds)
        return self._answer()

    def _answer(self):
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


async def test_a_miss_loads_and_a_hit_does_not(cache):
    source = Source(seconds=0)
    assert await cache.get_or_set_async("key", source.load_async) == "value"
    assert await cache.get_or_set_async("key", source.load_async) == "value"
    assert cache.get_or_set("key", source.load) == "value"
    assert source.calls == 1


@pytest.mark.parametrize("value", [None, False, 0, "", []])
async def test_falsy_values_are_values(cache, value):
    source = Source(value, seconds=0)
    assert cache.get_or_set("key", source.load) == value
    assert await cache.get_or_set_async("key", source.load_async) == value
    assert source.calls == 1


async def test_a_plain_factory_works_on_a_loop(cache):
    assert await cache.get_or_set_async("key", lambda: 7) == 7


async def test_a_thousand_callers_load_once(cache):
    source = Source()
    results = await asyncio.gather(*(cache.get_or_set_async("key", source.load_async) for _ in range(1000)))
    assert results == ["value"] * 1000
    assert source.calls == 1


def test_threads_load_once(cache):
    source = Source()
    with ThreadPoolExecutor(16) as threads:
        results = list(threads.map(lambda _: cache.get_or_set("key", source.load), range(64)))
    assert results == ["value"] * 64
    assert source.calls == 1


async def test_threads_and_several_loops_load_once(cache):
    source = Source(seconds=0.1)

    def on_loop():
        return asyncio.run(cache.get_or_set_async("key", source.load_async))

    def in_thread():
        return cache.get_or_set("key", source.load)

    work = [asyncio.to_thread(call) for call in [on_loop, in_thread] * 4]
    assert await asyncio.gather(cache.get_or_set_async("key", source.load_async), *work) == ["value"] * 9
    assert source.calls == 1


async def test_a_cancelled_leader_disturbs_nobody(cache):
    source = Source()
    leader, *others = [asyncio.create_task(cache.get_or_set_async("key", source.load_async)) for _ in range(100)]
    await asyncio.sleep(0.01)
    leader.cancel()
    assert await asyncio.gather(*others) == ["value"] * 99
    assert source.calls == 1
    with pytest.raises(asyncio.CancelledError):
        await leader


async def test_the_last_caller_to_leave_cancels_the_load(cache):
    cancelled = asyncio.Event()

    async def load():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    callers = [asyncio.create_task(cache.get_or_set_async("key", load)) for _ in range(3)]
    await asyncio.sleep(0.01)
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    async with asyncio.timeout(5):
        await cancelled.wait()
    assert not cache.has_key("key")
    assert await cache.get_or_set_async("key", lambda: "afresh") == "afresh"


async def test_a_load_that_refuses_to_be_cancelled_is_not_stored(cache):
    refused = asyncio.Event()

    async def load():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            refused.set()
        return "stale"

    caller = asyncio.create_task(cache.get_or_set_async("key", load))
    await asyncio.sleep(0.01)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    await cache.delete_async("key")
    await refused.wait()
    await asyncio.sleep(0.01)
    assert not cache.has_key("key")


async def test_the_last_caller_to_leave_cancels_the_load_from_another_loop(cache):
    started, joined, left = threading.Event(), threading.Event(), threading.Event()
    threads = []

    async def load():
        threads.append(threading.get_ident())
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            threads.append(threading.get_ident())
            left.set()

    async def lead():
        asyncio.get_running_loop().set_debug(True)
        caller = asyncio.create_task(cache.get_or_set_async("key", load))
        await asyncio.to_thread(joined.wait, 5)
        caller.cancel()
        await asyncio.to_thread(left.wait, 5)

    async def follow():
        asyncio.get_running_loop().set_debug(True)
        caller = asyncio.create_task(cache.get_or_set_async("key", load))
        await asyncio.sleep(0.01)
        joined.set()
        await asyncio.sleep(0.05)
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)

    leading = asyncio.create_task(asyncio.to_thread(asyncio.run, lead()))
    await asyncio.to_thread(started.wait, 5)
    await asyncio.to_thread(asyncio.run, follow())
    assert await asyncio.to_thread(left.wait, 5)
    await leading
    assert len(set(threads)) == 1


async def test_a_follower_who_leaves_does_not_hide_a_load_in_a_thread_from_changes(cache):
    started, go = threading.Event(), threading.Event()

    def load():
        started.set()
        go.wait(5)
        return "stale"

    leading = asyncio.create_task(asyncio.to_thread(cache.get_or_set, "key", load))
    await asyncio.to_thread(started.wait, 5)
    follower = asyncio.create_task(cache.get_or_set_async("key", lambda: "another"))
    await asyncio.sleep(0.01)
    follower.cancel()
    await asyncio.gather(follower, return_exceptions=True)
    await cache.delete_async("key")
    go.set()
    assert await leading == "stale"
    assert not cache.has_key("key")


async def test_each_waiter_of_a_failed_load_has_an_exception_of_its_own(cache):
    source = Source(LookupError("no such row"))
    errors = await asyncio.gather(
        *(cache.get_or_set_async("key", source.load_async) for _ in range(50)), return_exceptions=True
    )
    assert source.calls == 1
    assert len({id(error) for error in errors}) == 50
    assert {(type(error), error.args) for error in errors} == {(LookupError, ("no such row",))}
    original = source.value
    assert original in errors
    assert all(error.__cause__ is original for error in errors if error is not original)
    tracebacks = [error.__traceback__ for error in errors]
    assert len({id(trace) for trace in tracebacks}) == 50


def test_threads_waiting_for_a_failed_load_have_exceptions_of_their_own(cache):
    source = Source(LookupError("no such row"))

    def call(_):
        with pytest.raises(LookupError) as caught:
            cache.get_or_set("key", source.load)
        return caught.value

    with ThreadPoolExecutor(8) as threads:
        errors = list(threads.map(call, range(8)))
    assert source.calls == 1
    assert len({id(error) for error in errors}) == 8


async def test_a_failed_load_is_not_stored(cache):
    with pytest.raises(ValueError, match="first"):
        await cache.get_or_set_async("key", Source(ValueError("first"), 0).load_async)
    assert await cache.get_or_set_async("key", lambda: "second") == "second"


async def test_followers_share_nothing_mutable(cache):
    source = Source({"items": [1]})
    first, second, third = await asyncio.gather(*(cache.get_or_set_async("key", source.load_async) for _ in range(3)))
    first["items"].append(2)
    second["items"].append(3)
    assert third == {"items": [1]}
    assert cache.get("key") == {"items": [1]}


@pytest.mark.parametrize("change", ["set", "delete", "incr", "touch", "set_many", "delete_many"])
async def test_a_load_under_way_does_not_land_after_its_key_was_changed(cache, change):
    source = Source("stale")
    loading = asyncio.create_task(cache.get_or_set_async("key", source.load_async))
    await asyncio.sleep(0.01)
    match change:
        case "set":
            await cache.set_async("key", "new")
        case "set_many":
            await cache.set_many_async({"key": "new"})
        case "delete_many":
            await cache.delete_many_async(iter(["key"]))
        case "incr":
            await cache.incr_async("key", 5)
        case _:
            await getattr(cache, f"{change}_async")("key")
    assert await loading == "stale", "its caller came before the change"
    assert cache.get("key") == {"set": "new", "set_many": "new", "incr": 5}.get(change)
    assert len(cache.flights) == 0


async def test_whoever_comes_after_a_change_starts_afresh(cache):
    before = Source("before")
    loading = asyncio.create_task(cache.get_or_set_async("key", before.load_async))
    await asyncio.sleep(0.01)
    cache.delete("key")
    assert await cache.get_or_set_async("key", Source("after", 0).load_async) == "after"
    assert await loading == "before"
    assert cache.get("key") == "after"


async def test_versions_and_backends_load_apart():
    with CacheService(default="local", other="local") as cache:
        assert await asyncio.gather(
            cache.get_or_set_async("key", Source("one").load_async),
            cache.get_or_set_async("key", Source("two").load_async, version=2),
            cache.get_or_set_async("key", Source("three").load_async, backend="other"),
        ) == ["one", "two", "three"]


async def test_a_load_that_asks_for_its_own_key_does_not_wait_for_itself(cache):
    async def outer():
        return "outer of " + await cache.get_or_set_async("key", lambda: "inner")

    async with asyncio.timeout(5):
        assert await cache.get_or_set_async("key", outer) == "outer of inner"


def test_a_sync_load_that_asks_for_its_own_key_does_not_wait_for_itself(cache):
    def outer():
        return "outer of " + cache.get_or_set("key", lambda: "inner")

    assert cache.get_or_set("key", outer) == "outer of inner"


async def test_a_load_that_asks_for_its_own_key_in_a_thread_does_not_wait_for_itself(cache):
    async def outer():
        return "outer of " + await asyncio.to_thread(cache.get_or_set, "key", lambda: "inner")

    async with asyncio.timeout(5):
        assert await cache.get_or_set_async("key", outer) == "outer of inner"


async def test_a_sync_call_on_the_loop_that_loads_runs_its_own(cache):
    source = Source("theirs")
    loading = asyncio.create_task(cache.get_or_set_async("key", source.load_async))
    await asyncio.sleep(0.01)
    assert cache.get_or_set("key", lambda: "mine") == "mine"
    assert await loading == "theirs"


def test_a_sync_call_refuses_an_async_factory(cache):
    source = Source()
    with pytest.raises(TypeError, match="get_or_set_async"):
        cache.get_or_set("key", source.load_async)
    with pytest.raises(TypeError, match="get_or_set_async"):
        cache.get_or_set("key", lambda: source.load_async())
    assert source.calls == 0


def test_where_no_task_can_be_made_no_flight_stays_behind(cache):
    with pytest.raises(RuntimeError, match="no running event loop"):
        cache.get_or_set_async("key", lambda: 1).send(None)
    assert len(cache.flights) == 0


async def test_a_factory_is_a_function_and_not_what_it_returns(cache):
    with pytest.raises(TypeError, match="the function itself"):
        cache.get_or_set("key", 5)
    with pytest.raises(TypeError, match="the function itself"):
        await cache.get_or_set_async("key", Source().load_async())


async def test_a_wrong_ttl_or_policy_raises_before_the_factory_is_called(cache):
    source = Source(seconds=0)
    with pytest.raises(TypeError, match="a ttl is"):
        cache.get_or_set("key", source.load, "60")
    with pytest.raises(ValueError, match="NaN"):
        await cache.get_or_set_async("key", source.load_async, float("nan"))
    with pytest.raises(TypeError, match="a CachePolicy, not dict"):
        cache.get_or_set("key", source.load, policy={"ttl": 60})
    assert source.calls == 0


async def test_a_load_whose_loop_ends_is_taken_over(cache):
    started = threading.Event()

    async def hanging():
        started.set()
        await asyncio.sleep(60)

    async def leave_early():
        leading = asyncio.create_task(cache.get_or_set_async("key", hanging))
        await asyncio.to_thread(started.wait)
        await asyncio.sleep(0.05)
        del leading

    other_loop = asyncio.create_task(asyncio.to_thread(asyncio.run, leave_early()))
    await asyncio.to_thread(started.wait)
    async with asyncio.timeout(5):
        assert await cache.get_or_set_async("key", lambda: "mine") == "mine"
    await other_loop


async def test_closing_cancels_the_loads_of_this_loop_and_their_callers(cache):
    source = Source(seconds=60)
    callers = [asyncio.create_task(cache.get_or_set_async("key", source.load_async)) for _ in range(3)]
    await asyncio.sleep(0.01)
    await cache.aclose()
    outcomes = await asyncio.gather(*callers, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {asyncio.CancelledError}
    assert source.calls == 1
    assert len(cache.flights) == 0


async def test_closing_leaves_callers_elsewhere_to_load_for_themselves(cache):
    source = Source(seconds=60)
    caller = asyncio.create_task(cache.get_or_set_async("key", source.load_async))
    await asyncio.sleep(0.01)
    elsewhere = asyncio.create_task(asyncio.to_thread(cache.get_or_set, "key", lambda: "elsewhere"))
    await asyncio.sleep(0.05)
    await cache.aclose()
    assert await elsewhere == "elsewhere"
    with pytest.raises(asyncio.CancelledError):
        await caller


class Broken(StoreBackend):
    """A backend whose author translated no error."""

    async def _fetch(self, io, key):
        raise PermissionError(key)

    async def _store(self, io, key, raw, ttl):
        raise OSError("no space left")

    async def _drop(self, io, key):
        raise OSError("read-only")


async def test_no_backend_fails_a_read_through(caplog):
    cache = CacheService(default=Broken())
    assert cache.get_or_set("key", lambda: 1) == 1
    assert await cache.get_or_set_async("key", lambda: 2) == 2
    assert "PermissionError" in caplog.text
    with pytest.raises(TypeError, match="a key is a str"):
        await cache.get_or_set_async(7, lambda: 2)


async def test_what_cannot_be_stored_is_said(cache):
    with pytest.raises(SerializationError, match="object"):
        await cache.get_or_set_async("key", object)


class TestPolicy:
    def test_an_explicit_ttl_beats_the_policys(self, cache):
        cache.get_or_set("key", lambda: 1, 0, policy=CachePolicy(ttl=60))
        assert not cache.has_key("key")

    def test_none_can_have_a_ttl_of_its_own(self, cache):
        assert cache.get_or_set("none", lambda: None, policy=CachePolicy(negative_ttl=0)) is None
        assert not cache.has_key("none")
        cache.get_or_set("some", lambda: 1, policy=CachePolicy(negative_ttl=0))
        assert cache.has_key("some")

    async def test_a_condition_decides_what_is_stored(self, cache):
        policy = CachePolicy(condition=lambda value: value > 0)
        assert await cache.get_or_set_async("key", lambda: -1, policy=policy) == -1
        assert not cache.has_key("key")
        assert await cache.get_or_set_async("key", lambda: 1, policy=policy) == 1
        assert cache.has_key("key")

    def test_what_is_not_stored_needs_no_serializer(self, cache):
        thing = object()
        assert cache.get_or_set("key", lambda: thing, policy=CachePolicy(condition=lambda _: False)) is thing


async def test_listeners_hear_of_loads(cache):
    with recorded_events(cache) as events:
        await cache.get_or_set_async("key", lambda: 1)
        await cache.get_or_set_async("key", lambda: 1)
        with pytest.raises(ValueError, match="broken"):
            await cache.get_or_set_async("other", Source(ValueError("broken"), 0).load_async)
    assert [type(event) for event in events] == [Miss, Loaded, Hit, Miss, LoadFailed]
