"""The near tier: hits without I/O, what others change, races between replies and changes, and a log with holes."""

import asyncio
import threading
import time
from math import inf

import pytest

from asynccache import CachePolicy, CacheService, ConfigurationError
from asynccache.backends.dummy_cache import DummyCacheBackend
from asynccache.backends.followed import At, Batch
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.tiered_cache import TieredCacheBackend
from asynccache.core.entry import Kind
from asynccache.core.fence import KEYS, Change
from asynccache.model import Capability
from asynccache.plan.io import LOOP
from tests.backends.followed_store import Log, Node
from tests.load import crowding


def tiers(log, **options):
    """Make tiers that, unless said otherwise, owe what they serve to the log and not to the clock."""
    max_staleness = options.pop("max_staleness", 5.0)
    return TieredCacheBackend(LocalMemCacheBackend(), Node(log, **options), max_staleness=max_staleness)


async def in_step(*nodes, key="k"):
    """Wait until these nodes follow the log."""
    for node in nodes:
        await node.get_async(f"{key} to begin with")
        async with asyncio.timeout(5):
            while (known := node._near.known("all")) is None or known.position != node.l2.log.seq:
                await asyncio.sleep(0.005)


async def eventually(ask, expected, seconds=2.0):
    async with asyncio.timeout(seconds):
        while await ask() != expected:
            await asyncio.sleep(0.002)


@pytest.fixture
async def nodes():
    log = Log()
    mine, other = tiers(log), tiers(log)
    await in_step(mine, other)
    yield mine, other
    log.is_down = False
    for node in (mine, other):
        node.l2.link.update(is_cut=False, is_silent=False)
        await node.aclose()


def asks_nothing(node):
    asked = len(node.l2.asked)

    def check():
        assert len(node.l2.asked) == asked, node.l2.asked[asked:]

    return check


async def test_a_value_that_was_read_is_read_again_without_io(nodes):
    mine, other = nodes
    await other.set_async("k", {"a": [1]})
    await eventually(lambda: mine.get_async("k"), {"a": [1]})
    check = asks_nothing(mine)
    value = await mine.get_async("k")
    value["a"].append("changed by its reader")
    assert await mine.get_async("k") == mine.get("k") == {"a": [1]}
    assert await mine.get_many_async(["k"]) == {"k": {"a": [1]}}
    assert await mine.has_key_async("k") is True
    assert mine.peek("k", None, Kind.VALUE) == {"a": [1]}
    assert (await mine.look(LOOP, "k")).value == {"a": [1]}
    check()


async def test_what_was_set_here_is_read_here_without_io(nodes):
    mine, _ = nodes
    value = [1]
    await mine.set_async("k", value)
    value.append("too late")
    check = asks_nothing(mine)
    assert await mine.get_async("k") == [1]
    check()


@pytest.mark.parametrize("store", ["set", "land"])
async def test_what_its_owner_changes_while_it_is_stored_is_not_what_is_held(nodes, monkeypatch, store):
    mine, other = nodes
    value = [1]
    for name in ("_store", "_land_many"):
        driver = getattr(Node, name)

        async def slow(self, *args, driver=driver):
            value.append("too late")
            return await driver(self, *args)

        monkeypatch.setattr(Node, name, slow)
    if store == "set":
        await mine.set_async("k", value)
    else:
        ticket = (await mine.claim(LOOP, "k")).ticket
        assert await mine.land(LOOP, "k", value, 60, ticket)
    check = asks_nothing(mine)
    assert await mine.get_async("k") == [1]
    check()
    assert await other.get_async("k") == [1]


async def test_many_that_were_read_are_read_again_without_io(nodes):
    mine, other = nodes
    await other.set_many_async({"a": "1", "b": "2"})
    await eventually(lambda: mine.get_many_async(["a", "b"]), {"a": "1", "b": "2"})
    check = asks_nothing(mine)
    assert await mine.get_many_async(["a", "b"]) == {"a": "1", "b": "2"}
    check()


async def test_what_was_loaded_here_is_read_here_without_io(nodes):
    mine, _ = nodes
    async with CacheService(default=mine) as cache:
        assert await cache.get_or_set_async("k", lambda: "loaded", tags=["t"]) == "loaded"
        check = asks_nothing(mine)
        assert await cache.get_or_set_async("k", lambda: "again") == "loaded"
        assert cache.get_or_set("k", lambda: "again") == "loaded"
        check()


