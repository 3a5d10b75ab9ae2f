import os
import sys
import zlib
from contextlib import suppress

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from asynccache.core.codec import DamagedEntryError
from asynccache.errors import ConfigurationError, MissingDependencyError
from asynccache.serializers import Compressed, JSONSerializer, MsgpackSerializer, PickleSerializer, Signed
from tests.serializers.fresh import printed

MIB = 1024 * 1024
ALGORITHMS = ["zlib", "zstd"]
each_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)


def small(algorithm="zlib", **options):
    return Compressed(MsgpackSerializer(), algorithm=algorithm, **options)


def bomb(algorithm, size):
    """Give the payload of `size` zero bytes: about a thousandth of it."""
    return small(algorithm, limit=size).wrap(bytes(size))


@each_algorithm
@given(value=st.binary(max_size=200), times=st.integers(1, 200))
def test_values_and_pages_come_back(algorithm, value, times):
    serializer = small(algorithm, min_size=0)
    assert serializer.loads(serializer.dumps([value * times])) == [value * times]
    assert serializer.unwrap(serializer.wrap(value * times)) == value * times


@each_algorithm
@pytest.mark.parametrize("size", [0, 1, 2047, 2048, 2049, MIB - 1, MIB, MIB + 1, 5 * MIB])
def test_pages_of_every_size_come_back(algorithm, size):
    serializer = small(algorithm)
    for page in (bytes(size), os.urandom(size)):
        assert serializer.unwrap(serializer.wrap(page)) == page


@each_algorithm
def test_larger_payloads_get_smaller_and_smaller_ones_stay_as_they_are(algorithm):
    serializer = small(algorithm, min_size=100)
    assert len(serializer.wrap(b"a" * 100)) < 50
    assert serializer.wrap(b"a" * 99) == b"-" + b"a" * 99


@each_algorithm
def test_what_does_not_get_smaller_is_not_compressed(algorithm):
    noise = os.urandom(10_000)
    assert small(algorithm).wrap(noise) == b"-" + noise


@each_algorithm
def test_what_is_larger_than_the_limit_is_written_as_it_is_and_comes_back(algorithm):
    serializer = small(algorithm, limit=10_000)
    assert serializer.wrap(bytes(10_001)) == b"-" + bytes(10_001)
    assert serializer.unwrap(serializer.wrap(bytes(10_001))) == bytes(10_001)


def test_either_algorithm_reads_the_others_payloads():
    page = b"abc" * 10_000
    assert small("zlib").unwrap(small("zstd").wrap(page)) == page
    assert small("zstd").unwrap(small("zlib").wrap(page)) == page


def test_the_default_is_zlib_which_every_python_has():
    assert small().wrap(bytes(3000))[:1] == b"z"
    assert zlib.decompress(small().wrap(bytes(3000))[1:]) == bytes(3000)


@each_algorithm
def test_the_inner_serializer_wraps_pages_first(algorithm):
    inner = PickleSerializer(secret="at least sixteen bytes")
    outer = Compressed(inner, algorithm=algorithm, min_size=0)
    assert outer.unwrap(outer.wrap(b"page")) == b"page"
    assert inner.wrap(b"page") in (outer.wrap(b"page"), outer.wrap(b"page")[1:])


@each_algorithm
def test_damaged_payloads_are_a_miss(algorithm):
    payload = small(algorithm).wrap(b"abcdefgh" * 1000)
    damaged = [payload[:size] for size in range(len(payload))]
    damaged += [payload + b"\0", payload + payload[1:], payload * 2, b"", b"x" + payload, payload[:1] + b"\0" * 100]
    for each in damaged:
        with pytest.raises(DamagedEntryError):
            small(algorithm).unwrap(each)


@each_algorithm
def test_flipped_bits_are_a_miss_or_bytes_that_the_entrys_checksum_refuses(algorithm):
    payload = small(algorithm).wrap(b"abcdefgh" * 1000)
    for bit in range(8 * len(payload)):
        flipped = (int.from_bytes(payload, "big") ^ (1 << bit)).to_bytes(len(payload), "big")
        with suppress(DamagedEntryError):
            assert isinstance(small(algorithm).unwrap(flipped), bytes)


