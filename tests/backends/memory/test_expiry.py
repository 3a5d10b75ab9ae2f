from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.backends.memory.expiry import CHUNK, TICKS, Wheel
from asynccache.backends.memory.slots import Slot, Space

TICK = 1 / TICKS


def slot(due, key=""):
    made = Slot()
    made.key, made.space, made.due = key, Space(""), due
    return made


@pytest.fixture
def wheel():
    return Wheel()


def turned(wheel, now):
    """Turn until there is no more to do, and remove what is due, as a store does."""
    gone = []
    while (due := wheel.turn(now)) is not None:
        assert len(due) <= CHUNK
        for each in due:
            if each.space is not None:
                each.space = None
                gone.append(each)
    return gone


def waiting(wheel):
    return sum(len(bucket) for buckets in (wheel._near, wheel._far) for bucket in buckets._lists.values())


def test_slot_is_due_when_its_tick_begins(wheel):
    mine = slot(10 + 3.7 * TICK)
    wheel.add(mine, 10)
    assert turned(wheel, 10 + 2.99 * TICK) == []
    assert turned(wheel, 10 + 3 * TICK) == [mine]
    assert turned(wheel, 1000) == []


@given(
    st.lists(st.floats(0, 1e6), max_size=50),
    st.lists(st.floats(0, 1e6), max_size=20),
)
def test_at_any_time_those_are_gone_whose_tick_began(dues, times):
    wheel = Wheel()
    slots = [slot(due) for due in dues]
    for each in slots:
        wheel.add(each, 10)
    for now in sorted(times):
        turned(wheel, now)
        for each in slots:
            gone = each.space is None
            assert gone or each.due > now
            assert not gone or each.due < now + TICK + 1e-6
    assert wheel.next() <= min((each.due for each in slots if each.space), default=inf)


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 50), st.floats(0, 3)), max_size=80))
def test_lifetimes_change_in_any_order(steps):
    wheel, now = Wheel(), 0.0
    slots = [slot(inf) for _ in range(10)]
    for index, ttl, pause in steps:
        each = slots[index]
        if each.space is None:
            each = slots[index] = slot(inf)
        due = inf if ttl > 40 else now + ttl
        earlier, each.due = due < each.due, due
        if earlier:
            wheel.add(each, 10)
        now += pause
        turned(wheel, now)
        assert wheel._size == waiting(wheel)
        for other in slots:
            assert other.space is None or other.due > now
            assert other.space is not None or other.due < now + TICK + 1e-6


def test_extended_slot_is_not_due_at_its_old_time(wheel):
    mine = slot(10.0)
    wheel.add(mine, 10)
    mine.due = 500.0
    assert turned(wheel, 499.9) == []
    assert turned(wheel, 500) == [mine]


def test_shortened_slot_is_due_at_its_new_time(wheel):
    mine = slot(500.0)
    wheel.add(mine, 10)
    mine.due = 10.0
    wheel.add(mine, 10)
    assert turned(wheel, 10) == [mine]
    assert turned(wheel, 501) == []


@pytest.mark.parametrize("reached", [0, 9.5])
def test_slot_that_is_kept_for_ever_is_never_due(wheel, reached):
    mine = slot(10.0)
    wheel.add(mine, 10)
    turned(wheel, reached)
    mine.due = inf
    assert turned(wheel, 1e9) == []
    assert wheel.next() == inf


def test_removed_slot_is_never_due(wheel):
    near, far = slot(0.5), slot(100.0)
    wheel.add(near, 10)
    wheel.add(far, 10)
    turned(wheel, 0)
    near.space = far.space = None
    assert [*wheel.turn(99.5)] == []
    assert turned(wheel, 200) == []


def test_it_tells_when_it_is_to_be_turned_next(wheel):
    assert wheel.next() == inf
    wheel.add(slot(100.5), 10)
    assert wheel.next() == 99
    turned(wheel, 99)
    assert wheel.next() == 100.5
    wheel.add(slot(100.25), 10)
    assert wheel.next() == 100.25
    turned(wheel, 101)
    assert wheel.next() == inf


def test_time_may_jump_by_years(wheel):
    slots = [slot(second * 1e5) for second in range(1, 100)]
    for each in slots:
        wheel.add(each, 10)
    assert len(turned(wheel, 1e9)) == 99


def test_great_numbers_are_handled_in_chunks(wheel):
    for _ in range(2 * CHUNK + 1):
        wheel.add(slot(10.0), 10)
    turns = 0
    while (due := wheel.turn(11)) is not None:
        turns += 1
        for each in due:
            each.space = None
    assert turns == 6  # three to split the second up, three for the tick


def test_it_lets_go_of_removed_and_double_slots(wheel):
    mine = slot(10_000.0)
    wheel.add(mine, 10)
    for number in range(10_000):
        mine.due = 9_000.0 - number / 2
        wheel.add(mine, 10)
        gone = slot(500.0)
        wheel.add(gone, 1)
        gone.space = None
        mine.due += 100
    assert wheel._size == waiting(wheel) < 100
    assert turned(wheel, mine.due - 1) == []
    assert turned(wheel, mine.due) == [mine]
