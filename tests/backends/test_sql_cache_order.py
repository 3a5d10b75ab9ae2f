"""The order of changes in a database: what is lost is noticed, what is followed is complete, and nobody is late."""

import asyncio
import json
from functools import partial

import pytest

from asynccache.backends.followed import At, Batch, Hole
from asynccache.backends.sql_cache import SQLCacheBackend
from asynccache.backends.sql_replies import Statement
from asynccache.backends.sql_rows import SLOTS
from asynccache.core import codec
from asynccache.core.claims import Held, Lead
from asynccache.core.fence import CLEAR, KEYS, NOTHING, TAGS, WAKE, cells_of
from asynccache.core.keys import key_hash
from asynccache.core.lifetime import FOREVER
from asynccache.errors import BackendUnavailableError
from asynccache.plan.io import BLOCKING, LOOP, run
from asynccache.testing import FakeClock
from tests.storms import in_threads

PATIENT = 5.0


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request, tmp_path):
    """Give the URL of each kind of database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/cache.db"
    return request.getfixturevalue(f"{request.param}_server").url


@pytest.fixture
def make(url, unique_prefix):
    """Make backends on tables of this test's own."""
    made = []

    def one(**options):
        made.append(
            SQLCacheBackend(url, **{"deadline": PATIENT, "on_error": "raise", "table": unique_prefix} | options)
        )
        return made[-1]

    yield one
    for backend in made:
        backend.close()


@pytest.fixture
def cache(make):
    return make()


@pytest.fixture
def namespace(cache):
    return cache.stored_key("")


async def do(cache, text):
    """Execute a statement beside the cache."""
    fits = lambda rows: True  # noqa: E731
    ((rows, _),) = await cache._database.ask(LOOP, "test", [Statement(text, fits=fits)])
    return rows


async def granted(cache, key, **options):
    claimed = await cache.claim(LOOP, key, **options)
    assert isinstance(claimed, Lead), claimed
    return claimed.ticket


async def following(cache, namespace, at=None):
    return (await cache._follow(LOOP, {namespace: at}, 0.0))[namespace]


class TestLosses:
    async def test_without_its_notebook_nothing_is_valid(self, cache, namespace):
        await cache.set_async("k", 1)
        await cache.set_async("tagged", 1, tags=["x"])
        ticket = await granted(cache, "loading")
        begun = await following(cache, namespace)
        await do(cache, f"DELETE FROM {cache._sql.notes}")
        assert await cache.get_many_async(["k", "tagged"]) == {}
        assert await cache.land(LOOP, "loading", "old", 60.0, ticket) is False
        assert await cache.add_async("k", 2) is True
        assert await cache.incr_async("tagged") == 1
        assert await cache.get_many_async(["k", "tagged", "loading"]) == {"k": 2, "tagged": 1}
        after = await following(cache, namespace, begun.at)
        assert isinstance(after, Hole)
        assert after.at.view != begun.at.view

    async def test_without_its_notebook_nothing_is_valid_though_the_clock_was_set_back(self, make):
        clock = FakeClock()
        cache = make(clock=clock)
        await cache.set_async("k", 1, ttl=FOREVER)
        await do(cache, f"DELETE FROM {cache._sql.notes}")
        clock.advance(-3600)
        await cache.set_async("other", 1)
        assert await cache.get_async("k") is None

    async def test_without_cells_nothing_that_has_tags_is_valid(self, cache):
        await cache.set_async("plain", 1)
        await cache.set_async("tagged", 1, tags=["x"])
        ticket = await granted(cache, "loading")
        await cache.invalidate_tags_async("x")
        await do(cache, f"DELETE FROM {cache._sql.cells}")
        assert await cache.get_many_async(["plain", "tagged"]) == {"plain": 1}
        assert await cache.land(LOOP, "loading", "old", 60.0, ticket, tags=("x",)) is False
        assert await cache.get_many_async(["plain", "tagged"]) == {"plain": 1}
        assert await cache.land(LOOP, "new", 2, 60.0, await granted(cache, "new"), tags=("x",)) is True
        await cache.set_async("set", 3, tags=["x"])
        assert await cache.get_many_async(["new", "set"]) == {"new": 2, "set": 3}
        await cache.invalidate_tags_async("x")
        assert await cache.get_many_async(["plain", "new", "set"]) == {"plain": 1}

    async def test_without_its_right_a_load_is_not_stored(self, cache):
        ticket = await granted(cache, "k")
        await do(cache, f"DELETE FROM {cache._sql.rights}")
        assert await cache.hold(LOOP, ticket) is False
        assert await cache.land(LOOP, "k", "old", 60.0, ticket) is False
        assert await cache.release(LOOP, ticket) is False
        assert await cache.get_async("k") is None

    async def test_without_a_part_of_the_log_who_follows_begins_anew(self, cache, namespace):
        begun = (await following(cache, namespace)).at
        await cache.delete_many_async(["a"])
        began = await following(cache, namespace, begun)
        assert isinstance(began, Hole)  # there was no notebook yet
        for key in "bcd":
            await cache.delete_async(key)
        ((second,), *_) = await do(cache, f"SELECT MIN(stamp) FROM {cache._sql.log} WHERE stamp > {began.at.position}")
        await do(cache, f"DELETE FROM {cache._sql.log} WHERE stamp = {second}")
        after = await following(cache, namespace, began.at)
        assert isinstance(after, Hole)
        assert await following(cache, namespace, after.at) == Batch((), after.at)
        await cache.delete_async("e")
        await do(cache, f"DELETE FROM {cache._sql.log}")
        assert isinstance(await following(cache, namespace, after.at), Hole)

    async def test_without_all_tables_the_cache_is_empty(self, cache):
        await cache.set_async("k", 1, tags=["x"])
        for table in ("entries", "notes", "cells", "log", "rights"):
            await do(cache, f"DROP TABLE {cache._sql.named(table)}")
            assert await cache.claim(LOOP, table) is not None
        assert await cache.get_async("k") is None
        assert await cache.set_async("k", 2, tags=["x"]) is True
        assert await cache.get_async("k") == 2


