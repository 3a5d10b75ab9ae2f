"""The text of an argument: one for equal values of a type, in every process, and never one for two that differ."""

import os
import random
import re
import subprocess
import sys
import unicodedata
from collections import OrderedDict
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, Flag, IntEnum
from fractions import Fraction
from functools import partial
from pathlib import PurePosixPath, PureWindowsPath
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import msgspec
import pydantic
import pytest

from asynccache.core.call_keys import LONGEST, UnkeyableError, shortened, text


class Color(Enum):
    RED = 1
    CRIMSON = RED
    BLUE = "1"


class Level(IntEnum):
    LOW = 1


class Rights(Flag):
    READ = 1
    WRITE = 2


@dataclass(frozen=True)
class Point:
    x: int
    y: object = None
    note: str = field(default="", compare=False)


@dataclass
class Spot:
    x: int
    y: object = None


class Struct(msgspec.Struct):
    x: int


class Model(pydantic.BaseModel, extra="allow"):
    x: int


@attrs.define
class Attrs:
    x: int


class Pair(NamedTuple):
    x: int
    y: int


class Keyed:
    def __init__(self, key):
        self._key = key

    def __cache_key__(self):
        return self._key


class Liar:
    def __repr__(self):
        return "1"

    __str__ = __repr__

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 1


class LyingText(str):
    __slots__ = ()

    def __repr__(self):
        return "'x'"


NFC, NFD = unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")
AT = datetime(2026, 11, 21, 10)
DISTINCT = [
    *(None, False, True, 0, 1, -1, 2**70, 0.0, -0.0, 1.0, float("nan"), float("inf"), 1j, 10**5000, ...),
    *("", "None", "1", "True", "a", "x:y", "a,b", "'a'", "a'", '"', "\\", "\n", "{}", "\ud800", "\0", NFC, NFD),
    *(b"", b"a", bytearray(b"a"), range(1), range(0, 1, 2)),
    *((), (1,), ("1",), (1, 2), ((1,), 2), ("a,b",), ("a", "b"), ("x:y", "z"), ("x", "y:z")),
    *([], [1], [[1]], [()], set(), {1}, {"1"}, frozenset(), frozenset({1}), {frozenset({1})}),
    *({}, {1: 2}, {"1": 2}, {1: "2"}, {True: 2}, {1: {}}, {(1, 2): 3}),
    *(Decimal(1), Decimal("1.0"), Decimal("NaN"), Fraction(1, 2), UUID(int=1), UUID(int=2)),
    *(AT, AT.date(), AT.time(), AT.replace(fold=1), AT.replace(tzinfo=UTC), AT.replace(tzinfo=ZoneInfo("UTC"))),
    *(AT.replace(tzinfo=timezone(timedelta(hours=1))), AT.replace(tzinfo=timezone(timedelta(hours=1), "X"))),
    *(AT.replace(tzinfo=ZoneInfo("Europe/Paris")), AT.replace(tzinfo=ZoneInfo("Europe/Berlin"))),
    *(date(2026, 11, 22), time(10, tzinfo=UTC), timedelta(1), timedelta(seconds=1), timedelta(microseconds=1)),
    *(PurePosixPath("a"), PurePosixPath("a/b"), PureWindowsPath("a")),
    *(Color.RED, Color.BLUE, Level.LOW, Rights.READ, Rights.READ | Rights.WRITE, Rights(0)),
    *(Point(1), Point(1, 2), Point(1, note="x"), Spot(1), Spot(1, 2), Struct(1), Model(x=1), Model(x=1, z=2), Attrs(1)),
    *(Pair(1, 2), Pair(2, 1), Keyed("a"), Keyed(("a",)), Keyed(1), Color, Point, int, list),
]


def test_values_that_differ_have_texts_that_differ():
    texts = [text(value) for value in DISTINCT]
    twice = [value for value, its in zip(DISTINCT, texts, strict=True) if texts.count(its) > 1]
    assert twice == []


def test_values_that_are_equal_have_one_text():
    assert text({1, 2, 3}) == text({3, 2, 1})
    assert text({"a": 1, "b": 2}) == text({"b": 2, "a": 1})
    assert text(float("nan")) == text(-float("nan"))
    assert text(Color.RED) == text(Color.CRIMSON)
    assert [text(deepcopy(value)) for value in DISTINCT] == [text(value) for value in DISTINCT]


