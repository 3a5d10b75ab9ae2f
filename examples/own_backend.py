"""A backend of your own: one file per entry, shared by all processes that see the directory."""

from pathlib import Path
from typing import Any
from uuid import uuid4

from asynccache.backends.base import StoreBackend
from asynccache.core.keys import key_hash
from asynccache.model import Capability
from asynccache.plan.io import IO


class FileCacheBackend(StoreBackend):
    """Three coroutines; lifetimes, counters, `add`, `touch` and all else are what `StoreBackend` makes of them."""

    capabilities = frozenset({Capability.KEEPS_ENTRIES, Capability.SUBSECOND_TTL, Capability.SHARED})

    def __init__(self, directory: str, **options: Any) -> None:
        super().__init__(**options)
        self.directory = Path(directory)

    async def _fetch(self, io: IO, key: str) -> bytes | None:
        try:
            return await io.offload((self.directory / key_hash(key).hex()).read_bytes)
        except FileNotFoundError:
            return None

    async def _store(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        draft = self.directory / uuid4().hex  # so that nobody ever reads half a file
        await io.offload(draft.write_bytes, raw)
        await io.offload(draft.replace, self.directory / key_hash(key).hex())
        return True

    async def _drop(self, io: IO, key: str) -> bool:
        try:
            await io.offload((self.directory / key_hash(key).hex()).unlink)  # in a thread, where there is a loop
        except FileNotFoundError:
            return False
        return True
