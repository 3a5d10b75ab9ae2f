"""Table F: values as bytes: what each sort of value costs to encode and to decode, against pickle, JSON and msgspec."""

from __future__ import annotations

import json
import marshal
import pickle
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from msgspec import msgpack

from asynccache.backends.base import StoreBackend
from asynccache.plan.io import IO
from asynccache.serializers import Compressed, JSONSerializer, MsgpackSerializer
from asynccache.serializers.base import ICacheSerializer
from benchmarks.measuring import Subject, Table, attempt, in_turns
from benchmarks.options import Options
from benchmarks.serializing_values import BIG, CLASSES, FULL, PLAIN, RECORDS, ROWS

PICKLE, OURS = "pickle 5", "asynccache"
COUNT = 2_000


@dataclass(frozen=True)
class Codec:
    """A way to make bytes of a value, and the value of the bytes."""

    dumps: Callable[[Any], bytes]
    loads: Callable[[bytes], Any]


def run(options: Options) -> Iterator[Table]:
    seconds = 1 if options.quick else 6
    for name, value in {"plain": PLAIN, "plain, 43 KB": BIG}.items():
        yield from both_ways(name, value, OTHERS, ("msgspec, unchecked", "2", "1.5"), seconds)
    for name, value in {"full fidelity": FULL, "full fidelity, rows of a database": ROWS}.items():
        yield from both_ways(name, value, {}, ("", "0.5", "1"), seconds)
    for name, value in CLASSES.items():
        yield from both_ways(f"objects, {name}", value, _typed(value), ("msgspec, unchecked", "2", "1.5"), seconds)
    for name, value in {"512 bytes": bytes(512), "text of 512 characters": "x" * 512}.items():
        yield from both_ways(name, value, {}, ("", "", ""), seconds)
    yield from compressed(seconds)
    yield entries(seconds)


def both_ways(
    name: str, value: Any, others: dict[str, Callable[[], Codec]], wanted: tuple[str, str, str], seconds: float
) -> Iterator[Table]:
    """Encode and decode one value in all ways; `wanted` is the limit's name, and how much slower pickle is to be."""
    limit, to_encode, to_decode = wanted
    ways = {OURS: lambda: _ours(value), PICKLE: lambda: Codec(lambda it: pickle.dumps(it, 5), pickle.loads), **others}
    for direction, bound in (("Encode", to_encode), ("Decode", to_decode)):
        rows = in_turns(
            {way: _subject(make, value, direction) for way, make in ways.items()},
            max(20, COUNT * 800 // len(pickle.dumps(value, 5))),
            rounds=25,
            seconds=seconds,
        )
        wish = {PICKLE: f">= {bound} x ours"} if bound else {}
        yield Table(f"{direction}: {name} (CPU)", rows, limit, wish, ours=OURS)


def _subject(make: Callable[[], Codec], value: Any, direction: str) -> Subject:
    def subject() -> Subject:
        way = make()
        payload = way.dumps(value)
        function, argument = (way.dumps, value) if direction == "Encode" else (way.loads, payload)
        return lambda count: deque(map(function, repeat(argument, count)), maxlen=0)

    return attempt(subject)


def _ours(value: Any) -> Codec:
    serializer = MsgpackSerializer(types=[type(value), type(value.items[0])] if value in CLASSES.values() else ())
    if serializer.loads(serializer.dumps(value)) != value:
        raise AssertionError("what came back is something else")
    return Codec(serializer.dumps, serializer.loads)


def _orjson() -> Codec:
    import orjson

    return Codec(orjson.dumps, orjson.loads)


def _json() -> Codec:
    return Codec(lambda value: json.dumps(value).encode(), json.loads)


OTHERS: dict[str, Callable[[], Codec]] = {
    "msgspec, unchecked": lambda: Codec(msgpack.Encoder().encode, msgpack.Decoder().decode),
    "orjson, unchecked": _orjson,
    "json": _json,
    "JSONSerializer": lambda: Codec(JSONSerializer().dumps, JSONSerializer().loads),
    "marshal (unsafe to read)": lambda: Codec(marshal.dumps, marshal.loads),
}


def _typed(value: Any) -> dict[str, Callable[[], Codec]]:
    """Give what is made for such objects, and checks no field's type on its way out."""
    if hasattr(value, "model_dump_json"):
        return {"pydantic, as JSON": lambda: Codec(lambda it: it.model_dump_json(), type(value).model_validate_json)}
    return {"msgspec, unchecked": lambda: Codec(msgpack.Encoder().encode, msgpack.Decoder(type(value)).decode)}


def compressed(seconds: float) -> Iterator[Table]:
    """Compress a page of JSON of about 50 KB as its serializer gives it, and read it again."""
    page = json.dumps(RECORDS).encode()
    zstd, zlib_1 = "asynccache, zstd", "asynccache, zlib"
    ways = {
        zstd: lambda: _compressed(Compressed(MsgpackSerializer(), algorithm="zstd")),
        zlib_1: lambda: _compressed(Compressed(MsgpackSerializer())),
        "zlib, level 1": lambda: Codec(lambda it: zlib.compress(it, 1), zlib.decompress),
    }
    for direction in ("Encode", "Decode"):
        rows = in_turns(
            {way: _subject(make, page, direction) for way, make in ways.items()},
            20,
            rounds=25,
            seconds=seconds,
        )
        facts = {f"times smaller, {way}": _times_smaller(make, page) for way, make in ways.items()}
        wanted = {"zlib, level 1": ">= 3 x ours"} if direction == "Encode" else {}
        yield Table(f"{direction}: JSON of {len(page) // 1000} KB, compressed (CPU)", rows, "", wanted, facts, zstd)


def _compressed(serializer: ICacheSerializer) -> Codec:
    return Codec(serializer.dumps, serializer.loads)


def entries(seconds: float) -> Table:
    """Measure what all backends over bytes share: keys, hashes, frames and checksums, over a store that is a dict."""
    cache, text, payloads = OverDict(), "x" * 512, {"key": pickle.dumps("x" * 512, 5)}
    cache.set("key", text)
    subjects: dict[str, Subject] = {
        f"{OURS}, get": lambda count: deque(map(cache.get, repeat("key", count)), maxlen=0),
        f"{OURS}, set": lambda count: deque(map(cache.set, repeat("key", count), repeat(text)), maxlen=0),
        "dict.get and pickle.loads": lambda count: [pickle.loads(payloads["key"]) for _ in range(count)],
    }
    rows = in_turns(subjects, COUNT, rounds=25, seconds=seconds)
    return Table("An entry of 512 characters, over a dict (CPU)", rows)


class OverDict(StoreBackend):
    """The least that a store can be."""

    expires_entries = True

    def __init__(self) -> None:
        super().__init__()
        self.raws: dict[str, bytes] = {}

    async def _fetch(self, io: IO, key: str) -> bytes | None:
        return self.raws.get(key)

    async def _store(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        self.raws[key] = raw
        return True

    async def _drop(self, io: IO, key: str) -> bool:
        return self.raws.pop(key, None) is not None


def _times_smaller(make: Callable[[], Codec], page: bytes) -> float | str:
    try:
        return round(len(page) / len(make().dumps(page)), 2)
    except ImportError as error:
        return str(error)
