"""From what a configuration says to backends: instances, URLs, bare words, `CACHES`, the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from asynccache.backends.servers import redacted
from asynccache.errors import ConfigurationError, MissingDependencyError
from asynccache.model import BaseCacheBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

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
_COERCED: dict[str, tuple[Callable[[str], Any], str]] = {
    "ttl": (lambda text: _NONE[text.lower()] if text.lower() in _NONE else float(text), "seconds, or none"),
    "deadline": (float, "seconds"),
    "max_entries": (int, "a whole number"),
    "max_bytes": (int, "a whole number"),
    "pool_size": (int, "a whole number"),
    "copy": (lambda text: {"true": True, "1": True, "false": False, "0": False}[text.lower()], "true or false"),
}
_OBJECTS = frozenset({"clock", "options", "serializer"})
"""Options that no text can name: they need an instance."""
_CHAIN = re.compile(r"\|\s*\w+(://|$)")
_HOLDS_NO_SECRET = (int, float, type, type(None))
_SERVERS = frozenset({"host", "hosts", "port", "servers"})


def backend_of(given: BackendLike, name: str = "default") -> BaseCacheBackend:
    """Make a backend of an instance (itself), a URL, a bare word or a Django-style mapping.

    Raises `ConfigurationError` for anything else, which says what is wrong with the backend of this name, and
    `MissingDependencyError` where a client package is missing.
    """
    if isinstance(given, BaseCacheBackend):
        return _whole(given)
    with _blaming(f"backend {name!r}"):
        if isinstance(given, Mapping):
            return _from_mapping(given)
        if not isinstance(given, str):
            raise _no_backend(given if isinstance(given, _HOLDS_NO_SECRET) else f"a {type(given).__name__}")
        if _CHAIN.search(given):
            raise ConfigurationError("this version has no chains of backends: give one of them")
        return _from_url(given) if "://" in given else _from_word(given)


def backends_of(config: object) -> dict[str, BackendLike]:
    """Find `CACHES` in a mapping, an object, or whatever a dotted path names, and check that it has a default."""
    if isinstance(config, str):
        if "://" in config:
            raise ConfigurationError(
                f"{redacted(config)!r} is no dotted path: give a URL to CacheModule.setup(default=...)"
            )
        config = imported(config)
    caches = config.get("CACHES", config) if isinstance(config, Mapping) else getattr(config, "CACHES", None)
    if not isinstance(caches, Mapping):
        raise ConfigurationError(
            f"this {type(config).__name__} has no mapping CACHES: say e.g. CACHES = {{'default': 'local'}}"
        )
    if odd := [name for name in caches if not isinstance(name, str)]:
        raise ConfigurationError(f"a backend's name is a str, not {odd[0]!r:.80}")
    if "default" not in caches:
        neither = "CACHES has no" if caches is not config else "there is no CACHES, nor a"
        raise ConfigurationError(
            f"{neither} 'default', only {sorted(map(str, caches))}: say e.g. CACHES = {{'default': 'local'}}"
        )
    return dict(caches)


def environment_backends() -> dict[str, BackendLike]:
    """Give what the environment names, when it is asked: `ASYNCCACHE_URL`, else `REDIS_URL`, else local memory."""
    for variable in ("ASYNCCACHE_URL", "REDIS_URL"):
        if given := os.environ.get(variable):
            with _blaming(f"{variable} in the environment"):
                return {"default": backend_of(given)}
    return {"default": "local"}


def imported(path: str) -> Any:
    """Import what a dotted path names: a module, or something in one."""
    if not all(part.isidentifier() for part in path.split(".")):
        raise ConfigurationError(f"{path!r} is no dotted path, such as 'shop.settings'")
    module, _, name = path.rpartition(".")
    try:
        found = import_module(module or path)
        if not module or hasattr(found, name):
            return getattr(found, name) if module else found
        return import_module(path)
    except ModuleNotFoundError as missing:
        why = f"{module!r} has no {name!r}" if missing.name == path and module else str(missing)
        raise ConfigurationError(f"{path!r} cannot be imported: {why}") from missing


def _from_word(word: str) -> BaseCacheBackend:
    store = WORDS.get(word)
    if store is None:
        raise _no_backend(redacted(word))
    if url := os.environ.get(store.environment):
        with _blaming(f"{store.environment} in the environment"):
            return _from_url(url)
    return _from_url(store.default_url) if store.default_url else store.backend_class()()


def _from_url(url: str) -> BaseCacheBackend:
    source = redacted(url)
    try:
        parts = urlsplit(url)
    except ValueError as wrong:
        raise ConfigurationError(f"{source!r} is no URL: {wrong}") from wrong
    store = SCHEMES.get(parts.scheme)
    if store is None:
        raise _no_backend(source)
    cls = store.backend_class()
    known = _options_of(cls) - _OBJECTS - _SERVERS
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if any("@" in name for name in given):
        raise ConfigurationError(f"{source!r} is no URL: write / # ? @ in a password as %2F %23 %3F %40")
    options = {name: _coerced(name, given.pop(name)) for name in known & given.keys()}
    theirs = {} if not store.default_url or given.keys() & _SERVERS else given
    _check_options(given.keys() - theirs.keys(), known, f"{source!r}: in a URL {cls.__name__}")
    if store.default_url:
        options["servers"] = url.partition("?")[0] + (f"?{urlencode(theirs)}" if theirs else "")
    elif parts.netloc or parts.path.strip("/"):
        raise ConfigurationError(f"{source!r}: {cls.__name__} has no servers: write '{parts.scheme}://?ttl=60'")
    try:
        return _made(cls, options, source)
    except ConfigurationError as wrong:
        if not theirs:
            raise
        raise ConfigurationError(f"{wrong}; {cls.__name__} itself has {sorted(known)}") from wrong.__cause__


def _from_mapping(given: Mapping[str, Any]) -> BaseCacheBackend:
    """Read Django's words: BACKEND, LOCATION, TIMEOUT, KEY_PREFIX, VERSION, OPTIONS."""
    named = {"LOCATION": "servers", "TIMEOUT": "ttl", "KEY_PREFIX": "key_prefix", "VERSION": "version"}
    unknown = sorted(map(str, given.keys() - named.keys() - {"BACKEND", "OPTIONS"}))
    if unknown or "BACKEND" not in given:
        wrong = f"does not know {unknown}" if unknown else "has no BACKEND"
        raise ConfigurationError(f"the mapping {wrong}; it takes BACKEND, OPTIONS, {', '.join(named)}")
    cls = _backend_class(given["BACKEND"])
    if "LOCATION" in given and "servers" not in _options_of(cls):
        raise ConfigurationError(f"{cls.__name__} has no servers: leave LOCATION out")
    extra = given.get("OPTIONS") or {}
    if not isinstance(extra, Mapping):
        raise ConfigurationError(f"OPTIONS is a mapping of options, not a {type(extra).__name__}")
    options = {named[name]: value for name, value in given.items() if name in named} | dict(extra)
    _check_options(options, _options_of(cls), cls.__name__)
    return _made(cls, options, cls.__name__)


