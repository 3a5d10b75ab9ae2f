"""Read-through under trio: one load however many ask, cancellation that disturbs nobody, and other loops beside it."""

import asyncio
import contextvars
import threading

import pytest
import trio
import trio.testing

from asynccache import CacheError, CacheService, ConfigurationError
from asynccache.loading import flight as flight_module

flavour = contextvars.ContextVar("flavour", default="none")


@pytest.fixture
def cache():
    return CacheService(default="local", nothing="dummy")


class Source:
    """An origin that answers when it is told to, and counts how often it is asked."""

    def __init__(self, value="value"):
        self.value, self.calls, self.cancelled = value, 0, 0
        self.begun, self.go = trio.Event(), trio.Event()

    async def load(self):
        self.calls += 1
        self.begun.set()
        try:
            await self.go.wait()
        except trio.Cancelled:
            self.cancelled += 1
            raise
        if isinstance(self.value, BaseException):
            raise self.value
        return self.value


def crowd(nursery, cache, source, number, answers):
    async def ask():
        try:
            answers.append(await cache.get_or_set_async("key", source.load))
        except Exception as error:
            answers.append(error)

    for _ in range(number):
        nursery.start_soon(ask)


def test_a_crowd_shares_one_load(cache):
    async def main():
        source, answers = Source({"n": [1]}), []
        async with trio.open_nursery() as nursery:
            crowd(nursery, cache, source, 20, answers)
            await trio.testing.wait_all_tasks_blocked()
            source.go.set()
        assert (answers, source.calls) == ([{"n": [1]}] * 20, 1)
        assert len({id(answer) for answer in answers}) == 20
        assert await cache.get_async("key") == {"n": [1]}

    trio.run(main)
    assert len(cache.flights) == 0


def test_each_waiter_gets_an_exception_of_its_own(cache):
    async def main():
        source, answers = Source(KeyError("lost")), []
        async with trio.open_nursery() as nursery:
            crowd(nursery, cache, source, 3, answers)
            await trio.testing.wait_all_tasks_blocked()
            source.go.set()
        assert [type(answer) for answer in answers] == [KeyError] * 3
        assert len({id(answer) for answer in answers}) == 3
        assert [answer.__cause__ for answer in answers].count(source.value) == 2
        assert not await cache.has_key_async("key")

    trio.run(main)


def test_a_cancelled_leader_disturbs_nobody_and_the_last_to_leave_cancels(cache):
    async def main():
        source, answers, scope = Source(), [], trio.CancelScope()

        async def leader():
            with scope:
                await cache.get_or_set_async("key", source.load)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(leader)
            await source.begun.wait()
            crowd(nursery, cache, source, 2, answers)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
            await trio.testing.wait_all_tasks_blocked()
            assert source.cancelled == 0
            source.go.set()
        assert (answers, source.calls) == (["value"] * 2, 1)

        alone = Source()
        with trio.move_on_after(0.01):
            await cache.get_or_set_async("other", alone.load)
        await trio.testing.wait_all_tasks_blocked()
        assert (alone.cancelled, len(cache.flights), cache.loader.runner._launched) == (1, 0, {})

    trio.run(main)


def test_a_change_keeps_an_earlier_load_from_landing(cache):
    async def main():
        source, answers = Source("old"), []
        async with trio.open_nursery() as nursery:
            crowd(nursery, cache, source, 1, answers)
            await source.begun.wait()
            await cache.delete_async("key")
            source.go.set()
        assert answers == ["old"]
        assert not await cache.has_key_async("key")

    trio.run(main)


def test_closing_ends_the_loads_and_their_waiters(cache):
    async def main():
        source, answers = Source(), []
        async with trio.open_nursery() as nursery:
            crowd(nursery, cache, source, 2, answers)
            await source.begun.wait()
            await cache.aclose()
        assert [type(answer) for answer in answers] == [CacheError] * 2
        assert source.cancelled == 1

    trio.run(main)


def test_the_end_of_a_run_ends_its_loads(cache):
    source = Source()

    async def main():
        async with trio.open_nursery() as nursery:
            crowd(nursery, cache, source, 1, [])
            await source.begun.wait()
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert (source.cancelled, len(cache.flights)) == (1, 0)


def test_what_stops_the_program_reaches_the_caller(cache):
    class Stop(BaseException):
        pass

    async def main():
        source = Source(Stop())
        source.go.set()
        with pytest.raises(Stop):
            await cache.get_or_set_async("key", source.load)

    trio.run(main)


def test_a_load_sees_the_context_of_its_caller(cache):
    async def main():
        flavour.set("mine")
        assert await cache.get_or_set_async("key", flavour.get) == "mine"
        assert await cache.get_or_set_async("key", lambda: "another", backend="nothing") == "another"

    trio.run(main)


@pytest.mark.parametrize("leads", ["trio", "asyncio", "thread"])
def test_trio_asyncio_and_threads_share_a_load(cache, leads, monkeypatch):
    monkeypatch.setattr(flight_module, "LOOK_SECONDS", 0.02)
    calls, begun, go = [], threading.Event(), threading.Event()

    def load():
        calls.append(threading.get_ident())
        begun.set()
        assert go.wait(10)
        return "value"

    ways = {
        "trio": lambda: trio.run(cache.get_or_set_async, "key", lambda: trio.to_thread.run_sync(load)),
        "asyncio": lambda: asyncio.run(cache.get_or_set_async("key", lambda: asyncio.to_thread(load))),
        "thread": lambda: cache.get_or_set("key", load),
    }
    answers = []
    threads = {way: threading.Thread(target=lambda call=call: answers.append(call())) for way, call in ways.items()}
    threads[leads].start()
    assert begun.wait(10)
    for way, thread in threads.items():
        if way != leads:
            thread.start()
    assert not go.wait(0.1)  # the others look and wait
    go.set()
    for thread in threads.values():
        thread.join(10)
    assert (answers, len(calls)) == (["value"] * 3, 1)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "memcached://127.0.0.1:1"])
def test_a_server_backend_says_that_it_needs_asyncio(url):
    cache = CacheService(default=url)

    async def main():
        with pytest.raises(ConfigurationError, match="asyncio"):
            await cache.get_async("key")
        with pytest.raises(ConfigurationError, match="asyncio"):
            await cache.get_or_set_async("key", lambda: 1)

    trio.run(main)
