"""Which keys of Redis belong together: those of one part, which has a notebook, a table of cells and a log of its own.

    one server      shop:1:<key>        ~shop:1:n    ~shop:1:t    ~shop:1:g    ~shop:1:l:<key>
    cluster, 3      {shop:1:3}:<key>    {shop:1:3}~n {shop:1:3}~t {shop:1:3}~g {shop:1:3}~l:<key>

Prefix and version have no bare `:`, `~`, `{` or `}`, so no key of a user meets one of these. All keys of a part are in
one slot of a cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from asynccache.core import keys


class Part(NamedTuple):
    """One part of a namespace: its name, the heads of its keys, and its own three."""

    name: str
    entries: bytes
    leases: bytes
    notebook: bytes
    table: bytes
    log: bytes

    @property
    def own(self) -> tuple[bytes, bytes, bytes]:
        """What all scripts name."""
        return self.notebook, self.table, self.log


class Spot(NamedTuple):
    """Where what belongs to a stored key is."""

    part: Part
    entry: bytes
    lease: bytes


@dataclass(frozen=True, slots=True)
class Parts:
    """Finds parts; there is one in each namespace unless there are `count`."""

    count: int = 0

    def of(self, namespace: str) -> tuple[Part, ...]:
        """Give the parts of a namespace, which is the head of stored keys, colon included."""
        return _spread(namespace, self.count) if self.count else (_only(namespace),)

    def named(self, name: str) -> Part:
        """Find a part by its name."""
        return _of_many(name) if self.count else _only(name)

    def spot(self, stored_key: str) -> Spot:
        """Find where a key is."""
        prefix, version, key = stored_key.split(":", 2)
        wire = keys.to_bytes(key)
        part = part_of(self.of(f"{prefix}:{version}:"), wire)
        return Spot(part, part.entries + wire, part.leases + wire)


def part_of(parts: tuple[Part, ...], wire: bytes) -> Part:
    """Find the part of a user's key, in bytes, among all of its namespace."""
    return parts[int.from_bytes(blake2b(wire, digest_size=8).digest()) % len(parts)] if len(parts) > 1 else parts[0]


@lru_cache(1024)
def _only(namespace: str) -> Part:
    head = b"~" + keys.to_bytes(namespace)
    return Part(namespace, keys.to_bytes(namespace), head + b"l:", head + b"n", head + b"t", head + b"g")


@lru_cache(1024)
def _spread(namespace: str, count: int) -> tuple[Part, ...]:
    return tuple(_of_many(f"{{{namespace}{number}}}") for number in range(count))


@lru_cache(1024)
def _of_many(name: str) -> Part:
    head = keys.to_bytes(name) + b"~"
    return Part(name, keys.to_bytes(name) + b":", head + b"l:", head + b"n", head + b"t", head + b"g")