CHANGES = {
    "delete": lambda node: node.delete_async("k"),
    "delete_many": lambda node: node.delete_many_async(["k", "l"]),
    "set": lambda node: node.set_async("k", "new"),
    "set that expires": lambda node: node.set_async("k", "new", ttl=0),
    "set_many": lambda node: node.set_many_async({"k": "new"}),
    "touch": lambda node: node.touch_async("k", 0),
    "tag": lambda node: node.invalidate_tags_async("other", "t"),
    "clear": lambda node: node.clear_async(),
    "page": lambda node: node.write(LOOP, "k", b"page", 60, None, Kind.PAGE),
    "sync": lambda node: asyncio.to_thread(node.delete, "k"),
}
NOW = {"set": "new", "set_many": "new"}


@pytest.mark.parametrize("change", CHANGES)
async def test_what_changes_here_is_changed_at_once(nodes, change):
    mine, _ = nodes
    for _ in range(3):
        await mine.set_async("k", "old", tags=["t"])
        assert await mine.get_async("k") == "old"
        await CHANGES[change](mine)
        assert await mine.get_async("k") == mine.get("k") == NOW.get(change)


@pytest.mark.parametrize("change", CHANGES)
async def test_what_changes_elsewhere_is_heard_of(nodes, change):
    mine, other = nodes
    await mine.set_async("k", "old", tags=["t"])
    assert await mine.get_async("k") == "old"
    await CHANGES[change](other)
    await eventually(lambda: mine.get_async("k"), NOW.get(change), 1.0)
    assert mine.stats()["flushes"] == 0


async def test_what_has_other_tags_stays(nodes):
    mine, other = nodes
    await mine.set_async("k", "v", tags=["t"])
    await other.invalidate_tags_async("other")
    await in_step(mine)
    check = asks_nothing(mine)
    assert await mine.get_async("k") == "v"
    check()


async def test_counters_are_never_held(nodes):
    mine, other = nodes
    await mine.set_async("n", 5)
    await other.incr_async("n")
    assert await mine.get_async("n") == 6
    await other.incr_async("n")
    assert await mine.get_async("n") == 7


async def test_a_reply_that_was_under_way_during_a_change_is_not_held(nodes):
    mine, other = nodes
    await other.set_async("k", "old")
    await in_step(mine)
    for change in (mine, other):
        mine._far.gate["fetch"] = gate = asyncio.Event()
        reading = asyncio.create_task(mine.get_async("k"))
        await asyncio.sleep(0.01)
        await change.set_async("k", "new")
        del mine._far.gate["fetch"]
        await in_step(mine)
        gate.set()
        assert await reading == "old"
        assert await mine.get_async("k") == "new"
        await other.set_async("k", "old")
        await in_step(mine)


async def test_a_reply_that_was_under_way_while_its_tag_was_invalidated_is_not_served(nodes):
    mine, other = nodes
    await other.set_async("k", "old", tags=["t"])
    await in_step(mine)
    mine._far.gate["fetch"] = gate = asyncio.Event()
    reading = asyncio.create_task(mine.get_async("k"))
    await asyncio.sleep(0.01)
    await mine.invalidate_tags_async("t")
    del mine._far.gate["fetch"]
    gate.set()
    assert await reading == "old"
    assert await mine.get_async("k") is None


async def test_entries_end_here_when_they_end_there(nodes):
    mine, other = nodes
    await other.set_async("brief", "v", ttl=0.3)
    await other.keep(LOOP, "kept", "v", 0.3, 60.0)
    await in_step(mine)
    for key in ("brief", "kept"):
        assert await mine.get_async(key) == mine.peek(key, None, Kind.VALUE) == "v"
    await asyncio.sleep(0.35)
    assert mine.peek("brief", None, Kind.VALUE) is None
    assert await mine.get_async("brief") is None
    assert mine.peek("kept", None, Kind.VALUE) is None
    assert await mine.get_async("kept") is None
    stale = await mine.look(LOOP, "kept")
    assert stale.value == "v"
    assert stale.times.fresh_until <= mine.clock() < stale.times.dead_at


