import gc
import sys
import time
import tracemalloc
from math import inf

import pytest

from asynccache.backends.memory.slots import CONTAINERS, UNIT, encoded, shared, size_of
from asynccache.backends.memory.store import MemoryStore

LARGE = 1 << 40


def store_of(max_entries=LARGE, max_bytes=LARGE, clock=None):
    return MemoryStore("1", max_entries, max_bytes, clock)


def put(store, key, value, ttl=inf, space="1"):
    return store.put(space, key, shared(value, size_of(value)), ttl)


def held(store):
    """Count what can be found, and what it is said to occupy."""
    slots = [slot for space in store._spaces for slot in space.slots.values()]
    return {"entries": len(slots), "bytes": sum(slot.units for slot in slots) * UNIT}


def test_there_are_never_more_entries_than_allowed():
    store = store_of(max_entries=10)
    for number in range(100):
        assert put(store, f"k{number}", number) is True
        assert store.stats()["entries"] == min(number + 1, 10)
        assert held(store).items() <= store.stats().items()
    assert store.stats()["evictions"] == 90


def test_there_are_never_more_bytes_than_allowed():
    store = store_of(max_bytes=100_000)
    for number in range(300):
        assert put(store, f"k{number}", "x" * (number * 37 % 5000)) is True
        assert store.stats()["bytes"] <= 100_000
        assert held(store).items() <= store.stats().items()
    assert store.stats()["bytes"] > 90_000


def test_bounds_are_for_all_versions_together():
    store = store_of(max_entries=100)
    for number in range(1000):
        put(store, "k", number, space=str(number % 333))
        assert held(store)["entries"] <= 100
    assert len([*store._spaces]) <= 101


def test_entry_that_is_larger_than_allowed_is_refused_and_takes_the_old_one_with_it():
    store = store_of(max_bytes=10_000)
    put(store, "small", 1)
    put(store, "k", "old")
    assert put(store, "k", "x" * 10_000) is False
    assert put(store, "new", "x" * 10_000, space="2") is False
    assert store.find("1", "k") is None
    assert store.find("1", "small").value == 1
    assert held(store).items() <= store.stats().items()
    assert [space.name for space in store._spaces] == ["1"]


def test_overwriting_with_a_larger_value_makes_room():
    store = store_of(max_bytes=10_000)
    for number in range(4):
        put(store, f"k{number}", "x" * 2_000)
    assert put(store, "k0", "y" * 8_000) is True
    assert store.find("1", "k0").value == "y" * 8_000
    assert held(store).items() <= store.stats().items()
    assert store.stats()["bytes"] <= 10_000


def test_overwriting_keeps_count_whatever_replaces_what():
    store = store_of()
    contents = [shared("text", 50), encoded(b"payload" * 100), shared(5, 28), shared(None, 16), encoded(b"")]
    for content in contents * 3:
        store.put("1", "k", content, 300)
        assert held(store).items() <= store.stats().items()
    assert store.stats()["entries"] == 1
    assert store.drop("1", "k") is True
    assert store.stats()["bytes"] == 0


def test_space_that_got_empty_is_let_go():
    store = store_of()
    for number in range(100):
        put(store, "k", number, space=f"v{number}")
    for number in range(100):
        store.drop(f"v{number}", "k")
    assert [space.name for space in store._spaces] == ["1"]


@pytest.mark.parametrize("ttl", [inf, 300.0])
def test_what_is_set_and_deleted_again_and_again_leaves_nothing_behind(ttl):
    store = store_of()
    for number in range(20_000):
        put(store, f"k{number}", "x" * 1000, ttl)
        store.drop("1", f"k{number}")
    assert len(store._queues) < 100
    assert store._wheel._size < 100


def test_value_that_is_renewed_again_and_again_leaves_nothing_behind():
    store = store_of()
    for number in range(20_000):
        put(store, "k", number, 300 - number % 100)
    assert len(store._queues) == 1
    assert store._wheel._size < 100


def test_value_that_was_removed_is_not_kept_alive():
    class Value:
        gone = False

        def __del__(self):
            Value.gone = True

    store = store_of()
    put(store, "k", Value(), 300)
    store.drop("1", "k")
    assert Value.gone


def test_finalizer_of_a_value_may_use_the_store():
    store = store_of(max_entries=2)

    class Value:
        def __del__(self):
            put(store, "last words", 1)

    for number in range(10):
        put(store, f"k{number}", Value())
    assert held(store).items() <= store.stats().items()
    assert store.stats()["entries"] <= 2


