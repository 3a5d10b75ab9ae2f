"""From what a configuration says to backends: instances, URLs, bare words, `CACHES`, the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from asynccache.errors import ConfigurationError, MissingDependencyError
from asynccache.model import BaseCacheBackend

if TYPE_CHECKING:
    from collections.abc import Callable

BackendLike = BaseCacheBackend | str | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Store:
    """How a word or a URL scheme becomes a backend: its class, and how it is told where its servers are."""

    path: str
    default_url: str = ""
    environment: str = ""

    def backend_class(self) -> type[BaseCacheBackend]:
        """Import the class."""
        return imported(self.path)  # type: ignore[no-any-return]  # the table below names backends only


LOCAL = Store("asynccache.backends.local_cache.LocalMemCacheBackend")
DUMMY = Store("asynccache.backends.dummy_cache.DummyCacheBackend")
REDIS = Store("asynccache.backends.redis.RedisCacheBackend", "redis://localhost:6379/0", "REDIS_URL")
MEMCACHED = Store("asynccache.backends.aio_cache.AioMemCacheBackend", "memcached://localhost:11211", "MEMCACHED_URL")

WORDS = {
    "local": LOCAL,
    "locmem": LOCAL,
    "memory": LOCAL,
    "dummy": DUMMY,
    "redis": REDIS,
    "memcache": MEMCACHED,
    "memcached": MEMCACHED,
}
SCHEMES = {
    "local": LOCAL,
    "dummy": DUMMY,
    "redis": REDIS,
    "rediss": REDIS,
    "unix": REDIS,
    "memcached": MEMCACHED,
}
_NONE = {"none": None, "": None}
_COERCED: dict[str, Callable[[str], Any]] = {
    "ttl": lambda text: _NONE[text.lower()] if text.lower() in _NONE else float(text),
    "deadline": float,
    "max_entries": int,
    "max_bytes": int,
    "pool_size": int,
    "copy": lambda text: {"true": True, "1": True, "false": False, "0": False}[text.lower()],
}


def backend_of(given: BackendLike) -> BaseCacheBackend:
    """Make a backend of an instance (itself), a URL, a bare word or a Django-style mapping.

    Raises `ConfigurationError` for anything else, and `MissingDependencyError` where a client package is missing.
    """
    if isinstance(given, BaseCacheBackend):
        return given
    if isinstance(given, Mapping):
        return _from_mapping(given)
    if not isinstance(given, str):
        raise ConfigurationError(
            f"{given!r:.80} is no backend: give an instance, a URL such as 'redis://localhost:6379/0', "
            f"or one of {sorted(WORDS)}"
        )
    return _from_url(given) if "://" in given else _from_word(given)


def backends_of(config: object) -> dict[str, BackendLike]:
    """Find `CACHES` in a mapping, an object, or whatever a dotted path names, and check that it has a default."""
    if isinstance(config, str):
        config = imported(config)
    caches = config.get("CACHES", config) if isinstance(config, Mapping) else getattr(config, "CACHES", None)
    if not isinstance(caches, Mapping):
        raise ConfigurationError(f"{config!r:.80} has no CACHES: give a mapping of names to backends by that name")
    if "default" not in caches:
        raise ConfigurationError(f"CACHES has no 'default', only {sorted(map(str, caches))}: name the one to use first")
    return dict(caches)


def environment_backends() -> dict[str, BackendLike]:
    """Give what the environment names, when it is asked: `ASYNCCACHE_URL`, else `REDIS_URL`, else local memory."""
    return {"default": os.environ.get("ASYNCCACHE_URL") or os.environ.get("REDIS_URL") or "local"}


def redacted(url: str) -> str:
    """Give a URL without its password."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    user, _, servers = parts.netloc.rpartition("@")
    name = user.partition(":")[0]
    return urlunsplit(parts._replace(netloc=f"{name}:***@{servers}"))


def imported(path: str) -> Any:
    """Import what a dotted path names: a module, or something in one."""
    module, _, name = path.rpartition(".")
    try:
        return getattr(import_module(module), name) if module else import_module(path)
    except AttributeError:
        pass
    except ModuleNotFoundError as missing:
        raise ConfigurationError(f"{path!r} cannot be imported: {missing}") from missing
    try:
        return import_module(path)
    except ModuleNotFoundError as missing:
        raise ConfigurationError(f"{path!r} cannot be imported: {module!r} has no {name!r}") from missing


def _from_word(word: str) -> BaseCacheBackend:
    store = WORDS.get(word)
    if store is None:
        raise ConfigurationError(f"{word!r} is no backend: give a URL or one of {sorted(WORDS)}")
    if store.default_url:
        return _from_url(os.environ.get(store.environment) or store.default_url)
    return store.backend_class()()


def _from_url(url: str) -> BaseCacheBackend:
    parts = urlsplit(url)
    store = SCHEMES.get(parts.scheme)
    if store is None:
        raise ConfigurationError(
            f"{redacted(url)!r}: no backend has the scheme {parts.scheme!r}; there are {sorted(SCHEMES)}"
        )
    options = {name: _coerced(name, text) for name, text in parse_qsl(parts.query, keep_blank_values=True)}
    if store.default_url:
        options["servers"] = urlunsplit(parts._replace(query=""))
    return _made(store.backend_class(), options, redacted(url))


def _from_mapping(given: Mapping[str, Any]) -> BaseCacheBackend:
    """Read Django's words: BACKEND, LOCATION, TIMEOUT, KEY_PREFIX, VERSION, OPTIONS."""
    named = {"LOCATION": "servers", "TIMEOUT": "ttl", "KEY_PREFIX": "key_prefix", "VERSION": "version"}
    unknown = sorted(map(str, given.keys() - named.keys() - {"BACKEND", "OPTIONS"}))
    if unknown or "BACKEND" not in given:
        wrong = f"does not know {unknown}" if unknown else "has no BACKEND"
        raise ConfigurationError(f"a backend's mapping {wrong}; it takes BACKEND, OPTIONS, {', '.join(named)}")
    path = given["BACKEND"]
    cls = WORDS[path].backend_class() if path in WORDS else imported(path)
    options = {named[name]: value for name, value in given.items() if name in named}
    return _made(cls, options | dict(given.get("OPTIONS", {})), str(path))


def _coerced(name: str, text: str) -> Any:
    try:
        return _COERCED.get(name, str)(text)
    except (KeyError, ValueError) as wrong:
        raise ConfigurationError(f"{name}={text!r} in a URL: not a value that it can have") from wrong


def _made(cls: type[BaseCacheBackend], options: dict[str, Any], source: str) -> BaseCacheBackend:
    makers = [vars(base)["__init__"] for base in cls.__mro__ if base is not object and "__init__" in vars(base)]
    known = {name for maker in makers for name in signature(maker).parameters}
    unknown = sorted(options.keys() - known)
    if unknown:
        known -= {"self", "args", "kwargs", "options"}
        raise ConfigurationError(f"{source!r}: {cls.__name__} has no option {unknown}; it has {sorted(known)}")
    try:
        return cls(**options)
    except (ConfigurationError, MissingDependencyError):
        raise
    except (TypeError, ValueError) as wrong:
        raise ConfigurationError(f"{source!r}: {wrong}") from wrong
