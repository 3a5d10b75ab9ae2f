"""Clients leave at any moment: nobody else fails or waits for ever, and nothing half is stored."""

import os
import random
from functools import partial

import anyio
import pytest
import trio
import trio.testing

from asynccache.backends.local_cache import LocalMemCacheBackend
from tests.coherence.deterministic import play
from tests.coherence.tiny_backends import TinyBackend
from tests.coherence.tiny_store import TinyStore
from tests.http.proofs.party import PATIENCE, Party, TrioParty
from tests.http.proofs.systems import edge_of_decorated, fastapi_app, full_edge, safe_edge, service_in, starlette_app

SEEDS = 5_000 if os.environ.get("ASYNCCACHE_LONG") == "1" else 40
URL = "http://h/a"


async def in_local_memory(make, luck, kind=Party):
    party = kind(luck)
    await play_on(party, [make(party.application, LocalMemCacheBackend(clock=lambda: 1.0))])


async def on_nodes(make, luck):
    """Let two processes share a store whose answers take their time."""
    party, store = Party(luck), TinyStore()
    await play_on(party, [make(party.application, TinyBackend(store, luck)) for _ in range(2)])
    assert not store.leases, "a right is left"


async def with_faults(make, luck):
    """Let now and then a question to the store have no answer."""
    party, store = Party(luck), TinyStore()
    apps = [make(party.application, TinyBackend(store, luck, 0.1)) for _ in range(2)]
    await play_on(party, apps, writes=False)


async def play_on(party, apps, *, writes=True):
    services = [service_in(app) for app in apps]
    changes = [(party.change, partial(service.invalidate_url_async, URL)) for service in services]
    if writes and all(
        hasattr(app, "service") for app in apps
    ):  # pages of @Cache outlive writes, unless something @Evicts them
        changes += [(party.write, app) for app in apps]
    await party.crowd(apps, changes)
    await party.check(apps)
    for service in services:
        with anyio.fail_after(2 * PATIENCE):
            while service.loader.runner.running:
                await anyio.sleep(0.01)
        assert not service.flights.under_way, "a flight is left"


def of_edge(make):
    """Let time stand still for a `CacheMiddleware`."""
    return lambda answering, backend: make(answering, backend, clock=lambda: 1_800_000_000.0)


SYSTEMS = {"Starlette": starlette_app, "FastAPI": fastapi_app, "edge=True": edge_of_decorated}
SYSTEMS |= {"safe": of_edge(safe_edge), "rfc9111": of_edge(full_edge)}


SCENES = [(in_local_memory, name) for name in SYSTEMS]
SCENES += [(scene, name) for scene in (on_nodes, with_faults) for name in SYSTEMS if name != "FastAPI"]


@pytest.mark.parametrize(("scene", "name"), SCENES, ids=[f"{scene.__name__}-{name}" for scene, name in SCENES])
def test_whoever_stays_is_answered(scene, name):
    for seed in range(SEEDS):
        try:
            play(seed, lambda luck: scene(SYSTEMS[name], luck))
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise


@pytest.mark.parametrize("make", [SYSTEMS["Starlette"], SYSTEMS["rfc9111"]], ids=["Starlette", "rfc9111"])
def test_whoever_stays_is_answered_on_trio(make):
    for seed in range(SEEDS // 4):
        trio._core._run._r.seed(seed)  # which decides who runs first
        clock = trio.testing.MockClock(autojump_threshold=0)
        try:
            trio.run(in_local_memory, make, random.Random(seed), TrioParty, clock=clock)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
