"""Read-through of many keys on real stores: how often they are asked, and what other processes load meanwhile."""

import asyncio

import pytest

from asynccache import CachePolicy, CacheService
from asynccache.core.claims import LEASE_SECONDS, Held, Lead
from asynccache.loading.leases import held_together
from asynccache.plan.io import BLOCKING, LOOP

SOON = LEASE_SECONDS * 0.7
"""Seconds in which no right ends by itself."""
KEYS = [f"key{number}" for number in range(1_000)]


@pytest.fixture(params=["redis", "memcached", "sqlite", "postgresql"])
def url(request, unique_prefix, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/cache.db?key_prefix={unique_prefix}&deadline=5"
    return f"{request.getfixturevalue(f'{request.param}_server').url}?key_prefix={unique_prefix}&deadline=5"


class Counted:
    """What a backend's drivers are asked, by name."""

    def __init__(self, backend, monkeypatch):
        self.asked = []
        for name in ("_claim_many", "_land_many", "_fetch_many", "_fetch", "_store", "_store_many", "_drop"):
            monkeypatch.setattr(backend, name, self._counting(name, getattr(backend, name)))

    def _counting(self, name, driver):
        async def count(*args, **options):
            self.asked.append(name)
            return await driver(*args, **options)

        return count


def fill(keys):
    return {key: {"name": key} for key in keys}


@pytest.mark.parametrize("flavour", ["async", "sync"])
async def test_a_thousand_keys_are_two_questions_and_hits_are_one(url, flavour, monkeypatch):
    async with CacheService(default=url) as cache:

        async def ask(keys, factory):
            if flavour == "sync":
                return cache.get_or_set_many(keys, factory)
            return await cache.get_or_set_many_async(keys, factory)

        counted = Counted(cache.get_backend(), monkeypatch)
        assert await ask(KEYS, fill) == fill(KEYS)
        assert counted.asked == ["_claim_many", "_land_many"]
        assert await ask(KEYS, dict.fromkeys) == fill(KEYS)
        assert counted.asked[2:] == ["_claim_many"]
        assert await ask([*KEYS[:5], "new"], fill) == fill([*KEYS[:5], "new"])
        assert counted.asked[3:] == ["_claim_many", "_land_many"]
        stats = cache.stats()["default"]
        assert (stats["hits"], stats["misses"]) == (1005, 1001)


@pytest.mark.parametrize(("keys", "size", "trips"), [(1_000, 100, 1), (20, 1_000_000, 4)], ids=["small", "large"])
async def test_what_is_large_is_stored_in_several_trips_which_have_a_deadline_each(
    redis_server, unique_prefix, monkeypatch, keys, size, trips
):
    async with CacheService(default=f"{redis_server.url}?key_prefix={unique_prefix}&deadline=5") as cache:
        place, tried = cache.get_backend()._place, []
        write = place.write

        async def noted(io, what, *asked):
            tried.append(what)
            return await write(io, what, *asked)

        monkeypatch.setattr(place, "write", noted)
        values = dict.fromkeys(KEYS[:keys], b"x" * size)
        assert await cache.get_or_set_many_async(list(values), lambda _: values) == values
        assert tried == ["claim", *["land"] * trips]
        assert await cache.get_or_set_many_async(list(values), dict.fromkeys) == values


async def test_what_another_process_loads_is_waited_for_and_not_loaded(url):
    async with CacheService(default=url) as cache, CacheService(default=url) as other:
        begun, go, asked = asyncio.Event(), asyncio.Event(), []

        async def slow(keys):
            begun.set()
            await go.wait()
            return fill(keys)

        async def load(keys):
            asked.append(keys)
            return fill(keys)

        first = asyncio.create_task(cache.get_or_set_many_async(["a", "b"], slow))
        await begun.wait()
        second = asyncio.create_task(other.get_or_set_many_async(["a", "b", "c"], load))
        while not asked:
            await asyncio.sleep(0.005)
        go.set()
        assert (await first, await second) == (fill(["a", "b"]), fill(["a", "b", "c"]))
        assert asked == [["c"]]


async def test_what_is_over_is_served_where_the_policy_allows_it_whoever_loads_it(redis_server, unique_prefix):
    url = f"{redis_server.url}?key_prefix={unique_prefix}&deadline=5"
    over = CachePolicy(ttl=0.05, stale_while_revalidate=60)
    policy, go, asked = CachePolicy(ttl=60, stale_while_revalidate=60), asyncio.Event(), []

    async def slow(keys):
        asked.append(keys)
        await go.wait()
        return dict.fromkeys(keys, "new")

    async with CacheService(default=url) as cache, CacheService(default=url) as other:
        await cache.get_or_set_many_async(KEYS[:5], fill, policy=over)
        await asyncio.sleep(0.1)
        for one in (cache, other, cache):
            assert await one.get_or_set_many_async(KEYS[:5], slow, policy=policy) == fill(KEYS[:5])
        go.set()
        async with asyncio.timeout(10):
            while other.loader.runner.running or cache.loader.runner.running:
                await asyncio.sleep(0.01)
        assert asked == [KEYS[:5]]
        assert await other.get_or_set_many_async(KEYS[:5], slow) == dict.fromkeys(KEYS[:5], "new")


async def test_without_the_lock_what_another_process_loads_is_loaded_at_once_and_not_stored(url):
    async with CacheService(default=url) as cache, CacheService(default=url) as other:
        begun, go = asyncio.Event(), asyncio.Event()

        async def slow(keys):
            begun.set()
            await go.wait()
            return fill(keys)

        first = asyncio.create_task(cache.get_or_set_many_async(["a", "b"], slow))
        await begun.wait()
        policy = CachePolicy(lock=False)
        assert await other.get_or_set_many_async(["a", "c"], dict.fromkeys, policy=policy) == {"a": None, "c": None}
        assert await other.get_many_async(["a", "c"]) == {"c": None}
        go.set()
        await first
        assert await other.get_async("a") == {"name": "a"}


@pytest.mark.timed
async def test_what_another_process_failed_to_load_is_loaded(url):
    async with CacheService(default=url) as cache, CacheService(default=url) as other:
        begun, go = asyncio.Event(), asyncio.Event()

        async def fail(keys):
            begun.set()
            await go.wait()
            raise OSError("down")

        first = asyncio.create_task(cache.get_or_set_many_async(["a", "b"], fail))
        await begun.wait()
        second = asyncio.create_task(other.get_or_set_many_async(["a", "b"], fill))
        await asyncio.sleep(0.05)
        go.set()
        with pytest.raises(OSError, match="down"):
            await first
        assert await asyncio.wait_for(second, SOON) == fill(["a", "b"])


@pytest.mark.timed
async def test_rights_are_ended_where_the_load_is_left(url):
    async with CacheService(default=url) as cache, CacheService(default=url) as other:
        begun = asyncio.Event()

        async def slow(keys):
            begun.set()
            await asyncio.sleep(60)

        leaving = asyncio.create_task(cache.get_or_set_many_async(KEYS[:150], slow))
        await begun.wait()
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        assert len(await asyncio.wait_for(other.get_or_set_many_async(KEYS[:150], fill), SOON)) == 150


async def test_rights_are_ended_where_whoever_asked_leaves_before_the_load(url, monkeypatch):
    policy = CachePolicy(ttl=0.05, stale_while_revalidate=60)
    async with CacheService(default=url) as cache, CacheService(default=url) as other:
        await cache.get_or_set_many_async(["over"], fill, policy=policy)
        await asyncio.sleep(0.06)
        backend, asked, asks_again = cache.get_backend(), [], asyncio.Event()
        claim_many = backend._claim_many

        async def answered_late(*wanted):
            asked.append(wanted)
            if len(asked) == 2:
                asks_again.set()
                await asyncio.sleep(60)
            return await claim_many(*wanted)

        monkeypatch.setattr(backend, "_claim_many", answered_late)
        leaving = asyncio.create_task(cache.get_or_set_many_async(["over", "new"], fill))
        await asks_again.wait()
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        await cache.aclose()
        claims = [await other.get_backend().claim(LOOP, key, anew=True) for key in ("over", "new")]
        assert [type(claim) for claim in claims] == [Lead, Lead]


@pytest.mark.parametrize("joins", ["many", "one"])
async def test_who_joins_after_another_process_deleted_a_key_does_not_get_what_was_read_before(url, joins):
    async with CacheService(default=url) as cache, CacheService(default=url) as other:
        origin, begun, go = {"a": "old", "b": "old"}, asyncio.Event(), asyncio.Event()

        async def load(keys):
            found = {key: origin[key] for key in keys}
            begun.set()
            await go.wait()
            return found

        first = asyncio.create_task(cache.get_or_set_many_async(["a", "b"], load))
        await begun.wait()
        origin["a"] = "new"
        await other.delete_async("a")
        if joins == "many":
            second = asyncio.create_task(cache.get_or_set_many_async(["a", "b"], load))
        else:
            second = asyncio.create_task(cache.get_or_set_async("a", lambda: origin["a"]))
        await asyncio.sleep(0.01)
        go.set()
        assert await first == {"a": "old", "b": "old"}
        assert await second == ({"a": "new", "b": "old"} if joins == "many" else "new")
        assert await other.get_many_async(["a", "b"]) == {"a": "new", "b": "old"}


@pytest.mark.timed
@pytest.mark.parametrize("io", [LOOP, BLOCKING], ids=["async", "sync"])
async def test_many_rights_are_renewed_together(redis_server, unique_prefix, io):
    lease, keys = 0.6, KEYS[:150]
    async with CacheService(default=f"{redis_server.url}?key_prefix={unique_prefix}&deadline=5") as cache:
        backend = cache.get_backend()
        claims = await backend.claim_many(LOOP, keys, lease)
        with held_together(io, backend, [claim.ticket for claim in claims.values()], lease):
            await asyncio.sleep(2 * lease)
            assert {type(claim) for claim in (await backend.claim_many(LOOP, keys, lease)).values()} == {Held}
        await asyncio.sleep(1.2 * lease)
        assert {type(claim) for claim in (await backend.claim_many(LOOP, keys, lease)).values()} == {Lead}