@each_algorithm
@pytest.mark.parametrize(("size", "fits"), [(MIB - 1, True), (MIB, True), (MIB + 1, False), (64 * MIB, False)])
def test_the_limit_is_exact(algorithm, size, fits):
    serializer = small(algorithm, limit=MIB)
    payload = bomb(algorithm, size)
    if fits:
        assert serializer.unwrap(payload) == bytes(size)
    else:
        with pytest.raises(DamagedEntryError, match="limit"):
            serializer.unwrap(payload)


def test_a_zstd_frame_that_does_not_tell_its_size_is_a_miss():
    compressor = zstandard.ZstdCompressor().compressobj()
    frame = compressor.compress(bytes(100)) + compressor.flush()
    with pytest.raises(DamagedEntryError, match="size"):
        small("zstd").unwrap(b"s" + frame)


def test_a_zstd_frame_that_lies_about_its_size_is_a_miss():
    frame = bytearray(zstandard.ZstdCompressor().compress(bytes(300)))
    assert zstandard.frame_content_size(bytes(frame)) == 300
    frame[5:7] = (200).to_bytes(2, "little")
    with pytest.raises(DamagedEntryError):
        small("zstd").unwrap(b"s" + bytes(frame))


MEASURE = """
import resource, sys
from asynccache.core.codec import DamagedEntryError
from asynccache.serializers import Compressed, MsgpackSerializer
if {algorithm!r} == "zstd":
    import zstandard
serializer = Compressed(MsgpackSerializer(), algorithm={algorithm!r})
serializer.loads(serializer.dumps("a" * 10_000))
payload = open(0, "rb").read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    serializer.loads(payload)
except DamagedEntryError:
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="resource is POSIX only")
@each_algorithm
@pytest.mark.parametrize("shape", ["large", "larger", "lying"])
def test_a_bomb_is_a_miss_and_takes_no_more_memory_than_the_limit_and_a_little(algorithm, shape):
    payload = bomb(algorithm, 16 * MIB + 1 if shape == "large" else 500 * MIB)
    if shape == "lying" and algorithm == "zstd":
        frame = bytearray(payload)
        frame[7:11] = (16 * MIB).to_bytes(4, "little")
        assert zstandard.frame_content_size(bytes(frame[1:])) == 16 * MIB
        payload = bytes(frame)
    assert float(printed(MEASURE.format(algorithm=algorithm), stdin=payload)) <= 16 + 8


@pytest.mark.parametrize(
    "options",
    [
        {"algorithm": "gzip"},
        {"algorithm": None},
        {"level": 10},
        {"level": -1},
        {"algorithm": "zstd", "level": 23},
        {"algorithm": "zstd", "level": 0},
        {"min_size": -1},
        {"limit": 0},
    ],
)
def test_options_that_cannot_work_are_refused(options):
    with pytest.raises(ConfigurationError):
        Compressed(JSONSerializer(), **options)


@pytest.mark.parametrize("wrap", [Compressed, lambda inner: Signed(inner, secret="x" * 16)], ids=["compress", "sign"])
@pytest.mark.parametrize("inner", [JSONSerializer, "json", None, 5], ids=["class", "word", "none", "number"])
def test_only_serializers_are_wrapped(wrap, inner):
    with pytest.raises(ConfigurationError, match=r"inner=.*: give an instance, such as MsgpackSerializer\(\)"):
        wrap(inner)


@each_algorithm
def test_levels_are_the_algorithms_own(algorithm):
    page = b"".join(b"line %d of a page\n" % (number % 997) for number in range(20_000))
    assert len(small(algorithm, level=9).wrap(page)) < len(small(algorithm, level=1).wrap(page))


def test_zstd_without_its_package_says_what_to_install(monkeypatch):
    payload = small("zstd").wrap(bytes(3000))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(MissingDependencyError, match=r"asynccache\[zstd\]"):
        small("zstd")
    with pytest.raises(DamagedEntryError, match="zstd"):
        small("zlib").unwrap(payload)


def test_it_says_what_it_wraps():
    assert repr(small("zstd")) == "<Compressed <MsgpackSerializer types=[]> zstd level=1>"
