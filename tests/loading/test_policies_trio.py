"""Policies under trio: renewals in system tasks, timeouts, and their end."""

import pytest
import trio
import trio.testing

from asynccache import CachePolicy, CacheService, CacheTimeoutError, cached, current_load
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.testing import FakeClock

REVALIDATE = CachePolicy(ttl=100, stale_while_revalidate=50)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def cache(clock):
    return CacheService(default=LocalMemCacheBackend(clock=clock))


def test_what_is_over_is_renewed_in_the_background(cache, clock):
    numbers = iter(range(1, 9))

    async def load():
        await trio.sleep(0)
        return next(numbers), current_load().stale

    async def main():
        assert await cache.get_or_set_async("key", load, policy=REVALIDATE) == (1, None)
        clock.advance(101)
        answers = [await cache.get_or_set_async("key", load, policy=REVALIDATE) for _ in range(9)]
        assert answers[0] == (1, None)
        await trio.testing.wait_all_tasks_blocked()
        assert await cache.get_async("key") == (2, (1, None))

    trio.run(main)
    assert len(cache.flights) == cache.loader.runner.running == 0


def test_a_slow_load_goes_on_when_callers_lose_patience(cache):
    async def main():
        go = trio.Event()

        async def load():
            await go.wait()
            return "late"

        with pytest.raises(CacheTimeoutError):
            await cache.get_or_set_async("key", load, policy=CachePolicy(hard_timeout=0.01))
        go.set()
        await trio.testing.wait_all_tasks_blocked()
        assert await cache.get_async("key") == "late"

    trio.run(main)


def test_closing_ends_renewals(cache, clock):
    cancelled = []

    async def load():
        if not current_load().has_stale:
            return 1
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            cancelled.append(True)
            raise

    async def main():
        await cache.get_or_set_async("key", load, policy=REVALIDATE)
        clock.advance(101)
        await cache.get_or_set_async("key", load, policy=REVALIDATE)
        await trio.testing.wait_all_tasks_blocked()
        await cache.aclose()
        assert cache.loader.runner.running == 0

    trio.run(main)
    assert cancelled == [True]


def test_the_end_of_the_run_ends_renewals(cache, clock):
    calls = []

    @cached(policy=REVALIDATE)
    async def slow(number):
        calls.append(number)
        if len(calls) > 1:
            await trio.sleep_forever()
        return number

    async def main():
        async with cache:
            assert await slow(7) == 7
            clock.advance(101)
            assert await slow(7) == 7
            await trio.testing.wait_all_tasks_blocked()
            assert calls == [7, 7]

    trio.run(main)
