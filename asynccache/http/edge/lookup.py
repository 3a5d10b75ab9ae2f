"""Finding what is stored for a URL, by one question to the store wherever it can be known what to ask for."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from asynccache.core.entry import Kind
from asynccache.http.edge.found import Found, found_alone, found_among, variant_key, variant_keys
from asynccache.http.edge.shelved import Shelved
from asynccache.http.page_store import PageStore
from asynccache.http.stored import Index
from asynccache.http.vary import vary_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asynccache.http.edge.found import Choose
    from asynccache.http.headers import Pair
    from asynccache.loading.flights import Flights
    from asynccache.model import BaseCacheBackend, Version
    from asynccache.plan.io import IO

_REMEMBERED = 4096
_SHORT = 512
_hints: dict[tuple[int, str], tuple[Index, float]] = {}
"""What lay under the keys of URLs, and until when (monotonic seconds) it is kept at least."""


class Lookup(PageStore):
    """The responses that `CacheMiddleware` keeps in one backend, as readers see them.

    Args:
        backend: the backend.
        flights: those under way in this process.
        version: of the keys; None: the backend's own.
        io: how plans wait.
    """

    __slots__ = ("_peek",)

    def __init__(self, backend: BaseCacheBackend, flights: Flights, version: Version, io: IO) -> None:
        super().__init__(backend, flights, version, io, timed=False)
        self._peek = backend.peek

    def glance(self, url: str, headers: Sequence[Pair]) -> Shelved | None:
        """Give the response that lies in memory for a request with these headers, without waiting; fresh or not.

        None, too, where there is a choice: then `find` tells.
        """
        peek = self._peek
        if peek is None:
            return None
        base = peek(url, self._version, Kind.PAGE)
        if type(base) is Shelved:
            return None if base.stored.names or base.stored.index_id else base
        if type(base) is not Index or len(base.varies) != 1:
            return None
        names = base.varies[0]
        values = vary_values(headers, names)
        variant = peek(variant_key(url, base.id, names, values), self._version, Kind.PAGE)
        if type(variant) is not Shelved:
            return None
        stored = variant.stored
        return variant if (stored.index_id, stored.names, stored.values) == (base.id, names, values) else None

    async def find(self, url: str, headers: Sequence[Pair], choose: Choose) -> Found:
        """Look for what answers a request; a store that is away or talks nonsense has nothing.

        `choose` gives that one of the responses which the request is to be answered by, if any is; it is shown those
        that lie where requests with these headers look.
        """
        known = known_index(self._backend, url)[0]
        keys = [] if known is None else variant_keys(url, known, headers)
        entries = await self._read_many((url, *keys))
        entry = entries[url]
        index = None if entry is None else entry.value
        if not isinstance(index, Index):
            return found_alone(url, entry, choose)
        if index != known:
            remember(self._backend, url, index, 0.0)
            keys = variant_keys(url, index, headers)
            entries = await self._read_many(keys)
        return found_among(url, index, keys, entries, choose)

    def flight_key(self, found: Found) -> tuple[int, str, Kind]:
        """Give what a flight is known by that gets what was looked for."""
        return self._backend.flight_key(found.key, self._version, Kind.PAGE)


def known_index(backend: BaseCacheBackend, url: str) -> tuple[Index | None, float]:
    """Give the index that was seen last, and the seconds for which it is kept still, as far as this process knows."""
    index, until = _hints.get((id(backend), url), (None, 0.0))
    return index, until - monotonic()


def remember(backend: BaseCacheBackend, url: str, index: Index, seconds: float) -> None:
    """Note what index there is, and for how long it is kept."""
    if len(_hints) >= _REMEMBERED:
        _hints.clear()
    if len(url) <= _SHORT:
        _hints[id(backend), url] = (index, monotonic() + seconds)