class TestFollowing:
    async def test_each_change_is_in_the_log_once_and_names_the_one_before(self, make, cache, namespace):
        await cache.set_async("k", 1)
        begun = (await following(cache, namespace)).at
        told = []
        cache.changed.append(lambda part, view, change: told.append((part, view, change)))
        await cache.set_many_async({"a": 1, "b": 2})
        assert await cache.add_async("k", 2) is False
        assert await cache.touch_async("missing") is False
        await cache.touch_async("k")
        await cache.incr_async("n")
        await cache.delete_many_async([f"d{number}" for number in range(250)])
        await cache.invalidate_tags_async("x", "y")
        await cache.clear_async()
        batch = await following(make(), namespace, begun)
        assert [(change.kind, len(change.what)) for change in batch.changes] == [
            *[(KEYS, 2), (KEYS, 1), (KEYS, 1), (KEYS, 250)],
            *[(TAGS, len(cells_of("xy"))), (CLEAR, 0)],
        ]
        assert set(batch.changes[0].what) == {cache.stored_key("a"), cache.stored_key("b")}
        assert batch.changes[4].what == cells_of("xy")
        assert [change.prev for change in batch.changes] == [
            begun.position,
            *[change.stamp for change in batch.changes[:-1]],
        ]
        assert batch.at == At(begun.view, batch.changes[-1].stamp)
        assert told == [(namespace, begun.view, change) for change in batch.changes]
        assert await following(cache, namespace, batch.at) == Batch((), batch.at)

    async def test_loads_are_in_the_log_only_if_somebody_waits(self, cache, namespace):
        await cache.set_async("k", 1)
        at = (await following(cache, namespace)).at
        await cache.land(LOOP, "a", 1, 60.0, await granted(cache, "a"))
        await cache.release(LOOP, await granted(cache, "b"))
        assert await following(cache, namespace, at) == Batch((), at)
        for end in (lambda ticket: cache.land(LOOP, "c", None, None, ticket), partial(cache.release, LOOP)):
            ticket = await granted(cache, "c")
            assert isinstance(await cache.claim(LOOP, "c"), Held)
            await end(ticket)
            (change,), at, _ = await following(cache, namespace, at)
            assert (change.kind, change.what) == (WAKE, (cache.stored_key("c"),))

    async def test_locks_are_numbered_in_a_namespace_of_their_own(self, cache, namespace):
        await cache.set_async("k", 1)
        at = (await following(cache, namespace)).at
        numbers = []
        for _ in range(3):
            lead = await cache.claim_lock(LOOP, "k", 3.0)
            numbers.append(lead.ticket.born)
            assert await cache.release(LOOP, lead.ticket) is True
        assert numbers == sorted(set(numbers))
        assert await following(cache, namespace, at) == Batch((), at)
        locks = f"{namespace[:-1]}~locks:"
        assert await cache.get_async("k") == 1
        written = [json.loads(what) for (what,) in await do(cache, f"SELECT what FROM {cache._sql.log}")]
        assert written.count([NOTHING]) == 3
        assert isinstance(await following(cache, locks), Hole)

    async def test_more_than_fits_into_one_look_comes_in_several(self, cache, namespace):
        await cache.set_async("k", 1)
        at = (await following(cache, namespace)).at
        for _ in range(6):
            await asyncio.gather(*[cache.delete_async("nothing") for _ in range(100)])
        found = []
        while True:
            changes, at, is_all = await following(cache, namespace, at)
            found.extend(changes)
            if is_all:
                break
        assert len(found) == 600

    async def test_entries_come_with_their_place(self, make, cache, namespace):
        assert (await cache._fetch_at(LOOP, [cache.stored_key("k")]))[cache.stored_key("k")].raw is None
        await cache.set_async("k", [1], tags=["x"])
        await cache.delete_async("other")
        at = (await following(cache, namespace)).at
        found = await make()._fetch_at(LOOP, [cache.stored_key("k"), cache.stored_key("missing")])
        assert found[cache.stored_key("missing")] == (None, at)
        seen = found[cache.stored_key("k")]
        frame = codec.decode(seen.raw, key_hash(cache.stored_key("k")))
        assert seen.at == at
        assert (frame.gen, frame.tags) == (at.view.gen, ("x",))
        assert frame.born < at.position

    async def test_who_waits_is_woken_by_whatever_ends_a_load(self, make, cache):
        other = make()
        ends = {
            "landed": lambda ticket: cache.land(LOOP, ticket.key.rpartition(":")[2], 1, 60.0, ticket),
            "released": partial(cache.release, LOOP),
            "deleted": lambda ticket: cache.delete_async("deleted"),
            "cleared": lambda ticket: cache.clear_async(),
        }
        for key, end in ends.items():
            ticket = await granted(cache, key, lease=30.0)
            held = await other.claim(LOOP, key)
            assert isinstance(held, Held)
            waiting = asyncio.ensure_future(other.attend(LOOP, key, held.seconds))
            await asyncio.sleep(0.05)
            await end(ticket)
            async with asyncio.timeout(10):
                await waiting
            assert not isinstance(await other.claim(LOOP, key), Held)


