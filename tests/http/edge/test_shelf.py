"""The responses of a URL in stores of all kinds: where they lie, who finds them, and what takes them away."""

import asyncio

import pytest
from starlette.responses import PlainTextResponse

from asynccache import Cache, get_cache_service
from asynccache.backends.callable_cache import CallableCacheBackend
from asynccache.backends.dummy_cache import DummyCacheBackend
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.tiered_cache import TieredCacheBackend
from asynccache.core.entry import Kind
from asynccache.core.url_keys import group_tags
from asynccache.http.edge.shelf import NOT_TAKEN, OVERTAKEN
from asynccache.http.stored import MAX_VARIES, MAX_VARY_NAMES, Index, Span
from asynccache.plan.io import LOOP
from asynccache.testing import FakeClock
from tests.http.edge.shelves import BEFORE, INVALIDATIONS, KEY, NOW, URL, A, B, Node, fields, response
from tests.http.serving import app_of, ask


async def test_what_one_process_stores_another_finds(nodes):
    one, two = nodes
    assert await two.find() is None
    assert (await one.store(body=b"first")).is_stored
    assert [await node.find(x_a="1") for node in nodes] == [b"first"] * 2
    assert (await two.store(body=b"second")).is_stored
    assert await two.find() == b"second"


async def test_variants_lie_side_by_side(nodes):
    one, two = nodes
    for node, value in ((one, "1"), (two, "2"), (one, "3")):
        assert (await node.store(A, value.encode(), x_a=value)).is_stored
    assert (await one.store(A, b"none")).is_stored
    for node in nodes:
        found = [await node.find(**headers) for headers in ({"x_a": "1"}, {"x_a": "2"}, {"x_a": "3"}, {}, {"x_a": "4"})]
        assert found == [b"1", b"2", b"3", b"none", None]
        assert (await node.look(x_a="4")).has_others


async def test_responses_whose_vary_names_other_fields_lie_beside_those(nodes):
    one, two = nodes
    await one.store(A, b"a", x_a="1")
    assert (await two.store(B, b"b", x_b="1")).is_stored
    assert (await one.store((b"x-a", b"x-b"), b"ab", x_a="1", x_b="2")).is_stored
    asked = {b"a": {"x_a": "1"}, b"b": {"x_b": "1"}, b"ab": {"x_a": "1", "x_b": "2"}}
    for node in nodes:
        assert [await node.find(**headers) for headers in asked.values()] == list(asked)
        assert await node.find() is None
    load = await two.begin(x_b="9")  # it looks by the newest names first, and answers by others
    assert (await two.end(load, B, b"b9")).is_stored
    assert [await node.find(x_b="9") for node in nodes] == [b"b9"] * 2


async def test_a_response_without_vary_counts_until_there_is_a_newer_one_with(nodes):
    one, two = nodes
    await one.store(body=b"plain")
    await two.store(A, b"a", x_a="1")
    assert [await node.find(x_a="2") for node in nodes] == [None, None]
    assert (await one.store(body=b"plain", x_a="2", more={"received_at": NOW + 1})).is_stored
    assert [await node.find(x_a="3") for node in nodes] == [b"plain"] * 2
    assert (await one.store(A, b"a2", x_a="2")).is_stored
    assert [await node.find(x_a="2") for node in nodes] == [b"a2"] * 2
    assert [await node.find(x_a="3") for node in nodes] == [None, None]


async def test_removing_a_url_removes_its_variants(nodes):
    one, two = nodes
    assert not await one.service.invalidate_url_async(URL)
    for number in "12":
        await one.store(A, b"old", x_a=number)
    assert await two.service.invalidate_url_async(URL)
    assert not await two.service.invalidate_url_async(URL)
    assert [await one.find(x_a=number) for number in "12"] == [None, None]
    await one.store(A, b"new", x_a="1")
    assert [await two.find(x_a=number) for number in "12"] == [b"new", None]
    assert await one.shelf.invalidate(KEY)
    assert not await two.shelf.invalidate(KEY)
    assert await two.find(x_a="1") is None


