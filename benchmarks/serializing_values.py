"""The values whose bytes are measured: about 1 KB each, as applications have them."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import pydantic

NOTES = "Leave it at the door, please. " * 12
STARTED = datetime(2026, 5, 6, 7, 8, 9, 123456)  # noqa: DTZ001 - as most databases give them


def _user(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "name": f"User number {number}",
        "email": f"user{number}@example.com",
        "active": number % 3 > 0,
        "score": number * 1.25,
        "tags": ["alpha", "beta", "gamma"][: number % 3 + 1],
        "address": {"street": f"{number} Main Street", "city": f"Town {number % 50}", "zip": f"{12345 + number}"},
        "last_login": None,
    }


def _line(number: int) -> dict[str, Any]:
    return {
        "sku": f"SKU-{number:05}",
        "name": f"Product number {number}",
        "price": 9.5 + number,
        "quantity": number % 4 + 1,
        "in_stock": True,
    }


def _as_read(value: Any) -> Any:
    """Give the value as a JSON reader makes it: no object in it twice but the keys."""
    return json.loads(json.dumps(value))


def _record(dice: random.Random) -> dict[str, Any]:
    """Give what differs from record to record as much as real ones do."""
    return {
        "id": dice.randrange(10**9),
        "token": dice.randbytes(8).hex(),
        "name": f"{dice.choice(_WORDS).title()} {dice.choice(_WORDS).title()}",
        "price": round(dice.uniform(1, 500), 2),
        "at": (STARTED + timedelta(seconds=dice.randrange(10**7))).isoformat(),
        "text": " ".join(dice.choices(_WORDS, k=12)),
        "stock": {"berlin": dice.randrange(90), "oslo": dice.randrange(90)},
    }


_WORDS = [start + end for start in ("lan", "mer", "tor", "vis", "quel", "bra") for end in ("da", "ne", "so", "ling")]
RECORDS = [_record(random.Random(number)) for number in range(205)]
PLAIN = _as_read({"user": _user(7), "lines": [_line(number) for number in range(7)], "total": 123.45, "page": 1})
BIG = _as_read([_user(number) for number in range(280)])
FULL = {
    **_as_read(_user(7)),
    "last_login": STARTED,
    "roles": {"admin", "staff"},
    "position": (52.5, 13.4),
    "lines": [tuple(_line(number).values()) for number in range(7)],
    "notes": NOTES,
}
ROWS = [
    (number, f"Product number {number}", 9.5 + number, STARTED + timedelta(hours=number), None, True)
    for number in range(16)
]


class StructLine(msgspec.Struct):
    sku: str
    name: str
    price: float
    quantity: int
    in_stock: bool


class StructOrder(msgspec.Struct):
    number: int
    customer: str
    total: float
    notes: str
    items: list[StructLine]


@dataclass
class Line:
    sku: str
    name: str
    price: float
    quantity: int
    in_stock: bool


@dataclass
class Order:
    number: int
    customer: str
    total: float
    notes: str
    items: list[Line]


@dataclass(frozen=True, slots=True)
class FrozenLine:
    sku: str
    name: str
    price: float
    quantity: int
    in_stock: bool


@dataclass(frozen=True, slots=True)
class FrozenOrder:
    number: int
    customer: str
    total: float
    notes: str
    items: list[FrozenLine]


class ModelLine(pydantic.BaseModel):
    sku: str
    name: str
    price: float
    quantity: int
    in_stock: bool


class ModelOrder(pydantic.BaseModel):
    number: int
    customer: str
    total: float
    notes: str
    items: list[ModelLine]


class _Kinds(NamedTuple):
    order: Any
    line: Any


def _order(kinds: _Kinds) -> Any:
    lines = [kinds.line(**_line(number)) for number in range(8)]
    return kinds.order(number=7, customer="Jane Doe", total=123.45, notes=NOTES, items=lines)


CLASSES = {
    "msgspec.Struct": _order(_Kinds(StructOrder, StructLine)),
    "dataclass": _order(_Kinds(Order, Line)),
    "frozen dataclass with slots": _order(_Kinds(FrozenOrder, FrozenLine)),
    "pydantic model": _order(_Kinds(ModelOrder, ModelLine)),
}
