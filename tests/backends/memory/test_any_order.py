"""Local memory in any order of operations, against a dict with times: a miss only where there was an eviction."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.errors import NotAnIntegerError
from asynccache.plan.io import BLOCKING, run
from asynccache.testing import FakeClock

KEYS = st.sampled_from(["a", "b", "c"])
NUMBERS = st.integers(-5, 5)
VALUES = st.one_of(NUMBERS, NUMBERS, st.text(max_size=300), st.lists(NUMBERS, max_size=3), st.none(), st.booleans())
TTLS = st.one_of(st.sampled_from([0.001, 0.5, 1, 7.9, 60, float("inf"), 0, -1]), st.floats(0.001, 20))
VERSIONS = st.sampled_from([None, 2])
TAGS = st.sampled_from([("x",), ("x", "y"), ("y",)])
GONE = object()


class AgainstAModel(RuleBasedStateMachine):
    """A dict with times says what may come back: a miss only where there was an eviction."""

    @initialize(bounds=st.sampled_from([(10_000, 1 << 20), (3, 1 << 20), (10_000, 1500), (1, 1 << 20)]))
    def begin(self, bounds):
        self.clock = FakeClock(100.0)
        self.entries, self.bytes = bounds
        self.cache = LocalMemCacheBackend(max_entries=self.entries, max_bytes=self.bytes, ttl=10, clock=self.clock)
        self.model = {}
        self.tagged = {}
        self.loading = []
        self.missed = 0

    def expected(self, key, version):
        value, due = self.model.get((key, version), (GONE, 0))
        return value if due > self.clock() else GONE

    def lost(self, key, version):
        """Accept that an entry is gone which the model has: it must have been evicted."""
        del self.model[key, version]
        self.missed += 1
        assert self.missed <= self.cache._do.store._evictions

    def keep(self, key, version, value, ttl):
        self.model[key, version] = (value, self.clock() + ttl)
        self.tagged.pop((key, version), None)
        self.overtake(lambda load: load[:2] == (key, version))

    def overtake(self, is_overtaken):
        """Note which loads are not to land any more."""
        self.loading = [(*load[:3], load[3] or is_overtaken(load)) for load in self.loading]

    @rule(key=KEYS, version=VERSIONS)
    def get(self, key, version):
        found, expected = self.cache.get(key, version, default=GONE), self.expected(key, version)
        if found is GONE and expected is not GONE:
            self.lost(key, version)
        else:
            assert (type(found), found) == (type(expected), expected)

    @rule(key=KEYS, version=VERSIONS, value=VALUES, ttl=TTLS)
    def set(self, key, version, value, ttl):
        assert self.cache.set(key, value, ttl, version) is True
        self.keep(key, version, value, ttl)

    @rule(key=KEYS, version=VERSIONS, value=VALUES, ttl=TTLS)
    def add(self, key, version, value, ttl):
        added = self.cache.add(key, value, ttl, version)
        if added and self.expected(key, version) is not GONE:
            self.lost(key, version)
        assert added is (self.expected(key, version) is GONE)
        if added and ttl > 0:
            self.keep(key, version, value, ttl)

    @rule(key=KEYS, version=VERSIONS)
    def delete(self, key, version):
        deleted = self.cache.delete(key, version)
        if not deleted and self.expected(key, version) is not GONE:
            self.lost(key, version)
        assert deleted is (self.expected(key, version) is not GONE)
        self.model.pop((key, version), None)
        self.overtake(lambda load: load[:2] == (key, version))

    @rule(key=KEYS, version=VERSIONS, ttl=TTLS)
    def touch(self, key, version, ttl):
        touched = self.cache.touch(key, ttl, version)
        if not touched and self.expected(key, version) is not GONE:
            self.lost(key, version)
        expected = self.expected(key, version)
        assert touched is (expected is not GONE)
        if touched:
            tags = self.tagged.get((key, version), ())
            self.keep(key, version, expected, ttl)
            self.tagged[key, version] = tags
        elif ttl <= 0:
            self.overtake(lambda load: load[:2] == (key, version))

    @rule(key=KEYS, version=VERSIONS, delta=NUMBERS)
    def incr(self, key, version, delta):
        there = self.cache.has_key(key, version)
        if not there and self.expected(key, version) is not GONE:
            self.lost(key, version)
        expected = self.expected(key, version)
        assert there is (expected is not GONE)
        if expected is not GONE and type(expected) is not int:
            with pytest.raises(NotAnIntegerError):
                self.cache.incr(key, delta, version)
            return
        number = delta + (0 if expected is GONE else expected)
        assert self.cache.incr(key, delta, version) == number
        tags = () if expected is GONE else self.tagged.get((key, version), ())
        left = 10 if expected is GONE else self.model[key, version][1] - self.clock()
        self.keep(key, version, number, left)
        self.tagged[key, version] = tags

    @rule(keys=st.lists(KEYS, max_size=5), version=VERSIONS)
    def get_many(self, keys, version):
        found = self.cache.get_many(keys, version)
        for key in set(keys):
            expected = self.expected(key, version)
            if key not in found and expected is not GONE:
                self.lost(key, version)
            else:
                assert found.get(key, GONE) == expected

    @rule(key=KEYS, version=VERSIONS, value=VALUES, ttl=TTLS, tags=TAGS)
    def set_with_tags(self, key, version, value, ttl, tags):
        stored = self.cache.set(key, value, ttl, version, tags=tags)
        assert stored is True or self.bytes < 2000
        self.keep(key, version, value, ttl if stored else 0)
        self.tagged[key, version] = tags

    @rule(tags=TAGS, version=VERSIONS)
    def invalidate_tags(self, tags, version):
        self.cache.invalidate_tags(*tags, version=version)
        for place in [place for place, its in self.tagged.items() if place[1] == version and set(its) & set(tags)]:
            self.model.pop(place, None)
        self.overtake(lambda load: load[1] == version and bool(set(load[2][1]) & set(tags)))

    @rule(version=VERSIONS)
    def clear(self, version):
        self.cache.clear(version)
        for place in [place for place in self.model if place[1] == version]:
            del self.model[place]
        self.overtake(lambda load: load[1] == version)

    @rule(key=KEYS, version=VERSIONS, tags=TAGS)
    def begin_to_load(self, key, version, tags):
        claimed = run(self.cache.claim(BLOCKING, key, anew=True, version=version))
        self.loading.append((key, version, (claimed.ticket, tags), False))

    @precondition(lambda self: self.loading)
    @rule(value=VALUES, which=st.integers(0, 9))
    def land(self, value, which):
        key, version, (ticket, tags), is_overtaken = self.loading.pop(which % len(self.loading))
        landed = run(self.cache.land(BLOCKING, key, value, 60, ticket, tags=tags, version=version))
        assert landed is not is_overtaken
        if landed:
            fits = self.bytes > 2000 or self.cache.has_key(key, version)
            self.model[key, version] = (value, self.clock() + (60 if fits else 0))
            self.tagged[key, version] = tags

    @rule(seconds=st.one_of(st.sampled_from([0.0005, 0.5, 1, 9.99, 100]), st.floats(0, 20)))
    def advance(self, seconds):
        self.clock.advance(seconds)

    @precondition(lambda self: self.model)
    @rule()
    def everything_expires(self):
        finite = [due for _, due in self.model.values() if due < float("inf")]
        if finite:
            self.clock.advance(max(0.0, max(finite) - self.clock()) + 0.01)

    @invariant()
    def bounds_hold(self):
        if hasattr(self, "cache"):
            store = self.cache._do.store  # its stats() would free what expired
            slots = [slot for space in store._spaces for slot in space.slots.values()]
            assert len(store._spaces) == len(slots) <= self.entries
            assert 16 * store._spaces.units == 16 * sum(slot.units for slot in slots) <= self.bytes
            assert {*store._queues.small, *store._queues.main} >= {*store._spaces.places()}


TestAgainstAModel = AgainstAModel.TestCase
TestAgainstAModel.settings = settings(max_examples=300, stateful_step_count=50)