async def test_removing_a_url_removes_the_page_of_a_handler_and_the_response_of_the_middleware():
    @Cache(60)
    async def handler(request):
        return PlainTextResponse("page")

    app = app_of(handler)
    service = get_cache_service(app)
    node = Node(service.get_backend())
    for has_page, has_response in ((True, True), (True, False), (False, True)):
        if has_page:
            assert "stored" in (await ask(app, "/products?page=2", scheme="https")).cache
        if has_response:
            await node.store()
        assert await service.invalidate_url_async(URL)
        assert not service.invalidate_url(URL)
        assert await node.find() is None


async def test_tags_and_groups_take_what_was_stored_with_them(nodes):
    one, two = nodes
    group = group_tags(KEY, ("scripts",))[0]
    assert group == "group:https://h:scripts"
    await one.store(A, b"1", tags=["red"], x_a="1")
    await one.store(A, b"2", tags=["blue"], x_a="2")
    await two.service.invalidate_tags_async("blue")
    assert [await node.find(x_a="2") for node in nodes] == [None, None]
    assert (await one.store(A, b"3", more={"groups": ("scripts",)}, x_a="3")).is_stored
    await two.service.invalidate_tags_async(group)
    assert [await node.find(x_a="3") for node in nodes] == [None, None]
    assert (await two.store(body=b"plain", tags=["red"], x_a="4")).is_stored
    await one.service.invalidate_tags_async("red")
    assert [await node.find(x_a="4") for node in nodes] == [None, None]


async def test_what_was_freshened_keeps_its_tags(nodes):
    one, two = nodes
    for names, value in (((), "1"), (A, "2")):
        await one.store(names, b"old", tags=["red"], x_a=value)
        load = await two.begin(x_a=value)
        freshened = response(b"old", names=names, headers=load.headers, tags=load.found.stored.tags, lifetime=99.0)
        assert (await two.end_with(load, freshened)).is_stored
        assert (await one.look(x_a=value)).stored.lifetime == 99.0
        await one.service.invalidate_tags_async("red")
        assert [await node.find(x_a=value) for node in nodes] == [None, None]


# What began before something was invalidated


@pytest.mark.parametrize("invalidate", INVALIDATIONS.values(), ids=INVALIDATIONS)
@pytest.mark.parametrize(("there", "names"), BEFORE.values(), ids=BEFORE)
async def test_what_began_before_an_invalidation_is_not_stored(nodes, invalidate, there, names):
    one, two = nodes
    for number, (known, value) in enumerate(there):
        more = {"received_at": NOW + number}
        assert (await one.store(known, b"old", tags=["red"], more=more, x_a=value, x_b=value)).is_stored
    load = await one.begin(x_a="1")
    await invalidate(two.service)
    kept = await one.end(load, names, b"too late", tags=["red"], groups=("g",))
    assert kept.why == OVERTAKEN
    assert kept.shelved.body == b"too late"
    assert b"too late" not in [await node.find(x_a="1") for node in nodes]
    kept = await two.store(names, b"new", x_a="1", tags=["red"], more={"groups": ("g",), "received_at": NOW + 9})
    assert kept.is_stored
    assert [await node.find(x_a="1") for node in nodes] == [b"new"] * 2


async def test_two_who_find_out_at_once_that_a_url_varies_leave_one_index(nodes):
    one, two = nodes
    for _ in range(5):
        loads = [(node, await node.begin(x_a=str(number))) for number, node in enumerate(nodes)]
        kept = await asyncio.gather(*(node.end(load, A, load.headers[0][1]) for node, load in loads))
        stored = [number for number, kept_one in enumerate(kept) if kept_one is not None and kept_one.is_stored]
        assert stored
        for node in nodes:
            assert [await node.find(x_a=str(number)) for number in stored] == [b"%d" % number for number in stored]
        await one.service.invalidate_url_async(URL)
        assert [await two.find(x_a=str(number)) for number in range(2)] == [None, None]


async def test_those_who_add_names_at_once_lose_nothing_that_was_there(nodes):
    await nodes[0].store(A, b"first", x_a="first")
    asked = [{"x_a": str(number), f"x_{number}": "1"} for number in range(4)]
    loads = [(node, await node.begin(**headers)) for node, headers in zip(nodes * 2, asked, strict=True)]
    names = [(b"x-%d" % number,) for number in range(4)]
    ends = [node.end(load, own, own[0]) for (node, load), own in zip(loads, names, strict=True)]
    kept = await asyncio.gather(*ends)
    stored = [number for number, one in enumerate(kept) if one is not None and one.is_stored]
    assert stored
    for node in nodes:
        assert await node.find(x_a="first") == b"first"
        assert [await node.find(**asked[number]) for number in stored] == [names[number][0] for number in stored]


