"""A table stays small: what is over goes as others write, and what is too much goes, with no count of all rows."""

import asyncio
import random
from functools import partial

import pytest

from asynccache.backends import sql_culling
from asynccache.backends.sql_cache import SQLCacheBackend
from asynccache.backends.sql_culling import EVERY, SAMPLE, Culler
from asynccache.backends.sql_replies import Statement
from asynccache.backends.sql_rows import PLACES
from asynccache.core.lifetime import FOREVER
from asynccache.plan.io import BLOCKING, run
from asynccache.testing import FakeClock
from asynccache.testing.contract import LifetimeContract

PATIENT = 5.0


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request, tmp_path):
    """Give the URL of each kind of database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/cache.db"
    return request.getfixturevalue(f"{request.param}_server").url


class TestByAClockOfOnesOwn(LifetimeContract):
    time_is_free = True

    @pytest.fixture
    def backend_factory(self, url):
        self.clock = FakeClock()
        return partial(SQLCacheBackend, url, deadline=PATIENT, clock=self.clock, table="by_another_clock")

    async def pass_time(self, seconds):
        self.clock.advance(seconds)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def make(url, clock, unique_prefix):
    made = []

    def one(**options):
        options = {"deadline": PATIENT, "on_error": "raise", "clock": clock, "table": unique_prefix} | options
        made.append(SQLCacheBackend(url, **options))
        return made[-1]

    yield one
    for backend in made:
        backend.close()


def rows_of(cache):
    """Count what is there, visible or not."""
    count = Statement(f"SELECT COUNT(*) FROM {cache._sql.entries}", fits=lambda rows: True)
    (((number,),), _) = run(cache._database.ask(BLOCKING, "count", [count]))[0]
    return number


class TestTables:
    def test_what_is_over_goes_while_others_write(self, make, clock):
        cache = make()
        cache.set_many({f"old {number}": number for number in range(1_000)}, ttl=10)
        clock.advance(11)
        assert rows_of(cache) == 1_000
        for number in range(6 * EVERY):
            cache.set(f"new {number}", number)
        assert rows_of(cache) == 6 * EVERY
        assert cache.get("new 0") == 0

    def test_rows_stay_within_their_bound(self, make):
        cache = make(max_entries=200)
        for number in range(1_000):
            cache.set(f"k{number}", number)
            if number % 100 == 0:
                assert rows_of(cache) <= 200 + EVERY
        assert rows_of(cache) <= 200 + EVERY
        assert cache.get("k999") == 999

    def test_large_batches_are_made_up_for(self, make):
        cache = make(max_entries=500)
        for number in range(10):
            cache.set_many({f"{number} {each}": each for each in range(300)})
        assert rows_of(cache) <= 500 + 300

    def test_what_ends_first_goes_first(self, make):
        cache = make(max_entries=100)
        cache.set_many({f"for ever {number}": number for number in range(50)}, ttl=FOREVER)
        cache.set_many({f"long {number}": number for number in range(40)}, ttl=1_000)
        for number in range(1_000):
            cache.set(f"brief {number}", number, ttl=10)
        assert len(cache.get_many([f"for ever {number}" for number in range(50)])) == 50
        assert len(cache.get_many([f"long {number}" for number in range(40)])) == 40

    async def test_counters_and_locks_are_culled_for_too(self, make):
        cache = make(max_entries=100)
        for start in range(0, 600, 20):
            await asyncio.gather(*[cache.add_async(f"k{number}", 1) for number in range(start, start + 10)])
            await asyncio.gather(*[cache.incr_async(f"n{number}") for number in range(start, start + 10)])
        assert rows_of(cache) <= 100 + EVERY


class TestEstimates:
    @pytest.mark.parametrize("rows", [0, 1, 10, SAMPLE - 1])
    def test_small_table_is_counted(self, rows):
        culler = Culler(max_entries=5)
        assert culler.start() == 0
        assert culler.excess(0, rows, PLACES // 2 if rows else None) == max(0, rows - 5)

    def test_large_table_is_told_from_a_sample(self):
        dice = random.Random(1)
        places = sorted(dice.randrange(PLACES) for _ in range(100_000))
        for _ in range(200):
            start = Culler(max_entries=SAMPLE).start()
            sample = [place for place in places if place >= start][:SAMPLE]
            rows = Culler(max_entries=1).excess(start, len(sample), sample[-1]) + 1
            assert 0.85 * 100_000 < rows < 1.15 * 100_000

    def test_work_is_done_once_in_so_many_rows(self):
        culler = Culler(max_entries=1)
        limits = [culler.due(1) for _ in range(10 * EVERY)]
        assert [limit for limit in limits if limit] == [4 * EVERY] * 10
        assert culler.due(1_000) == 4_000
        assert culler.due(0) == 0

    def test_short_lived_processes_cull_as_often(self, monkeypatch):
        dice = random.Random(2)
        monkeypatch.setattr(sql_culling.random, "randrange", dice.randrange)
        assert 0.5 < sum(bool(Culler(max_entries=1).due(1)) for _ in range(100 * EVERY)) / 100 < 2
