"""While the store is away: what is served, what is kept, and what is done when it answers again."""

import asyncio
from itertools import permutations

import pytest

from asynccache import BackendUnavailableError, CachePolicy, CacheService, SerializationError
from asynccache.backends import undone
from asynccache.backends.fallback_cache import FallbackCacheBackend
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.undone import Item, Undone
from asynccache.core.entry import Entry, Kind
from asynccache.core.fence import cells_of
from asynccache.plan.io import LOOP
from tests.backends.followed_store import Log
from tests.backends.test_tiered_cache_near import eventually, in_step, tiers


@pytest.fixture
async def log():
    return Log()


@pytest.fixture
async def nodes(log):
    made = [tiers(log, max_staleness=0.3) for _ in range(3)]
    await in_step(*made)
    yield made
    log.is_down = False
    for node in made:
        node.l2.link.update(is_cut=False)
        await node.aclose()


async def cut(*nodes):
    for node in nodes:
        node.l2.link["is_cut"] = True


async def heal(node):
    node.l2.link["is_cut"] = False
    await eventually(queued(node), 0)


def queued(node):
    async def ask():
        return node.stats()["queued"]

    return ask


async def fails(doing):
    with pytest.raises(BackendUnavailableError) as failed:
        await doing
    return failed.value.queued


async def test_what_was_held_is_served_for_a_moment_and_then_stands_in(nodes):
    mine, *_ = nodes
    await mine.set_async("k", "v")
    await cut(mine)
    assert await mine.get_async("k") == "v"
    await asyncio.sleep(0.35)
    assert await mine.get_async("k") is None
    stand_in = await mine.look(LOOP, "k")
    assert stand_in.value == "v"
    assert stand_in.times.fresh_until <= mine.clock() < stand_in.times.dead_at
    assert (await mine.get_many_async(["k", "l"])) == {}
    stand_ins = await mine.look_many(LOOP, ["k", "l"])
    assert [(key, entry.value) for key, entry in stand_ins.items()] == [("k", "v")]
    assert stand_ins["k"].times.fresh_until <= mine.clock()
    assert await mine.has_key_async("k") is False


async def test_a_load_that_fails_too_is_answered_by_what_was_held(nodes):
    mine, *_ = nodes
    policy = CachePolicy(ttl=60, stale_if_error=60)

    def broken():
        raise OSError("the origin is down, too")

    async with CacheService(default=mine) as cache:
        assert await cache.get_or_set_async("k", lambda: "v", policy=policy) == "v"
        await cut(mine)
        await asyncio.sleep(0.35)
        assert await cache.get_or_set_async("k", broken, policy=policy) == "v"
        with pytest.raises(OSError, match="origin"):
            await cache.get_or_set_async("k", broken)


async def test_a_node_alone_asks_the_origin_once_in_a_while(nodes):
    mine, *_ = nodes
    loads = []

    async def load():
        loads.append(1)
        return f"loaded {len(loads)}"

    async with CacheService(default=mine) as cache:
        await cut(mine)
        for _ in range(20):
            assert await cache.get_or_set_async("k", load) == "loaded 1"
        assert mine.peek("k", None, Kind.VALUE) == "loaded 1"
        await asyncio.sleep(0.35)
        for _ in range(20):
            assert await cache.get_or_set_async("k", load) == "loaded 2"
    assert len(loads) == 2


@pytest.mark.parametrize("change", ["delete", "tag", "clear", "set"])
async def test_what_a_node_alone_was_loading_when_it_changed_is_not_kept(nodes, change):
    mine, *_ = nodes
    await cut(mine)
    async with CacheService(default=mine) as cache:

        async def load():
            if change == "set":
                assert await mine.set_async("k", "new") is False
            elif change == "delete":
                await fails(mine.delete_async("k"))
            elif change == "tag":
                await fails(mine.invalidate_tags_async("t"))
            else:
                await fails(mine.clear_async())
            return "old"

        assert await cache.get_or_set_async("k", load, tags=["t"]) == "old"
        assert mine.peek("k", None, Kind.VALUE) is None
        assert await cache.get_or_set_async("k", lambda: "new", tags=["t"]) == "new"
        assert mine.peek("k", None, Kind.VALUE) == "new"


