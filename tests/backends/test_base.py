"""What `StoreBackend` makes of three drivers: damage, outages, counts. The rest of it is in the contract suite."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal

import pytest

from asynccache.backends.base import StoreBackend
from asynccache.core import codec
from asynccache.core.codec import Frame
from asynccache.core.entry import Kind
from asynccache.core.events import EntryDamaged
from asynccache.core.keys import key_hash
from asynccache.errors import BackendUnavailableError, ConfigurationError, NotAnIntegerError, SerializationError
from asynccache.model import Capability
from asynccache.plan.io import BLOCKING, run
from asynccache.testing import BackendContract, FakeClock, recorded_events

if TYPE_CHECKING:
    from asynccache.plan.io import IO


class DictBackend(StoreBackend):
    """A store that can go away, and give the reply to another question."""

    capabilities = frozenset({Capability.KEEPS_ENTRIES, Capability.SUBSECOND_TTL})

    def __init__(self, stored: dict[str, bytes] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.stored = {} if stored is None else stored
        self.away = False
        self.distrusted = 0

    def _check(self) -> None:
        if self.away:
            raise BackendUnavailableError("the dict is away")

    async def _fetch(self, io: IO, key: str) -> bytes | None:
        self._check()
        return self.stored.get(key)

    async def _store(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        self._check()
        self.stored[key] = raw
        return True

    async def _drop(self, io: IO, key: str) -> bool:
        self._check()
        return self.stored.pop(key, None) is not None

    async def _mixed_up(self, io: IO) -> None:
        self.distrusted += 1


class TestDictBackend(BackendContract):
    time_is_free = True

    @pytest.fixture
    def backend_factory(self) -> Any:
        self.clock, stored = FakeClock(), dict[str, bytes]()
        return lambda **options: DictBackend(stored, clock=self.clock, **options)

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)


@pytest.fixture
def cache() -> DictBackend:
    return DictBackend(clock=FakeClock())


def away(on_error: Literal["miss", "raise"]) -> DictBackend:
    cache = DictBackend(on_error=on_error)
    cache.set("k", "v")
    cache.away = True
    return cache


VALUES: dict[str, Any] = {"text": "text", "counter": 1212, "list": [1, (2.5, None), {"a": b"b"}], "None": None}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_flipped_bits_and_cuts_are_misses_or_harmless(cache: DictBackend, value: Any) -> None:
    cache.set("k", value)
    raw = cache.stored[":1:k"]
    flips = [(place, 1 << bit) for place in range(len(raw)) for bit in range(8)]
    flipped = [raw[:place] + bytes([raw[place] ^ flip]) + raw[place + 1 :] for place, flip in flips]
    for damaged in [*flipped, *[raw[:size] for size in range(len(raw))]]:
        cache.stored[":1:k"] = damaged
        assert cache.get("k", default="a miss") in (value, "a miss")
        cache.stored[":1:k"] = damaged
        assert cache.get_many(["k"]) in ({"k": value}, {})


def test_damaged_entry_is_removed_counted_and_told(cache: DictBackend, caplog: pytest.LogCaptureFixture) -> None:
    cache.set_many({"a": "v", "b": "v"})
    for key in cache.stored:
        cache.stored[key] = b"foreign bytes"
    with recorded_events(cache) as events, caplog.at_level(logging.WARNING, "asynccache"):
        assert cache.get("a") is None
        assert cache.get_many(["b"]) == {}
    assert cache.stored == {}
    assert cache.stats()["damaged"] == 2
    assert [(type(event), getattr(event, "key", None)) for event in events] == [
        (EntryDamaged, ":1:a"),
        (EntryDamaged, ":1:b"),
    ]
    assert len(caplog.records) == 1


def test_damaged_payload_below_a_good_seal_is_removed_too(cache: DictBackend) -> None:
    for payload in (b"", b"\xc1", b"\x80\x04N."):
        cache.stored[":1:k"] = codec.encode(Frame(payload), key_hash(":1:k"))
        assert cache.get("k", default="a miss") == "a miss"
        assert cache.stored == {}


def test_damaged_entry_counts_as_absent_in_every_operation(cache: DictBackend) -> None:
    def damage() -> None:
        cache.set("k", 5)
        cache.stored[":1:k"] = cache.stored[":1:k"][:-1] + b"6"

    damage()
    assert cache.has_key("k") is False
    damage()
    assert cache.touch("k") is False
    damage()
    assert cache.delete("k") is False
    damage()
    assert cache.add("k", "new") is True
    damage()
    assert cache.incr("k") == 1


def test_reply_to_another_question_is_a_miss_and_the_connection_is_distrusted(cache: DictBackend) -> None:
    cache.set_many({"mine": 1, "other": 2})
    cache.stored[":1:mine"] = cache.stored[":1:other"]
    assert cache.get("mine") is None
    assert cache.distrusted == 1
    assert cache.get("other") == 2


def test_reads_and_sets_go_on_while_the_store_is_away() -> None:
    cache = away("miss")
    assert cache.get("k", default="a miss") == "a miss"
    assert cache.get_many(["k"]) == {}
    assert cache.has_key("k") is False
    assert cache.set("k", "new") is False
    assert cache.set("k", "new", ttl=0) is False
    assert cache.set_many({"a": 1, "b": 2}) == ["a", "b"]
    assert cache.set_many({"a": 1}, ttl=0) == ["a"]


@pytest.mark.parametrize("on_error", ["miss", "raise"])
@pytest.mark.parametrize(
    "call",
    [
        lambda cache: cache.add("k", "v"),
        lambda cache: cache.add("k", "v", ttl=0),
        lambda cache: cache.delete("k"),
        lambda cache: cache.delete_many(["k"]),
        lambda cache: cache.touch("k"),
        lambda cache: cache.touch("k", 0),
        lambda cache: cache.incr("k"),
        lambda cache: cache.decr("k"),
    ],
    ids=["add", "add for no time", "delete", "delete_many", "touch", "touch for no time", "incr", "decr"],
)
def test_what_must_not_be_lost_in_silence_raises_while_the_store_is_away(call: Any, on_error: Any) -> None:
    with pytest.raises(BackendUnavailableError):
        call(away(on_error))


@pytest.mark.parametrize(
    "call",
    [
        lambda cache: cache.get("k"),
        lambda cache: cache.get_many(["k"]),
        lambda cache: cache.has_key("k"),
        lambda cache: cache.set("k", "v"),
        lambda cache: cache.set_many({"k": "v"}),
    ],
    ids=["get", "get_many", "has_key", "set", "set_many"],
)
def test_everything_raises_where_errors_are_asked_for(call: Any) -> None:
    with pytest.raises(BackendUnavailableError):
        call(away("raise"))


def test_damage_that_cannot_be_removed_is_still_a_miss(cache: DictBackend) -> None:
    class ReadOnly(DictBackend):
        async def _drop(self, io: IO, key: str) -> bool:
            raise BackendUnavailableError("read only")

    assert ReadOnly({":1:k": b"foreign bytes"}).get("k", default="a miss") == "a miss"


def test_unknown_on_error_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'ignore': give 'miss' or 'raise'"):
        DictBackend(on_error="ignore")


def test_failed_set_many_leaves_no_old_value_of_its_keys(cache: DictBackend) -> None:
    cache.set_many({"a": "old", "b": "old", "c": "kept"})
    with pytest.raises(SerializationError):
        cache.set_many({"a": "new", "b": object()})
    assert cache.get_many(["a", "b", "c"]) == {"c": "kept"}


def test_counters_keep_their_tags(cache: DictBackend) -> None:
    tagged = Frame(codec.integer_payload(5), flags=codec.INTEGER, tags=("user:7",), load_ms=1500)
    cache.stored[":1:k"] = codec.encode(tagged, key_hash(":1:k"))
    assert cache.incr("k") == 6
    entry = run(cache.read(BLOCKING, "k"))
    assert entry is not None
    assert (entry.value, entry.tags, entry.load_seconds) == (6, ("user:7",), 1.5)


def test_touch_keeps_what_it_does_not_change(cache: DictBackend) -> None:
    run(cache.write(BLOCKING, "k", b"page", 60, kind=Kind.PAGE))
    before = codec.decode(cache.stored[":1:k"], key_hash(":1:k"))
    cache.touch("k", 120)
    after = codec.decode(cache.stored[":1:k"], key_hash(":1:k"))
    assert (after.kind, after.payload, after.lifetime_ms) == (before.kind, before.payload, 120_000)


def test_refused_counter_says_why(cache: DictBackend) -> None:
    cache.set("text", "v")
    cache.set("most", 2**63 - 1)
    with pytest.raises(NotAnIntegerError, match="something else is stored"):
        cache.incr("text")
    with pytest.raises(NotAnIntegerError, match="does not fit into 64 bits"):
        cache.incr("most")


def test_reads_are_counted(cache: DictBackend) -> None:
    cache.set_many({"a": 1, "b": None})
    cache.get("a")
    cache.get("missing")
    cache.get_many(["a", "b", "missing"])
    cache.has_key("a")
    assert cache.stats() == {"hits": 3, "misses": 2, "errors": 0, "damaged": 0}


def test_only_reads_that_were_not_answered_are_counted_as_misses(cache: DictBackend) -> None:
    cache.away = True
    assert not cache.set("key", 1)
    assert cache.set_many({"a": 1}) == ["a"]
    assert not cache.has_key("key")
    assert cache.stats()["misses"] == 0
    assert cache.get("key") is None
    assert cache.get_many(["a", "b"]) == {}
    assert cache.stats()["misses"] == 3


@pytest.mark.parametrize("on_error", ["miss", "raise"])
def test_what_cannot_be_stored_is_said_while_the_store_is_away_too(on_error: Literal["miss", "raise"]) -> None:
    cache = DictBackend(on_error=on_error)
    cache.away = True
    with pytest.raises(SerializationError):
        cache.set("key", object())
    with pytest.raises(SerializationError):
        cache.set_many({"key": object()})
