"""Secrets that sing: words that no log, message, repr or number may have, and somebody who listens for them."""

import asyncio
import logging
import re
import traceback
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

SONG = "canary7f3"
VALUE = f"{SONG}-value"
PASSWORD = f"{SONG}-password"
WORDS = (SONG, "hunter2", "kept-to-ourselves")
"""Passwords, secrets and values of tests, of which no log may have one."""
_WRITES: dict[str, tuple[Any, ...]] = {
    "set": ("k", VALUE),
    "set_many": ({"k": VALUE, "l": VALUE.encode(), "m": [VALUE]},),
    "add": ("k", [VALUE]),
}
_OTHERS: dict[str, tuple[Any, ...]] = {
    "get": ("k",),
    "get_many": (["k", "l"],),
    "has_key": ("k",),
    "incr": ("k",),
    "touch": ("k", 60),
    "delete": ("k",),
    "delete_many": (["k", "l"],),
}


class Listener:
    """Hears what is raised, logged, warned of and shown, and knows who sang."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.errors = 0

    def hear(self, *things: object) -> None:
        """Listen to how these show themselves."""
        for thing in things:
            if isinstance(thing, BaseException):
                self.errors += 1
                self.heard += traceback.format_exception(thing)
            self.heard += [repr(thing), str(thing)]

    @contextmanager
    def whatever_is_raised(self) -> Iterator[None]:
        """Listen to what is raised, and let nobody else hear it."""
        try:
            yield
        except Exception as error:  # all of them are heard
            self.hear(error)

    def hear_result_of(self, call: Callable[[], object]) -> None:
        """Listen to what this returns or raises."""
        with self.whatever_is_raised():
            self.hear(call())

    @property
    def songs(self) -> list[str]:
        """What was heard of the canaries, with a little of what surrounds it."""
        return re.findall(rf".{{0,60}}{SONG}.{{0,20}}", "\n".join(self.heard), re.IGNORECASE)


@contextmanager
def listening(caplog: pytest.LogCaptureFixture) -> Iterator[Listener]:
    """Listen to all loggers and all warnings too; in the end nobody has sung."""
    listener = Listener()
    with warnings.catch_warnings(record=True) as warned, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        yield listener
    listener.heard += [caplog.text, *(repr(record.args) for record in caplog.records)]
    listener.heard += [str(warning.message) for warning in warned]
    assert not listener.songs, listener.songs


async def use(listener: Listener, cache: Any) -> None:
    """Call every operation in both flavours, writing canaries."""
    for operation, args in (*_WRITES.items(), *_OTHERS.items()):
        with listener.whatever_is_raised():
            await getattr(cache, f"{operation}_async")(*args)
        with listener.whatever_is_raised():
            await asyncio.to_thread(getattr(cache, operation), *args)
    listener.hear(cache, cache.stats())


async def expect_error(listener: Listener, call: Callable[[], Any]) -> None:
    """Listen to the error that this raises; there has to be one."""
    errors = listener.errors
    with listener.whatever_is_raised():
        made = call()
        if isinstance(made, Awaitable):
            await made
    assert listener.errors == errors + 1
