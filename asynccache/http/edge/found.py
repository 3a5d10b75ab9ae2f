"""What lies under the key of a URL, and what of that concerns one request."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from asynccache.http.edge.shelved import Shelved
from asynccache.http.stored import Index
from asynccache.http.vary import vary_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from asynccache.core.entry import Entry
    from asynccache.http.headers import Pair
    from asynccache.http.stored import Stored

    Choose = Callable[[Sequence[Stored]], Stored | None]
    Values = tuple[bytes | None, ...]

_REMEMBERED = 4096
_SHORT = 1024
_variants: dict[tuple[str, bytes, tuple[bytes, ...], Values], str] = {}


class Found(msgspec.Struct, frozen=True):
    """What a request found.

    Args:
        url: the key of its URL.
        base: what lies there.
        key: where what was chosen lies; where nothing was, where the answer is most likely to lie.
        entry: what lies there, whatever it is.
        shelved: what was chosen for the request.
        found: the same, where it answers the request as it is: see `judged`.
    """

    url: str
    base: object
    key: str
    entry: Entry | None = None
    shelved: Shelved | None = None
    found: Shelved | None = None

    @property
    def stored(self) -> Stored | None:
        """The response that was chosen."""
        return None if self.shelved is None else self.shelved.stored

    @property
    def index(self) -> Index | None:
        """By which fields the responses of the URL differ, if they do."""
        return self.base if isinstance(self.base, Index) else None

    @property
    def has_others(self) -> bool:
        """Whether there are, or were, responses to other requests for the same URL."""
        return isinstance(self.base, Index | Shelved) and self.shelved is None

    def judged(self, *, answers: bool) -> Found:
        """Say whether what was chosen answers the request as it is: then nobody asks for the right to store another."""
        return msgspec.structs.replace(self, found=self.shelved if answers else None)


class Kept(NamedTuple):
    """A response that was to be stored, and why it was not."""

    shelved: Shelved
    why: str = ""

    @property
    def is_stored(self) -> bool:
        """Whether it was."""
        return not self.why


def variant_key(url: str, index_id: bytes, names: tuple[bytes, ...], values: Values) -> str:
    """Give the key of a variant; remembered for those that come again and again."""
    asked = (url, index_id, names, values)
    key = _variants.get(asked)
    if key is None:
        parts = msgspec.msgpack.encode((index_id, names, values))
        key = f"{url}#{blake2b(parts, digest_size=16).hexdigest()}"
        if len(_variants) >= _REMEMBERED:
            _variants.clear()
        if len(url) + len(parts) <= _SHORT:
            _variants[asked] = key
    return key


def variant_keys(url: str, index: Index, headers: Iterable[Pair]) -> list[str]:
    """Give the keys of all variants that could answer a request with these headers, the likeliest first."""
    headers = tuple(headers)
    return [variant_key(url, index.id, names, vary_values(headers, names)) for names in index.varies]


def found_alone(url: str, entry: Entry | None, choose: Choose) -> Found:
    """Say what was found where that is no index."""
    base = None if entry is None else entry.value
    shelved = base if isinstance(base, Shelved) and _lies_under(base, b"", ()) else None
    chosen = shelved if shelved is not None and choose((shelved.stored,)) is not None else None
    return Found(url, base, url, entry, chosen)


def found_among(
    url: str, index: Index, keys: Sequence[str], entries: Mapping[str, Entry | None], choose: Choose
) -> Found:
    """Say what was found below an index, by the keys of what could answer."""
    there = {key: entry for key in keys if (entry := entries.get(key)) is not None}
    candidates = {
        key: entry.value
        for (key, names) in zip(keys, index.varies, strict=True)
        if (entry := there.get(key)) is not None and _lies_under(entry.value, index.id, names)
    }
    chosen = choose([shelved.stored for shelved in candidates.values()]) if candidates else None
    for key, shelved in candidates.items():
        if shelved.stored is chosen:
            return Found(url, index, key, there[key], shelved)
    return Found(url, index, keys[0], there.get(keys[0]))


def _lies_under(found: object, index_id: bytes, names: tuple[bytes, ...]) -> bool:
    return isinstance(found, Shelved) and found.stored.index_id == index_id and found.stored.names == names
