"""Smaller payloads; and none that grows beyond a limit when it is read.

The first byte tells what follows: `-` the bytes themselves, `z` a zlib stream (RFC 1950), `s` a zstd frame (RFC 8878).
"""

import zlib
from collections.abc import Callable
from typing import Any, Literal, Self

from asynccache.core.codec import DamagedEntryError
from asynccache.errors import ConfigurationError, MissingDependencyError
from asynccache.serializers.base import ICacheSerializer, checked

MIB = 1024 * 1024
Algorithm = Literal["zlib", "zstd"]
_RAW, _ZLIB, _ZSTD = b"-", b"z", b"s"


class Compressed(ICacheSerializer):
    """Compress values and pages from `min_size` bytes on, where that makes them smaller.

    Either algorithm's entries are read, whichever is used to write (zstd's where its package is installed, else they
    are a miss), so it can be changed at any time.

    Args:
        inner: the serializer whose bytes are compressed.
        algorithm: `"zlib"`, which every Python has, or `"zstd"`, about three times as fast (extra `zstd`).
        level: the algorithm's own: 0 to 9 for zlib, 1 to 22 for zstd; 1, the fast one, unless given.
        min_size: bytes below which compressing is not worth it.
        limit: bytes that a payload may have once decompressed, 16 MiB unless given; what would be larger is a miss.
            Larger ones are written as they are.

    Raises `ConfigurationError` for what is no serializer and for numbers that make no sense, `MissingDependencyError`
    for zstd without its package.
    """

    def __init__(
        self,
        inner: ICacheSerializer,
        *,
        algorithm: Algorithm = "zlib",
        level: int = 1,
        min_size: int = 2048,
        limit: int = 16 * MIB,
    ) -> None:
        levels = {"zlib": range(10), "zstd": range(1, 23)}
        if algorithm not in levels:
            raise ConfigurationError(f"algorithm={algorithm!r}: give 'zlib' or 'zstd'")
        if level not in levels[algorithm]:
            raise ConfigurationError(
                f"level={level!r}: {algorithm} has {levels[algorithm][0]} to {levels[algorithm][-1]}"
            )
        if min_size < 0 or limit <= 0:
            raise ConfigurationError(f"min_size={min_size!r}, limit={limit!r}: give positive numbers of bytes")
        self.inner = checked("inner", inner)
        self.algorithm = algorithm
        self.level = level
        self.min_size = min_size
        self.limit = limit
        self._compress = _zstd_compressor(level) if algorithm == "zstd" else _zlib_compressor(level)

    def __repr__(self) -> str:
        return f"<Compressed {self.inner!r} {self.algorithm} level={self.level}>"

    def bound(self, owner: bytes) -> Self:
        """Bind the inner serializer."""
        inner = self.inner.bound(owner)
        if inner is self.inner:
            return self
        one = self._twin()
        one.inner = inner
        return one

    def dumps(self, value: Any) -> bytes:
        """Give the bytes of a value, compressed where that pays."""
        return self._smaller(self.inner.dumps(value))

    def loads(self, payload: bytes) -> Any:
        """Give the value back; `DamagedEntryError` where the stream is damaged or larger than the limit."""
        return self.inner.loads(self._original(payload))

    def wrap(self, payload: bytes) -> bytes:
        """Compress a page where that pays."""
        return self._smaller(self.inner.wrap(payload))

    def unwrap(self, payload: bytes) -> bytes:
        """Give the page back; `DamagedEntryError` where the stream is damaged or larger than the limit."""
        return self.inner.unwrap(self._original(payload))

    def _smaller(self, payload: bytes) -> bytes:
        if self.min_size <= len(payload) <= self.limit:
            small = self._compress(payload)
            if len(small) <= len(payload):
                return small
        return _RAW + payload

    def _original(self, payload: bytes) -> bytes:
        tag = payload[:1]
        if tag == _RAW:
            return payload[1:]
        if tag == _ZLIB:
            return _zlib_original(payload[1:], self.limit)
        if tag == _ZSTD:
            return _zstd_original(payload[1:], self.limit)
        raise DamagedEntryError("the payload is not one of Compressed")


def _too_large(limit: int) -> DamagedEntryError:
    return DamagedEntryError(f"the payload decompresses to more than limit={limit} bytes")


def _zlib_compressor(level: int) -> Callable[[bytes], bytes]:
    return lambda payload: _ZLIB + zlib.compress(payload, level)


def _zlib_original(stream: bytes, limit: int) -> bytes:
    """Decompress piece by piece: one call with the limit would hold what it made twice."""
    decompressor = zlib.decompressobj()
    pieces: list[bytes] = []
    size = 0
    try:
        while not decompressor.eof:
            piece = decompressor.decompress(stream, MIB)
            stream = decompressor.unconsumed_tail
            size += len(piece)
            if size > limit:
                raise _too_large(limit)
            if not piece and not stream:
                break
            pieces.append(piece)
    except zlib.error as exc:
        raise DamagedEntryError("the zlib stream is damaged") from exc
    if not decompressor.eof or decompressor.unused_data:
        raise DamagedEntryError("the zlib stream is cut, or something follows it")
    return b"".join(pieces)


def _zstd_compressor(level: int) -> Callable[[bytes], bytes]:
    try:
        import zstandard
    except ImportError:
        raise MissingDependencyError.of('Compressed(algorithm="zstd")', "zstandard", "zstd") from None
    # A compressor must not be used by two threads at once, and costs little to make.
    return lambda payload: _ZSTD + zstandard.ZstdCompressor(level=level).compress(payload)


def _zstd_original(frame: bytes, limit: int) -> bytes:
    """Decompress in one go into what the frame says it needs, which zstd never exceeds."""
    try:
        import zstandard
    except ImportError as exc:
        raise DamagedEntryError("the payload is zstd, and zstandard is not installed: asynccache[zstd]") from exc
    try:
        size = zstandard.frame_content_size(frame)
        if size > limit:
            raise _too_large(limit)
        if size < 0:
            raise DamagedEntryError("the zstd frame does not tell its size")
        return zstandard.ZstdDecompressor().decompress(frame, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as exc:
        raise DamagedEntryError("the zstd frame is damaged") from exc