# What is lost, damaged, or too much


async def test_an_index_or_a_variant_that_is_lost_is_a_miss(nodes):
    one, two = nodes
    await one.store(A, b"1", x_a="1")
    await one.store(A, b"2", x_a="2")
    await two.backend.remove(LOOP, (await one.look(x_a="1")).key)
    assert [await one.find(x_a=number) for number in "12"] == [None, b"2"]
    assert (await two.store(A, b"again", x_a="1")).is_stored
    await two.backend.remove(LOOP, KEY)
    assert [await one.find(x_a=number) for number in "12"] == [None, None]
    assert (await two.store(A, b"new", x_a="2")).is_stored
    assert [await one.find(x_a=number) for number in "12"] == [None, b"new"]


class Junk:
    def __init__(self, payload):
        self.payload = payload

    def __bytes__(self):
        return self.payload


@pytest.mark.parametrize(
    "payload", [b"", b"\x80\x04no page", bytes(response(names=A, headers=[])).replace(b"x-a", b"\xa3x")]
)
async def test_what_is_damaged_is_a_miss_and_is_removed(redis_server, unique_prefix, payload, caplog):
    backend = RedisCacheBackend(redis_server.url, key_prefix=unique_prefix, deadline=5)
    node = Node(backend)
    async with node.service:
        await node.store(A, b"1", x_a="1")
        for key in ((await node.look(x_a="1")).key, KEY):
            await backend.write(LOOP, key, Junk(payload), 60, kind=Kind.PAGE)
            assert await node.find(x_a="1") is None
            assert not await backend.exists(LOOP, key)
        assert (await node.store(A, b"2", x_a="1")).is_stored
        assert await node.find(x_a="1") == b"2"
    assert "was not usable and is removed" in caplog.text


async def test_a_value_under_the_key_of_a_url_is_none_of_its_responses(nodes):
    one, two = nodes
    await one.service.set_async(KEY, {"status": 200})
    assert await two.find() is None
    assert (await one.store()).is_stored
    assert await two.find() == b"body"


async def test_a_variant_of_another_index_is_not_found(nodes):
    one, two = nodes
    await one.store(A, b"1", x_a="1")
    look = await two.look(x_a="1")
    await two.backend.write(LOOP, KEY, Index(b"12345678", (A,)), 60, kind=Kind.PAGE)
    assert await one.find(x_a="1") is None
    await two.backend.write(LOOP, (await two.look(x_a="1")).key, look.shelved, 60, kind=Kind.PAGE)
    assert await one.find(x_a="1") is None


async def test_as_many_vary_fields_are_told_apart_as_an_index_holds():
    node = Node(LocalMemCacheBackend())
    for number in range(MAX_VARIES):
        assert (await node.store((b"x-%d" % number,), b"%d" % number, **{f"x_{number}": "1"})).is_stored
    kept = await node.store((b"x-9",), x_9="1")
    assert (kept.is_stored, "8 different Vary fields" in kept.why) == (False, True)
    kept = await node.store(tuple(b"x-%02d" % number for number in range(MAX_VARY_NAMES + 1)))
    assert (kept.is_stored, "names 33 fields" in kept.why) == (False, True)
    assert [await node.find(**{f"x_{number}": "1"}) for number in range(8)] == [b"%d" % number for number in range(8)]


async def test_what_a_store_does_not_take_is_told():
    node = Node(LocalMemCacheBackend(max_bytes=10_000))
    for names in ((), A):
        assert (await node.store(names, b"x" * 20_000)).why == NOT_TAKEN
        assert await node.find() is None
    await node.store(A, b"small", x_a="1")
    assert (await node.store(A, b"x" * 20_000, x_a="2")).why == NOT_TAKEN
    assert await node.find(x_a="1") == b"small"


@pytest.mark.parametrize("names", [(), A])
async def test_what_is_too_large_for_memcached_is_told(memcached_server, unique_prefix, names):
    node = Node(MemcachedCacheBackend(servers=memcached_server.url, key_prefix=unique_prefix, deadline=5))
    async with node.service:
        assert (await node.store(names, b"x" * 600_000)).is_stored
        assert (await node.store(names, b"x" * 2_000_000)).why == NOT_TAKEN
        assert await node.find() is None


