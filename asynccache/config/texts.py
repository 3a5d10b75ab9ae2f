"""Bare words and URLs: `"redis"`, `"local://?ttl=60"`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from asynccache.config.making import blaming, check_options, made, options_of, shown
from asynccache.config.stores import MEMCACHED, SCHEMES, WORDS, store_of
from asynccache.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from asynccache.config.stores import Store
    from asynccache.model import BaseCacheBackend

_NONE = {"none": None, "": None}
_BOOLS = {"true": True, "1": True, "false": False, "0": False}
_COERCED: dict[str, tuple[Callable[[str], Any], str]] = {
    "ttl": (lambda text: _NONE[text.lower()] if text.lower() in _NONE else float(text), "seconds, or none"),
    "deadline": (float, "seconds"),
    "max_entries": (int, "a whole number"),
    "max_bytes": (int, "a whole number"),
    "pool_size": (int, "a whole number"),
    "copy": (lambda text: _BOOLS[text.lower()], "true or false"),
    "unlogged": (lambda text: _BOOLS[text.lower()], "true or false"),
}
_OBJECTS = frozenset({"clock", "options", "serializer"})
"""Options that no text can name: they need an instance."""
PLACES = frozenset({"host", "hosts", "port", "servers", "url"})
"""Options that say where a backend keeps things."""


def from_text(text: str) -> BaseCacheBackend:
    """Make a backend of a URL or a bare word."""
    if "://" in text:
        return _from_url(text)
    store = WORDS.get(text)
    if store is None:
        raise no_backend(shown(text))
    if url := os.environ.get(store.environment):
        with blaming(f"{store.environment} in the environment"):
            return _from_url(url)
    return _from_url(store.default_url) if store.default_url else made(store.backend_class(), {}, text)


def no_backend(given: object) -> ConfigurationError:
    """Say that something is no backend, and what is."""
    return ConfigurationError(
        f"{given!r:.80} is no backend{_meant(given)}: give a word of {sorted(WORDS)}, a URL such as "
        f"'redis://localhost:6379/0' with a scheme of {sorted(SCHEMES)}, an instance, or a list of these"
    )


def _meant(given: object) -> str:
    """Guess what was misspelt."""
    from difflib import get_close_matches

    name, slash, _ = str(given).strip().lower().partition(":/")
    near = get_close_matches(name, SCHEMES if slash else WORDS, n=1, cutoff=0.75)  # 0.71: localhost is not local
    return f" (did you mean {near[0] + ('://' if slash else '')!r}?)" if near else ""


def options_in(url: str) -> tuple[type[BaseCacheBackend], dict[str, Any]]:
    """Read a URL: the class that it means, and the options for that, its address among them."""
    store, parts = _read(url)
    cls = store.backend_class()
    known = _in_texts(cls)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if any("@" in name for name in given):
        raise ConfigurationError(f"{shown(url)!r} is no URL: write / # ? @ in a password as %2F %23 %3F %40")
    options = {name: _coerced(name, given.pop(name)) for name in known & given.keys()}
    theirs = {} if not store.argument or given.keys() & PLACES else given
    check_options(given.keys() - theirs.keys(), known, f"{shown(url)!r}: in a URL {cls.__name__}")
    if store.argument:
        options[store.argument] = _address(store, url, theirs)
    elif parts.netloc or parts.path.strip("/"):
        raise ConfigurationError(f"{shown(url)!r}: {cls.__name__} has no servers: write '{parts.scheme}://?ttl=60'")
    return cls, options


def _from_url(url: str) -> BaseCacheBackend:
    cls, options = options_in(url)
    try:
        return made(cls, options, shown(url))
    except ConfigurationError as wrong:
        if not any("?" in options.get(argument, "") for argument in PLACES):
            raise
        raise ConfigurationError(f"{wrong}; {cls.__name__} itself has {sorted(_in_texts(cls))}") from wrong.__cause__


def _in_texts(cls: type[BaseCacheBackend]) -> set[str]:
    """Give the options that a URL's query can name."""
    return options_of(cls) - _OBJECTS - PLACES


def _read(url: str) -> tuple[Store, Any]:
    try:
        parts = urlsplit(url)
    except ValueError as wrong:
        raise ConfigurationError(f"{shown(url)!r} is no URL: {wrong}") from wrong
    store = store_of(parts.scheme)
    if store is None:
        raise no_backend(shown(url))
    return store, parts


def _address(store: Store, url: str, query: dict[str, str]) -> str:
    """Give the URL without our options; `memcached:///run/a.sock` names unix sockets, as the class wants them."""
    address = url.partition("?")[0]
    if store is MEMCACHED and address.startswith("memcached:///"):
        address = address.removeprefix("memcached://")
    return address + (f"?{urlencode(query)}" if query else "")


def _coerced(name: str, text: str) -> Any:
    coerce, expected = _COERCED.get(name, (str, "text"))
    try:
        return coerce(text)
    except (KeyError, ValueError) as wrong:
        raise ConfigurationError(f"{name}={text!r}: give {expected}") from wrong
