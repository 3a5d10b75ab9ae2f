"""From whatever may stand for a backend to the backend."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, Union

from asynccache.backends.fallback_cache import FallbackCacheBackend
from asynccache.config.making import blaming, whole
from asynccache.config.mappings import from_mapping
from asynccache.config.stores import WORDS
from asynccache.config.texts import from_text, no_backend
from asynccache.model import BaseCacheBackend

logger = logging.getLogger(__name__)
BackendLike: TypeAlias = Union[BaseCacheBackend, str, Mapping[str, Any], Sequence["BackendLike"]]  # noqa: UP007  # quoted
_BAR = re.compile(r"\s*\|\s*(?=[\w+]+(?:://|\s*\||\s*$))")
"""What joins the parts of a chain; a `|` in a password is followed by neither a scheme nor a word."""
_HOLDS_NO_SECRET = (int, float, type, type(None))


def backend_of(given: BackendLike, name: str = "default") -> BaseCacheBackend:
    """Make a backend of an instance (itself), a URL, a bare word, a Django-style mapping, or a list of these: a chain.

    In a chain the word `"replit"` is left out where Replit's environment is not there. Raises `ConfigurationError` for
    anything else, which says what is wrong with the backend of this name, and `MissingDependencyError` where a client
    package is missing.
    """
    if isinstance(given, BaseCacheBackend):
        return whole(given)
    with blaming(f"backend {name!r}"):
        return _backend_of(given)


def _backend_of(given: object) -> BaseCacheBackend:
    if isinstance(given, BaseCacheBackend):
        return whole(given)
    if isinstance(given, Mapping):
        return from_mapping(given)
    if isinstance(given, str):
        parts = _BAR.split(given.strip())
        return from_text(given) if len(parts) == 1 else _chain(parts)
    if isinstance(given, list | tuple):
        return _chain(given)
    raise no_backend(given if isinstance(given, _HOLDS_NO_SECRET) else f"a {type(given).__name__}")


def _chain(parts: Sequence[object]) -> BaseCacheBackend:
    """Make a chain of those that are configured; where one is left, that is it."""
    kept = [part for part in parts if not (isinstance(part, str) and part in WORDS and not WORDS[part].is_configured)]
    if len(kept) < len(parts):
        logger.info("not configured, and left out of the chain: %s", [part for part in parts if part not in kept])
    backends = [_backend_of(part) for part in kept or parts]
    return backends[0] if len(backends) == 1 else FallbackCacheBackend(backends)