async def test_an_invalidation_that_did_not_arrive_is_said_and_done_later(nodes):
    mine, other, _ = nodes
    for key in ("deleted", "one", "two", "set", "fine"):
        await mine.set_async(key, "old")
    await mine.set_async("tagged", "old", tags=["t"])
    assert await other.get_async("fine") == "old"
    await cut(mine)
    assert await fails(mine.delete_async("deleted")) is True
    assert await fails(mine.delete_many_async(["one", "two"])) is True
    assert await fails(mine.touch_async("deleted", 0)) is True
    assert await fails(mine.invalidate_tags_async("t")) is True
    assert await mine.set_async("set", "new") is False
    assert await mine.set_many_async({"set": "new"}) == ["set"]
    assert await fails(mine.touch_async("fine", 60)) is False
    assert await fails(mine.incr_async("n")) is False
    assert await fails(mine.add_async("n", 1)) is False
    assert mine.stats()["queued"] == 5
    for key in ("deleted", "one", "two", "set", "tagged"):
        assert await mine.get_async(key) is None
        assert await mine.look(LOOP, key) is None
    assert await mine.get_async("fine") == "old"
    assert await other.get_async("tagged") == "old"
    await heal(mine)
    for node in (mine, other):
        await eventually(lambda node=node: node.get_many_async(["deleted", "one", "two", "set", "tagged"]), {})
        assert await node.get_async("fine") == "old"


async def test_a_clear_that_did_not_arrive_is_done_later(nodes):
    mine, other, _ = nodes
    await mine.set_async("k", "old")
    await other.set_async("k", "of 2", version=2)
    await cut(mine)
    assert await fails(mine.clear_async()) is True
    assert await mine.get_async("k") is None
    assert await mine.look(LOOP, "k") is None
    await heal(mine)
    await eventually(lambda: other.get_async("k"), None)


async def test_nothing_outdated_is_used_before_that_was_done(nodes, monkeypatch):
    """The store answers again, but what is pending has not been done."""
    mine, other, _ = nodes
    await other.set_async("deleted", "old")
    await other.set_async("tagged", "old", tags=["t"])
    await cut(mine)
    monkeypatch.setattr(mine._replay, "begin", lambda: None)
    await fails(mine.delete_async("deleted"))
    await fails(mine.invalidate_tags_async("t"))
    mine.l2.link["is_cut"] = False
    await in_step(mine)
    assert await mine.get_many_async(["tagged"]) == {}
    assert await mine.get_async("tagged") is None
    assert await mine.get_async("deleted") is None
    assert mine.stats()["queued"] == 1  # a key is done when it is asked for
    async with CacheService(default=mine) as cache:
        assert await cache.get_or_set_async("tagged", lambda: "new", tags=["t"]) == "new"
    assert mine.stats()["queued"] == 0


async def test_what_was_being_loaded_when_an_invalidation_did_not_arrive_is_not_stored(nodes, monkeypatch):
    mine, other, _ = nodes
    monkeypatch.setattr(mine._replay, "begin", lambda: None)
    for number, invalidate in enumerate([lambda: mine.delete_async("k"), lambda: mine.invalidate_tags_async("t")]):
        ticket = (await mine.claim(LOOP, "k")).ticket
        await cut(mine)
        await fails(invalidate())
        mine.l2.link["is_cut"] = False
        assert await mine.land(LOOP, "k", f"old {number}", 60, ticket, tags=("t",)) is False
        assert await other.get_async("k") is None
        await mine._replay.do(LOOP, mine._journal.all())


