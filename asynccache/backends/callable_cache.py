"""Any pair of functions that get and set, of whatever library, as a backend.

What they are given are framed entries, as bytes: so `None` is a value, a lifetime below a second is kept, and what the
library itself does with values does not matter.
"""

from __future__ import annotations

from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

from asynccache.backends.base import StoreBackend
from asynccache.backends.foreign import Foreign, Turns, foreign_key
from asynccache.backends.outage import OutageGuard
from asynccache.errors import BackendUnavailableError, ConfigurationError
from asynccache.model import Capability

if TYPE_CHECKING:
    from collections.abc import Callable

    from asynccache.plan.io import IO

TOMBSTONE = b""
"""What stands for a removed entry in a store from which nothing can be removed."""
_FOREIGN = b"\0"
"""No entry: found to be damaged, and removed."""


class CallableCacheBackend(StoreBackend):
    """A pair of functions, plain or asynchronous: `CallableCacheBackend(cache.get, cache.set, cache.delete)`.

    Plain ones run in worker threads where a loop runs, so they have to bear threads; asynchronous ones run on the
    caller's loop, and for sync callers on one in the background.

    Args:
        get: called with a key, a `str` of at most 200 printable ASCII characters. It returns the bytes that were set;
            on a miss it returns None or raises KeyError.
        set: called with a key and bytes; also with whole seconds, rounded up and one more, if it has a parameter
            `timeout`, `ttl`, `ex`, `time` or `expire`. Where it returns False or raises, the entry is removed and our
            `set` is False.
        delete: called with a key; may raise KeyError. Without it an empty value is set.
        base: those of `StoreBackend` and `BaseCacheBackend`.

    An exception is an outage of the store, as `on_error` says. Raises `ConfigurationError` for what is no function.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.KEEPS_ENTRIES, Capability.SUBSECOND_TTL})

    def __init__(
        self,
        get: Callable[[str], Any],
        set: Callable[..., Any],  # noqa: A002  # it is called as its users call theirs
        delete: Callable[[str], Any] | None = None,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        for name, given in (("get", get), ("set", set), ("delete", delete)):
            if not (callable(given) or (name == "delete" and given is None)):
                raise ConfigurationError(f"{name} is a {type(given).__name__}: give a function, such as cache.{name}")
        self._use(Foreign.of(get), Foreign.of(set), None if delete is None else Foreign.of(delete))
        self._guard = OutageGuard(self, _owner(get), inf, (Exception,), self._counts)

    def _use(self, get: Foreign, set: Foreign, delete: Foreign | None) -> None:  # noqa: A002  # likewise
        self._get, self._set, self._delete = get, set, delete
        set.turns = turns = Turns()
        if delete is not None:
            delete.turns = turns

    # Drivers

    async def _fetch(self, io: IO, key: str) -> bytes | None:
        with self._guard.attempt("get"), suppress(KeyError):
            return self._checked(await self._get.call(io, foreign_key(key)))
        return None

    async def _store(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        try:
            with self._guard.attempt("set"):
                if await self._set.call(io, foreign_key(key), raw, **self._set.lifetime(ttl)) is not False:
                    return True
        except BackendUnavailableError as failure:
            await self._drop(io, key)  # fails too where the store is down; otherwise it has refused this value
            self._guard.note_refusal("set", repr(failure.__cause__))
            return False
        await self._drop(io, key)
        return False

    async def _drop(self, io: IO, key: str) -> bool:
        if self._delete is None:
            await self._bury(io, key)
            return True
        with self._guard.attempt("delete"), suppress(KeyError):
            return await self._delete.call(io, foreign_key(key)) is not False
        return False

    async def _bury(self, io: IO, key: str) -> None:
        with self._guard.attempt("delete"):
            buried = await self._set.call(io, foreign_key(key), TOMBSTONE, **self._set.lifetime(1))
        if buried is False:
            raise BackendUnavailableError(f"{self._guard.server}: delete: set returned False for an empty value")

    def _checked(self, found: Any) -> bytes | None:
        if found is None or isinstance(found, bytes):
            return found or None
        if isinstance(found, bytearray | memoryview):
            return bytes(found) or None
        self._guard.note_refusal("get", f"it gave a {type(found).__name__} where bytes were set")
        return _FOREIGN


def _owner(function: Callable[..., Any]) -> str:
    """Give the name of the class or module that a function is of, for logs."""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return name.rpartition(".")[0] or name
