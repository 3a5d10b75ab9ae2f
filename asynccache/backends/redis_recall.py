"""Invalidations that were confirmed a moment ago, to be said again where another server took over without them.

A replica that is promoted may lack the last of them. Stamps go on within one generation, so what it has is compared
with what was confirmed: an entry that is later than its invalidation stays, what is earlier goes.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from asynccache.backends import redis_scripts as scripts
from asynccache.backends.redis_questions import KEEPER
from asynccache.core.fence import CLEAR, KEYS, TAGS
from asynccache.core.keys import to_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asynccache.backends.redis_parts import Part, Parts
    from asynccache.backends.redis_scripts import Call
    from asynccache.core.fence import Change

SECONDS = 10.0
"""By how much a replica may lag, at most, that still is promoted."""
_MOST = 10_000
_AT_ONCE = 500


class _Said(NamedTuple):
    at: float
    part: Part
    gen: bytes
    change: Change


class Recall:
    """What this process invalidated in the last seconds."""

    def __init__(self) -> None:
        self._said: deque[_Said] = deque(maxlen=_MOST)

    def note(self, part: Part, gen: bytes, change: Change) -> None:
        """Remember an invalidation that was confirmed now."""
        now = monotonic()
        self._said.append(_Said(now, part, gen, change))
        with suppress(IndexError):  # another thread was faster
            while self._said[0].at < now - SECONDS:
                self._said.popleft()

    def calls(self, part: Part, gen: bytes, parts: Parts) -> list[Call]:
        """Give what says again what was invalidated in this part; all of it, where there was too much to remember."""
        since = monotonic() - SECONDS
        known = list(self._said)
        if len(known) == _MOST and known[0].at >= since:
            return [scripts.CLEAR(part, (), KEEPER)]
        said = [one.change for one in known if one.at >= since and (one.part, one.gen) == (part, gen)]
        if any(change.kind == CLEAR for change in said):
            return [scripts.CLEAR(part, (), KEEPER)]
        cells = {int(cell) for change in said if change.kind == TAGS for cell in change.what}
        stamps = {str(key): change.stamp for change in said if change.kind == KEYS for key in change.what}
        calls = scripts.voids(part, sorted(cells))
        keys = list(stamps)
        chunks = [keys[first : first + _AT_ONCE] for first in range(0, len(keys), _AT_ONCE)]
        return calls + [_again(part, chunk, stamps, parts) for chunk in chunks]


def _again(part: Part, keys: Sequence[str], stamps: dict[str, int], parts: Parts) -> Call:
    wires = [parts.spot(key).entry for key in keys]
    return scripts.DROP_OLDER(part, wires, KEEPER, *[word for key in keys for word in (to_bytes(key), stamps[key])])
