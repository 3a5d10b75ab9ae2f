from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.backends.memory.expiry import AHEAD, CHUNK, PERIOD, TICKS, Wheel
from asynccache.backends.memory.slots import Slot
from asynccache.backends.memory.spaces import Spaces

TICK = 1 / TICKS


class Entries:
    """Slots with their wheel, which is told what a store tells it."""

    def __init__(self):
        self.now = 0.0
        self.spaces = Spaces("1")
        self.wheel = Wheel(self.spaces)

    def put(self, place, due):
        """Let an entry be due then; give its slot."""
        slot = self.spaces.find(place)
        if slot is None:
            slot = Slot()
            slot.due, slot.seen, slot.units = inf, 0, 1
            self.spaces.put(place, slot)
        before, slot.due = slot.due, due
        if due < inf:
            self.wheel.note(due)
        if due < before and due < self.wheel.horizon:
            self.wheel.add(place, due, self.now)
        return slot

    def turned(self, now):
        """Turn until there is no more to do, and remove what is due, as a store does."""
        self.now, gone = now, []
        while (due := self.wheel.turn(now)) is not None:
            assert len(due) <= CHUNK
            for place in due:
                gone += [place] if self.spaces.find(place) else []
                self.spaces.pop(place)
        return gone

    def waiting(self):
        """Count the places in buckets."""
        buckets = (self.wheel._near, self.wheel._far)
        return sum(len(bucket) for each in buckets for bucket in each._lists.values())


@pytest.fixture
def entries():
    return Entries()


def test_entry_is_due_when_its_tick_begins(entries):
    entries.put("k", 10 + 3.7 * TICK)
    assert entries.turned(10 + 2.99 * TICK) == []
    assert entries.turned(10 + 3 * TICK) == ["k"]
    assert entries.turned(1000) == []


@given(
    st.lists(st.one_of(st.floats(0, 1e6), st.floats(0, 200)), max_size=50),
    st.lists(st.one_of(st.floats(0, 1e6), st.floats(0, 200)), max_size=20),
)
def test_at_any_time_those_are_gone_whose_tick_began(dues, times):
    entries = Entries()
    for number, due in enumerate(dues):
        entries.put(f"k{number}", due)
    for now in sorted(times):
        entries.turned(now)
        for number, due in enumerate(dues):
            gone = entries.spaces.find(f"k{number}") is None
            assert gone or due > now
            assert not gone or due < now + TICK + 1e-6
    left = [slot.due for slot in entries.spaces.default.slots.values()]
    assert entries.wheel.next() <= min(left, default=inf)


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 150), st.floats(0, 12)), max_size=80))
def test_lifetimes_change_in_any_order(steps):
    entries = Entries()
    dues = {}
    for index, ttl, pause in steps:
        place = f"k{index}" if index % 2 else ("2", f"k{index}")
        dues[place] = inf if ttl > 120 else entries.now + ttl
        entries.put(place, dues[place])
        now = entries.now + pause
        gone = entries.turned(now)
        assert entries.wheel._size == entries.waiting()
        assert all(dues.pop(place) < now + TICK + 1e-6 for place in gone)
        assert all(due > now for due in dues.values())
        assert set(entries.spaces.places()) == set(dues)


def test_what_is_due_later_waits_in_no_bucket_until_it_is_due_soon(entries):
    entries.put("first", 1000.0)
    for number in range(2 * CHUNK + 10):
        entries.put(f"k{number}", 500.0 + number / 1000)
    entries.put("removed", 500.0)
    assert entries.waiting() == 0
    for now in range(0, 500 - PERIOD - 2 * AHEAD, PERIOD):
        assert entries.turned(float(now)) == []
        assert entries.waiting() == 0
        assert now < entries.wheel.next() <= now + PERIOD
    entries.spaces.pop("removed")
    assert entries.turned(499.0) == []
    assert entries.waiting() == 2 * CHUNK + 10
    assert len(entries.turned(503.0)) == 2 * CHUNK + 10
    assert entries.turned(1000.0) == ["first"]
    assert entries.wheel.next() == inf


def test_nothing_is_lost_that_comes_while_all_are_looked_at(entries):
    for number in range(3 * CHUNK):
        entries.put(f"k{number}", 100.0)
    now = entries.now = float(PERIOD)
    seen = 0
    while entries.wheel.turn(now) is not None:
        entries.put(f"new {seen}", 200.0 + seen)
        entries.put(f"soon {seen}", 50.0)
        entries.put(f"k{seen}", 300.0)
        seen += 1
    assert seen > 3
    assert sorted(entries.turned(50.0)) == sorted(f"soon {number}" for number in range(seen))
    assert len(entries.turned(100.0)) == 3 * CHUNK - seen
    assert len(entries.turned(300.0 + seen)) == 2 * seen
    assert entries.wheel.next() == inf


def test_it_looks_no_more_when_those_who_were_due_later_are_gone(entries):
    entries.put("k", 1000.0)
    entries.spaces.pop("k")
    assert entries.turned(float(PERIOD)) == []
    assert entries.wheel.next() == inf


def test_extended_entry_is_not_due_at_its_old_time(entries):
    entries.put("k", 10.0)
    entries.put("k", 500.0)
    assert entries.turned(499.9) == []
    assert entries.turned(500) == ["k"]


def test_shortened_entry_is_due_at_its_new_time(entries):
    entries.put("k", 500.0)
    entries.put("k", 10.0)
    assert entries.turned(10) == ["k"]
    assert entries.turned(501) == []


@pytest.mark.parametrize("reached", [0, 9.5])
def test_entry_that_is_kept_for_ever_is_never_due(entries, reached):
    entries.put("k", 10.0)
    entries.turned(reached)
    entries.put("k", inf)
    assert entries.turned(1e9) == []
    assert entries.wheel.next() == inf


def test_removed_entry_is_never_due(entries):
    entries.put("near", 0.5)
    entries.put("far", 30.0)
    entries.turned(0)
    entries.spaces.pop("near")
    entries.spaces.pop("far")
    assert entries.turned(29.5) == []
    assert entries.turned(200) == []
    assert entries.waiting() == 0


def test_it_tells_when_it_is_to_be_turned_next(entries):
    assert entries.wheel.next() == inf
    entries.put("k", 20.5)
    assert entries.wheel.next() == 19
    entries.turned(19)
    assert entries.wheel.next() == 20.5
    entries.put("other", 20.25)
    assert entries.wheel.next() == 20.25
    entries.turned(21)
    assert entries.wheel.next() == inf


def test_time_may_jump_by_years(entries):
    for second in range(1, 100):
        entries.put(f"k{second}", second * 1e5)
    assert len(entries.turned(1e9)) == 99


def test_great_numbers_are_handled_in_chunks(entries):
    for number in range(2 * CHUNK + 1):
        entries.put(f"k{number}", 10.0)
    turns = 0
    while (due := entries.wheel.turn(11)) is not None:
        turns += 1
        for place in due:
            entries.spaces.pop(place)
    assert turns == 6  # three to split the second up, three for the tick


def test_it_lets_go_of_places_that_lead_nowhere_and_of_double_ones(entries):
    for number in range(10_000):
        slot = entries.put("k", 30.0 - number / 1000)
        entries.put(f"gone {number}", 5.0)
        entries.spaces.pop(f"gone {number}")
        slot.due += 100
    assert entries.wheel._size == entries.waiting() < 100
    assert entries.turned(slot.due - 1) == []
    assert entries.turned(slot.due) == ["k"]