async def test_a_reply_that_was_under_way_when_an_invalidation_did_not_arrive_is_not_held(nodes, monkeypatch):
    mine, other, _ = nodes
    monkeypatch.setattr(mine._replay, "begin", lambda: None)
    await other.set_async("k", "old", tags=["t"])
    await in_step(mine)
    for invalidate in (lambda: mine.delete_async("k"), lambda: mine.invalidate_tags_async("t")):
        mine._far.gate["fetch"] = gate = asyncio.Event()
        reading = asyncio.create_task(mine.get_async("k"))
        await asyncio.sleep(0.01)
        await cut(mine)
        await fails(invalidate())
        mine._far.gate.clear()
        gate.set()
        assert await reading in ("old", None)
        assert mine.peek("k", None, Kind.VALUE) is None
        mine.l2.link["is_cut"] = False
        await mine._replay.do(LOOP, mine._journal.all())
        assert await mine.get_async("k") is None
        await other.set_async("k", "old", tags=["t"])
        await in_step(mine)


async def test_nothing_is_held_that_is_to_be_invalidated(nodes):
    """In another thread, say, between the look into the journal and this."""
    mine, *_ = nodes
    await in_step(mine)
    stored_key = mine.stored_key("k")
    for item, tags in ((Item("1", "k"), ()), (Item("1", tag="t"), ("t",))):
        mine._journal.add([item])
        mine._near.admit(
            mine._watch.ground(stored_key), stored_key, Item("1", "k"), Kind.VALUE, Entry("old", tags=tags)
        )
        assert mine._near.copies.find(stored_key) is None
        mine._journal.done(mine._journal.all())
    mine._near.admit(mine._watch.ground(stored_key), stored_key, Item("1", "k"), Kind.VALUE, Entry("new", tags=("t",)))
    assert mine.peek("k", None, Kind.VALUE) == "new"


async def test_what_a_node_alone_has_loaded_says_whether_it_is_good_for_others(nodes):
    mine, *_ = nodes
    await cut(mine)
    tickets = [(await mine.claim(LOOP, key)).ticket for key in ("deleted", "fine", "not stored")]
    await fails(mine.delete_async("deleted"))
    assert await mine.land(LOOP, "deleted", "old", 60, tickets[0]) is False
    assert await mine.land(LOOP, "fine", "v", 60, tickets[1]) is True
    assert await mine.land(LOOP, "not stored", "v", None, tickets[2]) is True
    assert await mine.hold(LOOP, tickets[2]) is True
    assert await mine.release(LOOP, tickets[2]) is True


async def test_a_write_that_arrives_makes_up_for_one_that_did_not(nodes, monkeypatch):
    mine, other, _ = nodes
    monkeypatch.setattr(mine._replay, "begin", lambda: None)
    await cut(mine)
    await fails(mine.delete_async("k"))
    mine.l2.link["is_cut"] = False
    await mine.set_async("k", "new")
    assert mine.stats()["queued"] == 0
    assert await mine.get_async("k") == "new"
    await eventually(lambda: other.get_async("k"), "new")


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
async def test_nodes_that_come_back_in_any_order_agree(nodes, order):
    keys = [f"k{number}" for number in range(6)]
    await nodes[0].set_many_async(dict.fromkeys(keys, "old"))
    for node in nodes:
        assert len(await node.get_many_async(keys)) == 6
    await cut(*nodes)
    for number, node in enumerate(nodes):
        await node.set_async(f"k{number}", f"of {number}")
        await fails(node.delete_async(f"k{number + 1}"))
        await node.set_async("k4", f"of {number}")
    for number in order:
        await heal(nodes[number])
        await asyncio.sleep(0.02)
    await in_step(*nodes)
    seen = [await node.get_many_async(keys) for node in nodes]
    assert seen == [{"k5": "old"}] * 3


async def test_a_value_that_cannot_be_stored_leaves_no_old_one(nodes):
    mine, other, _ = nodes
    await mine.set_async("k", "old")
    assert await other.get_async("k") == "old"
    await cut(mine)
    with pytest.raises(SerializationError):
        await mine.set_async("k", object())
    assert await mine.get_async("k") is None
    await heal(mine)
    await eventually(lambda: other.get_async("k"), None)


