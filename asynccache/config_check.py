"""What a configuration amounts to, and whether it works: each backend with its class, its place, and a ping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asynccache.backends.fallback_cache import FallbackCacheBackend
from asynccache.config import backend_of, backends_of, environment_backends
from asynccache.plan.io import BLOCKING, LOOP, run
from asynccache.probing import probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asynccache.model import BaseCacheBackend
    from asynccache.plan.io import IO


@dataclass(frozen=True, slots=True)
class Checked:
    """One backend as it was found.

    `name` is its name in the configuration; a chain's backends follow it, with their `place` in it from 1, which is
    else 0. `kind` is its class; `described` its repr, which has its servers and no passwords. `seconds` is what a ping
    took, `error` why there was no answer: one of them is None.
    """

    name: str
    place: int
    kind: str
    described: str
    seconds: float | None
    error: str | None


def check(config: object = None) -> list[Checked]:
    """Make the backends that a configuration names, ping each, and close them.

    Args:
        config: what `CacheModule.register_setup` takes.

    Raises `ConfigurationError` and `MissingDependencyError` as that does; a store that does not answer is a result.
    """
    return run(_check(BLOCKING, config))


async def check_async(config: object = None) -> list[Checked]:
    """Make the backends that a configuration names, ping each, and close them; see `check`."""
    return await _check(LOOP, config)


async def _check(io: IO, config: object) -> list[Checked]:
    named = environment_backends() if config is None else backends_of(config)
    backends = {name: backend_of(given, name) for name, given in named.items()}
    return [await _checked(io, name, *found) for name, backend in backends.items() for found in _parts(backend)]


def _parts(backend: BaseCacheBackend) -> Iterator[tuple[int, BaseCacheBackend]]:
    """Give a backend, and of a chain all that are in it."""
    yield 0, backend
    if isinstance(backend, FallbackCacheBackend):
        yield from enumerate(backend.backends, start=1)


async def _checked(io: IO, name: str, place: int, backend: BaseCacheBackend) -> Checked:
    seconds, error = None, None
    try:
        seconds = await probe(io, backend)
    except Exception as failure:  # noqa: BLE001  # whatever it is, it is what the user wants to hear
        error = f"{type(failure).__name__}: {failure}"
    finally:
        await backend.shut(io)
    return Checked(name, place, type(backend).__name__, repr(backend), seconds, error)
