"""Where configurations are: `CACHES` in mappings and objects, the app's own config, the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from asynccache.config.backends import backend_of
from asynccache.config.flask_words import TYPE, from_flask_words
from asynccache.config.making import blaming, imported, shown
from asynccache.errors import ConfigurationError

if TYPE_CHECKING:
    from asynccache.config.backends import BackendLike


def backends_of(config: object) -> dict[str, BackendLike]:
    """Find `CACHES` in a mapping, an object, or whatever a dotted path names, and check that it has a default."""
    if isinstance(config, str):
        if "://" in config:
            raise ConfigurationError(
                f"{shown(config)!r} is no dotted path: give a URL to CacheModule.setup(default=...)"
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


def app_backends(config: Mapping[str, object]) -> dict[str, BackendLike]:
    """Find what an application's config says: `CACHES`, else Flask-Caching's `CACHE_TYPE`; else ask the environment.

    `CACHES` that is missing, `None` or empty says nothing.
    """
    if config.get("CACHES"):
        return backends_of({"CACHES": config["CACHES"]})
    return {"default": from_flask_words(config)} if config.get(TYPE) else environment_backends()


def environment_backends() -> dict[str, BackendLike]:
    """Give what the environment names, when it is asked.

    That is `ASYNCCACHE_URL`, which may be a chain; else a chain of `REPLIT_DB_URL`, `REDIS_URL`, as far as they are
    set, and local memory.
    """
    if given := os.environ.get("ASYNCCACHE_URL"):
        with blaming("ASYNCCACHE_URL in the environment"):
            return {"default": backend_of(given)}
    words = {"replit": "REPLIT_DB_URL", "redis": "REDIS_URL"}
    return {"default": [*(word for word, variable in words.items() if os.environ.get(variable)), "local"]}