async def test_versions_are_kept_apart(nodes):
    mine, _ = nodes
    await mine.set_async("k", "of 1")
    await mine.set_async("k", "of 2", version=2)
    assert await mine.get_async("k") == await mine.get_async("k", version="1") == "of 1"
    assert await mine.get_async("k", version=2) == "of 2"
    await mine.delete_async("k", version=2)
    assert await mine.get_async("k", version=2) is None
    assert await mine.get_async("k", version=1) == "of 1"


async def test_a_log_that_was_trimmed_empties_the_near_tier(nodes):
    mine, other = nodes
    await mine.set_async("k", "old")
    mine.l2.link["is_cut"] = True
    await other.set_async("k", "new")
    other.l2.log.changes.clear()
    mine.l2.link["is_cut"] = False
    async with asyncio.timeout(2):
        while not mine.stats()["flushes"]:
            await asyncio.sleep(0)
    assert mine.peek("k", None, Kind.VALUE) is None
    mine.l2.link["is_cut"] = True
    assert await mine.look(LOOP, "k") is None
    mine.l2.link["is_cut"] = False
    assert await mine.get_async("k") == "new"
    assert mine.stats()["flushes"] == 1


async def test_a_part_of_the_news_is_no_sync(nodes):
    mine, _ = nodes
    await mine.set_async("k", "old")
    mine.l2.link["is_silent"] = True
    await asyncio.sleep(0.25)
    known = mine._near.known("all")
    change = Change(known.position + 1, known.position, KEYS, ("another",))
    trusted_until = known.trusted_until
    mine._near.hear("all", Batch((change,), At(known.view, change.stamp), is_all=False), trusted_until)
    assert known.position == change.stamp
    assert known.trusted_until == trusted_until


async def test_after_a_short_cut_it_goes_on_without_emptying(nodes):
    mine, other = nodes
    await mine.set_async("stays", "v")
    await mine.set_async("k", "old")
    mine.l2.link["is_cut"] = True
    await asyncio.sleep(0.25)
    await other.delete_async("k")
    mine.l2.link["is_cut"] = False
    await eventually(lambda: mine.get_async("k"), None)
    await in_step(mine)
    check = asks_nothing(mine)
    assert await mine.get_async("stays") == "v"
    check()
    assert mine.stats()["flushes"] == 0


@pytest.mark.timed
async def test_without_news_nothing_is_served_that_is_older_than_max_staleness():
    log = Log()
    mine, other = tiers(log, max_staleness=0.3), tiers(log)
    await in_step(mine, other)
    await mine.set_async("k", "old")
    mine.l2.link["is_silent"] = True
    await asyncio.sleep(0.05)
    await other.set_async("k", "new")
    began = time.monotonic()
    await eventually(lambda: mine.get_async("k"), "new", 1.0)
    assert time.monotonic() - began <= 0.3 + 0.1 * crowding()
    mine.l2.link["is_silent"] = False
    await mine.aclose()
    await other.aclose()


async def test_who_was_stopped_finds_itself_out_of_date_before_it_serves(nodes, monkeypatch):
    mine, _ = nodes
    await mine.set_async("k", "old")
    now = time.monotonic() + 60
    monkeypatch.setattr("asynccache.backends.tiered_near.monotonic", lambda: now)
    assert mine.peek("k", None, Kind.VALUE) is None


async def test_after_a_failover_nothing_that_was_held_is_served(nodes):
    mine, _ = nodes
    await mine.set_async("k", "old", ttl=60)
    log = mine.l2.log
    await in_step(mine)
    log.fail_over(keeps={})
    await eventually(lambda: mine.get_async("k"), None)
    assert mine.stats()["flushes"] == 1


async def test_what_another_node_has_loaded_meanwhile_is_held(nodes):
    mine, other = nodes
    async with CacheService(default=mine) as cache, CacheService(default=other) as elsewhere:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slow():
            begun.set()
            await go_on.wait()
            return "theirs"

        theirs = asyncio.create_task(elsewhere.get_or_set_async("k", slow))
        await begun.wait()
        ours = asyncio.create_task(cache.get_or_set_async("k", lambda: "ours"))
        await asyncio.sleep(0.05)
        go_on.set()
        assert await ours == await theirs == "theirs"
        check = asks_nothing(mine)
        assert await mine.get_async("k") == "theirs"
        check()