def _backend_class(given: object) -> type[BaseCacheBackend]:
    """Find the class that BACKEND names."""
    if isinstance(given, str) and given in WORDS:
        return WORDS[given].backend_class()
    shown = redacted(given) if isinstance(given, str) else given
    if not isinstance(given, str) or "." not in given or "://" in given:
        raise ConfigurationError(
            f"BACKEND={shown!r:.80}: give one of {sorted(WORDS)} or the dotted path of a class; servers go to LOCATION"
        )
    found = imported(given)
    if not (isinstance(found, type) and issubclass(found, BaseCacheBackend)):
        raise ConfigurationError(f"BACKEND={shown!r}: that is no class of backends, but {found!r:.80}")
    return found


def _no_backend(given: object) -> ConfigurationError:
    return ConfigurationError(
        f"{given!r:.80} is no backend: give a word of {sorted(WORDS)}, a URL such as 'redis://localhost:6379/0' "
        f"with a scheme of {sorted(SCHEMES)}, or an instance"
    )


@contextmanager
def _blaming(what: str) -> Iterator[None]:
    """Let errors begin with what was wrong."""
    try:
        yield
    except ConfigurationError as wrong:
        raise ConfigurationError(f"{what}: {wrong}") from wrong.__cause__


def _coerced(name: str, text: str) -> Any:
    coerce, expected = _COERCED.get(name, (str, "text"))
    try:
        return coerce(text)
    except (KeyError, ValueError) as wrong:
        raise ConfigurationError(f"{name}={text!r}: give {expected}") from wrong


def _options_of(cls: type[BaseCacheBackend]) -> set[str]:
    """Give the names of the arguments that the class and its bases take."""
    makers = [vars(base)["__init__"] for base in cls.__mro__ if base is not object and "__init__" in vars(base)]
    known = {name: known for maker in makers for name, known in signature(maker).parameters.items()}
    variadic = {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}
    return {name for name, parameter in known.items() if parameter.kind not in variadic} - {"self"}


def _check_options(options: Iterable[str], known: set[str], who: str) -> None:
    if unknown := sorted(set(options) - known):
        raise ConfigurationError(f"{who} has no option {unknown}; it has {sorted(known)}")


def _made(cls: type[BaseCacheBackend], options: dict[str, Any], source: str) -> BaseCacheBackend:
    try:
        return _whole(cls(**options))
    except (ConfigurationError, MissingDependencyError):
        raise
    except (TypeError, ValueError) as wrong:
        raise ConfigurationError(f"{source!r}: {wrong}") from wrong


def _whole(backend: BaseCacheBackend) -> BaseCacheBackend:
    """Give a backend that has all operations, over the plain methods of one that has no others."""
    if not backend.is_plain:
        return backend
    from asynccache.backends.plain import PlainBackend

    return PlainBackend(backend)
