"""How the contract makes backends and calls them: both flavours through one face."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol
from uuid import uuid4

import pytest
import pytest_asyncio

from asynccache.config import backend_of
from asynccache.plan.io import BLOCKING, LOOP, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from asynccache.model import BaseCacheBackend, Capability

    BackendFactory = Callable[..., BaseCacheBackend]


class Flavour(Enum):
    """Which of the twins a test calls."""

    SYNC = "sync"
    ASYNC = "async"


class Flavoured:
    """A backend whose operations are awaited in tests, whichever twin does the work.

    The sync ones run in worker threads: each call may come from another one.
    """

    def __init__(self, backend: BaseCacheBackend, flavour: Flavour) -> None:
        self.backend = backend
        self.flavour = flavour

    def __getattr__(self, operation: str) -> Callable[..., Awaitable[Any]]:
        if self.flavour is Flavour.ASYNC:
            twin: Callable[..., Awaitable[Any]] = getattr(self.backend, f"{operation}_async")
            return twin
        plain = getattr(self.backend, operation)

        async def in_thread(*args: Any, **options: Any) -> Any:
            return await asyncio.to_thread(plain, *args, **options)

        return in_thread

    def can(self, capability: Capability) -> bool:
        """Tell whether the backend promises this."""
        return capability in self.backend.capabilities

    async def plan(self, name: str, *args: Any, **options: Any) -> Any:
        """Finish a plan of the backend, in the way of this flavour."""
        plan = getattr(self.backend, name)
        if self.flavour is Flavour.ASYNC:
            return await plan(LOOP, *args, **options)
        return await asyncio.to_thread(lambda: run(plan(BLOCKING, *args, **options)))

    async def close(self) -> None:
        """Let go of connections."""
        if self.flavour is Flavour.ASYNC:
            await self.backend.aclose()
        else:
            await asyncio.to_thread(self.backend.close)


class MakeCache(Protocol):
    """Makes a backend with these options over those of `backend_factory`; it is closed after the test."""

    def __call__(self, **options: Any) -> Flavoured:
        """Make it."""


@pytest.mark.asyncio(loop_scope="function")
class ContractBase:
    """What the parts of the suite share; subclasses of the suite override what is here."""

    time_is_free: ClassVar[bool] = False
    """Whether `pass_time` only moves a `FakeClock`: then years are tested too."""

    def make_backend(self, **options: Any) -> BaseCacheBackend:
        """Make the backend under test; `options` are those that every backend takes."""
        raise NotImplementedError(f"{type(self).__name__} needs make_backend(self, **options) or backend_factory")

    async def pass_time(self, seconds: float) -> None:
        """Let time pass for the backend; where it has a `FakeClock`, advance that instead."""
        await asyncio.sleep(seconds)

    async def replicated(self) -> None:
        """Wait until all can read what was written; override it where that takes a moment, as with replicas."""

    @pytest.fixture
    def backend_factory(self) -> BackendFactory:
        """Give the function that makes backends; override it to use fixtures of your own."""
        return self.make_backend

    @pytest.fixture(params=list(Flavour), ids=lambda flavour: flavour.value)
    def flavour(self, request: pytest.FixtureRequest) -> Flavour:
        """Run the test once for each of the twins."""
        flavour: Flavour = request.param
        return flavour

    @pytest.fixture
    def prefix(self) -> str:
        """Give a key prefix that nobody else uses."""
        return f"contract-{uuid4().hex[:16]}"

    @pytest_asyncio.fixture(loop_scope="function")
    async def make_cache(
        self, backend_factory: BackendFactory, flavour: Flavour, prefix: str
    ) -> AsyncIterator[MakeCache]:
        """Make any number of backends over the same store, closed in the end."""
        made: list[Flavoured] = []

        def make(**options: Any) -> Flavoured:
            made.append(Flavoured(backend_of(backend_factory(**{"key_prefix": prefix, **options})), flavour))
            return made[-1]

        yield make
        for cache in made:
            await cache.close()

    @pytest.fixture
    def cache(self, make_cache: MakeCache) -> Flavoured:
        """Give a backend with default options."""
        return make_cache()
