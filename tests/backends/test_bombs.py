"""What somebody plants in a store to blow up its readers: a miss, that takes little memory and no time of the loop."""

import base64
import json
import sys
import time
import zlib

import pytest
import zstandard

from asynccache.core.entry import Kind
from tests.serializers.fresh import printed

MEBI = 1024 * 1024
LIMIT, SLACK = 16, 8
"""MiB: what `Compressed` takes unless told otherwise, and what may come on top of it."""
LOOP_SECONDS = 0.05
"""Of work: what a loop is kept from everything else, the best of three."""
BEYOND_ZLIB = 1.5
"""How many times as long as zlib itself takes for the limit, where that takes nearly as long already."""


def lying_zstd():
    """Give a frame that says it has 16 MiB, and has 500."""
    frame = bytearray(zstandard.compress(bytes(500 * MEBI)))
    frame[6:10] = (LIMIT * MEBI).to_bytes(4, "little")
    assert zstandard.frame_content_size(bytes(frame)) == LIMIT * MEBI
    return bytes(frame)


@pytest.fixture(scope="module")
def bombs():
    """Make them when they are needed: that takes two seconds."""
    return {
        "zlib": ("zlib", b"z" + zlib.compress(bytes(500 * MEBI), 9)),
        "zlib in time": ("zlib", b"z" + zlib.compress(bytes(LIMIT * MEBI + 1), 9)),
        "zstd": ("zlib", b"s" + zstandard.compress(bytes(500 * MEBI))),
        "zstd that lies": ("zlib", b"s" + lying_zstd()),
        "nested lists": ("msgpack", b"m" + b"\x91" * 100_000),
        "nested dicts": ("msgpack", b"m" + b"\x81\xa1a" * 100_000),
        "nested json": ("json", b"[" * 100_000),
        "long list": ("msgpack", b"m\xdd\xff\xff\xff\xff"),
        "long dict": ("msgpack", b"m\xdf\xff\xff\xff\xff" + b"\x01" * 1000),
        "long text": ("msgpack", b"m\xdb\xff\xff\xff\xff" + b"x" * 1000),
        "long bytes": ("msgpack", b"m\xc6\x7f\xff\xff\xff"),
        "long number": ("json", b"1" * 500_000),
    }


PROGRAM = """
import asyncio, base64, json, resource, sys, time
from asynccache.config import backend_of
from asynccache.core import codec
from asynccache.core.codec import Frame
from asynccache.core.entry import Kind
from asynccache.core.keys import key_hash
from asynccache.plan.io import LOOP
from asynccache.serializers import Compressed, JSONSerializer, MsgpackSerializer
import zstandard

SERIALIZERS = {"msgpack": MsgpackSerializer(), "json": JSONSerializer(), "zlib": Compressed(MsgpackSerializer())}

def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

async def plant_and_read(cache, key, payload, kind):
    stored = cache.stored_key(key)
    raw = codec.encode(Frame(payload, kind, at_us=int(time.time() * 1e6), lifetime_ms=60_000), key_hash(stored))
    assert await cache._store(LOOP, stored, raw, 60)
    worked = time.thread_time()
    found = await cache.read(LOOP, key, kind=kind)
    worked = time.thread_time() - worked
    assert found is None and not await cache.has_key_async(key)
    return worked

async def main():
    given = json.load(sys.stdin)
    cache = backend_of(given["url"])
    await cache.set_async("warm", ["x" * 500_000])
    await cache.get_async("warm")
    measured = {}
    for serializer in SERIALIZERS.values():
        serializer.loads(serializer.dumps(["x" * 10_000]))
    before = memory()
    for name, (serializer, payload) in given["bombs"].items():
        cache.serializer = SERIALIZERS[serializer]
        bomb = base64.b64decode(payload), Kind(given["kind"])
        seconds = [await plant_and_read(cache, name, *bomb) for _ in range(3)]
        measured[name] = [memory() - before, min(seconds)]
    assert cache.stats()["damaged"] == 3 * len(measured)
    await cache.aclose()
    print(json.dumps(measured))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def bound(bombs):
    """Give the seconds that a bomb may take here."""
    stream, taken = bombs["zlib"][1][1:], []
    for _ in range(3):
        began, inflater, left, pieces = time.thread_time(), zlib.decompressobj(), stream, []
        for _ in range(LIMIT):
            pieces.append(inflater.decompress(left, MEBI))
            left = inflater.unconsumed_tail
        taken.append(time.thread_time() - began)
    return max(LOOP_SECONDS, BEYOND_ZLIB * min(taken))


def read_all(url, bombs, kind):
    given = {name: (serializer, base64.b64encode(payload).decode()) for name, (serializer, payload) in bombs.items()}
    told = json.dumps({"url": url, "bombs": given, "kind": int(kind)})
    return json.loads(printed(PROGRAM, stdin=told.encode()))


@pytest.fixture(params=["redis", "memcached", "sqlite"])
def url(request, tmp_path, unique_prefix):
    place = f"sqlite:///{tmp_path}/cache.db" if request.param == "sqlite" else None
    place = place or request.getfixturevalue(f"{request.param}_server").url
    return f"{place}?key_prefix={unique_prefix}&deadline=10"


@pytest.mark.skipif(sys.platform == "win32", reason="resource is POSIX only")
def test_values_that_are_bombs(url, bombs, bound):
    for name, (mebibytes, seconds) in read_all(url, bombs, Kind.VALUE).items():
        assert mebibytes <= LIMIT + SLACK, name
        assert seconds <= bound, name


@pytest.mark.skipif(sys.platform == "win32", reason="resource is POSIX only")
def test_pages_that_are_bombs(url, bombs, bound):
    compressed = {name: bomb for name, bomb in bombs.items() if bomb[0] == "zlib"}
    for name, (mebibytes, seconds) in read_all(url, compressed, Kind.PAGE).items():
        assert mebibytes <= LIMIT + SLACK, name
        assert seconds <= bound, name
