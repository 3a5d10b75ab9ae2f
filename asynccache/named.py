"""Backends by their names, and their life: what the service is but for its operations."""

from __future__ import annotations

from collections import ChainMap
from contextlib import AsyncExitStack, ExitStack, contextmanager
from typing import TYPE_CHECKING, Self

from asynccache.audience import Audience
from asynccache.config import backend_of
from asynccache.config.making import shown
from asynccache.current import entered, left
from asynccache.errors import ConfigurationError, UnknownBackendError
from asynccache.plan.io import BLOCKING, LOOP, run
from asynccache.probing import probe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from asynccache.config import BackendLike
    from asynccache.core.events import Listener
    from asynccache.model import BaseCacheBackend


class NamedBackends:
    """Backends, one of them called `default`, that are opened and closed together.

    `listeners` are told the events of all of them.
    """

    def __init__(self, backends: Mapping[str, BackendLike]) -> None:
        if "default" not in backends:
            raise ConfigurationError(f"no backend is called 'default', only {sorted(backends)}: add default=...")
        self.listeners: list[Listener] = []
        self._audience = Audience(self)
        self._own = {name: backend_of(given, name) for name, given in backends.items()}
        self._replacements: list[dict[str, BaseCacheBackend]] = []
        self._choose()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._backends}>"

    def get_backend(self, backend: str | None = None) -> BaseCacheBackend:
        """Return a registered backend; `UnknownBackendError` where there is none of that name."""
        if backend is None:
            return self._default
        try:
            return self._backends[backend]
        except (KeyError, TypeError):
            wrong = shown(str(backend))
            raise UnknownBackendError(f"no backend is called {wrong!r}; there are {sorted(self._backends)}") from None

    def stats(self) -> dict[str, dict[str, int]]:
        """Return each backend's counters, by its name."""
        return {name: backend.stats() for name, backend in self._backends.items()}

    def ping(self, backend: str | None = None) -> float:
        """Add, read and remove a small entry, and return the seconds that this took."""
        return run(probe(BLOCKING, self.get_backend(backend)))

    async def ping_async(self, backend: str | None = None) -> float:
        """Add, read and remove a small entry, and return the seconds that this took."""
        return await probe(LOOP, self.get_backend(backend))

    @contextmanager
    def replaced(self, **backends: BackendLike) -> Iterator[Self]:
        """Use other backends for a while, for tests: `with service.replaced(default="dummy"):`.

        They are closed at the end. Several replacements may overlap, and end in any order.
        """
        for name in backends:
            self.get_backend(name)
        others = {name: backend_of(given, name) for name, given in backends.items()}
        self._replacements.append(others)
        self._choose()
        try:
            yield self
        finally:
            self._replacements.remove(others)
            self._choose()
            self._let_go(set(others.values()).difference(self._backends.values()))

    # Life

    async def start(self) -> Self:
        """Get every backend ready on this loop; where one fails, close them all."""
        try:
            for backend in self._backends.values():
                await backend.open(LOOP)
        except BaseException:
            await self.aclose()
            raise
        return self

    def close(self) -> None:
        """Let go of all connections; the next operation makes new ones."""
        with ExitStack() as closing:
            for backend in self._backends.values():
                closing.callback(backend.close)

    async def aclose(self) -> None:
        """Let go of all connections; the next operation makes new ones."""
        async with AsyncExitStack() as closing:
            for backend in self._backends.values():
                closing.push_async_callback(backend.aclose)

    def __enter__(self) -> Self:
        try:
            for backend in self._backends.values():
                run(backend.open(BLOCKING))
        except BaseException:
            self.close()
            raise
        entered(self)
        return self

    def __exit__(self, *failure: object) -> None:
        left(self)
        self.close()

    async def __aenter__(self) -> Self:
        await self.start()
        entered(self)
        return self

    async def __aexit__(self, *failure: object) -> None:
        left(self)
        await self.aclose()

    def _choose(self) -> None:
        """Use the latest replacement of each backend, and where there is none, one's own."""
        self._backends: dict[str, BaseCacheBackend] = dict(ChainMap(*reversed(self._replacements), self._own))
        self._default = self._backends["default"]
        for backend in self._backends.values():
            if self._audience not in backend.listeners:
                backend.listeners.append(self._audience)

    def _let_go(self, backends: set[BaseCacheBackend]) -> None:
        with ExitStack() as closing:
            for backend in backends:
                backend.listeners.remove(self._audience)
                closing.callback(backend.close)
