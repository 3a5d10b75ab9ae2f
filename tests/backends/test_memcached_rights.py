"""What memcached forgets is never taken for what did not happen: rights, tags and clear on all three clients."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import pairwise

import pytest

from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.backends.memcached_notebook import lease_wire, mark_wire, notebook_wire, order_wire
from asynccache.backends.pylib_cache import PyLibMCCacheBackend
from asynccache.backends.pymem_cache import PyMemcacheCacheBackend
from asynccache.core.claims import Held, Hit, Lead, Made
from asynccache.core.fence import cells_of
from asynccache.core.keys import memcached_key
from asynccache.errors import BackendUnavailableError
from asynccache.plan.io import LOOP
from asynccache.testing.contract.base import Flavour, Flavoured
from tests.backends.wire import ask
from tests.servers import Memcached

# The machine that runs the tests is busy.
PATIENT = 5.0
TAG = "x"
(CELL,) = cells_of([TAG])


@pytest.fixture(
    params=[MemcachedCacheBackend, PyMemcacheCacheBackend, PyLibMCCacheBackend], ids=lambda make: make.__name__
)
def make(request):
    return request.param


@pytest.fixture(params=Flavour, ids=lambda flavour: flavour.value)
async def cache(request, make, memcached_server, unique_prefix):
    backend = make(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT)
    yield Flavoured(backend, request.param)
    await backend.aclose()


@pytest.fixture
def forget(memcached_server, cache):
    """Make the server forget something, as it does where it is full."""
    namespace = cache.backend.stored_key("")
    wires = {
        "notebook": notebook_wire(namespace),
        "mark": mark_wire(namespace, CELL),
        "right or entry": memcached_key(cache.backend.stored_key("k")),
        "lease": lease_wire(cache.backend.stored_key("k")),
        "order of locks": order_wire(namespace[:-1] + "~locks:"),
    }

    def one(what: str) -> None:
        assert ask(memcached_server, b"delete %s\r\n" % wires[what]) == b"DELETED\r\n"

    return one


async def lead(cache, key="k", **options):
    claimed = await cache.plan("claim", key, **options)
    assert isinstance(claimed, Lead), claimed
    return claimed


async def test_lost_notebook_takes_all_entries_and_rights_along(cache, forget):
    await cache.set_many({"k": 1, "l": "v"})
    loading = await lead(cache, "new")
    forget("notebook")
    assert await cache.get_many(["k", "l"]) == {}
    assert [await cache.has_key("k"), await cache.touch("k"), await cache.delete("k")] == [False] * 3
    assert await cache.plan("land", "new", "old", 60.0, loading.ticket) is False
    assert await cache.get("new") is None
    assert await cache.incr("k") == 1
    assert await cache.add("l", "again") is True
    assert await cache.plan("land", "new", "v", 60.0, (await lead(cache, "new")).ticket) is True
    assert await cache.get_many(["k", "l", "new"]) == {"k": 1, "l": "again", "new": "v"}


async def test_lost_mark_takes_its_entries_along_and_no_others(cache, forget):
    await cache.set("k", "v", tags=[TAG])
    await cache.set("l", "v", tags=["y"])
    forget("mark")
    assert await cache.get_many(["k", "l"]) == {"l": "v"}
    await cache.invalidate_tags(TAG)
    assert await cache.get("k") is None
    await cache.set("k", "new", tags=[TAG])
    assert await cache.get("k") == "new"


async def test_tag_whose_past_was_forgotten_is_stored_if_nothing_was_invalidated_meanwhile(cache, forget):
    await cache.set("other", "v", tags=[TAG])
    undisturbed = await lead(cache)
    forget("mark")
    assert await cache.plan("land", "k", "v", 60.0, undisturbed.ticket, tags=(TAG,)) is True
    assert await cache.get("k") == "v"
    disturbed = await lead(cache, "l")
    await cache.invalidate_tags(TAG)
    forget("mark")
    assert await cache.plan("land", "l", "old", 60.0, disturbed.ticket, tags=(TAG,)) is False
    assert await cache.get("l") is None
    assert await cache.plan("land", "l", "new", 60.0, (await lead(cache, "l")).ticket, tags=(TAG,)) is True
    assert await cache.get_many(["k", "l", "other"]) == {"l": "new"}


async def test_lost_right_is_no_right(cache, forget):
    loading = await lead(cache)
    forget("right or entry")
    assert await cache.plan("hold", loading.ticket) is False
    another = await lead(cache)
    assert await cache.plan("land", "k", "old", 60.0, loading.ticket) is False
    assert await cache.plan("release", loading.ticket) is False
    assert await cache.plan("land", "k", "v", 60.0, another.ticket) is True
    assert await cache.get("k") == "v"


async def test_value_stands_in_while_it_is_loaded_anew(cache, forget):
    await cache.set("k", "old", tags=["y"])
    seen = await cache.plan("look", "k")
    loading = await lead(cache, seen=seen)
    assert loading.stale.value == await cache.get("k") == "old"
    held = await cache.plan("claim", "k", seen=seen)
    assert isinstance(held, Held)
    assert held.stale.value == "old"
    assert await cache.plan("hold", loading.ticket) is True
    assert await cache.plan("land", "k", "new", 60.0, loading.ticket) is True
    assert await cache.get("k") == "new"
    again = await lead(cache, anew=True)  # the lease of before is of no use any more, and in nobody's way
    assert await cache.plan("land", "k", "old", 60.0, loading.ticket) is False
    assert await cache.plan("release", again.ticket) is True
    await lead(cache, anew=True)
    forget("lease")
    assert isinstance(await cache.plan("claim", "k", anew=True), Lead)


CHANGES: dict[str, Callable[[Flavoured], Awaitable[object]]] = {
    "delete": lambda cache: cache.delete("k"),
    "set": lambda cache: cache.set("k", "newer"),
    "tag": lambda cache: cache.invalidate_tags(TAG),
    "clear": lambda cache: cache.clear(),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_what_is_loaded_while_a_value_stands_in_does_not_land_on_a_change(cache, change):
    await cache.set("k", "old", tags=[TAG])
    loading = await lead(cache, anew=True)
    await CHANGES[change](cache)
    assert await cache.plan("land", "k", "loaded", 60.0, loading.ticket, tags=(TAG,)) is False
    assert await cache.get("k") == ("newer" if change == "set" else None)
    await cache.delete("k")
    assert await cache.plan("land", "k", "v", 60.0, (await lead(cache)).ticket) is True


async def test_what_cannot_be_stored_leaves_nothing_and_was_good(cache):
    for kept in (None, "old"):
        if kept is not None:
            await cache.set("k", kept)
        loading = await lead(cache, anew=True)
        assert await cache.plan("land", "k", b"x" * 2_000_000, 60.0, loading.ticket) is True
        assert await cache.get("k") is None
        assert await cache.add("k", "v") is True
        await cache.delete("k")
    assert cache.backend.stats()["errors"] == 0


async def test_right_is_nothing_to_other_operations(cache):
    await lead(cache)
    assert await cache.get("k") is None
    assert await cache.get_many(["k"]) == {}
    assert await cache.plan("look", "k") is None
    assert [await cache.has_key("k"), await cache.touch("k")] == [False, False]
    assert isinstance(await cache.plan("claim", "k"), Held)
    assert [await cache.delete("k"), await cache.plan("remove_many", ["k"])] == [False, 0]
    await lead(cache)
    assert await cache.incr("k", 5) == 5
    await cache.delete("k")
    await lead(cache)
    assert await cache.add("k", "v") is True
    assert cache.backend.stats()["damaged"] == 0


async def test_numbers_of_locks_grow_though_the_server_forgets_how_far_they_were(cache, forget):
    numbers = []
    for _ in range(3):
        for _ in range(2):
            holder = await cache.plan("claim_lock", "k", 30.0)
            numbers.append(holder.ticket.born)
            assert await cache.plan("release", holder.ticket) is True
        forget("order of locks")
    assert numbers == sorted(set(numbers))


async def test_everything_lost_at_once_is_nothing_worse(fresh_memcached, make):
    cache = make(servers=fresh_memcached.url, deadline=PATIENT)
    await cache.set_async("k", "v", tags=[TAG])
    plan = Flavoured(cache, Flavour.ASYNC)
    bare, standing_in = await lead(plan, "new"), await lead(plan, anew=True)
    assert ask(fresh_memcached, b"flush_all\r\n") == b"OK\r\n"
    assert await cache.get_async("k") is None
    assert await plan.plan("land", "new", "old", 60.0, bare.ticket) is False
    assert await plan.plan("land", "k", "old", 60.0, standing_in.ticket, tags=(TAG,)) is False
    await cache.invalidate_tags_async(TAG)
    assert await plan.plan("land", "k", "v", 60.0, (await lead(plan)).ticket, tags=(TAG,)) is True
    assert await cache.get_many_async(["k", "new"]) == {"k": "v"}
    await cache.aclose()


@pytest.mark.parametrize("anew", [False, True])
async def test_right_that_nobody_renews_ends(memcached_server, unique_prefix, anew):
    backend = MemcachedCacheBackend(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT)
    cache = Flavoured(backend, Flavour.ASYNC)
    if anew:
        await cache.set("k", "old")
    first = await lead(cache, lease=1, anew=anew)
    kept = await lead(cache, "kept", lease=1)
    began = time.monotonic()
    await cache.plan("hold", kept.ticket, 30.0)
    assert isinstance(await cache.plan("claim", "k", anew=anew), Held)
    while isinstance(await cache.plan("claim", "k", anew=anew), Held):
        await cache.plan("attend", "k", 0.2)
    assert time.monotonic() - began >= 0.9
    assert await cache.plan("hold", first.ticket) is False
    assert await cache.plan("land", "k", "old", 60.0, first.ticket) is False
    assert await cache.plan("hold", kept.ticket) is True
    await backend.aclose()


async def test_who_waits_sees_soon_that_a_load_is_over(cache):
    loading = await lead(cache)
    waiting = asyncio.create_task(cache.plan("attend", "k", 60.0))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await cache.plan("release", loading.ticket)
    async with asyncio.timeout(PATIENT):
        await waiting
    await lead(cache)
    await cache.plan("attend", "k", 0.05)  # and does not wait for longer than he would


class Interrupted(MemcachedCacheBackend):
    """Something happens just after the notebook was read, for the last time by which a mark is opened."""

    meanwhile: list[Callable[[], Awaitable[object]]]

    async def _number(self, io, place, namespace):
        number = await super()._number(io, place, namespace)
        if self.meanwhile:
            await self.meanwhile.pop()()
        return number


async def test_mark_that_is_being_opened_is_not_set_back_behind_an_invalidation(memcached_server, unique_prefix):
    options = {"servers": memcached_server.url, "key_prefix": unique_prefix, "deadline": PATIENT}
    cache, other = MemcachedCacheBackend(**options), Interrupted(**options)
    mark = mark_wire(cache.stored_key(""), CELL)
    await cache.set_async("k", "old", tags=[TAG])
    ask(memcached_server, b"delete %s\r\n" % mark)

    async def invalidate() -> None:
        await cache.invalidate_tags_async(TAG)

    async def invalidate_and_forget() -> None:
        await cache.set_async("l", "v", tags=[TAG])
        await cache.invalidate_tags_async(TAG)
        assert ask(memcached_server, b"delete %s\r\n" % mark) == b"DELETED\r\n"

    for meanwhile in (invalidate, invalidate_and_forget):
        other.meanwhile = [meanwhile, partial(asyncio.sleep, 0)]
        assert await other.set_async("new", "v", tags=[TAG]) is True
        assert other.meanwhile == []
        assert await cache.get_async("k") is None
        ask(memcached_server, b"delete %s\r\n" % mark)
    await cache.aclose()
    await other.aclose()


class Chaos:
    """Loads, reads and changes of all sorts on a server that forgets; the origin is a number that only grows."""

    def __init__(self, seconds: float) -> None:
        self.ends = time.monotonic() + seconds
        self.origin = self.known = self.landed = 0
        self.stale: list[tuple[int, int]] = []
        self.dice = random.Random(7)

    def saw(self, value: int, known: int) -> None:
        if value < known:
            self.stale.append((value, known))

    async def pause(self, longest: float) -> None:
        await asyncio.sleep(self.dice.uniform(0, longest))

    async def load(self, cache: Flavoured) -> None:
        while time.monotonic() < self.ends:
            known = self.known
            claimed = await cache.plan("claim", "k", anew=self.dice.random() < 0.3)
            if isinstance(claimed, Hit):
                self.saw(claimed.entry.value, known)
            elif isinstance(claimed, Lead):
                value = self.origin
                await self.pause(0.004)
                self.landed += await cache.plan("land", "k", value, 60.0, claimed.ticket, tags=(TAG,))
            await self.pause(0.002)

    async def read(self, cache: Flavoured) -> None:
        while time.monotonic() < self.ends:
            known = self.known
            self.saw(await cache.get("k", default=self.origin), known)
            await self.pause(0.002)

    async def change(self, cache: Flavoured) -> None:
        changes = [
            lambda: cache.delete("k"),
            lambda: cache.invalidate_tags(TAG),
            lambda: cache.invalidate_tags("y", TAG),
            lambda: cache.clear(),
        ]
        while time.monotonic() < self.ends:
            self.origin = number = self.origin + 1
            await self.dice.choice(changes)()
            self.known = max(self.known, number)
            await self.pause(0.02)

    async def lose(self, server: Memcached, wires: list[bytes]) -> None:
        while time.monotonic() < self.ends:
            await asyncio.to_thread(ask, server, b"delete %s\r\n" % self.dice.choice(wires))
            await asyncio.sleep(0.02)


async def test_nothing_stale_is_found_after_an_invalidation(make, fresh_memcached):
    caches = [Flavoured(make(servers=fresh_memcached.url, deadline=PATIENT), Flavour.ASYNC) for _ in range(2)]
    backend, chaos = caches[0].backend, Chaos(1.5)
    mark, entry = mark_wire(backend.stored_key(""), CELL), memcached_key(backend.stored_key("k"))
    forgotten = [mark, mark, notebook_wire(backend.stored_key("")), entry, lease_wire(backend.stored_key("k"))]
    work = [work(cache) for work in (chaos.load, chaos.load, chaos.read, chaos.change) for cache in caches]
    await asyncio.gather(*work, chaos.lose(fresh_memcached, forgotten))
    assert chaos.stale == []
    assert chaos.landed > 10
    for cache in caches:
        await cache.backend.aclose()


async def test_rights_of_many_keys_lie_on_all_servers(make, memcached_servers, unique_prefix):
    servers = [server.address for server in memcached_servers]
    backend = make(servers=servers, key_prefix=unique_prefix, deadline=PATIENT)
    cache = Flavoured(backend, Flavour.ASYNC)
    keys = [f"k{number}" for number in range(30)]
    claims = await cache.plan("claim_many", keys)
    assert all(isinstance(claim, Lead) for claim in claims.values())
    assert all(isinstance(claim, Held) for claim in (await cache.plan("claim_many", keys)).values())
    await cache.delete_many(keys[::2])
    made = [Made(key, key, 60.0, claim.ticket) for key, claim in claims.items()]
    landed = await cache.plan("land_many", made, tags=(TAG,))
    assert landed == {key: key in keys[1::2] for key in keys}
    assert await cache.get_many(keys) == {key: key for key in keys[1::2]}
    await cache.invalidate_tags(TAG)
    assert await cache.get_many(keys) == {}
    await backend.aclose()


async def test_server_that_is_away_keeps_no_other_from_being_invalidated(launch, make):
    servers = [launch(Memcached()) for _ in range(3)]
    cache = make(servers=[server.address for server in servers], deadline=PATIENT)
    keys = [f"k{number}" for number in range(30)]
    await asyncio.to_thread(servers[0].kill)
    for invalidate in (lambda: cache.invalidate_tags_async(TAG), cache.clear_async):
        stored = [await cache.set_async(key, "v", tags=[TAG]) for key in keys]
        assert len(await cache.get_many_async(keys)) == stored.count(True) > 10
        with pytest.raises(BackendUnavailableError, match=servers[0].address):
            await invalidate()
        assert await cache.get_many_async(keys) == {}
    await cache.aclose()


async def test_server_that_is_away_costs_the_rights_to_load_its_own_keys_only(launch, make):
    servers = [launch(Memcached()) for _ in range(3)]
    cache = make(servers=[server.address for server in servers], deadline=PATIENT)
    keys = [f"k{number}" for number in range(30)]
    await asyncio.to_thread(servers[0].kill)
    stored = {key for key in keys if await cache.set_async(key, "v")}
    for _ in range(3):
        claims = await cache.claim_many(LOOP, keys)
        assert claims.keys() == stored
        assert {type(claim) for claim in claims.values()} == {Hit}
    await cache.delete_many_async(stored)
    claims = await cache.claim_many(LOOP, keys)
    assert claims.keys() == stored
    assert {type(claim) for claim in claims.values()} == {Lead}
    await asyncio.to_thread(servers[1].kill)
    with pytest.raises(BackendUnavailableError, match=servers[1].address):
        await cache.land_many(LOOP, [Made(key, "w", 60.0, claim.ticket) for key, claim in claims.items()])
    landed = await cache.get_many_async(stored)
    assert 0 < len(landed) < len(stored)
    assert (await cache.claim_many(LOOP, keys)).keys() == landed.keys()
    await cache.aclose()


COMMANDS: dict[str, tuple[Callable[[Flavoured], Awaitable[object]], list[str]]] = {
    "a hit": (lambda cache: cache.get("k"), ["get"]),
    "a miss": (lambda cache: cache.get("none"), ["get"]),
    "a hit with tags": (lambda cache: cache.get("tagged"), ["get", "get"]),
    "many": (lambda cache: cache.get_many(["k", "tagged", "none"]), ["get", "get"]),
    "set": (lambda cache: cache.set("k", "v"), ["get", "set"]),
    "set with tags": (lambda cache: cache.set("tagged", "v", tags=[TAG]), ["get", "get", "set"]),
    "add": (lambda cache: cache.add("none", "v"), ["gets", "add"]),
    "incr": (lambda cache: cache.incr("n"), ["gets", "cas"]),
    "touch": (lambda cache: cache.touch("k"), ["gets", "cas"]),
    "delete": (lambda cache: cache.delete("k"), ["get", "delete"]),
    "tags": (lambda cache: cache.invalidate_tags(TAG, "y"), ["incr", "gets", "cas"]),
    "clear": (lambda cache: cache.clear(), ["set"]),
}


def _classic(words: list[str]) -> str:
    """Give the classic name of a command."""
    match words:
        case ["mg", *flags]:
            return "gets" if "c" in flags else "get"
        case ["ms", _, _, *flags]:
            return "add" if "ME" in flags else "cas" if any(flag.startswith("C") for flag in flags) else "set"
    return {"md": "delete", "ma": "incr"}.get(words[0], words[0])


def _questions(log: str) -> list[str]:
    """Give the commands in a log; of those asked by meta commands in one go, which end with `mn`, the last."""
    lines = [line.split()[1:] for line in log.splitlines() if line.startswith("<")]
    asked = [words for words in lines if words and words[0].islower() and words[0] != "new"]
    ends = [before for before, words in pairwise(asked) if words == ["mn"]]
    return [_classic(words) for words in ends or asked]


@pytest.mark.parametrize("make", [MemcachedCacheBackend, PyMemcacheCacheBackend], ids=lambda make: make.__name__)
async def test_round_trips_are_few(make, launch):
    server = launch(Memcached("-vv"))
    cache = Flavoured(make(servers=server.url, deadline=PATIENT), Flavour.ASYNC)

    async def said(work: Awaitable[object]) -> list[str]:
        before = len(server.log())
        await work
        return _questions(server.log()[before:])

    await cache.set("k", "v")
    await cache.set("tagged", "v", tags=[TAG])
    await cache.set("n", 1)
    for name, (work, commands) in COMMANDS.items():
        assert (name, await said(work(cache))) == (name, commands)
    loading = []

    async def claim() -> None:
        loading.append(await lead(cache))

    await cache.set("other", "v", tags=[TAG])
    assert await said(claim()) == ["gets", "add"]
    ticket = loading[0].ticket
    assert await said(cache.plan("hold", ticket)) == ["gets", "cas"]
    assert await said(cache.plan("land", "k", "v", 60.0, ticket, tags=(TAG,))) == ["gets", "get", "cas"]
    assert await said(cache.plan("claim", "k")) == ["gets", "get"]
    await cache.backend.aclose()
