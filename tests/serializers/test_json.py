import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.core.codec import DamagedEntryError
from asynccache.errors import SerializationError
from asynccache.serializers import JSONSerializer
from tests.serializers.deep import fingerprint

serializer = JSONSerializer()
TEXT = st.text(st.characters(), max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**200), 2**200)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_comes_back_equals_what_went_in_and_has_its_types(value):
    assert fingerprint(serializer.loads(serializer.dumps(value))) == fingerprint(value)


@given(VALUES)
def test_the_bytes_are_json_that_others_read(value):
    assert fingerprint(json.loads(serializer.dumps(value))) == fingerprint(value)


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "value", [(), set(), frozenset(), b"", bytearray(), Text("a"), object(), 1j], ids=lambda value: type(value).__name__
)
@pytest.mark.parametrize("place", [lambda value: value, lambda value: [{"a": [value]}]])
def test_what_json_would_give_back_as_something_else_is_refused(value, place):
    with pytest.raises(SerializationError, match=type(value).__name__):
        serializer.dumps(place(value))


@pytest.mark.parametrize("key", [1, None, True, 1.5, (1,), b"a", Text("a")], ids=repr)
def test_keys_that_are_no_str_are_refused(key):
    with pytest.raises(SerializationError, match=f"keys of type .*{type(key).__name__}"):
        serializer.dumps([{key: 1}])


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_nan_and_infinities_are_refused(number):
    with pytest.raises(SerializationError):
        serializer.dumps([number])


@pytest.mark.parametrize("text", [b"NaN", b"[Infinity]", b"-Infinity"])
def test_nan_and_infinities_are_not_read(text):
    with pytest.raises(DamagedEntryError):
        serializer.loads(text)


def test_integers_beyond_pythons_limit_of_digits_are_refused_and_not_read():
    with pytest.raises(SerializationError):
        serializer.dumps([10**5000])
    with pytest.raises(DamagedEntryError):
        serializer.loads(b"9" * 5000)


def test_values_that_hold_themselves_or_are_too_deep_are_refused():
    looped: list = []
    looped.append(looped)
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    for value in (looped, deep):
        with pytest.raises(SerializationError, match="holds itself"):
            serializer.dumps(value)


@pytest.mark.parametrize("payload", [b"", b"{", b"[1,]", b"\xff", b"1 2", b"'a'", b"[" * 100_000, b'{"a":' * 100_000])
def test_what_is_no_json_is_a_miss(payload):
    with pytest.raises(DamagedEntryError):
        serializer.loads(payload)
