"""The real loader in every order that a seed may say: several nodes, callers who leave, changes of all kinds."""

import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import pytest

from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.loading.changes import Change
from asynccache.loading.flight import Flight
from tests.coherence.deterministic import play
from tests.coherence.play import CHANGES, Play
from tests.coherence.tiny_backends import DictBackend, TinyBackend
from tests.coherence.tiny_store import TinyStore
from tests.coherence.world import Violation

SCHEDULES = 500
LONG_SCHEDULES = 17_000
CHUNK = 1000
WITHOUT_REVOKING = ("tag", "clear")
WITHOUT_CLEAR = ("delete", "set", "tag")


async def on_nodes(luck, off=(), faults=0.0, changes=CHANGES, *, alone=False):
    store = TinyStore(off)
    nodes = [TinyBackend(store, luck, faults) for _ in range(luck.choice((1, 2, 3)))]
    await _crowd(luck, Play(luck, nodes, changes=changes, alone=alone))


async def in_a_crowd(luck, off=()):
    store = TinyStore(off)
    nodes = [TinyBackend(store, luck) for _ in range(luck.choice((1, 2)))]
    await Play(luck, nodes, changes=WITHOUT_REVOKING, crowded=True).run(readers=12, changers=3)


async def without_an_order(luck):
    await _crowd(luck, Play(luck, [DictBackend(luck)], changes=WITHOUT_CLEAR))


async def in_local_memory(luck):
    await _crowd(luck, Play(luck, [LocalMemCacheBackend(clock=lambda: 1.0)]))


async def _crowd(luck, scene):
    await scene.run(readers=luck.randint(2, 8), changers=luck.randint(0, 3))


SCENES = {  # what happens, and how many seconds may pass meanwhile each time that the loop looks round
    "on nodes": (on_nodes, 0.0),
    "on nodes, one at a time": (partial(on_nodes, changes=WITHOUT_REVOKING, alone=True), 0.0),
    "on nodes, rights ending": (on_nodes, 0.2),
    "in a crowd": (in_a_crowd, 0.0),
    "on nodes, questions not answered": (partial(on_nodes, faults=0.1), 0.2),
    "in a process without an order": (without_an_order, 0.2),
    "in local memory": (in_local_memory, 0.0),
}


def run(name, first, count):
    scene, hurry = SCENES[name]
    for seed in range(first, first + count):
        try:
            play(seed, scene, hurry)
        except BaseException as error:
            error.add_note(f"seed {seed} of {name!r}")
            raise
    return count


@pytest.mark.parametrize("name", SCENES)
def test_nothing_stale_in_any_order(name):
    assert run(name, 0, SCHEDULES) == SCHEDULES


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", SCENES)
def test_nothing_stale_in_a_hundred_thousand_orders(name):
    chunks = range(0, LONG_SCHEDULES, CHUNK)
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as processes:
        assert sum(processes.map(partial(run, name, count=CHUNK), chunks)) == LONG_SCHEDULES


def test_the_same_seed_gives_the_same_order():
    told = []

    async def scene(luck):
        store = TinyStore()
        await _crowd(luck, Play(luck, [TinyBackend(store, luck)]))
        told.append((store.notebook, sorted(store.entries)))

    play(7, scene)
    play(7, scene)
    assert told[0] == told[1]


def always(flight, outcome, arrived, asked):
    return True


def unnoticed(flight):
    return flight.asked + 1


def nothing(change):
    return []


FENCES = {  # what is switched off, in the store or in the loader, and where that shows
    "a landing needs its right": ((), partial(on_nodes, off=["token"])),
    "a landing is checked": ((), partial(in_a_crowd, off=["land checks"])),
    "a change revokes": ((), partial(on_nodes, off=["revoking"])),
    "a follower looks again": ((Flight, "suits", always), in_a_crowd),
    "a landing closes its flight": ((Flight, "ask", unnoticed), in_a_crowd),
    "a change detaches": ((Change, "_detached", nothing), without_an_order),
}


@pytest.mark.parametrize("fence", FENCES)
def test_each_fence_is_needed(fence, monkeypatch):
    patch, scene = FENCES[fence]
    if patch:
        monkeypatch.setattr(*patch)
    with pytest.raises(Violation):
        for seed in range(10 * SCHEDULES):
            play(seed, scene)
