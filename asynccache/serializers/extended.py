"""Python's own containers and users' objects as msgpack extension types, so that they come back as what they were.

The contents of an extension type are msgpack again, so that msgspec does nearly all of the work. Tuples in a list, and
objects of one class in a list, are one extension type together: rows as a database gives them cost little more than
lists.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any

from msgspec.msgpack import Decoder, Ext

from asynccache.core.codec import DamagedEntryError
from asynccache.core.names import full_name
from asynccache.errors import SerializationError
from asynccache.serializers import annotated
from asynccache.serializers.classes import Recipe, registrable
from asynccache.serializers.leaves import LEAVES, LOADS, Code, Way, encode
from asynccache.serializers.plain import MAX_DEPTH, SCALARS, too_deep
from asynccache.serializers.rows import Row, Values

Scalars = frozenset[type]
Hook = Callable[[int, memoryview], Any]
Load = Callable[[memoryview], Any]


class _Ways(dict[type, Way]):
    """How each type is packed; a class that an annotation makes known is learned when it is met."""

    def __init__(self, scalars: Scalars, known: Mapping[type, Recipe]) -> None:
        super().__init__(LEAVES)
        self.scalars = scalars
        self.rows: dict[type, Way] = {tuple: _tuples_way(self)}
        self |= {
            **dict.fromkeys(scalars, lambda value, _room: value),
            list: _list_way(self),
            dict: _dict_way(self),
            tuple: _wrapped_way(Code.TUPLE, self),
            set: _wrapped_way(Code.SET, self),
            frozenset: _wrapped_way(Code.FROZENSET, self),
        }
        for kind, recipe in known.items():
            self.learn(kind, recipe)

    def learn(self, kind: type, recipe: Recipe) -> Way:
        """Take a class in."""
        way = self[kind] = _object_way(recipe, self)
        if recipe.row is not None:
            way = self[kind] = _row_way(recipe.label, recipe.row, self, way)
            self.rows[kind] = _rows_way(recipe.label, recipe.row, self, way)
        return way

    def __missing__(self, kind: type) -> Way:
        return self.meet(kind)

    def meet(self, kind: type) -> Way:
        """Learn a class that an annotation has made known; `SerializationError` for what nobody knows."""
        recipe = annotated.by_type.get(kind)
        if recipe is not None:
            return self.learn(kind, recipe)
        way_out = "convert it to a type that can be stored"
        if registrable(kind):
            way_out = f"register it with MsgpackSerializer(types=[{kind.__name__}])"
        raise SerializationError(f"cannot store a {full_name(kind)}: {way_out}, or use PickleSerializer(secret=...)")

    def items_of(self, value: Iterable[Any], room: int) -> list[Any]:
        """Pack what is in a container."""
        if not room:
            raise too_deep()
        scalars, room = self.scalars, room - 1
        return [item if type(item) in scalars else self[type(item)](item, room) for item in value]

    def rows_of(self, rows: list[Values], room: int) -> list[Any]:
        """Pack what is in containers in a list."""
        if self.scalars.issuperset(map(type, chain.from_iterable(rows))):
            return rows
        return [self.items_of(row, room) for row in rows]


def packer(known: Mapping[type, Recipe], *, careful: bool = False) -> Callable[[Any], Any]:
    """Give the function that turns a value into one that msgpack gives back unchanged.

    It raises `SerializationError` for what is not known. A careful one looks at each int and str whether msgpack can
    hold it; that is slow and rarely needed.
    """
    ways = _Ways(SCALARS - {int, str} if careful else SCALARS, known)
    return lambda value: ways[type(value)](value, MAX_DEPTH)


def _list_way(ways: _Ways) -> Way:
    scalars, rows = ways.scalars, ways.rows

    def pack_list(value: list[Any], room: int) -> Any:
        if not room:
            raise too_deep()
        for item in value:
            if type(item) not in scalars:
                break
        else:
            return value
        kind = type(item)
        if kind not in ways:
            ways.meet(kind)
        if kind in rows and set(map(type, value)) == {kind}:
            return rows[kind](value, room - 1)
        room -= 1
        return [item if type(item) in scalars else ways[type(item)](item, room) for item in value]

    return pack_list


def _dict_way(ways: _Ways) -> Way:
    scalars = ways.scalars

    def pack_dict(value: dict[Any, Any], room: int) -> Any:
        if not room:
            raise too_deep()
        packed = value
        for key, item in value.items():
            if type(key) not in scalars:
                return Ext(Code.DICT, encode(ways.items_of(chain.from_iterable(value.items()), room)))
            if type(item) not in scalars:
                part = ways[type(item)](item, room - 1)
                if part is not item:
                    packed = value.copy() if packed is value else packed
                    packed[key] = part
        return packed

    return pack_dict


def _wrapped_way(code: int, ways: _Ways) -> Way:
    scalars = ways.scalars

    def wrap(value: Any, room: int) -> Ext:
        for item in value:
            if type(item) not in scalars:
                return Ext(code, encode(ways.items_of(value, room)))
        return Ext(code, encode(value))

    return wrap


def _tuples_way(ways: _Ways) -> Way:
    return lambda value, room: Ext(Code.TUPLES, encode(ways.rows_of(value, room)))


def _object_way(recipe: Recipe, ways: _Ways) -> Way:
    label, dump = recipe.label, recipe.dump

    def pack_object(value: Any, room: int) -> Ext:
        if not room:
            raise too_deep()
        parts = dump(value)
        return Ext(Code.OBJECT, encode((label, ways[type(parts)](parts, room - 1))))

    return pack_object


def _row_way(label: str, way: Row, ways: _Ways, otherwise: Way) -> Way:
    take = way.take

    def pack_row(value: Any, room: int) -> Any:
        if not room:
            raise too_deep()
        row = take(value)  # an object and its row are two levels, as an object and its state are
        return otherwise(value, room) if row is None else Ext(Code.ROW, encode((label, ways.items_of(row, room - 1))))

    return pack_row


def _rows_way(label: str, way: Row, ways: _Ways, singly: Way) -> Way:
    take = way.take

    def pack_rows(value: list[Any], room: int) -> Any:
        if not room:
            raise too_deep()
        rows: list[Any] = list(map(take, value))
        if None in rows:
            return [singly(item, room) for item in value]
        return Ext(Code.ROWS, encode((label, ways.rows_of(rows, room))))

    return pack_rows


def unpacker(known: Mapping[str, Recipe]) -> Callable[[int, memoryview], Any]:
    """Give the function that decodes extension types; instances only of these classes."""
    ways: dict[int, Callable[[memoryview], Any]] = {}

    def unpack(code: int, payload: memoryview) -> Any:
        return ways[code](payload)

    ways |= {
        Code.TUPLE: Decoder(tuple, ext_hook=unpack).decode,
        Code.SET: Decoder(set, ext_hook=unpack).decode,
        Code.FROZENSET: Decoder(frozenset, ext_hook=unpack).decode,
        Code.DICT: _dict_loader(unpack),
        Code.TUPLES: Decoder(list[Values], ext_hook=unpack).decode,
        **_object_loaders(known, unpack),
        **LOADS,
    }
    return unpack


def _dict_loader(unpack: Hook) -> Load:
    items = Decoder(list, ext_hook=unpack).decode

    def load(payload: memoryview) -> dict[Any, Any]:
        parts = iter(items(payload))
        return dict(zip(parts, parts, strict=True))

    return load


def _object_loaders(known: Mapping[str, Recipe], unpack: Hook) -> dict[int, Load]:
    state_of = Decoder(tuple[str, Any], ext_hook=unpack).decode
    row_of = Decoder(tuple[str, Values], ext_hook=unpack).decode
    rows_of = Decoder(tuple[str, list[Values]], ext_hook=unpack).decode

    def by_state(payload: memoryview) -> Any:
        label, state = state_of(payload)
        recipe = known.get(label) or annotated.by_label.get(label)
        if recipe is None:
            raise _unknown(label)
        return recipe.load(state)

    def by_row(payload: memoryview) -> Any:
        label, row = row_of(payload)
        recipe = known.get(label) or annotated.by_label.get(label)
        if recipe is None or recipe.row is None:
            raise _unknown(label)
        return recipe.row.make(row)

    def by_rows(payload: memoryview) -> list[Any]:
        label, rows = rows_of(payload)
        recipe = known.get(label) or annotated.by_label.get(label)
        if recipe is None or recipe.row is None:
            raise _unknown(label)
        return recipe.row.make_all(rows)

    return {Code.OBJECT: by_state, Code.ROW: by_row, Code.ROWS: by_rows}


def _unknown(label: str) -> DamagedEntryError:
    return DamagedEntryError(f"the class {label!r:.200} is not registered here, or had other fields")
