import random
from collections import OrderedDict

import pytest

from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.memory.eviction import Ghosts, Queues
from asynccache.backends.memory.slots import Slot, Space

SPACE = Space("")


def slot(key):
    made = Slot()
    made.key, made.space, made.seen = key, SPACE, 0
    return made


@pytest.fixture
def queues():
    return Queues()


def filled(queues, count):
    slots = [slot(f"k{number}") for number in range(count)]
    for each in slots:
        queues.admit(each)
    return slots


def evicted(queues, entries, count):
    return [queues.evict(entries - number).key for number in range(count)]


def test_what_was_never_hit_leaves_in_the_order_of_arrival(queues):
    filled(queues, 100)
    assert evicted(queues, 100, 3) == ["k0", "k1", "k2"]


def test_one_hit_is_enough_to_stay_longer_than_those_without(queues):
    slots = filled(queues, 100)
    slots[0].seen = slots[5].seen = 1
    first = evicted(queues, 100, 90)
    assert "k0" not in first
    assert "k5" not in first


def test_every_entry_leaves_in_the_end_however_often_it_was_hit(queues):
    for each in filled(queues, 50):
        each.seen = 1000
    assert sorted(evicted(queues, 50, 50)) == sorted(f"k{number}" for number in range(50))


def test_more_hits_stay_longer(queues):
    slots = filled(queues, 40)
    for each in slots:
        each.seen = 1
    evicted(queues, 40, 1)  # all have moved on to the main queue by now
    slots[10].seen = 1
    slots[11].seen = 1000
    order = evicted(queues, 39, 39)
    assert order.index("k12") < order.index("k10") < order.index("k11")


def test_a_thousand_hits_do_not_keep_an_entry_for_ever(queues):
    slots = filled(queues, 40)
    for each in slots:
        each.seen = 1
    queues.evict(40)  # all have moved on to the main queue by now
    slots[11].seen = 1000
    queues.admit(slot("new"))
    for number in range(400):
        queues.evict(40)
        fresh = slot(f"new {number}")
        fresh.seen = 1
        queues.admit(fresh)
    assert slots[11] not in {queues.evict(40 - number) for number in range(40)}


def test_what_comes_back_soon_goes_to_the_main_queue_at_once(queues):
    for each in filled(queues, 100)[50:]:
        each.seen = 1
    assert evicted(queues, 100, 50) == [f"k{number}" for number in range(50)]
    for number in range(50):
        queues.admit(slot(f"k{number}"))
        queues.admit(slot(f"new {number}"))
    first = evicted(queues, 150, 60)
    assert len([key for key in first if key.startswith("new")]) > 40  # a few ghosts are overwritten by others


def test_removed_slots_are_passed_over(queues):
    for each in filled(queues, 10)[:9]:
        each.space = None
    assert queues.evict(1).key == "k9"


def test_hits_that_do_not_count_any_more_are_not_lost(queues):
    slots = filled(queues, 10)
    slots[0].seen, slots[1].seen = 7, 1
    out = [queues.evict(10 - number) for number in range(10)]
    assert queues.spent + sum(each.seen for each in out) == 8


def test_queues_let_go_of_removed_slots():
    queues = Queues()
    living = filled(queues, 10)
    for number in range(10_000):
        gone = slot(f"gone {number}")
        queues.admit(gone)
        gone.space = None
        queues.tidy(10)
    assert len(queues) < 100
    assert {queues.evict(10 - number) for number in range(10)} == set(living)


def test_ghosts_remember_about_as_many_as_there_are_entries():
    ghosts, chance = Ghosts(), random.Random(1)
    marks = [chance.getrandbits(63) for _ in range(10_000)]
    for mark in marks:
        ghosts.add(mark, 1000)
    assert ghosts.take(marks[-1]) is True
    assert ghosts.take(marks[-1]) is False
    remembered = [ghosts.take(mark) for mark in marks]
    assert sum(remembered[:5000]) < 50
    assert 400 < sum(remembered) <= 1000


def test_ghosts_know_nobody_at_first():
    assert Ghosts().take(0) is False
    ghosts = Ghosts()
    ghosts.add(5 << 31, 1)
    assert ghosts.take(6 << 31) is False


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