async def test_pages_are_held_as_the_objects_that_were_written(nodes):
    mine, other = nodes
    page = memoryview(b"page")
    assert await mine.write(LOOP, "k", page, 60, None, Kind.PAGE)
    assert mine.peek("k", None, Kind.PAGE) is page
    assert await eventually_page(other) == b"page"
    assert mine.peek("k", None, Kind.VALUE) is None


async def eventually_page(node):
    entry = await node.read(LOOP, "k", None, Kind.PAGE)
    return bytes(entry.value)


async def test_renewing_ahead_is_seen_by_who_holds_an_older_copy(nodes):
    mine, other = nodes
    policy = CachePolicy(ttl=2, refresh_ahead=0.1)
    async with CacheService(default=mine) as cache, CacheService(default=other) as elsewhere:
        await elsewhere.get_or_set_async("k", lambda: "first", policy=policy)
        await eventually(lambda: cache.get_async("k"), "first")
        await asyncio.sleep(0.3)
        await elsewhere.get_or_set_async("k", lambda: "second", policy=policy)
        await eventually(lambda: other.get_async("k"), "second")
        loads = []
        await cache.get_or_set_async("k", lambda: loads.append(1), policy=policy)
        await eventually(lambda: cache.get_async("k"), "second")
        assert loads == []


async def test_threads_and_loops_share_it(nodes):
    mine, _ = nodes
    wrong = []

    def work(number):
        for step in range(50):
            key = f"{number}"
            mine.set(key, f"{step}")
            if mine.get(key) != f"{step}":
                wrong.append((number, step))
            mine.delete(key)
            if mine.get(key) is not None:
                wrong.append((number, "deleted", step))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert wrong == []


async def test_closing_forgets_and_can_be_used_again(nodes):
    mine, other = nodes
    await mine.set_async("k", "old")
    await mine.aclose()
    await other.set_async("k", "new")
    assert await mine.get_async("k") == "new"
    await in_step(mine)
    await eventually(lambda: mine.get_async("k"), "new")
    check = asks_nothing(mine)
    assert await mine.get_async("k") == "new"
    check()


async def test_what_it_counts(nodes):
    mine, other = nodes
    before = mine.stats()
    await other.set_async("k", "v")
    await in_step(mine)
    asked = mine.stats()
    for _ in range(3):
        await mine.get_async("k")
    await mine.get_many_async(["k", "missing"])
    await mine.look(LOOP, "missing")
    mine.peek("k", None, Kind.VALUE)
    counted = mine.stats()
    assert {name: counted[name] - asked[name] for name in ("hits", "near", "misses")} == {
        "hits": 5,
        "near": 4,
        "misses": 2,
    }
    assert before["errors"] == counted["errors"] == counted["flushes"] == counted["queued"] == 0


def test_it_has_what_its_store_has():
    assert tiers(Log()).capabilities == Node.capabilities
    dummy = TieredCacheBackend(LocalMemCacheBackend(), DummyCacheBackend())
    assert dummy.capabilities == DummyCacheBackend.capabilities
    assert Capability.SHARED in tiers(Log()).capabilities


@pytest.mark.parametrize(
    ("l1", "l2", "options", "said"),
    [
        ("local", DummyCacheBackend(), {}, "near tier is a LocalMemCacheBackend"),
        (DummyCacheBackend(), DummyCacheBackend(), {}, "not a DummyCacheBackend"),
        (LocalMemCacheBackend(), "redis", {}, "far tier is a backend"),
        *[(LocalMemCacheBackend(), DummyCacheBackend(), {"max_staleness": wrong}, "give seconds, more than 0")
          for wrong in (0, -1, inf, "1", True, None)],
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)  # fmt: skip
def test_what_cannot_work_is_an_error(l1, l2, options, said):
    with pytest.raises(ConfigurationError, match=said):
        TieredCacheBackend(l1, l2, **options)


def test_one_memory_cannot_be_both_tiers():
    memory = LocalMemCacheBackend()
    with pytest.raises(ConfigurationError, match="far tier"):
        TieredCacheBackend(memory, memory)
