import random
from collections import OrderedDict

import pytest

from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.memory.eviction import Queues
from asynccache.backends.memory.slots import Slot
from asynccache.backends.memory.spaces import Spaces


def slot(seen=0):
    made = Slot()
    made.seen, made.units = seen, 1
    return made


@pytest.fixture
def spaces():
    return Spaces("1")


@pytest.fixture
def queues(spaces):
    return Queues(spaces)


def admit(queues, *places, seen=0):
    for place in places:
        queues._spaces.put(place, slot(seen))
        queues.admit(place)


def filled(queues, count):
    admit(queues, *(f"k{number}" for number in range(count)))
    return [queues._spaces.find(f"k{number}") for number in range(count)]


def evicted(queues, count, at_once=1):
    """Let so many go; give their places."""
    gone = []
    while len(gone) < count:
        before = queues._spaces.places()
        assert queues.evict(at_once) == min(at_once, len(before))
        after = set(queues._spaces.places())
        gone += [place for place in before if place not in after]
    return gone


def test_what_was_never_hit_leaves_in_the_order_of_arrival(queues):
    filled(queues, 100)
    assert evicted(queues, 3) == ["k0", "k1", "k2"]
    assert evicted(queues, 6, 3) == ["k3", "k4", "k5", "k6", "k7", "k8"]


def test_one_hit_is_enough_to_stay_longer_than_those_without(queues):
    slots = filled(queues, 100)
    slots[0].seen = slots[5].seen = 1
    first = evicted(queues, 90)
    assert "k0" not in first
    assert "k5" not in first


@pytest.mark.parametrize("at_once", [1, 10, 50])
def test_every_entry_leaves_in_the_end_however_often_it_was_hit(queues, at_once):
    for each in filled(queues, 50):
        each.seen = 1000
    assert sorted(evicted(queues, 50, at_once)) == sorted(f"k{number}" for number in range(50))
    assert queues.evict(1) == 0


def test_more_hits_stay_longer(queues):
    slots = filled(queues, 40)
    for each in slots:
        each.seen = 1
    evicted(queues, 1)  # all have moved on to the main queue by now
    slots[10].seen = 1
    slots[11].seen = 1000
    order = evicted(queues, 39)
    assert order.index("k12") < order.index("k10") < order.index("k11")


def test_a_thousand_hits_do_not_keep_an_entry_for_ever(queues):
    slots = filled(queues, 40)
    for each in slots:
        each.seen = 1
    evicted(queues, 1)  # all have moved on to the main queue by now
    slots[11].seen = 1000
    gone = []
    for number in range(400):
        admit(queues, f"new {number}", seen=1)
        gone += evicted(queues, 1)
    assert "k11" in gone


def test_what_comes_back_soon_goes_to_the_main_queue_at_once(queues):
    for each in filled(queues, 100)[50:]:
        each.seen = 1
    assert evicted(queues, 50) == [f"k{number}" for number in range(50)]
    for number in range(50):
        admit(queues, f"k{number}", f"new {number}")
    first = evicted(queues, 60)
    assert len([key for key in first if key.startswith("new")]) > 40  # a few ghosts are overwritten by others


def test_places_that_lead_nowhere_are_passed_over(queues, spaces):
    filled(queues, 10)
    for number in range(9):
        spaces.pop(f"k{number}")
    assert evicted(queues, 1) == ["k9"]


def test_places_of_other_versions_leave_like_all_others(queues):
    admit(queues, ("2", "a"), "a", ("3", "a"))
    assert evicted(queues, 3) == [("2", "a"), "a", ("3", "a")]


def test_entries_that_an_interrupt_kept_out_of_the_queues_can_go(queues, spaces):
    spaces.put("k", slot())
    spaces.put(("2", "k"), slot())
    assert sorted(evicted(queues, 2), key=str) == [("2", "k"), "k"]


def test_hits_that_do_not_count_any_more_are_not_lost(queues):
    slots = filled(queues, 10)
    slots[0].seen, slots[1].seen = 7, 1
    evicted(queues, 9)
    assert queues._spaces.spent + sum(each.seen for each in slots) == 8


def test_queues_let_go_of_places_that_lead_nowhere(queues, spaces):
    filled(queues, 10)
    for number in range(10_000):
        admit(queues, f"gone {number}")
        spaces.pop(f"gone {number}")
        queues.tidy()
    assert len(queues) < 100
    assert set(evicted(queues, 10)) == {f"k{number}" for number in range(10)}


def test_queues_let_go_of_double_places(queues, spaces):
    filled(queues, 100)
    for number in range(10_000):
        again = f"k{number % 100}"
        spaces.pop(again)
        admit(queues, again)
        if number % 700 == 0:
            spaces.find(again).seen = 1
            evicted(queues, 1)
        queues.tidy()
    assert len(queues) < 200
    assert sorted(evicted(queues, 100)) == sorted(f"k{number}" for number in range(100))


def test_ghosts_are_as_many_as_there_are_entries(queues):
    keys = [f"k{number}" for number in range(12_000)]
    admit(queues, *keys[:1000])
    for key in keys[1000:]:
        evicted(queues, 1)
        admit(queues, key)
    assert 1000 <= len(queues.ghosts) <= 2000
    for key in keys[:11_000]:
        queues.admit(key)
    remembered = set(queues.main)
    assert len(remembered.intersection(keys[:6000])) < 100
    assert 400 < len(remembered.intersection(keys[9000:])) < 1500


def test_ghosts_know_nobody_at_first(queues):
    filled(queues, 1000)
    assert len(queues.main) == 0


def test_it_hits_more_often_than_lru_where_many_keys_are_asked_for_once():
    chance = random.Random(3)
    hot = chance.choices(range(1000), weights=[1 / (rank + 1) for rank in range(1000)], k=20_000)
    keys = [f"k{key}" if chance.random() < 0.7 else f"once {number}" for number, key in enumerate(hot)]
    ours, lru, lru_hits = LocalMemCacheBackend(max_entries=100), OrderedDict(), 0
    for key in keys:
        if ours.get(key) is None:
            ours.set(key, 1)
        if key in lru:
            lru.move_to_end(key)
            lru_hits += 1
        else:
            lru[key] = 1
            if len(lru) > 100:
                lru.popitem(last=False)
    assert ours.stats()["hits"] > 1.15 * lru_hits
