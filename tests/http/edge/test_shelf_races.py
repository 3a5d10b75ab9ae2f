"""An invalidation at each moment of storing a response: whatever it meets, nothing from before is found after."""

import asyncio

import pytest

from asynccache.backends.callable_cache import CallableCacheBackend
from asynccache.http.edge.shelf import OVERTAKEN, Shelf
from asynccache.loading.outcomes import GONE
from tests.http.edge.shelves import BEFORE, INVALIDATIONS, NOW, URL, A, B, Node

STEPS = ("claim", "remove", "_land", "_write", "_prolong", "_still_stands", "_opened")


def stepping(name):
    async def step(self, *args, **options):
        await self.before_step()
        return await getattr(super(Stepping, self), name)(*args, **options)

    return step


class Stepping(Shelf):
    """A shelf that lets something happen before one of the steps of storing."""

    left = 0
    happening = None

    async def before_step(self):
        self.left -= 1
        if self.left == 0 and self.happening is not None:
            self.task = asyncio.create_task(self.happening())
            await asyncio.wait({self.task}, timeout=0.02)  # it may have to wait for what is being stored


for name in STEPS:
    setattr(Stepping, name, stepping(name))


@pytest.mark.parametrize("invalidate", [INVALIDATIONS["url"], INVALIDATIONS["tag"]], ids=["url", "tag"])
@pytest.mark.parametrize(("there", "names"), BEFORE.values(), ids=BEFORE)
async def test_nothing_from_before_is_found_after(nodes, invalidate, there, names):
    storing, other = Node(nodes[0].backend, Stepping), nodes[1]
    if nodes[0] is nodes[1]:
        other = storing
    step = happened = 0
    while happened == step:
        step += 1
        for number, (known, value) in enumerate(there):
            more = {"received_at": NOW + number}
            assert (await other.store(known, b"old", more=more, x_a=value, x_b=value)).is_stored
        load = await storing.begin(x_a="1")
        shelf = storing.shelf
        shelf.left, shelf.task = step, None
        shelf.happening = lambda: invalidate(other.service)
        await storing.end(load, names, b"too late", tags=["red"])
        shelf.left = 0
        if shelf.task is not None:
            await shelf.task
            happened += 1
            found = [await node.find(x_a="1") for node in (storing, other)]
            assert b"too late" not in found
        await other.service.invalidate_url_async(URL)
    assert happened


@pytest.mark.parametrize("before", ["nothing, and it varies", "another, by other fields", "another variant"])
async def test_whoever_is_cancelled_while_storing_keeps_nobody_from_it(nodes, before):
    there, names = BEFORE[before]
    storing = Node(nodes[0].backend, Stepping)
    for step in range(1, 20):
        for known, value in there:
            assert (await storing.store(known, b"old", x_a=value, x_b=value)).is_stored
        load = await storing.begin(x_a="1")
        ending = asyncio.create_task(storing.end(load, names, b"1"))
        shelf = storing.shelf

        async def cancel(task=ending):
            task.cancel()

        shelf.left, shelf.happening = step, cancel
        await asyncio.wait({ending})
        shelf.left = 0
        assert not len(storing.service.flights)
        assert (await storing.store(names, b"2", x_a="1")).is_stored
        assert await nodes[1].find(x_a="1") == b"2"
        await storing.service.invalidate_url_async(URL)
        if not ending.cancelled():
            break
    assert step > 2


async def test_an_index_that_is_being_removed_without_fences_is_not_written_again():
    kept, deleting, go_on = {}, asyncio.Event(), asyncio.Event()

    async def get(key):
        return kept.get(key)

    async def put(key, value):
        kept[key] = value

    async def delete(key):
        if key in kept:  # that of the page of `@Cache`, of which there is none, is removed before
            deleting.set()
            await go_on.wait()
        return kept.pop(key, None) is not None

    node = Node(CallableCacheBackend(get, put, delete))
    for names in (A, B):
        await node.store(A, b"1", x_a="1")
        deleting.clear()
        load = await node.begin(x_a="2")
        removing = asyncio.create_task(node.service.invalidate_url_async(URL))
        await deleting.wait()
        assert (await node.end(load, names, b"2")).why == OVERTAKEN
        go_on.set()
        assert await removing
        go_on.clear()


async def test_nothing_is_stored_by_a_flight_that_began_for_another_place():
    kept = {}
    node = Node(CallableCacheBackend(kept.get, kept.__setitem__, kept.__delitem__))
    load = await node.begin(x_a="1")
    elsewhere, _ = node.service.flights.join("where something else was found")
    load.flight.settle(GONE)
    load.flight = elsewhere
    await node.service.invalidate_url_async(URL)
    assert (await node.end(load, body=b"too late")).why == OVERTAKEN
    assert await node.find(x_a="1") is None
