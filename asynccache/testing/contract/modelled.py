"""Operations in any order, against a dict that says what may come back.

A miss is always allowed. What was replaced, deleted, invalidated or cleared, or is over, is not; nor is what was loaded
before such a change. Hypothesis makes up the orders, and shows the shortest one that goes wrong.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from asynccache.errors import NotAnIntegerError
from asynccache.model import Capability
from asynccache.testing.contract.base import ContractBase
from asynccache.testing.contract.ground import Ground
from asynccache.testing.contract.values import shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from asynccache.testing.contract.base import Flavoured

KEYS = st.sampled_from(["a", "b", "c"])
VERSIONS = st.sampled_from(["one", "two"])
TAGS = st.lists(st.sampled_from(["x", "y", "z"]), max_size=2, unique=True)
VALUES = st.one_of(
    st.integers(-5, 5), st.text(max_size=3), st.lists(st.integers(), max_size=2), st.none(), st.booleans()
)
CHANGES = st.sampled_from(["nothing", "delete", "set", "invalidate", "clear"])
TTLS = st.sampled_from([0.5, 1, 8, 60, inf, 0, -1])
GONE = object()
Place = tuple[str, str]


class Known(NamedTuple):
    """What was stored, until when, and its tags."""

    value: Any
    due: float
    tags: tuple[str, ...]


class AgainstADict(RuleBasedStateMachine):
    """A backend beside a dict."""

    ground: ClassVar[Ground]

    def __init__(self) -> None:
        super().__init__()
        self.ground.plays += 1
        self.now = 0.0
        self.known: dict[Place, Known] = {}

    def place(self, key: str, version: str) -> Place:
        """Name an entry, in a version of this play's own."""
        return f"{version} {self.ground.plays}", key

    def expected(self, place: Place) -> Any:
        """Give what may come back; `GONE` where nothing may."""
        known = self.known.get(place)
        return GONE if known is None or known.due + self.ground.slack < self.now else known.value

    def keep(self, place: Place, value: Any, ttl: float, tags: tuple[str, ...] = ()) -> None:
        """Note what was stored."""
        self.known[place] = Known(value, self.now + ttl, tags)

    def check(self, place: Place, found: Any) -> None:
        """Accept a miss, and what may come back."""
        if found is not GONE:
            expected = self.expected(place)
            assert expected is not GONE, f"{found!r} came back, and nothing may be there"
            assert shape(found) == shape(expected)

    def ttl(self, ttl: float) -> float:
        """Give a lifetime that this play can wait for, or is not to see the end of."""
        return ttl if self.ground.time_is_free or ttl <= 0 else max(ttl, 60)

    @rule(key=KEYS, version=VERSIONS)
    def get(self, key: str, version: str) -> None:
        place = self.place(key, version)
        self.check(place, self.ground.call("get", key, place[0], default=GONE))

    @rule(keys=st.lists(KEYS, max_size=3), version=VERSIONS)
    def get_many(self, keys: list[str], version: str) -> None:
        name = self.place("", version)[0]
        for key, value in self.ground.call("get_many", keys, name).items():
            self.check((name, key), value)

    @rule(key=KEYS, version=VERSIONS, value=VALUES, ttl=TTLS, tags=TAGS)
    def set(self, key: str, version: str, value: Any, ttl: float, tags: list[str]) -> None:
        place = self.place(key, version)
        self.ground.call("set", key, value, self.ttl(ttl), place[0], tags=tags)
        self.keep(place, value, self.ttl(ttl), tuple(tags))

    @rule(values=st.dictionaries(KEYS, VALUES, max_size=3), version=VERSIONS)
    def set_many(self, values: dict[str, Any], version: str) -> None:
        name = self.place("", version)[0]
        self.ground.call("set_many", values, 60, name)
        for key, value in values.items():
            self.keep((name, key), value, 60)

    @rule(key=KEYS, version=VERSIONS, value=VALUES, ttl=TTLS)
    def add(self, key: str, version: str, value: Any, ttl: float) -> None:
        place = self.place(key, version)
        if self.ground.call("add", key, value, self.ttl(ttl), place[0]):
            self.keep(place, value, self.ttl(ttl))
        else:
            assert self.expected(place) is not GONE

    @rule(key=KEYS, version=VERSIONS)
    def delete(self, key: str, version: str) -> None:
        place = self.place(key, version)
        assert not self.ground.call("delete", key, place[0]) or self.expected(place) is not GONE
        self.known.pop(place, None)

    @rule(keys=st.lists(KEYS, max_size=3), version=VERSIONS)
    def delete_many(self, keys: list[str], version: str) -> None:
        name = self.place("", version)[0]
        there = {key for key in keys if self.expected((name, key)) is not GONE}
        assert self.ground.call("delete_many", keys, name) <= len(there)
        for key in keys:
            self.known.pop((name, key), None)

    @rule(key=KEYS, version=VERSIONS, ttl=TTLS)
    def touch(self, key: str, version: str, ttl: float) -> None:
        place, expected = self.place(key, version), self.expected(self.place(key, version))
        touched = self.ground.call("touch", key, self.ttl(ttl), place[0])
        assert not touched or expected is not GONE
        if touched:
            self.keep(place, expected, self.ttl(ttl), self.known[place].tags)
        elif ttl <= 0:
            self.known.pop(place, None)

    @rule(key=KEYS, version=VERSIONS, delta=st.integers(-5, 5))
    def incr(self, key: str, version: str, delta: int) -> None:
        place = self.place(key, version)
        expected, known = self.expected(place), self.known.get(place)
        try:
            number = self.ground.call("incr", key, delta, place[0])
        except NotAnIntegerError:
            assert expected is not GONE
            assert type(expected) is not int
            return
        if type(expected) is int and number == expected + delta and known is not None:
            self.known[place] = known._replace(value=number)
        else:
            assert number == delta
            self.keep(place, number, self.ground.backend.default_ttl)

    @rule(tags=TAGS, version=VERSIONS)
    def invalidate_tags(self, tags: list[str], version: str) -> None:
        name = self.place("", version)[0]
        self.ground.call("invalidate_tags", *tags, version=name)
        self._forget(name, tags)

    @rule(version=VERSIONS)
    def clear(self, version: str) -> None:
        if self.ground.can(Capability.CLEARS):
            name = self.place("", version)[0]
            self.ground.call("clear", name)
            self._forget(name, None)

    @rule(key=KEYS, version=VERSIONS, value=VALUES, tags=TAGS, change=CHANGES)
    def get_or_set(self, key: str, version: str, value: Any, tags: list[str], change: str) -> None:
        place, expected = self.place(key, version), self.expected(self.place(key, version))
        result, loaded = self.ground.load(
            key, place[0], value, tuple(tags), lambda call: self._make(call, change, place, tags)
        )
        if not loaded:
            assert expected is not GONE
            assert shape(result) == shape(expected)
            return
        assert shape(result) == shape(value)
        match change:
            case "set":
                self.keep(place, "newer", 60)
            case "clear" if self.ground.can(Capability.CLEARS):
                self._forget(place[0], None)
            case "delete":
                self.known.pop(place, None)
            case "invalidate" if tags:
                self._forget(place[0], tags[:1])
                self.known.pop(place, None)
            case _:
                self.keep(place, value, 60, tuple(tags))

    @precondition(lambda self: self.ground.time_is_free)
    @rule(seconds=st.sampled_from([0.25, 1.5, 10, 100]))
    def wait(self, seconds: float) -> None:
        self.ground.wait(seconds)
        self.now += seconds

    @invariant()
    def nothing_wrong_comes_back(self) -> None:
        """Read all of one version after each step; the other one only by the rules, so that reading mends nothing."""
        self.get_many(["a", "b", "c"], "one")

    def _make(self, call: Callable[..., Any], change: str, place: Place, tags: list[str]) -> Any:
        version, key = place
        match change:
            case "set":
                return call("set", key, "newer", 60, version)
            case "clear" if self.ground.can(Capability.CLEARS):
                return call("clear", version=version)
            case "delete":
                return call("delete", key, version)
            case "invalidate" if tags:
                return call("invalidate_tags", tags[0], version=version)
        return None

    def _forget(self, version: str, tags: list[str] | None) -> None:
        for place, known in list(self.known.items()):
            if place[0] == version and (tags is None or set(tags) & set(known.tags)):
                del self.known[place]


class ModelContract(ContractBase):
    """Needs Hypothesis, whose settings apply but for how much is tried."""

    model_examples: ClassVar[int] = 5
    """How many orders are tried."""
    model_steps: ClassVar[int] = 25
    """How many operations are in one, at most."""

    async def test_operations_in_any_order_are_as_on_a_dict(self, cache: Flavoured) -> None:
        def play() -> None:
            with asyncio.Runner() as runner:
                machine = type("Machine", (AgainstADict,), {"ground": Ground(self, cache, runner)})
                much = settings(
                    max_examples=self.model_examples,
                    stateful_step_count=self.model_steps,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                )
                try:
                    run_state_machine_as_test(machine, settings=much)
                finally:
                    runner.run(cache.backend.aclose())

        await asyncio.to_thread(play)
