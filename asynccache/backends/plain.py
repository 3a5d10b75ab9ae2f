"""Backends that are written plainly: a class with a `get` and a `set`, as one writes them for other libraries.

Such a class answers in its own way, so a service does not ask it directly. Its methods are the pair of functions that a
`PlainBackend` is made of: they get stored keys and bytes, and calls among themselves stay what they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynccache.backends.callable_cache import CallableCacheBackend
from asynccache.backends.foreign import Foreign
from asynccache.model import options_of

if TYPE_CHECKING:
    from asynccache.model import BaseCacheBackend
    from asynccache.plan.io import IO


class PlainBackend(CallableCacheBackend):
    """All operations over the plain methods of a backend, with its options.

    `get`, `set` and `delete` are called as `CallableCacheBackend` says, without a version: it is in the key. Where both
    twins are written, each serves its own callers. `close` or `aclose` are called at the end.

    Args:
        own: the backend that has them; `close`, `aclose`, `open` and `stats` are its own too.
    """

    def __init__(self, own: BaseCacheBackend) -> None:
        super().__init__(own.get, own.set, **options_of(own))
        self.own = own
        self.name = own.name
        get, set_, delete = (_twins(own, name, f"{name}_async") for name in ("get", "set", "delete"))
        self._use(get, set_, delete if delete.is_written else None)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.own!r}>"

    async def open(self, io: IO) -> None:
        await self.own.open(io)

    async def shut(self, io: IO) -> None:
        close = _twins(self.own, "close", "aclose")
        await (close.call(io) if close.is_written else self.own.shut(io))

    def stats(self) -> dict[str, int]:
        return super().stats() | self.own.stats()


def _twins(own: BaseCacheBackend, plain: str, on_loop: str) -> Foreign:
    """Give those of two twins that the class of this backend writes itself."""
    return Foreign(*(getattr(own, name) if own.writes(name) else None for name in (plain, on_loop)))
