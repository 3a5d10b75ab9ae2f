"""Each key has its place: the same on all nodes, evenly spread, and moved by no more than it must."""

import os
import subprocess
import sys
from collections import Counter
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from asynccache.backends.rendezvous import Rendezvous

NAMES = ["10.0.0.1:11211", "10.0.0.2:11211", "/run/memcached.sock", "[::1]:11211", "cache.example:11211"]
KEYS = [f"shop:1:product:{number}".encode() for number in range(5_000)]
names = st.lists(st.text(min_size=1), min_size=2, max_size=8, unique=True)


def placed(chosen: list[str]) -> dict[bytes, str]:
    return {key: Rendezvous(chosen).place(key) for key in KEYS[:200]}


def test_one_place_has_all_keys():
    assert {Rendezvous(["only"]).place(key) for key in KEYS} == {"only"}


def test_keys_are_spread_evenly():
    rendezvous = Rendezvous(NAMES)
    counts = Counter(rendezvous.place(key) for key in KEYS)
    assert counts.keys() == set(NAMES)
    assert min(counts.values()) > 0.9 * len(KEYS) / len(NAMES)
    assert max(counts.values()) < 1.1 * len(KEYS) / len(NAMES)


def test_order_of_the_names_decides_nothing():
    assert all(placed(list(order)) == placed(NAMES[:4]) for order in permutations(NAMES[:4]))


def test_place_that_is_added_takes_its_share_and_moves_no_other_key():
    before, after = Rendezvous(NAMES[:4]), Rendezvous(NAMES)
    moved = [key for key in KEYS if before.place(key) != after.place(key)]
    assert {after.place(key) for key in moved} == {NAMES[4]}
    assert 0.9 / 5 < len(moved) / len(KEYS) < 1.1 / 5


@given(chosen=names, key=st.binary(max_size=300))
def test_place_that_goes_takes_only_its_own_keys_along(chosen, key):
    place = Rendezvous(chosen).place(key)
    assert place in chosen
    for gone in set(chosen) - {place}:
        assert Rendezvous([name for name in chosen if name != gone]).place(key) == place


def test_places_are_the_same_in_every_process_and_release():
    code = (
        "from asynccache.backends.rendezvous import Rendezvous;"
        f"print([Rendezvous({NAMES!r}).place(key) for key in {KEYS[:8]!r}])"
    )
    for seed in ("0", "1"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment)
        assert printed.stdout.decode().strip() == str([Rendezvous(NAMES).place(key) for key in KEYS[:8]])
    assert [NAMES.index(Rendezvous(NAMES).place(key)) for key in KEYS[:8]] == [4, 0, 1, 4, 1, 3, 1, 4]