class TestTags:
    @pytest.mark.parametrize("count", [SLOTS, SLOTS + 1, 300])
    async def test_entry_has_as_many_tags_as_one_likes(self, cache, count):
        tags = [f"tag {number}" for number in range(count)]
        for chosen in (tags[0], tags[-1]):
            await cache.set_async("set", 1, tags=tags)
            assert await cache.land(LOOP, "landed", 2, 60.0, await granted(cache, "landed"), tags=tuple(tags)) is True
            assert await cache.get_many_async(["set", "landed"]) == {"set": 1, "landed": 2}
            await cache.invalidate_tags_async(chosen)
            assert await cache.get_many_async(["set", "landed"]) == {}

    async def test_entry_with_few_tags_goes_with_these_alone(self, cache):
        await cache.set_async("k", 1, tags=[f"tag {number}" for number in range(SLOTS)])
        await cache.invalidate_tags_async(*[f"other {number}" for number in range(50)])
        assert await cache.get_async("k") == 1

    async def test_other_versions_stay(self, make, cache):
        for each in (cache, make(key_prefix="other"), make(version=2)):
            await each.set_async("k", 1, tags=["x"])
        await cache.invalidate_tags_async("x")
        assert await cache.get_async("k") is None
        assert await make(key_prefix="other").get_async("k") == await make(version=2).get_async("k") == 1

    async def test_what_changes_but_for_its_value_keeps_its_tags(self, cache):
        await cache.set_async("touched", [1], tags=["x"])
        await cache.touch_async("touched", 60)
        assert await cache.get_async("touched") == [1]
        await cache.invalidate_tags_async("x")
        assert await cache.get_async("touched") is None
        assert await cache.touch_async("touched") is False


