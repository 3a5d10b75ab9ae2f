"""Lists of tuples, and objects: told as rows where nothing would be lost by that, and by their state otherwise."""

import dataclasses
from collections import UserString
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.core.codec import DamagedEntryError
from asynccache.errors import SerializationError
from asynccache.serializers import MsgpackSerializer, annotated
from asynccache.serializers.leaves import Code, encode
from asynccache.serializers.plain import MAX_DEPTH
from tests.serializers.deep import fingerprint
from tests.serializers.test_msgpack import VALUES


@dataclass
class Data:
    a: Any
    b: Any = None


@dataclass(slots=True)
class Slots:
    a: Any
    b: Any = None


@dataclass(slots=True, frozen=True)
class FrozenSlots:
    a: Any
    b: Any = None


@attrs.frozen
class Attrs:
    a: Any
    b: Any = None


class Struct(msgspec.Struct):
    a: Any
    b: Any = None


class Pair(NamedTuple):
    a: Any
    b: Any = None


class Model(pydantic.BaseModel):
    a: Any
    b: Any = None


class Private(pydantic.BaseModel):
    a: Any
    b: Any = None
    _secret: int = 0


class Open(pydantic.BaseModel, extra="allow"):
    a: Any
    b: Any = None


class KeywordsOnly(msgspec.Struct, kw_only=True):
    a: Any
    b: Any = None


class WithDict(msgspec.Struct, dict=True):
    a: Any
    b: Any = None


class Changing(msgspec.Struct):
    a: Any
    b: Any = None

    def __post_init__(self) -> None:
        self.a = [self.a]


@dataclass
class OwnState:
    a: Any
    b: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {"a": "as its class says", "b": self.b}


@dataclass
class OwnSetState:
    a: Any
    b: Any = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.a, self.b = ["set", state["a"]], state["b"]


IN_ROWS = [Data, Slots, FrozenSlots, Attrs, Struct, Pair, Model]
BY_STATE = [Private, Open, KeywordsOnly, WithDict, Changing]
serializer = MsgpackSerializer(types=[*IN_ROWS, *BY_STATE, OwnState, OwnSetState])
LOOSE = [Code.OBJECT, Code.ROW, Code.ROWS, Code.TUPLES]


def codes(payload: bytes) -> set[int]:
    """Give the extension types that a payload consists of."""
    found: set[int] = set()

    def note(code: int, content: memoryview) -> None:
        found.add(code)
        if code in LOOSE:
            msgspec.msgpack.decode(content, ext_hook=note)

    msgspec.msgpack.decode(payload[1:], ext_hook=note)
    return found


def back(value: Any) -> Any:
    return serializer.loads(serializer.dumps(value))


def made(kind: type, *items: Any) -> Any:
    return kind(**dict(zip("ab", items, strict=False)))


@given(st.lists(st.tuples(VALUES, VALUES), max_size=4), st.sampled_from([tuple, *IN_ROWS, *BY_STATE]))
def test_what_is_in_rows_comes_back_as_it_was(rows: list[tuple[Any, Any]], kind: type) -> None:
    value = rows if kind is tuple else [made(kind, *row) for row in rows]
    found = back(value)
    assert {type(row) for row in found} <= {kind}
    parts = found if kind is tuple else [(row.a, row.b) for row in found]
    expected = value if kind is tuple else [(row.a, row.b) for row in value]
    assert fingerprint(parts) == fingerprint(rows if kind is not Changing else expected)


@pytest.mark.parametrize("kind", IN_ROWS)
def test_objects_are_rows(kind: type) -> None:
    assert codes(serializer.dumps(made(kind, 1))) == {Code.ROW}
    assert codes(serializer.dumps([made(kind, 1), made(kind, "x", 2)])) == {Code.ROWS}
    assert codes(serializer.dumps([made(kind, [made(kind, 1)])])) == {Code.ROWS}
    assert codes(serializer.dumps([made(kind, 1), (1,)])) == {Code.ROW, Code.TUPLE}


