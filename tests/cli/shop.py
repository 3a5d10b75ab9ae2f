"""Cached functions for the command line, and a configuration."""

import os
from datetime import date
from decimal import Decimal
from enum import Enum
from pathlib import Path

from asynccache import cached

CACHES = {"default": "local", "pages": "dummy"}


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


@cached(ttl=60)
def who_made(page: int) -> dict[str, int]:
    return {"page": page, "process": os.getpid()}


@cached(ttl=60)
async def who_made_it_async(page: int) -> dict[str, int]:
    return {"page": page, "process": os.getpid()}


@cached()
def given(number: int = 0, flag: bool = False, day: date | None = None, price: Decimal = Decimal(0), *, name: str = ""):
    return [number, flag, day, price, name]


@cached()
def listed(numbers: list[int], size: Size = Size.SMALL, path: Path = Path()):
    return [numbers, size.value, str(path)]


@cached()
def loose(first, **others):
    return [first, others]


@cached()
def fails():
    raise LookupError("there is none")


@cached()
async def fails_async():
    raise LookupError("there is none")


@cached(backend="elsewhere")
def elsewhere():
    return 1


def plain():
    return 1
