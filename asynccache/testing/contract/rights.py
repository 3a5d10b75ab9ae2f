"""Rights to load: what was loaded before a change is not stored after it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from asynccache.core.claims import Held, Hit, Lead, Made, Ticket
from asynccache.core.entry import Kind
from asynccache.model import Capability
from asynccache.testing.contract.base import ContractBase
from asynccache.testing.contract.kinds import PAGE, body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from asynccache.testing.contract.base import Flavoured, MakeCache

CHANGES: dict[str, Callable[[Flavoured, str], Awaitable[object]]] = {
    "delete": lambda cache, key: cache.delete(key),
    "delete_many": lambda cache, key: cache.delete_many([key, "other"]),
    "set": lambda cache, key: cache.set(key, "newer"),
    "set for no time": lambda cache, key: cache.set(key, "newer", 0),
    "set_many": lambda cache, key: cache.set_many({key: "newer"}),
    "add": lambda cache, key: cache.add(key, "newer"),
    "incr": lambda cache, key: cache.incr(key),
}
"""What is done to a key between the claim and the landing, and makes it lost."""
LEFT = {"set": "newer", "set_many": "newer", "add": "newer", "incr": 1}


async def granted(cache: Flavoured, key: str, **options: Any) -> Ticket:
    """Claim the right to load a key that is free."""
    claimed = await cache.plan("claim", key, **options)
    assert isinstance(claimed, Lead), claimed
    return claimed.ticket


class RightsContract(ContractBase):
    """What read-throughs ask of a store; one without fences grants every right and stores whatever is loaded."""

    async def test_what_is_loaded_by_right_is_stored(self, cache: Flavoured) -> None:
        ticket = await granted(cache, "k")
        assert ticket.key == cache.backend.stored_key("k")
        assert await cache.plan("hold", ticket) is True
        assert await cache.plan("land", "k", ["v"], 60.0, ticket) is True
        assert await cache.get("k") == ["v"]
        ticket = await granted(cache, "kept", version=2)
        assert await cache.plan("land", "kept", "v", 60.0, ticket, stale=60.0, tags=("x",), version=2) is True
        assert (await cache.plan("look", "kept", 2)).value == "v"
        await cache.invalidate_tags("x", version=2)
        assert await cache.get("kept", 2) is None

    async def test_what_changed_meanwhile_is_not_overwritten(self, cache: Flavoured) -> None:
        fenced = cache.can(Capability.FENCES)
        for name, change in CHANGES.items():
            ticket = await granted(cache, name)
            await change(cache, name)
            landed = await cache.plan("land", name, "older", 60.0, ticket)
            left = await cache.get(name)
            expected = (False, LEFT.get(name)) if fenced else (True, "older")
            assert (name, landed, left) == (name, *expected)
        again = await granted(cache, "delete" if fenced else "free")
        assert await cache.plan("release", again) is True

    async def test_what_has_a_tag_that_was_invalidated_meanwhile_is_not_stored(self, cache: Flavoured) -> None:
        for key in ("x", "y", "none"):
            await cache.set(key, "stored", tags=[key])
        tickets = {key: await granted(cache, f"new {key}") for key in ("x", "y", "none")}
        await cache.invalidate_tags("x", "unknown")
        assert await cache.plan("land", "new x", "v", 60.0, tickets["x"], tags=("z", "x")) is False
        assert await cache.plan("land", "new y", "v", 60.0, tickets["y"], tags=("y",)) is True
        assert await cache.plan("land", "new none", "v", 60.0, tickets["none"]) is True
        assert await cache.get_many(["new x", "new y", "new none"]) == {"new y": "v", "new none": "v"}
        ticket = await granted(cache, "new x")
        assert await cache.plan("land", "new x", "v", 60.0, ticket, tags=("x",)) is True
        assert await cache.get("new x") == "v"

    async def test_what_was_loading_before_clear_is_not_stored(self, cache: Flavoured) -> None:
        if not {Capability.FENCES, Capability.CLEARS} <= cache.backend.capabilities:
            return
        bare, other = await granted(cache, "bare"), await granted(cache, "k", version=2)
        tagged = await granted(cache, "tagged")
        await cache.clear()
        assert await cache.plan("land", "bare", "v", 60.0, bare) is False
        assert await cache.plan("land", "tagged", "v", 60.0, tagged, tags=("x",)) is False
        assert await cache.plan("land", "k", "v", 60.0, other, version=2) is True
        assert await cache.get_many(["bare", "tagged"]) == {}
        assert await cache.get("k", 2) == "v"

    async def test_landing_nothing_tells_whether_it_would_have_been_right(self, cache: Flavoured) -> None:
        ticket = await granted(cache, "k")
        assert await cache.plan("land", "k", "v", None, ticket) is True
        assert await cache.get("k") is None
        ticket = await granted(cache, "k")
        await cache.delete("k")
        assert await cache.plan("land", "k", "v", None, ticket) is not cache.can(Capability.FENCES)
        await cache.set("other", "v", tags=["x", "y"])  # of a tag that is new to it a store need not know the past
        for tag, good in (("x", False), ("y", True)):
            ticket = await granted(cache, f"not stored {tag}")
            await cache.invalidate_tags("x")
            assert await cache.plan("land", f"not stored {tag}", "v", None, ticket, tags=(tag,)) is good

    async def test_right_is_good_for_one_landing(self, cache: Flavoured) -> None:
        fenced = cache.can(Capability.FENCES)
        ticket = await granted(cache, "k")
        assert await cache.plan("land", "k", "v", 60.0, ticket) is True
        assert await cache.plan("land", "k", "again", 60.0, ticket) is not fenced
        released = await granted(cache, "released")
        assert await cache.plan("release", released) is True
        assert await cache.plan("land", "released", "v", 60.0, released) is not fenced
        assert await cache.plan("hold", released) is not fenced

    async def test_who_claims_what_somebody_has_stored_is_given_it(self, cache: Flavoured) -> None:
        if not cache.can(Capability.FENCES):
            await cache.set("k", "v")
            await granted(cache, "k")
            return
        await cache.plan("keep", "k", "v", 60.0, 60.0)
        found = await cache.plan("claim", "k")
        assert isinstance(found, Hit)
        assert found.entry.value == "v"
        seen = await cache.plan("look", "k")
        claimed = await cache.plan("claim", "k", seen=seen)
        assert isinstance(claimed, Lead)
        assert claimed.stale is not None
        assert claimed.stale.value == "v"
        assert await cache.plan("land", "k", "newer", 60.0, claimed.ticket, stale=60.0) is True
        found = await cache.plan("claim", "k", seen=seen)
        assert isinstance(found, Hit)
        assert found.entry.value == "newer"
        await cache.plan("release", await granted(cache, "k", anew=True))

    async def test_pages_are_loaded_by_right_too(self, cache: Flavoured) -> None:
        await cache.set("k", "a value")
        ticket = await granted(cache, "k", kind=Kind.PAGE)
        assert await cache.plan("land", "k", PAGE, 60.0, ticket, kind=Kind.PAGE) is True
        assert body(await cache.plan("read", "k", None, Kind.PAGE)) == PAGE.body
        assert await cache.get("k") is None
        if cache.can(Capability.FENCES):
            found = await cache.plan("claim", "k", kind=Kind.PAGE)
            assert isinstance(found, Hit)
            assert body(found.entry) == PAGE.body
        ticket = await granted(cache, "k")
        await cache.plan("write", "k", PAGE, 60, None, Kind.PAGE)
        assert await cache.plan("land", "k", "a value", 60.0, ticket) is not cache.can(Capability.FENCES)

    async def test_many_are_claimed_and_landed_together(self, cache: Flavoured) -> None:
        assert await cache.plan("claim_many", []) == {}
        claims = await cache.plan("claim_many", ["a", "b", "c"])
        made = [Made(key, key, 60.0, claim.ticket) for key, claim in claims.items()]
        await cache.delete("b")
        landed = await cache.plan("land_many", made)
        assert landed == {"a": True, "b": not cache.can(Capability.FENCES), "c": True}
        assert await cache.get_many("abc") == {key: key for key, stored in landed.items() if stored}

    async def test_one_of_all_who_share_a_store_may_load(self, make_cache: MakeCache) -> None:
        cache, other = make_cache(), make_cache()
        ticket = await granted(cache, "k")
        if not {Capability.LOCKS, Capability.SHARED} <= cache.backend.capabilities:
            await granted(other, "k")
            return
        held = await other.plan("claim", "k", 60.0)
        assert isinstance(held, Held)
        assert 0 < held.seconds <= 60
        waiting = asyncio.ensure_future(other.plan("attend", "k", held.seconds))
        await other.delete("another")
        assert await cache.plan("hold", ticket) is True
        assert await cache.plan("land", "k", "v", 60.0, ticket) is True
        await waiting
        found = await other.plan("claim", "k")
        assert isinstance(found, Hit)
        assert found.entry.value == "v"