async def test_closing_does_what_is_left(nodes):
    mine, other, _ = nodes
    await mine.set_async("k", "old")
    await cut(mine)
    await fails(mine.delete_async("k"))
    mine._replay.stop()
    mine.l2.link["is_cut"] = False
    await mine.aclose()
    await eventually(lambda: other.get_async("k"), None)


async def test_what_could_not_be_done_at_closing_is_done_when_it_is_used_again(nodes):
    mine, other, _ = nodes
    await mine.set_async("k", "old")
    await cut(mine)
    await fails(mine.delete_async("k"))
    await mine.aclose()
    assert await other.get_async("k") == "old"
    mine.l2.link["is_cut"] = False
    await mine.get_async("something else")
    await eventually(lambda: other.get_async("k"), None)


async def test_what_raises_where_it_is_to_raise(log):
    mine = tiers(log, on_error="raise")
    await in_step(mine)
    await mine.set_async("k", "v")
    await cut(mine)
    mine._watch.end()
    for doing in (mine.get_async("k"), mine.get_many_async(["k"]), mine.has_key_async("k"), mine.set_async("k", 1)):
        with pytest.raises(BackendUnavailableError):
            await doing
    mine.l2.link["is_cut"] = False
    await mine.aclose()


async def test_it_may_be_part_of_a_chain(log):
    mine, other = tiers(log), tiers(log)
    chain = FallbackCacheBackend([mine, LocalMemCacheBackend()])
    await in_step(mine, other)
    await chain.set_async("k", "old")
    assert await other.get_async("k") == "old"
    assert await chain.get_async("k") == "old"
    await cut(mine)
    assert await chain.delete_async("k") is False
    assert await chain.get_async("k") is None
    await chain.set_async("l", "in the other store")
    assert await chain.get_async("l") == "in the other store"
    mine.l2.link["is_cut"] = False
    await eventually(lambda: other.get_async("k"), None)
    await chain.aclose()
    await other.aclose()


def journal(**options):
    return Undone(**{"can_clear": True, **options})


def test_what_is_too_much_counts_as_everything(monkeypatch):
    monkeypatch.setattr(undone, "MOST", 3)
    many = journal()
    assert many.add([Item("1", "a"), Item("1", tag="t"), Item("2", "b")])
    assert many.add([Item("1", "c")])
    assert list(many.all()) == [Item("1"), Item("2")] or list(many.all()) == [Item("2"), Item("1")]
    assert many.dooms("1", ())
    assert many.wide == 2


def test_what_is_too_much_for_a_store_that_cannot_be_cleared_is_refused(monkeypatch):
    monkeypatch.setattr(undone, "MOST", 1)
    few = journal(can_clear=False)
    assert few.add([Item("1", "a")])
    assert not few.add([Item("1", "b")])
    assert list(few.all()) == [Item("1", "a")]


def test_tags_that_are_pending_are_told_by_their_cells():
    one = journal()
    one.add([Item("1", tag="t"), Item("1", tag="u")])
    assert one.dooms("1", cells_of(["t", "other"]))
    assert not one.dooms("1", cells_of(["other"]))
    assert not one.dooms("2", cells_of(["t"]))
    one.done({Item("1", tag="t"): one.all()[Item("1", tag="t")]})
    assert not one.dooms("1", cells_of(["t"]))
    assert one.dooms("1", cells_of(["u"]))


def test_what_was_added_again_is_not_done():
    one = journal()
    one.add([Item("1", "k")])
    doing = one.all()
    one.add([Item("1", "k")])
    one.done(doing)
    assert list(one.all()) == [Item("1", "k")]


def test_only_what_began_later_makes_up_for_what_failed():
    one = journal()
    early = one.mark()
    one.add([Item("1", "k")])
    one.acknowledged([Item("1", "k")], early)
    assert len(one) == 1
    one.acknowledged([Item("1", "k")], one.mark())
    assert len(one) == 0