@pytest.mark.parametrize("kind", BY_STATE)
def test_objects_with_more_than_fields_or_ways_of_their_own_are_told_by_their_state(kind: type) -> None:
    assert Code.ROW not in codes(serializer.dumps([made(kind, 1)])) | codes(serializer.dumps(made(kind, 1)))


def test_lists_of_nothing_but_tuples_are_one_extension_type() -> None:
    assert codes(serializer.dumps([(1, "a"), (), (2.5, None, b"x")])) == {Code.TUPLES}
    assert codes(serializer.dumps([(1, datetime(2026, 1, 1))])) == {Code.TUPLES, Code.DATETIME}
    assert codes(serializer.dumps([(1,), 2])) == {Code.TUPLE}
    assert codes(serializer.dumps([(1,), Pair(1)])) == {Code.TUPLE, Code.ROW}


@pytest.mark.parametrize("kind", [Data, Attrs, Struct, Model, Slots])
@pytest.mark.parametrize("place", [lambda value: value, lambda value: [value], lambda value: [value, value]])
def test_fields_keep_their_exact_types(kind: type, place: Any) -> None:
    class Text(str):
        __slots__ = ()

    for item in (Text("a"), UserString("a"), memoryview(b"a")):
        with pytest.raises(SerializationError):
            serializer.dumps(place(made(kind, item)))
    value = place(made(kind, {1: (2, {3})}, [(Decimal("1.50"), bytearray(b"x"))]))
    assert repr(back(value)) == repr(value)


def test_attributes_that_are_no_fields_are_kept() -> None:
    more, other_order, less = Data(1), Data(1, 2), Data(1, 2)
    more.extra = (1,)  # type: ignore[attr-defined]
    del other_order.a
    other_order.a = 1
    del less.a
    found = back([Data(3, 4), more, other_order, less])
    expected = [{"a": 3, "b": 4}, {"a": 1, "b": None, "extra": (1,)}, {"b": 2, "a": 1}, {"b": 2}]
    assert [list(vars(one).items()) for one in found] == [list(attributes.items()) for attributes in expected]


def test_attributes_of_a_struct_that_are_no_fields_are_kept() -> None:
    more = WithDict(1)
    more.extra = (1,)  # type: ignore[attr-defined]
    first, second = back([more, WithDict(2, 3)])
    assert (first, vars(first), second, vars(second)) == (WithDict(1), {"extra": (1,)}, WithDict(2, 3), {})


def test_slots_that_were_never_set_stay_so() -> None:
    empty = Slots(1, 2)
    del empty.a
    first, second = back([empty, Slots(1, 2)])
    assert (hasattr(first, "a"), first.b, second) == (False, 2, Slots(1, 2))


def test_classes_with_a_state_of_their_own_are_asked_for_it() -> None:
    assert back([OwnState(1, 2)]) == [OwnState("as its class says", 2)]
    assert back([OwnSetState(1, 2)]) == [OwnSetState(["set", 1], 2)]


@pytest.mark.parametrize("given", [{"a": 1}, {"a": 1, "b": 2}, {}])
def test_which_fields_of_a_model_were_given_is_kept(given: dict[str, int]) -> None:
    model = Model.model_construct(_fields_set=set(given), a=1, b=given.get("b"))
    (copy,) = back([model])
    assert (copy.model_fields_set, copy.model_dump(), copy) == (set(given), model.model_dump(), model)
    assert codes(serializer.dumps([model])) == {Code.ROWS}


def test_private_and_extra_attributes_of_models_are_kept() -> None:
    private, more = Private(a=1), Open(a=1, c=3)  # type: ignore[call-arg]
    private._secret = 7
    copies = back([[private], [more]])
    assert (copies[0][0]._secret, copies[1][0].c, copies) == (7, 3, [[private], [more]])


