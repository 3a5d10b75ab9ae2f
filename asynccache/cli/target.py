"""Which cache a command is about: that of `--url`, of `--config`, else what the environment names."""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asynccache.cli.output import tell
from asynccache.config import backend_of, backends_of, environment_backends
from asynccache.errors import CacheError, ConfigurationError
from asynccache.model import Capability
from asynccache.service import CacheService

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asynccache.model import BaseCacheBackend

Url = Annotated[str | None, typer.Option("--url", "-u", help="A backend's URL or word, such as redis://localhost.")]
Config = Annotated[
    str | None, typer.Option("--config", "-c", help="The dotted path of what has CACHES, such as shop.settings.")
]
Backend = Annotated[str, typer.Option("--backend", "-b", help="The backend's name in the configuration.")]
Version = Annotated[
    str | None, typer.Option("--version", help="The version of the entries; the backend's, if not given.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def backends(url: str | None, config: str | None) -> dict[str, BaseCacheBackend]:
    """Make the backends that the options name, or without options the environment."""
    if url is not None and config is not None:
        raise ConfigurationError("give --url or --config, not both")
    if url is not None:
        return {"default": backend_of(url)}
    if config is None:
        named = environment_backends()
    else:
        with importing(config):
            named = backends_of(config)
    return {name: backend_of(given, name) for name, given in named.items()}


def service(url: str | None, config: str | None, *, strict: bool = False) -> CacheService:
    """Make a service of them; a strict one raises where a store is away, and calls nothing a miss that is none."""
    made = backends(url, config)
    for backend in made.values():
        if strict and hasattr(backend, "on_error"):
            backend.on_error = "raise"
    return CacheService(**made)


@contextmanager
def importing(path: str) -> Iterator[None]:
    """Let whatever a user's module raises when it is imported be a configuration that is wrong."""
    try:
        yield
    except (CacheError, ModuleNotFoundError):
        raise
    except Exception as failure:
        raise ConfigurationError(f"{path!r} cannot be imported: {type(failure).__name__}: {failure}") from failure


def imported(path: str, what: str) -> Any:
    """Import what `module:name` names; `ConfigurationError` where there is nothing, or `path` is no such name."""
    module, colon, name = path.partition(":")
    if not (colon and module and name):
        raise ConfigurationError(f"{path!r}: write module:{what}")
    try:
        with importing(module):
            found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ModuleNotFoundError, AttributeError) as missing:
        raise ConfigurationError(f"{path!r} cannot be found: {missing}") from missing
    return found


def warn(service: CacheService, name: str) -> None:
    """Say that nothing is left for the next call, where the backend lives in this process."""
    backend = service.get_backend(name)
    if Capability.SHARED not in backend.capabilities:
        tell(
            f"{name}: {type(backend).__name__} keeps entries in this process only, and nothing for the next "
            "call: give --url or --config"
        )
