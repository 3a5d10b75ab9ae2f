"""Who is told: events on their way to listeners."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asynccache.core.events import Event, Listener, Observable

logger = logging.getLogger(__name__)


class Audience:
    """The listeners of a service, which are one listener to each of its backends."""

    def __init__(self, service: Observable) -> None:
        self._service = service

    @property
    def is_there(self) -> bool:
        """Whether there are any."""
        return bool(self._service.listeners)

    def __call__(self, event: Event) -> None:
        """Hand it on."""
        announce(event, self._service.listeners)


def announce(event: Event, listeners: Iterable[Listener]) -> None:
    """Hand an event to listeners; one that raises is logged, and fails nobody's operation."""
    for listener in tuple(listeners):
        try:
            listener(event)
        except Exception:
            logger.exception("the listener %r failed at %r", listener, event)
