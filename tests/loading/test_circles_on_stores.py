"""Loads of several processes that need each other, cannot hear of each other, or are left: nobody waits for nothing."""

import asyncio

import pytest

from asynccache import CacheService
from asynccache.core.claims import LEASE_SECONDS
from asynccache.errors import BackendUnavailableError
from asynccache.loading import rights

SOON = LEASE_SECONDS * 0.7
"""Seconds in which no right ends by itself."""


@pytest.fixture
def url(redis_server, unique_prefix):
    return f"{redis_server.url}?key_prefix={unique_prefix}&deadline=5"


async def ask_one(cache, key, factory):
    return await cache.get_or_set_async(key, factory)


async def ask_many(cache, key, factory):
    async def made(keys):
        return {key: await factory() for key in keys}

    return (await cache.get_or_set_many_async([key], made))[key]


both_ways = pytest.mark.parametrize("ask", [ask_one, ask_many], ids=["one", "many"])


@both_ways
async def test_loads_of_two_processes_that_need_each_other_both_end(url, ask, monkeypatch):
    monkeypatch.setattr(rights, "CIRCLE_SECONDS", 0.2)
    async with CacheService(default=url) as here, CacheService(default=url) as there:
        both_load = asyncio.Barrier(2)

        def needing(cache, key):
            async def own():
                return f"a {key} of its own"

            async def load():
                await both_load.wait()
                return f"with {await ask(cache, key, own)}"

            return load

        async with asyncio.timeout(5):
            found = await asyncio.gather(
                ask(here, "left", needing(here, "right")), ask(there, "right", needing(there, "left"))
            )
        assert "with a right of its own" in found or "with a left of its own" in found
        assert await here.get_async("left") == found[0]
        assert await there.get_async("right") == found[1]


@both_ways
async def test_loads_of_two_processes_end_that_wait_for_loads_which_wait_for_them(url, ask, monkeypatch):
    monkeypatch.setattr(rights, "CIRCLE_SECONDS", 0.2)
    async with CacheService(default=url) as here, CacheService(default=url) as there:
        both_load, both_are_waited_for = asyncio.Barrier(3), asyncio.Event()

        async def own():
            return "own"

        def needing(cache, key):
            async def load():
                await both_load.wait()
                await both_are_waited_for.wait()
                return f"with {await ask(cache, key, own)}"

            return load

        loads = [asyncio.create_task(ask(*of)) for of in [
            (here, "left", needing(here, "right")),
            (there, "right", needing(there, "left")),
        ]]  # fmt: skip
        await both_load.wait()
        waits = [asyncio.create_task(ask(here, "right", own)), asyncio.create_task(ask(there, "left", own))]
        await asyncio.sleep(0.1)
        both_are_waited_for.set()
        async with asyncio.timeout(8):
            assert set(await asyncio.gather(*loads)) <= {"with own", "with with own"}
            await asyncio.gather(*waits)


@both_ways
async def test_a_load_that_holds_up_nobody_waits_as_long_as_another_process_loads(url, ask, monkeypatch):
    monkeypatch.setattr(rights, "CIRCLE_SECONDS", 0.05)
    async with CacheService(default=url) as here, CacheService(default=url) as there:
        begun = asyncio.Event()

        async def slow():
            begun.set()
            await asyncio.sleep(0.3)
            return "theirs"

        async def own():
            return "mine"

        slowly = asyncio.create_task(ask(there, "key", slow))
        await begun.wait()
        assert await ask(here, "key", own) == "theirs"
        await slowly


@both_ways
async def test_where_the_end_of_another_load_cannot_be_heard_of_the_value_is_loaded(url, ask, monkeypatch):
    async with CacheService(default=url) as here, CacheService(default=url) as there:
        begun, go = asyncio.Event(), asyncio.Event()

        async def slow():
            begun.set()
            await go.wait()
            return "theirs"

        async def own():
            return "mine"

        async def away(*_):
            raise BackendUnavailableError("away")

        monkeypatch.setattr(here.get_backend(), "attend", away)
        slowly = asyncio.create_task(ask(there, "key", slow))
        await begun.wait()
        async with asyncio.timeout(5):
            assert await ask(here, "key", own) == "mine"
        go.set()
        await slowly
        assert await here.get_async("key") == "theirs"


@pytest.mark.timed
async def test_who_is_cancelled_while_the_right_is_granted_keeps_nobody_waiting(url, monkeypatch):
    async with CacheService(default=url) as here, CacheService(default=url) as there:
        backend, granted = here.get_backend(), asyncio.Event()
        claim_many = backend._claim_many

        async def answered_late(*asked):
            await claim_many(*asked)
            granted.set()
            await asyncio.sleep(60)

        monkeypatch.setattr(backend, "_claim_many", answered_late)
        leaving = asyncio.create_task(here.get_or_set_async("key", lambda: "mine"))
        await granted.wait()
        leaving.cancel()
        async with asyncio.timeout(SOON):
            assert await there.get_or_set_async("key", lambda: "theirs") == "theirs"


@pytest.mark.timed
async def test_who_was_overtaken_while_the_right_was_asked_for_keeps_nobody_waiting(url, monkeypatch):
    async with CacheService(default=url) as here, CacheService(default=url) as there:
        backend, asked, go = here.get_backend(), asyncio.Event(), asyncio.Event()
        claim_many = backend._claim_many

        async def ask_late(*wanted):
            asked.set()
            await go.wait()
            return await claim_many(*wanted)

        async def slow():
            begun.set()
            await asyncio.sleep(60)

        begun = asyncio.Event()
        monkeypatch.setattr(backend, "_claim_many", ask_late)
        overtaken = asyncio.create_task(here.get_or_set_async("key", slow))
        await asked.wait()
        await here.delete_async("key")
        go.set()
        await begun.wait()
        async with asyncio.timeout(SOON):
            assert await there.get_or_set_async("key", lambda: "theirs") == "theirs"
        overtaken.cancel()