def test_finalizer_of_a_value_may_set_the_very_key_for_which_it_went():
    store = store_of(max_entries=2)
    coming = "k0"

    class Value:
        def __del__(self):
            put(store, coming, "last words")

    for number in range(30):
        coming = f"k{number}"
        put(store, coming, Value())
        assert held(store).items() <= store.stats().items()
        assert store.stats()["entries"] <= 2


def test_finalizer_of_a_value_may_remove_who_would_have_gone_next():
    store = store_of(max_entries=1000)

    class Value:
        def __init__(self, number):
            self.number = number

        def __del__(self):
            if self.number % 2 == 0:
                store.drop("1", f"k{self.number + 1}")

    for number in range(1500):
        put(store, f"k{number}", Value(number))
        assert store.stats()["entries"] <= 1000
    assert held(store).items() <= store.stats().items()


def test_quick_way_keeps_the_bounds_and_the_count():
    store = store_of(max_entries=100, max_bytes=30_000)
    for number in range(3000):
        assert store.put_shared(f"k{number * 7 % 150}", "x" * (number * 37 % 1500), 300.0) is True
        if number % 10 == 0:
            put(store, f"k{number % 150}", number, space="2")
        assert store.stats()["bytes"] <= 30_000
        assert held(store).items() <= store.stats().items()
    assert store.stats()["bytes"] > 27_000
    assert store.put_shared("k1", "x" * 30_000, 300.0) is False
    assert store.find("1", "k1") is None
    for number in range(200):
        store.put_shared(f"k{number}", None, inf)
        assert held(store)["entries"] <= 100


def turned(store, now):
    """Let it be that late; tell what is left."""
    with store.lock:
        while store._turn(now):
            pass
    return sorted(store._spaces.places())


def test_what_expires_much_later_is_found_in_time_whenever_it_came():
    store, now = store_of(), time.monotonic()
    store.put_shared("early", "v", 100.0)
    store.put_shared("removed", "v", 200.0)
    store.drop("1", "removed")
    assert turned(store, now + 33) == ["early"]
    store.put_shared("late", "v", 200.0)
    store.put_shared("early", "v", 150.0)
    assert turned(store, now + 149) == ["early", "late"]
    assert turned(store, now + 152) == ["late"]
    assert turned(store, now + 199) == ["late"]
    assert turned(store, now + 202) == []


def test_what_comes_while_all_are_looked_at_is_found_though_all_others_are_gone():
    store, now = store_of(), time.monotonic()
    store.put_shared("removed", "v", 100.0)
    with store.lock:
        store._turn(now + 33)
        store.drop("1", "removed")
        store.put_shared("k", "v", 100.0)
    assert turned(store, now + 99) == ["k"]
    assert turned(store, now + 102) == []


def test_dict_of_a_cache_that_evicts_is_not_larger_than_of_one_that_fills():
    store = store_of(max_entries=25_000)
    for number in range(25_000):
        store.put_shared(f"k{number}", None, inf)
    filled = sys.getsizeof(store.default.slots)
    for number in range(25_000, 75_000):
        store.put_shared(f"k{number}", None, inf)
    assert sys.getsizeof(store.default.slots) <= filled


def test_overhead_of_an_entry_is_140_bytes_at_most():
    keys = [f"key {number:06}" for number in range(10_000)]
    values = [f"value {number:06}" for number in range(10_000)]
    store = store_of()
    gc.collect()
    tracemalloc.start()
    for key, value in zip(keys, values, strict=True):
        put(store, key, value, 300)
    gc.collect()
    occupied, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert occupied / len(keys) <= 140


def test_sizes_are_those_of_the_interpreter():
    for value in (None, 1, 10**40, 1.5, "", "text", "caf\xe9", b"bytes"):
        assert size_of(value) == sys.getsizeof(value)


def test_size_of_containers_has_what_is_in_them():
    text = "x" * 10_000
    for value in ((text,), [text], {text}, frozenset({text}), {text: 1}, {1: text}, ((((text,),),),), [{"a": (text,)}]):
        assert type(value) in CONTAINERS
        assert 10_000 < size_of(value) < 12_000
    endless = [text]
    endless.append(endless)
    assert size_of(endless) < 25_000
