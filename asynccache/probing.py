"""Whether a backend answers, and how soon: found out by using it."""

from __future__ import annotations

from secrets import token_hex
from time import monotonic
from typing import TYPE_CHECKING

from asynccache.errors import BackendUnavailableError
from asynccache.model import Capability

if TYPE_CHECKING:
    from asynccache.model import BaseCacheBackend
    from asynccache.plan.io import IO

_TTL = 10.0
"""Seconds after which a probe is gone, should its removal fail."""


async def probe(io: IO, backend: BaseCacheBackend) -> float:
    """Add a small entry under a key of its own, read and remove it; give the seconds that this took.

    Raises `BackendUnavailableError` where the store does not answer, refuses, or has not kept what it was given.
    """
    key, value = f"asynccache ping {token_hex(8)}", token_hex(8)
    began = monotonic()
    added = await backend.insert(io, key, value, _TTL)
    entry = await backend.read(io, key)
    await backend.remove(io, key)
    seconds = monotonic() - began
    keeps = Capability.KEEPS_ENTRIES in backend.capabilities
    if not added or (keeps and (entry is None or entry.value != value)):
        raise BackendUnavailableError(f"{backend.name} answers, and does not keep what it is given")
    return seconds
