import datetime as dt
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynccache.errors import SerializationError
from asynccache.serializers import MsgpackSerializer
from asynccache.serializers.plain import MAX_DEPTH, is_plain
from tests.serializers.deep import fingerprint

serializer = MsgpackSerializer()


def back(value):
    return serializer.loads(serializer.dumps(value))


BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from(
    [
        None,
        dt.UTC,
        BERLIN,
        ZoneInfo("Asia/Kathmandu"),
        ZoneInfo("UTC"),
        timezone(timedelta(hours=-3, minutes=-30)),
        timezone(timedelta(microseconds=1)),
        timezone(timedelta(0), "zero"),
        timezone(timedelta(hours=5), "+05"),
    ]
)
FOLDS = st.sampled_from([0, 1])
TEXT = st.text(st.characters(), max_size=8)  # lone surrogates included
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(2**200), max_value=2**200),
    st.sampled_from([-(2**63) - 1, -(2**63), 2**63 - 1, 2**63, 2**64 - 1, 2**64]),
    st.floats(),
    TEXT,
    st.binary(max_size=8),
    st.builds(lambda moment, fold, zone: moment.replace(fold=fold, tzinfo=zone), st.datetimes(), FOLDS, ZONES),
    st.builds(lambda moment, fold, zone: moment.replace(fold=fold, tzinfo=zone), st.times(), FOLDS, ZONES),
    st.dates(),
    st.timedeltas(),
    st.decimals(),
    st.uuids(),
    st.builds(PurePosixPath, TEXT),
    st.builds(PureWindowsPath, TEXT),
    st.builds(Path, st.sampled_from(["", "/", "a//b", "//a", "../x", "\udcff"])),
)
HASHABLE = st.recursive(
    LEAVES.filter(lambda value: not (isinstance(value, Decimal) and value.is_snan())),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
VALUES = st.recursive(
    LEAVES | st.binary(max_size=8).map(bytearray),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.sets(HASHABLE, max_size=3),
        st.frozensets(HASHABLE, max_size=3),
        st.dictionaries(HASHABLE, inner, max_size=3),
        st.dictionaries(TEXT, inner, max_size=4),
    ),
    max_leaves=20,
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=max(300, settings.default.max_examples))
@given(VALUES)
def test_what_comes_back_equals_what_went_in_and_has_its_types(value):
    assert fingerprint(back(value)) == fingerprint(value)


@given(PLAIN)
def test_plain_values_are_msgpack_that_others_read(value):
    payload = serializer.dumps([value])
    assert payload[:1] == b"m"
    assert fingerprint(msgspec.msgpack.decode(payload[1:])) == fingerprint([value])


@pytest.mark.parametrize("value", [None, False, 0, "", [], {}, (), b"", 0.0, set()])
def test_empty_values_are_values(value):
    assert fingerprint(back(value)) == fingerprint(value)


@pytest.mark.parametrize(
    "value",
    [
        {1: "a", "1": "b", None: "c", 1.5: "d", b"1": "e", (1, ("2", None)): "f", frozenset({1}): "g", 2**70: "h"},
        {True: 1, 0: 2, "": 3},
        {date(2026, 1, 1): {Decimal(1): [UUID(int=5)]}},
        {"\ud800": "\udfff", 2**64: -(2**64)},
        {(): {}, "nested": [({"a"}, [frozenset({("x",)})])]},
    ],
)
def test_keys_keep_their_types_and_order(value):
    assert fingerprint(back(value)) == fingerprint(value)


def test_fold_and_zone_of_an_ambiguous_hour_are_kept():
    first = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)
    second = first.replace(fold=1)
    assert [back(first).utcoffset(), back(second).utcoffset()] == [timedelta(hours=2), timedelta(hours=1)]
    assert back(second).tzinfo is BERLIN
    for moment in (time(2, 30), time(2, 30, tzinfo=dt.UTC), datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=dt.UTC)):
        assert fingerprint(back(moment.replace(fold=1))) == fingerprint(moment.replace(fold=1))


def test_what_comes_back_is_not_shared():
    value = [{"a": [1]}, bytearray(b"x")]
    copy = back(value)
    copy[0]["a"].append(2)
    assert value == [{"a": [1]}, bytearray(b"x")]


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Items(list):
    pass


class Zone(dt.tzinfo):
    pass


class Pair(NamedTuple):
    left: int
    right: int


