"""The return annotation of a cached function lets its classes be stored and decoded, in every process that has it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Generic, NamedTuple, NewType, TypeVar

import attrs
import msgspec
import pydantic
import pytest

from asynccache import CacheService, SerializationError, cached
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.serializers import JSONSerializer, MsgpackSerializer, annotated

runs = []
T = TypeVar("T")


class Size(Enum):
    SMALL = 1


@dataclass
class Maker:
    name: str


@dataclass(frozen=True)
class Tea:
    name: str
    size: Size
    makers: list[Maker]


class Pot(msgspec.Struct):
    litres: float


class Order(pydantic.BaseModel):
    tea: Tea
    makers: dict[str, Maker] = {}


@attrs.frozen
class Cup:
    colour: str


class Spoon(NamedTuple):
    length: int


@dataclass
class Page(Generic[T]):
    items: list[T]


@dataclass
class Node:
    children: list[Node]


Sugar = NewType("Sugar", Cup)
TEA = Tea("Assam", Size.SMALL, [Maker("Singh")])


@cached()
def tea() -> Tea:
    runs.append("tea")
    return TEA


@cached()
async def perhaps(which: int) -> Tea | None:
    runs.append(which)
    return TEA if which else None


@cached()
def several() -> dict[str, list[Annotated[Cup, "blue"]] | tuple[Spoon, ...]]:
    runs.append("several")
    return {"cups": [Cup("blue")], "spoons": (Spoon(7),)}


@cached()
def order() -> Order:
    runs.append("order")
    return Order(tea=TEA, makers={"big": Maker("Singh")})


@cached()
def page() -> Page[Pot]:
    runs.append("page")
    return Page([Pot(0.5)])


@cached()
def sugar() -> Sugar:
    runs.append("sugar")
    return Sugar(Cup("white"))


@cached()
def tree() -> Node:
    runs.append("tree")
    return Node([Node([])])


@cached()
def defined_below() -> Below:
    runs.append("below")
    return Below(1)


@dataclass
class Below:
    x: int

    @cached(ignore=["self"])
    def twin(self) -> Below:
        runs.append("twin")
        return Below(self.x)


@pytest.fixture(params=["local", "redis"])
def cache(request, unique_prefix):
    runs.clear()
    url = "local" if request.param == "local" else f"{request.getfixturevalue('redis_server').url}"
    with CacheService(default=f"{url}?key_prefix={unique_prefix}" if "//" in url else url) as service:
        yield service


@pytest.mark.parametrize("function", [tea, several, order, page, sugar, tree, defined_below, Below(3).twin])
def test_what_is_annotated_comes_back_equal_and_of_its_type(cache, function):
    first, second = function(), function()
    assert (first, type(first)) == (second, type(second))
    assert first is not second
    assert len(runs) == 1


async def test_an_optional_class_on_a_loop(cache):
    assert [await perhaps(1), await perhaps(1), await perhaps(0), await perhaps(0)] == [TEA, TEA, None, None]
    assert runs == [1, 0]


def test_a_class_that_no_annotation_names_is_refused_with_the_way_out(cache):
    class Secret(msgspec.Struct):
        x: int

    @cached()
    def secret() -> Any:
        return Secret(1)

    with pytest.raises(SerializationError, match=r"MsgpackSerializer\(types=\[Secret\]\)"):
        secret()


def test_classes_are_decoded_by_name_only_where_an_annotation_or_a_registration_names_them():
    class Secret(msgspec.Struct):
        x: int

    payload = MsgpackSerializer(types=[Secret]).dumps(Secret(1))
    with pytest.raises(Exception, match="not registered here"):
        MsgpackSerializer().loads(payload)
    annotated.know(list[Secret] | None)
    assert MsgpackSerializer().loads(payload) == Secret(1)


def test_other_serializers_keep_to_their_own_types():
    with CacheService(default=LocalMemCacheBackend(serializer=JSONSerializer())), pytest.raises(SerializationError):
        tea()
