"""Bytes that nobody of ours wrote: always a miss, never another exception, never code, never much memory."""

import marshal
import pickle
import sys
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.msgpack import Ext, encode

from asynccache.core.codec import DamagedEntryError
from asynccache.core.names import full_name
from asynccache.serializers import Compressed, JSONSerializer, MsgpackSerializer
from asynccache.serializers.leaves import Code
from tests.serializers.fresh import printed
from tests.serializers.test_classes import TYPES, VALUES

msgpack = MsgpackSerializer(TYPES)
SERIALIZERS = [msgpack, JSONSerializer(), Compressed(msgpack), Compressed(msgpack, algorithm="zstd")]
CODES = sorted(code for name, code in vars(Code).items() if name.isupper())
SAMPLES = [
    *VALUES,
    {
        "a": [(1, "x"), {2}, frozenset({3})],
        (1,): Decimal("1.5"),
        "when": [datetime(2026, 1, 1, tzinfo=UTC), UUID(int=3)],
    },
    [datetime(2026, 1, 1, fold=1), 2**80, "\ud800", bytearray(b"x"), b"y"],
    "text",
    b"bytes",
]


def tried(serializer, payload):
    """Read a payload in both ways; whatever is not a value or a miss is a failure."""
    for read in (serializer.loads, serializer.unwrap):
        with suppress(DamagedEntryError):
            read(payload)


@pytest.mark.parametrize("value", SAMPLES, ids=lambda value: type(value).__name__)
def test_every_cut_and_every_flipped_bit_is_a_value_or_a_miss(value):
    payload = msgpack.dumps(value)
    for size in range(len(payload)):
        tried(msgpack, payload[:size])
    number = int.from_bytes(payload, "big")
    for bit in range(8 * len(payload)):
        tried(msgpack, (number ^ (1 << bit)).to_bytes(len(payload), "big"))


@given(st.binary(max_size=300), st.sampled_from(SERIALIZERS), st.sampled_from([b"", b"m", b"s", b"-m", b"z", b"m\xc7"]))
def test_random_bytes_are_a_value_or_a_miss(payload, serializer, head):
    tried(serializer, head + payload)


CONTENTS = st.recursive(
    st.none()
    | st.integers(-5, 5)
    | st.text(max_size=3)
    | st.binary(max_size=12)
    | st.builds(Ext, st.integers(-128, 127), st.binary(max_size=12)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(max_size=3), inner, max_size=3),
        st.builds(lambda code, content: Ext(code, encode(content)), st.sampled_from(CODES), inner),
    ),
    max_leaves=10,
)


@given(CONTENTS)
def test_extension_types_with_contents_of_another_kind_are_a_value_or_a_miss(content):
    tried(msgpack, b"m" + encode(content))


@given(st.sampled_from(CODES), CONTENTS)
def test_extension_types_with_other_contents_at_the_top_are_a_value_or_a_miss(code, content):
    tried(msgpack, b"m" + encode(Ext(code, encode(content))))


@given(st.sampled_from([type(value) for value in VALUES]), CONTENTS)
def test_registered_classes_with_another_state_are_a_value_or_a_miss(kind, state):
    name = next(label for label in msgpack._recipes if label.partition("#")[0] == full_name(kind))
    tried(msgpack, b"m" + encode(Ext(Code.OBJECT, encode((name, state)))))


@pytest.mark.parametrize("code", [code for code in range(-128, 128) if code not in CODES and code != -1])
def test_unknown_extension_types_are_a_miss(code):
    for payload in (pickle.dumps(print), marshal.dumps(1), b"", b"\xc0"):
        with pytest.raises(DamagedEntryError):
            msgpack.loads(b"m" + encode(Ext(code, payload)))
        with pytest.raises(DamagedEntryError):
            msgpack.loads(b"m" + encode([Ext(code, payload)]))


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "builtins.eval",
        "builtins.list",
        "subprocess.Popen",
        "tests.serializers.test_classes.Product",
        "",
        5,
        [1],
        None,
    ],
)
def test_only_the_registered_table_is_asked_for_a_class(name):
    payload = b"m" + encode(Ext(Code.OBJECT, encode((name, ["true"]))))
    with pytest.raises(DamagedEntryError):
        msgpack.loads(payload)


def test_a_long_name_of_a_class_is_not_repeated_in_whole():
    payload = b"m" + encode(Ext(Code.OBJECT, encode(("x" * 10_000, None))))
    with pytest.raises(DamagedEntryError) as info:
        msgpack.loads(payload)
    assert len(str(info.value)) < 400


def test_a_payload_of_another_serializer_is_a_miss():
    for value in (5, "a", [1], None, True, {"a": 1}):
        with pytest.raises(DamagedEntryError):
            msgpack.loads(JSONSerializer().dumps(value))
        with pytest.raises(DamagedEntryError):
            Compressed(msgpack).loads(msgpack.dumps(value))
        with pytest.raises(DamagedEntryError):
            msgpack.loads(Compressed(msgpack).dumps(value))


RAW = {Code.BYTEARRAY, Code.INT, Code.STR, Code.PATH, Code.UNSET}  # any bytes are one of these, or nearly
HUGE = b"\xff\xff\xff\xff"
LONG = b"\xff\xff\xff\x7f"
HEADS = [b"\xdd", b"\xdf", b"\xdb", b"\xc6", b"\x81\xdd", b"\x81\xdb", b"\x81\xc6", b"\x92\xc0\xdd"]


def nested(code, depth, head=b"\x91"):
    """Give lists in extension types in each other, as deep as that."""
    step = 6 + len(head)
    heads = [
        b"\xc9" + (step * inner + 1 + len(head)).to_bytes(4, "big") + bytes([code]) + head for inner in range(depth)
    ]
    return b"".join([*reversed(heads), b"\xc0"])


def hostile():
    return [
        *[b"m" + head + size for head in HEADS for size in (HUGE, LONG, HUGE + b"\x01" * 1000)],
        *[b"m\xc9" + size + bytes([code]) for size in (HUGE, LONG) for code in CODES],
        *[
            b"m" + encode(Ext(code, head + size))
            for code in CODES
            if code not in RAW
            for head in (b"\xdd", b"\xdf", b"\xdb", b"\xc6")
            for size in (HUGE, LONG)
        ],
        b"m" + b"\x91" * 100_000,
        b"m" + b"\x91" * 100_000 + b"\x01",
        b"m" + b"\x81\xa1a" * 100_000 + b"\x01",
        b"m" + b"\x81" * 100_000,
        b"m" + b"\x81\x91" * 100_000,
        *[
            b"m" + nested(code, 100_000)
            for code in (Code.TUPLE, Code.DICT, Code.OBJECT, Code.ROWS, Code.ZONED_TIME, 99)
        ],
        *[b"m" + nested(code, 100_000, b"\x91\x91") for code in (Code.TUPLES, Code.ROW)],
    ]


def test_huge_lengths_and_deep_nesting_are_a_miss():
    for payload in hostile():
        with pytest.raises(DamagedEntryError):
            msgpack.loads(payload)


MEASURE = """
import resource
from asynccache.core.codec import DamagedEntryError
from asynccache.serializers import MsgpackSerializer
from tests.serializers.test_damage import hostile
serializer, payloads = MsgpackSerializer(), hostile()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for payload in payloads:
    try:
        serializer.loads(payload)
    except DamagedEntryError:
        pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="resource is POSIX only")
def test_huge_lengths_and_deep_nesting_take_little_memory():
    assert float(printed(MEASURE)) <= 8
