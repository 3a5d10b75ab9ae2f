"""Backends that are closed after the test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from asynccache.model import BaseCacheBackend

Make = Callable[..., Any]


@contextmanager
def making(kind: Callable[..., BaseCacheBackend], url: object = None, **defaults: object) -> Iterator[Make]:
    """Give a function that makes backends, over this URL and with these options unless it is told others."""
    with ExitStack() as open_ones:

        def make(url: object = url, **options: object) -> BaseCacheBackend:
            backend = kind(url, **defaults | options)
            open_ones.callback(backend.close)
            return backend

        yield make