async def test_a_store_that_keeps_nothing_or_is_away_fails_nobody(redis_server):
    nothing = Node(DummyCacheBackend())
    assert (await nothing.store(A)).why == "the store keeps nothing"
    assert await nothing.find() is None
    away = Node(RedisCacheBackend("redis://127.0.0.1:1"))
    async with away.service:
        assert await away.find() is None
        assert await away.shelf.find(KEY, [], lambda candidates: None) is not None


async def test_a_store_that_goes_away_while_the_app_runs_fails_nobody(fresh_redis):
    node = Node(RedisCacheBackend(fresh_redis.url, on_error="raise"))
    async with node.service:
        await node.store(A, b"1", x_a="1")
        plain, varied = await node.begin(x_a="2"), await node.begin(x_a="3")
        fresh_redis.kill()
        assert (await node.end(plain, A)).why == NOT_TAKEN
        assert (await node.end(varied, B)).why == NOT_TAKEN
        assert await node.find(x_a="1") is None


async def test_what_can_neither_be_reused_nor_validated_is_not_stored():
    node = Node(LocalMemCacheBackend())
    assert not (await node.store(keep_for=0.0)).is_stored
    assert await node.find() is None


async def test_a_part_takes_the_place_of_no_whole_that_is_fresh(nodes):
    one, two = nodes
    part = {"span": Span(0, 3, 9)}
    assert (await one.store(body=b"part", more=part)).is_stored
    assert (await two.look()).stored.span == Span(0, 3, 9)
    assert (await one.store(body=b"the whole")).is_stored
    kept = await two.store(body=b"part", more=part)
    assert (kept.is_stored, "whole" in kept.why) == (False, True)
    assert await one.find() == b"the whole"
    assert (await two.store(body=b"late", more={**part, "received_at": NOW + 61})).is_stored


async def test_an_index_is_kept_as_long_as_its_longest_variant():
    clock, day = FakeClock(), 86_400
    node = Node(LocalMemCacheBackend(clock=clock))
    await node.store(A, b"long", x_a="1", keep_for=9 * day)
    await node.store(A, b"short", x_a="2", keep_for=10)
    clock.advance(8 * day)
    assert [await node.find(x_a=number) for number in "12"] == [b"long", None]
    await node.store(A, b"longer", x_a="2", keep_for=9 * day)
    clock.advance(8 * day)
    assert [await node.find(x_a=number) for number in "12"] == [None, b"longer"]


async def test_a_glance_gives_what_lies_in_memory_and_needs_no_choice():
    node = Node(LocalMemCacheBackend())
    one, two = fields(x_a="1"), fields(x_a="2")
    assert node.shelf.glance(KEY, one) is None
    await node.store(body=b"plain")
    assert node.shelf.glance(KEY, one).body == b"plain"
    await node.store(A, b"1", x_a="1")
    assert node.shelf.glance(KEY, one).body == b"1"
    assert node.shelf.glance(KEY, two) is None
    await node.store(B, b"b", x_b="1")
    assert node.shelf.glance(KEY, one) is None
    assert Node(DummyCacheBackend()).shelf.glance(KEY, one) is None


async def test_a_near_tier_before_a_store_of_this_process_alone_is_not_all_there_is():
    kept = {}
    far = CallableCacheBackend(kept.get, kept.__setitem__, kept.__delitem__)
    node = Node(TieredCacheBackend(LocalMemCacheBackend(), far))
    for names in ((), A):
        await node.store(names, b"1", x_a="1")
        assert await node.find(x_a="1") == b"1"


async def test_a_glance_at_near_copies_ends_with_what_they_are_of(redis_server, unique_prefix):
    far = RedisCacheBackend(redis_server.url, key_prefix=unique_prefix, deadline=5)
    node = Node(TieredCacheBackend(LocalMemCacheBackend(), far))
    async with node.service, asyncio.timeout(5):
        await node.store(A, b"1", x_a="1")
        while (glanced := node.shelf.glance(KEY, fields(x_a="1"))) is None:  # its log is not followed yet
            assert await node.find(x_a="1") == b"1"
        assert glanced.body == b"1"
        await node.service.invalidate_url_async(URL)
        assert node.shelf.glance(KEY, fields(x_a="1")) is None
