"""Changes of keys in a store without fences, while loads of them are being stored and while others change them."""

import asyncio

import pytest

from asynccache import CacheService
from asynccache.backends.callable_cache import CallableCacheBackend
from asynccache.core.entry import Kind
from asynccache.loading.changes import Change
from asynccache.loading.outcomes import GONE


class Store:
    """A store of somebody's own, whose writes take until they are let go."""

    def __init__(self):
        self.kept = {}
        self.writes, self.go = asyncio.Event(), asyncio.Event()

    async def get(self, key):
        return self.kept.get(key)

    async def set(self, key, value):
        self.writes.set()
        await self.go.wait()
        self.kept[key] = value

    async def delete(self, key):
        await asyncio.sleep(0)
        return self.kept.pop(key, None) is not None


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def service(store):
    return CacheService(default=CallableCacheBackend(store.get, store.set, store.delete))


async def test_who_changes_a_key_second_waits_for_what_is_being_stored_as_well(service, store):
    async def load():
        return "old"

    loading = asyncio.create_task(service.get_or_set_async("k", load))
    await store.writes.wait()
    changes = [asyncio.create_task(service.delete_async("k")) for _ in range(2)]
    await asyncio.sleep(0.01)
    assert not any(change.done() for change in changes)
    store.go.set()
    await asyncio.wait(changes, return_when=asyncio.FIRST_COMPLETED)
    assert await service.get_async("k") is None
    assert await loading == "old"
    await asyncio.gather(*changes)
    assert (service.flights.under_way, service.flights.leaving) == ({}, [])


async def test_what_is_changed_now_is_known_and_not_for_ever(service):
    flights, backend = service.flights, service.get_backend()
    key = backend.flight_key("k", None, Kind.PAGE)
    async with Change(flights, backend, None, "k", "l"), Change(flights, backend, None, "k"):
        assert flights.is_changing(key)
    assert not flights.is_changing(key)
    flight, _ = flights.join(key)
    flight.begin_storing()
    entering = asyncio.create_task(Change(flights, backend, None, "k").__aenter__())
    await asyncio.sleep(0)
    assert flights.is_changing(key)
    entering.cancel()
    await asyncio.wait({entering})
    assert not flights.is_changing(key)
    flight.settle(GONE)
    assert (flights.under_way, flights.leaving) == ({}, [])
    with Change(flights, backend, None, "k"):
        assert flights.is_changing(key)
    assert not flights.is_changing(key)
