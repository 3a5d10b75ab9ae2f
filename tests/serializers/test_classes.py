import enum
from dataclasses import InitVar, dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Generic, NamedTuple, TypeVar

import attrs
import msgspec
import pydantic
import pytest

from asynccache.core.codec import DamagedEntryError
from asynccache.errors import ConfigurationError, SerializationError
from asynccache.serializers import MsgpackSerializer
from tests.serializers.fresh import printed

T = TypeVar("T")


class Color(enum.Enum):
    RED = "r"
    BLUE = ("b", 2)


class Size(enum.IntEnum):
    SMALL = 1
    LITTLE = 1
    BIG = 2


class Word(enum.StrEnum):
    YES = "yes"


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class IntRight(enum.IntFlag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: int
    y: Decimal


@dataclass
class Product:
    name: str
    price: Decimal
    tags: set[str] = field(default_factory=set)
    color: Color | None = None


@dataclass(frozen=True)
class Frozen:
    x: int


@dataclass(slots=True)
class Slots:
    x: int
    y: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FrozenSlots:
    x: int


@dataclass
class Computed:
    given: InitVar[int]
    double: int = field(init=False)
    hidden: int = field(default=0, repr=False)

    def __post_init__(self, given):
        self.double = given * 2

    @cached_property
    def triple(self):
        return self.hidden * 3


@dataclass
class Box(Generic[T]):
    content: T


@dataclass
class Child(Product):
    more: int = 0


@dataclass
class Empty:
    pass


class Struct(msgspec.Struct):
    a: int
    b: list[int] | msgspec.UnsetType = msgspec.UNSET


class FrozenStruct(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag=True, rename="camel"):
    the_name: str
    other: int = 0


class Doubling(msgspec.Struct):
    number: int

    def __post_init__(self):
        self.number *= 2


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    name: str
    price: Decimal = Decimal(0)
    size: Size = Size.SMALL
    _secret: int = pydantic.PrivateAttr(default=0)


class FrozenModel(pydantic.BaseModel, Generic[T]):
    model_config = pydantic.ConfigDict(frozen=True)
    items: tuple[T, ...]


class Root(pydantic.RootModel[list[int]]):
    pass


@pydantic.dataclasses.dataclass
class PydanticData:
    x: int


@attrs.define
class Attrs:
    x: int
    y: dict = attrs.field(factory=dict)


@attrs.frozen
class AttrsFrozen:
    x: int


@attrs.define(slots=False)
class AttrsDict:
    x: int


def model():
    made = Model(name="a", other=[1])
    made._secret = 7
    return made


def unset():
    made = Struct(1)
    made.b = msgspec.UNSET
    return made


VALUES = [
    *Color,
    *Size,
    *Word,
    *Right,
    Right(0),
    Right.READ | Right.WRITE,
    IntRight.READ | IntRight.WRITE,
    Point(1, Decimal("1.0")),
    Product("tea", Decimal("9.90"), {"hot"}, Color.BLUE),
    Frozen(1),
    Slots(1, (2,)),
    FrozenSlots(1),
    Computed(3),
    Box((1, Box({2}))),
    Child("tea", Decimal(1), more=5),
    Empty(),
    Struct(1, [2]),
    unset(),
    FrozenStruct(the_name="x"),
    Doubling(4),
    model(),
    FrozenModel[int](items=(1, 2)),
    Root([1]),
    PydanticData(1),
    Attrs(1, {1: (2,)}),
    AttrsFrozen(1),
    AttrsDict(1),
]
TYPES = list({type(value) for value in VALUES})
serializer = MsgpackSerializer(types=TYPES)


def back(value):
    return serializer.loads(serializer.dumps(value))


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("place", [lambda value: value, lambda value: {"a": [(value,)]}, lambda value: [2**70, value]])
def test_instances_of_registered_classes_come_back_equal_and_of_their_class(value, place):
    copy = back(place(value))
    assert copy == place(value)
    assert repr(copy) == repr(place(value))


@pytest.mark.parametrize("value", [*Color, *Size, *Word, Right.READ])
def test_enum_members_come_back_as_themselves(value):
    assert back(value) is value
    assert back({value: value, "set": {value}}) == {value: value, "set": {value}}
    assert next(iter(back({value: 1}))) is value


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_unregistered_classes_are_refused_with_the_way_out(value):
    name = type(value).__qualname__
    with pytest.raises(SerializationError) as info:
        MsgpackSerializer().dumps([value])
    assert f"{__name__}.{name}" in str(info.value)
    assert f"types=[{type(value).__name__}]" in str(info.value)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_instances_of_classes_that_are_not_registered_here_are_a_miss(value):
    with pytest.raises(DamagedEntryError):
        MsgpackSerializer().loads(serializer.dumps(value))


def test_a_registered_parent_does_not_speak_for_its_children():
    with pytest.raises(SerializationError, match="Child"):
        MsgpackSerializer(types=[Product]).dumps(Child("tea", Decimal(1)))


def test_a_class_inside_a_registered_one_needs_to_be_registered_too():
    with pytest.raises(SerializationError, match="Color"):
        MsgpackSerializer(types=[Product]).dumps(Product("tea", Decimal(1), color=Color.RED))


def test_instances_come_back_without_init_and_without_validation():
    assert back(Doubling(4)).number == 8
    assert back(Computed(3)).double == 6
    model = Model.model_construct(name=5)
    assert back(model).name == 5
    assert back(model).model_fields_set == {"name"}


def test_private_and_extra_attributes_of_a_model_are_kept():
    copy = back(model())
    assert copy._secret == 7
    assert copy.other == [1]
    assert copy.model_fields_set == {"name", "other"}


def test_frozen_instances_stay_frozen_and_hashable():
    assert back({Frozen(1), FrozenSlots(1), AttrsFrozen(1), Point(1, Decimal(2))}) == {
        Frozen(1),
        FrozenSlots(1),
        AttrsFrozen(1),
        Point(1, Decimal(2)),
    }
    with pytest.raises(AttributeError):
        back(FrozenSlots(1)).x = 2


def made_anew(fields):
    """Make the class that a later release of an application has."""
    return dataclass(type("Versioned", (), {"__annotations__": dict.fromkeys(fields, int), "__module__": __name__}))


def test_a_class_with_other_fields_is_a_clean_miss():
    old, new, same = made_anew(["a"]), made_anew(["a", "b"]), made_anew(["a"])
    payload = MsgpackSerializer([old]).dumps(old(1))
    assert MsgpackSerializer([same]).loads(payload) == same(1)
    with pytest.raises(DamagedEntryError, match="Versioned"):
        MsgpackSerializer([new]).loads(payload)


def test_an_enum_member_that_is_gone_is_a_miss():
    def made(names):
        return enum.Enum("Changing", names, module=__name__)

    old, new = made(["A", "B"]), made(["B"])
    assert MsgpackSerializer([new]).loads(MsgpackSerializer([old]).dumps(old.B)) is new.B
    with pytest.raises(DamagedEntryError):
        MsgpackSerializer([new]).loads(MsgpackSerializer([old]).dumps(old.A))


class Dict(dict):
    pass


@dataclass
class DataDict(dict):
    x: int = 0


@pytest.mark.parametrize("wrong", [int, dict, Dict, DataDict, object, tuple, Decimal, 5, "Product", Box[int], None])
def test_only_classes_that_can_come_back_are_registered(wrong):
    with pytest.raises(ConfigurationError, match="types has"):
        MsgpackSerializer(types=[wrong])


def test_a_class_without_a_list_around_it_is_an_error_that_says_so():
    with pytest.raises(ConfigurationError, match=r"types=\[Product\]"):
        MsgpackSerializer(types=Product)


def test_two_classes_of_one_name_are_an_error():
    with pytest.raises(ConfigurationError, match="Versioned"):
        MsgpackSerializer(types=[made_anew(["a"]), made_anew(["b"])])
    assert MsgpackSerializer(types=[Product, Product]).dumps(1)


class Spiteful(msgspec.Struct):
    number: int

    def __post_init__(self):
        if self.number == 1:
            raise RuntimeError("canary")


@dataclass
class Locked:
    lock: object = None

    def __getstate__(self):
        raise RuntimeError("canary")


def test_what_users_classes_raise_becomes_an_error_of_ours():
    picky = MsgpackSerializer([Spiteful, Locked])
    spiteful = Spiteful(2)
    spiteful.number = 1
    with pytest.raises(DamagedEntryError):
        picky.loads(picky.dumps(spiteful))
    with pytest.raises(SerializationError) as info:
        picky.dumps([2**70, Locked()])
    assert "canary" not in str(info.value)


def test_objects_that_hold_themselves_are_refused():
    box = Box(None)
    box.content = [box]
    with pytest.raises(SerializationError, match="holds itself"):
        serializer.dumps(box)


def test_a_serializer_tells_the_types_it_knows():
    assert repr(MsgpackSerializer([Product])) == f"<MsgpackSerializer types=['{__name__}.Product']>"


def test_neither_pydantic_nor_attrs_nor_zstandard_is_imported_for_those_who_use_none():
    code = (
        "import sys; from asynccache.serializers import MsgpackSerializer as S; s = S(); s.loads(s.dumps([(1,)]));"
        "print([name for name in ('pydantic', 'attr', 'attrs', 'zstandard', 'starlette') if name in sys.modules])"
    )
    assert printed(code) == "[]"
