"""What all ways of configuring a backend have in common: classes by name, options by name, errors that say whose."""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

from asynccache.backends.servers import redacted
from asynccache.errors import ConfigurationError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from asynccache.model import BaseCacheBackend


def imported(path: str) -> Any:
    """Import what a dotted path names: a module, or something in one."""
    if not all(part.isidentifier() for part in path.split(".")):
        raise ConfigurationError(f"{shown(path)!r} is no dotted path, such as 'shop.settings'")
    module, _, name = path.rpartition(".")
    try:
        found = import_module(module or path)
        if not module or hasattr(found, name):
            return getattr(found, name) if module else found
        return import_module(path)
    except ModuleNotFoundError as missing:
        why = f"{module!r} has no {name!r}" if missing.name == path and module else str(missing)
        raise ConfigurationError(f"{path!r} cannot be imported: {why}") from missing


def made(cls: type[BaseCacheBackend], options: dict[str, Any], source: str) -> BaseCacheBackend:
    """Make a backend; whatever its class refuses is a `ConfigurationError`."""
    try:
        return whole(cls(**options))
    except (ConfigurationError, MissingDependencyError):
        raise
    except (TypeError, ValueError) as wrong:
        raise ConfigurationError(f"{source!r}: {wrong}") from wrong


def whole(backend: BaseCacheBackend) -> BaseCacheBackend:
    """Give a backend that has all operations, over the plain methods of one that has no others."""
    if not backend.is_plain:
        return backend
    from asynccache.backends.plain import PlainBackend

    return PlainBackend(backend)


def options_of(cls: type[BaseCacheBackend]) -> set[str]:
    """Give the names of the arguments that the class and its bases take."""
    makers = [vars(base)["__init__"] for base in cls.__mro__ if base is not object and "__init__" in vars(base)]
    variadic = {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}
    known = [parameter for maker in makers for parameter in signature(maker).parameters.values()]
    return {parameter.name for parameter in known if parameter.kind not in variadic} - {"self"}


def check_options(options: Iterable[str], known: set[str], who: str) -> None:
    """Raise for options that a class does not have."""
    if unknown := sorted(set(options) - known):
        raise ConfigurationError(f"{who} has no option {unknown}; it has {sorted(known)}")


def shown(text: str) -> str:
    """Give a text for an error, without what may be secret: passwords, queries, and all paths of web addresses."""
    scheme = text.partition("://")[0].lower()
    if scheme in {"http", "https", "replit"}:
        return "/".join([*redacted(text).split("/")[: 2 if scheme == "replit" else 3], "..."])
    return redacted(text)


@contextmanager
def blaming(what: str) -> Iterator[None]:
    """Let errors begin with what was wrong."""
    try:
        yield
    except ConfigurationError as wrong:
        raise ConfigurationError(f"{what}: {wrong}") from wrong.__cause__
