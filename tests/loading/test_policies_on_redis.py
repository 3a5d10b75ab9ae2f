"""Policies over a real Redis: nobody waits for an origin that is slow or fails, and it is asked once."""

import asyncio
import threading
import time

import pytest

from asynccache import CachePolicy, CacheService, CacheTimeoutError, current_load
from asynccache.core.events import Loaded
from asynccache.testing import recorded_events

BRIEF = 0.2
POLICY = CachePolicy(ttl=BRIEF, stale_if_error=60, soft_timeout=0.1, hard_timeout=30)
CROWD = 200


class Origin:
    """Answers 1, 2 ... or raises; once it is blocked, only when it is let go."""

    def __init__(self):
        self.calls, self.fails = 0, False
        self.gate = threading.Event()
        self.gate.set()

    async def load_async(self):
        number = self._begin()
        while not self.gate.is_set():
            await asyncio.sleep(0.005)
        return self._end(number)

    def load(self):
        number = self._begin()
        self.gate.wait(20)
        return self._end(number)

    def _begin(self):
        self.calls += 1
        return self.calls

    def _end(self, number):
        if self.fails:
            raise KeyError("gone")
        return number


@pytest.fixture
def origin():
    return Origin()


@pytest.fixture
async def cache(redis_server, unique_prefix):
    async with CacheService(default=f"{redis_server.url}?deadline=10&key_prefix={unique_prefix}") as service:
        yield service


async def crowd(cache, origin, policy=POLICY):
    asked = [cache.get_or_set_async("key", origin.load_async, policy=policy) for _ in range(CROWD)]
    return await asyncio.gather(*asked, return_exceptions=True)


async def settled(cache):
    async with asyncio.timeout(10):
        while cache.loader.runner.running:
            await asyncio.sleep(0.005)


async def test_a_slow_origin_with_a_stale_value_at_hand(cache, origin):
    assert await cache.get_or_set_async("key", origin.load_async, policy=POLICY) == 1
    await asyncio.sleep(BRIEF)
    assert await cache.get_async("key") is None
    origin.gate.clear()
    with recorded_events(cache.get_backend()) as events:
        assert await crowd(cache, origin) == [1] * CROWD
        origin.gate.set()
        await settled(cache)
    assert [type(event) for event in events].count(Loaded) == 1
    assert origin.calls == 2
    origin.fails = True
    assert await cache.get_or_set_async("key", origin.load_async, policy=POLICY) == 2


async def test_a_slow_origin_without_a_stale_value(cache, origin):
    policy = CachePolicy(ttl=60, hard_timeout=0.1)
    origin.gate.clear()
    assert {type(answer) for answer in await crowd(cache, origin, policy)} == {CacheTimeoutError}
    assert origin.calls == 1
    origin.gate.set()
    await settled(cache)
    assert await cache.get_async("key") == 1


async def test_a_failing_origin_with_a_stale_value_at_hand(cache, origin):
    policy = CachePolicy(ttl=BRIEF, stale_if_error=60, error_backoff=30)
    assert await cache.get_or_set_async("key", origin.load_async, policy=policy) == 1
    await asyncio.sleep(BRIEF)
    origin.fails = True
    for _ in range(3):
        assert await crowd(cache, origin, policy) == [1] * CROWD
    assert origin.calls == 2


async def test_deleting_removes_the_stale_value_too(cache, origin):
    await cache.get_or_set_async("key", origin.load_async, policy=POLICY)
    await asyncio.sleep(BRIEF)
    await cache.delete_async("key")
    origin.fails = True
    with pytest.raises(KeyError):
        await cache.get_or_set_async("key", origin.load_async, policy=POLICY)


def test_threads_wait_no_longer_either(redis_server, unique_prefix, origin):
    with CacheService(default=f"{redis_server.url}?deadline=10&key_prefix={unique_prefix}") as cache:
        assert cache.get_or_set("key", origin.load, policy=POLICY) == 1
        time.sleep(BRIEF)
        origin.gate.clear()
        answers = []

        def ask():
            answers.append(cache.get_or_set("key", origin.load, policy=POLICY))

        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (answers, origin.calls) == ([1] * 20, 2)
        origin.gate.set()


async def test_what_was_invalidated_while_the_right_was_asked_for_is_no_older_value(
    cache, redis_server, unique_prefix, monkeypatch
):
    async with CacheService(default=f"{redis_server.url}?deadline=10&key_prefix={unique_prefix}") as other:
        await cache.get_or_set_async("key", lambda: "old", policy=POLICY)
        await asyncio.sleep(1.5 * BRIEF)
        backend, seen = cache.get_backend(), []
        claim = backend.claim

        async def claim_late(*args, **options):
            await other.delete_async("key")
            return await claim(*args, **options)

        def load():
            seen.append(current_load().has_stale)
            return "new"

        monkeypatch.setattr(backend, "claim", claim_late)
        assert await cache.get_or_set_async("key", load, policy=POLICY) == "new"
        assert seen == [False]
