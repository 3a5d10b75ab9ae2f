"""Where operations in any order are tried: one backend, called in one flavour, by plain calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.model import Capability
from asynccache.service import CacheService
from asynccache.testing.contract.base import Flavour

if TYPE_CHECKING:
    from asyncio import Runner
    from collections.abc import Awaitable, Callable

    from asynccache.testing.contract.base import ContractBase, Flavoured

    Change = Callable[[Callable[..., Any]], Awaitable[object] | None]


class Ground:
    """Where a machine plays: one backend, called in one flavour, in versions that no other play has used."""

    def __init__(self, suite: ContractBase, cache: Flavoured, runner: Runner) -> None:
        self.backend = cache.backend
        self.flavour = cache.flavour
        self.can = cache.can
        self.time_is_free = suite.time_is_free
        self.slack = 0.01 if cache.can(Capability.SUBSECOND_TTL) else 1.01
        self.service = CacheService(default=cache.backend)
        self.plays = 0
        self._pass_time = suite.pass_time
        self._runner = runner

    def call(self, name: str, *args: Any, on: Any = None, **options: Any) -> Any:
        """Call an operation of the backend, or of the service."""
        target = self.backend if on is None else on
        if self.flavour is Flavour.SYNC:
            return getattr(target, name)(*args, **options)
        return self._runner.run(getattr(target, f"{name}_async")(*args, **options))

    def load(self, key: str, version: str, value: Any, tags: tuple[str, ...], change: Change) -> tuple[Any, bool]:
        """Read through, and make this change while it is loading; tell whether it was loaded."""
        loaded = []
        target: Any = self.backend if self.can(Capability.FENCES) else self.service

        def load() -> Any:
            loaded.append(value)
            change(lambda name, *args, **options: getattr(target, name)(*args, **options))
            return value

        async def load_async() -> Any:
            loaded.append(value)
            made = change(lambda name, *args, **options: getattr(target, f"{name}_async")(*args, **options))
            if made is not None:
                await made
            return value

        factory = load if self.flavour is Flavour.SYNC else load_async
        result = self.call("get_or_set", key, factory, 60, version=version, tags=tags, on=self.service)
        return result, bool(loaded)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._runner.run(self._pass_time(seconds))
