"""Backends in Django's words: BACKEND, LOCATION, TIMEOUT, KEY_PREFIX, VERSION, OPTIONS."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from asynccache.config.making import blaming, check_options, imported, made, options_of, shown
from asynccache.config.stores import WORDS
from asynccache.config.texts import PLACES, options_in
from asynccache.errors import ConfigurationError
from asynccache.model import BaseCacheBackend

_NAMED = {"TIMEOUT": "ttl", "KEY_PREFIX": "key_prefix", "VERSION": "version"}
_TAKEN = ("BACKEND", "OPTIONS", "LOCATION", *_NAMED)
_DJANGOS = {
    "dummy": "'dummy'",
    "locmem": "'local' without a LOCATION",
    "redis": "'redis' with the same LOCATION",
    "memcached": "'memcached' with the same LOCATION",
    "db": "'database' with LOCATION 'sqlite:///cache.db' or the URL of a server",
    "filebased": "'sqlite' with LOCATION 'sqlite:///cache.db'",
}


def from_mapping(given: Mapping[str, Any]) -> BaseCacheBackend:
    """Make a backend of what such a mapping says."""
    unknown = sorted(map(str, given.keys() - set(_TAKEN)))
    if unknown or "BACKEND" not in given:
        wrong = f"does not know {unknown}" if unknown else "has no BACKEND"
        raise ConfigurationError(f"the mapping {wrong}; it takes {', '.join(_TAKEN)}")
    cls = _backend_class(given["BACKEND"])
    known = options_of(cls)
    extra = given.get("OPTIONS") or {}
    if not isinstance(extra, Mapping):
        raise ConfigurationError(f"OPTIONS is a mapping of options, not a {type(extra).__name__}")
    options = {_NAMED[name]: value for name, value in given.items() if name in _NAMED} | dict(extra)
    check_options(options, known, cls.__name__)
    return made(cls, _place(given, known, cls.__name__, options) | options, cls.__name__)


def _place(given: Mapping[str, Any], known: set[str], name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Give the argument that says where: LOCATION, else what the environment says of the word, with its options."""
    location, elsewhere = given.get("LOCATION"), sorted(PLACES & options.keys())
    if location is not None and elsewhere:
        raise ConfigurationError(f"LOCATION, and {elsewhere} in OPTIONS: give one of them")
    if location is not None:
        argument = next((argument for argument in ("servers", "url") if argument in known), None)
        if argument is None:
            raise ConfigurationError(f"{name} has no servers: leave LOCATION out")
        return {argument: location}
    store = WORDS.get(given["BACKEND"])
    url = os.environ.get(store.environment) if store and not elsewhere else None
    if not store or not url:
        return {}
    with blaming(f"{store.environment} in the environment"):
        return options_in(url)[1]


def _backend_class(given: object) -> type[BaseCacheBackend]:
    """Find the class that BACKEND names."""
    if isinstance(given, str) and given in WORDS:
        return WORDS[given].backend_class()
    name = shown(given) if isinstance(given, str) else given
    if not isinstance(given, str) or "." not in given or "://" in given:
        raise ConfigurationError(
            f"BACKEND={name!r:.80}: give one of {sorted(WORDS)} or the dotted path of a class; servers go to LOCATION"
        )
    if given.startswith("django."):
        raise _djangos(given)
    found = imported(given)
    if not (isinstance(found, type) and issubclass(found, BaseCacheBackend)):
        raise ConfigurationError(f"BACKEND={name!r}: that is no class of backends, but a {type(found).__name__}")
    if "backends" in options_of(found):
        raise ConfigurationError(f"BACKEND={name!r}: a chain is a list, such as {{'default': ['redis', 'local']}}")
    return found


def _djangos(path: str) -> ConfigurationError:
    """Tell who moves in from Django what is here in that class's place."""
    module = path.rpartition(".")[0].rpartition(".")[2]
    return ConfigurationError(
        f"BACKEND={path!r} is Django's; in its place take {_DJANGOS.get(module, f'one of {sorted(WORDS)}')}, or keep "
        "Django's own cache by asynccache.backends.django_cache.DjangoCacheBackend(alias)"
    )