class TestClear:
    async def test_rows_go_and_neighbours_stay(self, make, cache):
        neighbours = [make(key_prefix="other"), make(version=2), make(key_prefix=":")]
        for each in (cache, *neighbours):
            await each.set_many_async(
                {f"k{number}": number for number in range(1_500)} | {"long" * 100: 1}, ttl=FOREVER
            )
        await cache.clear_async()
        assert await cache.get_many_async(["k1", "k1499", "long" * 100]) == {}
        assert await do(cache, f"SELECT COUNT(*) FROM {cache._sql.entries}") == [(3 * 1_501,)]
        for each in neighbours:
            assert await each.get_many_async(["k1", "long" * 100]) == {"k1": 1, "long" * 100: 1}

    async def test_load_that_was_under_way_is_not_stored_and_another_begins_at_once(self, cache):
        ticket = await granted(cache, "k")
        await cache.clear_async()
        newer = await granted(cache, "k")
        assert await cache.land(LOOP, "k", "old", 60.0, ticket) is False
        assert await cache.land(LOOP, "k", "new", 60.0, newer) is True
        assert await cache.get_async("k") == "new"

    async def test_load_of_a_long_key_is_not_stored_either(self, cache):
        ticket = await granted(cache, "long" * 100)
        await cache.clear_async()
        assert await cache.land(LOOP, "long" * 100, "old", 60.0, ticket) is False


class TestKeepingSmall:
    async def test_old_news_and_forgotten_rights_go(self, cache):
        await cache.set_async("k", 1)
        await granted(cache, "forgotten")
        await do(cache, f"UPDATE {cache._sql.rights} SET lease_end = 1")
        await do(cache, f"UPDATE {cache._sql.log} SET stamp = 1")
        for number in range(70):
            await cache.set_async(f"k{number}", number)
        assert await do(cache, f"SELECT COUNT(*) FROM {cache._sql.rights}") == [(0,)]
        assert await do(cache, f"SELECT COUNT(*) FROM {cache._sql.log} WHERE stamp = 1") == [(0,)]

    def test_threads_that_use_new_tables_at_once_make_them_once(self, cache):
        assert in_threads(*[partial(cache.set, f"k{number}", number, tags=["x"]) for number in range(8)]) == []
        assert len(cache.get_many([f"k{number}" for number in range(8)])) == 8


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
async def test_set_that_was_said_to_have_failed_does_not_happen_later(request, kind):
    """It lies in the socket of a frozen server, which thaws when its time is over."""
    server = request.getfixturevalue(f"fresh_{kind}")
    patient, hasty = SQLCacheBackend(server.url, deadline=PATIENT), SQLCacheBackend(server.url, deadline=0.3)
    await patient.set_many_async({"k": "newer", "n": 1})
    await hasty.set_many_async({"warm": 1})
    server.freeze()
    late = [hasty.set_async("k", "older"), hasty.add_async("new", "older"), hasty.incr_async("n")]
    outcomes = await asyncio.gather(*late, return_exceptions=True)
    server.thaw()
    assert outcomes[0] is False
    assert all(isinstance(outcome, BackendUnavailableError) for outcome in outcomes[1:])
    for _ in range(10):
        await patient.set_async("other", 1)
        await asyncio.sleep(0.02)
    assert await patient.get_many_async(["k", "new", "n"]) == {"k": "newer", "n": 1}
    await patient.aclose()
    await hasty.aclose()


async def test_servers_clock_that_is_set_refuses_nobody(postgresql_server, unique_prefix):
    cache = SQLCacheBackend(postgresql_server.url, table=unique_prefix, deadline=PATIENT)
    await cache.set_async("k", 1)
    cache._time.note(1_000)  # as if the server had said so before its clock was set
    assert await cache.set_async("k", 2) is True
    assert await cache.get_async("k") == 2
    await cache.aclose()


def test_blocking_calls_have_the_same_plans(cache):
    claimed = run(cache.claim(BLOCKING, "k"))
    assert run(cache.land(BLOCKING, "k", 1, 60.0, claimed.ticket)) is True
    assert cache.get("k") == 1