@pytest.mark.parametrize(
    "value",
    [
        Text("a"),
        Number(1),
        Items(),
        OrderedDict(a=1),
        defaultdict(list),
        Counter("a"),
        deque([1]),
        Pair(1, 2),
        memoryview(b"a"),
        object(),
        int,
        len,
        1j,
        range(3),
        (number for number in [1]),
        ValueError("x"),
        datetime(2026, 1, 1, tzinfo=Zone()),
        msgspec.msgpack.Ext(1, b""),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("place", [lambda value: value, lambda value: [{"a": (value,)}], lambda value: [2**70, value]])
def test_what_would_come_back_as_something_else_is_refused(value, place):
    with pytest.raises(SerializationError):
        serializer.dumps(place(value))


@pytest.mark.parametrize("place", [lambda value: {value: 1}, lambda value: {value}, lambda value: frozenset({value})])
def test_subclasses_in_keys_and_sets_are_refused(place):
    with pytest.raises(SerializationError, match="Text"):
        serializer.dumps(place(Text("a")))


def test_the_error_names_the_type_and_the_way_out():
    with pytest.raises(SerializationError) as info:
        serializer.dumps({"pair": Pair(1, 2)})
    assert "test_msgpack.Pair" in str(info.value)
    assert "MsgpackSerializer(types=[Pair])" in str(info.value)
    with pytest.raises(SerializationError, match=r"PickleSerializer\(secret=\.\.\.\)"):
        serializer.dumps(object())


def test_errors_do_not_tell_values():
    with pytest.raises(SerializationError) as info:
        serializer.dumps(["canary", {"canary": Text("canary")}])
    assert "canary" not in str(info.value)


def nested(depth, wrap, value=1):
    for _ in range(depth):
        value = wrap(value)
    return value


WRAPS = [
    lambda value: [value],
    lambda value: {"a": value},
    lambda value: (value,),
    lambda value: {(1, 2): value},
    lambda value: frozenset({value}),
]


@pytest.mark.parametrize("wrap", WRAPS)
def test_the_depth_that_is_allowed_comes_back(wrap):
    value = nested(MAX_DEPTH, wrap)
    assert repr(back(value)) == repr(value)


@pytest.mark.parametrize("wrap", [*WRAPS[:4]])
@pytest.mark.parametrize("depth", [MAX_DEPTH + 2, 100_000])
def test_containers_nested_too_deep_are_refused(wrap, depth):
    with pytest.raises(SerializationError):
        serializer.dumps(nested(depth, wrap))


def test_values_that_hold_themselves_are_refused():
    wide: list = []
    wide.extend([wide] * 1000)
    looped: dict = {"a": (1, [])}
    looped["a"][1].append(looped)
    odd: list = [2**70]
    odd.append(odd)
    for value in (wide, looped, odd):
        with pytest.raises(SerializationError, match="holds itself"):
            serializer.dumps(value)


def test_only_exact_builtins_are_plain():
    assert is_plain([{"a": [1, 1.5, True, None, "x", b"y"], 1: {}}])
    for other in ((), set(), bytearray(), Text("a"), Number(1), OrderedDict(), dt.date(2026, 1, 1)):
        assert not is_plain([other])
        assert not is_plain({"a": other})
    assert not is_plain({(1,): 1})


def test_bytes_and_text_pass_through_behind_one_byte():
    assert serializer.dumps(b"\x00abc") == b"b\x00abc"
    assert serializer.dumps("héllo") == b"s" + "héllo".encode()


def test_a_value_that_pickle_would_refuse_to_share_is_encoded_twice():
    row = [1, 2]
    first, second = back([row, row])
    assert first == second
    assert first is not second


def test_a_serializer_tells_its_types_but_no_values():
    assert repr(serializer) == "<MsgpackSerializer types=[]>"


SNAPSHOT = {
    "a": (1, {2}),
    (1,): [
        datetime(2026, 1, 2),
        datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=1), "CET")),
        datetime(2026, 1, 2, tzinfo=dt.UTC),
        [time(1, 2), time(1, 2, fold=1), date(2026, 1, 2), timedelta(1, 2, 3), Decimal("1.50"), UUID(int=1)],
        [PurePosixPath("/a"), bytearray(b"x"), b"y", frozenset([None]), 2**64, "\ud800", 1.5, True, msgspec.UNSET],
    ],
}
SNAPSHOT_BYTES = (
    b"m\xc7\xd9\x04\x94\xa1a\xc7\x06\x01\x92\x01\xd5\x02\x91\x02\xd5\x01\x91\x01\x95\xc7\x14\x08\xb32026-01"
    b"-02T00:00:00\xc7 \t\x93\xb32026-01-02T00:0"
    b"0:00\x00\x92\xce\xd6\x93\xa4\x00\xa3CET\xd6\xffiW\n\x80\x96\xc7\t\x0b\xa801:02:"
    b"00\xc7\x0c\x0c\x93\xa801:02:00\x01\xc0\xc7\x0b\n\xaa2026-01-02\xc7"
    b"\x0e\r\xadP1DT2.000003S\xc7\x05\x0e\xa41.50\xc7\x12\x0f\xc4\x10\x00\x00\x00"
    b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x99\xc7\x03\x10\x00/a\xd4\x05x\xc4\x01y\xd5\x03\x91\xc0\xc7\t"
    b"\x06\x01\x00\x00\x00\x00\x00\x00\x00\x00\xc7\x03\x07\xed\xa0\x80\xcb?\xf8\x00\x00\x00\x00\x00\x00\xc3\xc7\x00\x12"
)


def test_payloads_of_this_format_stay_readable():
    assert fingerprint(serializer.loads(SNAPSHOT_BYTES)) == fingerprint(SNAPSHOT)
