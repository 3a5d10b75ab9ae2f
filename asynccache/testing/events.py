"""Hear what a backend or a service tells its listeners."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asynccache.core.events import Event, Observable


@contextmanager
def recorded_events(target: Observable) -> Iterator[list[Event]]:
    """Collect the events of a backend or a service within the block, in order.

    The list keeps what it has after the block; nothing is added then.
    """
    events: list[Event] = []
    listener = events.append
    target.listeners.append(listener)
    try:
        yield events
    finally:
        target.listeners.remove(listener)