def test_texts_are_readable_and_stay_as_they_are():
    values = [7, "Zoë", None, [1.5, b"x"], {"b": (1,), "a": {2}}, AT, Color.RED, Point(1, "y"), Keyed("k"), int]
    assert [text(value).replace(__name__, "here") for value in values] == [
        "7",
        r"'Zo\xeb'",
        "None",
        "[1.5,b'x']",
        "{'a':set(2),'b':(1)}",
        "datetime(2026-11-21T10:00:00)",
        "here.Color.RED",
        "here.Point(x=1,y='y',note='')",
        "here.Keyed!'k'",
        "class builtins.int",
    ]


class OwnZone(tzinfo):
    def utcoffset(self, moment):
        return timedelta(0)


def holding_itself():
    endless = []
    endless.append(endless)
    return endless


def made_locally():
    class Local:
        pass

    return Local


class Bag(dict):
    pass


@dataclass
class ListOf(list):
    x: int = 1


@pytest.mark.parametrize(
    "value",
    [
        *(object(), Liar(), LyingText("y"), lambda: 1, partial(int), Bag(), ListOf(), OrderedDict(), iter([])),
        *(AT.replace(tzinfo=OwnZone()), holding_itself(), made_locally(), [Liar()], {1: Liar()}, Point(1, Liar())),
    ],
    ids=lambda value: re.sub(" at 0x[0-9a-f]+", "", repr(value)),
)
def test_what_nothing_stable_is_known_of_is_refused(value):
    with pytest.raises(UnkeyableError):
        text(value)


def test_long_keys_keep_a_readable_head_and_differ():
    long = ["f(" + "x" * length + end for length in (LONGEST, LONGEST + 1) for end in ("a)", "b)")]
    short = [shortened(key) for key in long]
    assert len(set(short)) == len(long)
    assert all(len(key) <= LONGEST and key.startswith("f(xxx") for key in short)
    assert shortened("f(1)") == "f(1)"


# Property: 1e5 generated values, none of which shares a text with one that differs

LETTERS = ["", "x", "y", ":", ",", "'", '"', "\\", "(", ")", "=", "None", "1", NFC, NFD, "\ud800"]
LEAVES = [
    *(lambda luck: luck.choice([None, True, False, 0.0, -0.0, 1.0, float("nan")]),) * 2,
    lambda luck: luck.randint(-3, 3),
    *(lambda luck: "".join(luck.choices(LETTERS, k=luck.randint(0, 3))),) * 3,
    lambda luck: luck.choice([b"", b"a", bytearray(b"a"), b"'"]),
    lambda luck: Decimal(luck.choice(["1", "1.0", "-0"])),
    lambda luck: datetime(2026, 1, luck.randint(1, 9), tzinfo=luck.choice([None, UTC])),
    lambda luck: UUID(int=luck.randint(0, 9)),
    lambda luck: luck.choice([Color.RED, Color.BLUE, Level.LOW]),
]


def made(luck, room=3):
    if not room or luck.random() < 0.45:
        return luck.choice(LEAVES)(luck)
    items = [made(luck, room - 1) for _ in range(luck.randint(0, 3))]
    kind = luck.randrange(5)
    if kind == 0:
        return items
    if kind == 1:
        return tuple(items)
    if kind == 2:
        return Point(luck.randint(0, 2), items and items[0])
    hashable = [item for item in items if is_hashable(item)]
    return set(hashable) if kind == 3 else dict.fromkeys(hashable, made(luck, room - 1))


def is_hashable(value):
    try:
        hash(value)
    except TypeError:
        return False
    return True


def shape(value):
    """Give what tells a value from all others, slowly and by other means."""
    kind = type(value)
    if kind in {list, tuple}:
        return kind, tuple(shape(item) for item in value)
    if kind is set:
        return kind, frozenset(shape(item) for item in value)
    if kind is dict:
        return kind, frozenset((shape(key), shape(item)) for key, item in value.items())
    if kind is Point:
        return kind, shape(value.x), shape(value.y), value.note
    if kind is str:
        return kind, tuple(map(ord, value))
    return kind, repr(value)


def test_a_hundred_thousand_arguments_share_no_text_with_one_that_differs():
    luck = random.Random(20261121)
    found = {}
    for _ in range(100_000):
        value = made(luck)
        known = found.setdefault(text(value), shape(value))
        assert known == shape(value), value
    assert len(found) > 20_000


PROGRAM = """
from decimal import Decimal
from asynccache.core.call_keys import text
print(text([{"b", "a", 1, None, 2.5}, {"x": frozenset({"p", "q", b"r"})}, Decimal("1.50"), "Zo\\u00eb"]))
"""


def test_texts_are_the_same_in_every_process():
    def run(seed):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        return subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=True, capture_output=True).stdout

    assert len({run(seed) for seed in ("0", "1", "77")}) == 1