def test_parent_and_child_in_one_list_stay_what_they_are() -> None:
    @dataclass
    class Child(Data):
        c: int = 0

    family = [Data(1), Child(1, c=2)]
    assert MsgpackSerializer([Data, Child]).loads(MsgpackSerializer([Data, Child]).dumps(family)) == family
    assert repr(back([Data(1), Struct(1), Data(2)])) == repr([Data(1), Struct(1), Data(2)])


@pytest.mark.parametrize("wrap", [lambda value: [(value,)], lambda value: [Data(value)], lambda value: [Struct(value)]])
def test_rows_in_rows_may_lie_as_deep_as_anything(wrap: Any) -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH // 2):
        value = wrap(value)
    assert repr(back(value)) == repr(value)
    with pytest.raises(SerializationError):
        serializer.dumps(wrap(wrap(value)))


def test_rows_that_hold_themselves_are_refused() -> None:
    data, rows = Data(1), [([],)]
    data.a = [data]
    rows[0][0].append(rows)
    for value in (data, [data], rows):
        with pytest.raises(SerializationError, match="holds itself"):
            serializer.dumps(value)


def test_big_integers_and_lone_surrogates_in_rows_come_back() -> None:
    for value in ([(2**70, "\ud800")], [Data(2**70, "\ud800")], Struct(-(2**70)), [Model(a="\udfff")]):
        assert back(value) == value


@pytest.mark.parametrize("kind", IN_ROWS)
@pytest.mark.parametrize("row", [[], [1], [1, 2, 3, 4], [1, [2], None, 1]], ids=repr)
def test_rows_of_another_size_are_a_miss(kind: type, row: list[Any]) -> None:
    (label,) = [label for label in serializer._recipes if label.partition("#")[0].endswith(f".{kind.__name__}")]
    for content in (
        encode(msgspec.msgpack.Ext(Code.ROW, encode((label, row)))),
        encode(msgspec.msgpack.Ext(Code.ROWS, encode((label, [row])))),
    ):
        with pytest.raises(DamagedEntryError):
            serializer.loads(b"m" + content)


def test_rows_of_a_class_that_has_none_are_a_miss() -> None:
    label = next(label for label in serializer._recipes if "OwnState" in label)
    with pytest.raises(DamagedEntryError, match="not registered"):
        serializer.loads(b"m" + encode(msgspec.msgpack.Ext(Code.ROW, encode((label, [1, 2])))))


def test_classes_that_annotations_make_known_are_rows_from_the_first_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotated, "by_type", {})
    monkeypatch.setattr(annotated, "by_label", {})
    kind = dataclasses.make_dataclass("Met", ["a", "b"])
    kind.__module__ = __name__
    fresh = MsgpackSerializer()
    annotated.know(list[kind])  # type: ignore[valid-type]
    assert codes(fresh.dumps([kind(1, 2)])) == {Code.ROWS}
    assert fresh.loads(fresh.dumps([kind(1, 2)])) == [kind(1, 2)]


def test_payloads_of_this_format_stay_readable() -> None:
    known = MsgpackSerializer([Pair])
    value = [[(1, "a"), (2.5, None)], Pair(1), [Pair(1, 2), Pair("x", (3,))]]
    assert repr(known.loads(SNAPSHOT)) == repr(value)
    assert known.dumps(value) == SNAPSHOT


SNAPSHOT = (
    b"m\x93\xd8\x13\x92\x92\x01\xa1a\x92\xcb@\x04\x00\x00\x00\x00\x00\x00\xc0\xc7/\x14\x92\xd9)tests.serializers.test_rows.Pair#2"
    b"cd913df\x92\x01\xc0\xc77\x15\x92\xd9)tests.serializers.test_rows.Pair#2cd913df\x92\x92\x01"
    b"\x02\x92\xa1x\xd5\x01\x91\x03"
)
