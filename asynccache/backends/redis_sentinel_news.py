"""What sentinels tell those who listen: that a failover begins, that it was given up, that there is a new master.

One task for each sentinel, on the portal's loop, whoever uses the backend from wherever; as long as somebody uses it.
"""

from __future__ import annotations

import asyncio
import os
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from asynccache.backends.redis_connections import arguments_of, unopened
from asynccache.backends.redis_ear import Ear, HeardNothingError
from asynccache.plan.clients import LoopClients
from asynccache.plan.portal import portal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from asynccache.backends.servers import Server

_BEGINS = b"+try-failover"
_SWITCH = b"+switch-master"
_OVER = (b"+promoted-slave", _SWITCH, b"+failover-end", b"+failover-end-for-timeout")
_GIVEN_UP = (b"-failover-abort-not-elected", b"-failover-abort-no-good-slave", b"-failover-abort-slave-timeout")
_LONGEST = 10.0
"""Seconds after which a failover whose end nobody told of is not waited for any more."""
_PAUSE = 0.25
IDLE_SECONDS = 10.0
"""How long nobody has to ask until nobody listens any more: so a backend that was forgotten keeps no connections."""


class News:
    """Listens to all sentinels of a service.

    Args:
        sentinels: each with the options for connections to it.
        service: what they call the master.
        doubt: called when the master may be another.
    """

    def __init__(
        self, sentinels: Sequence[tuple[Server, Mapping[str, Any]]], service: str, doubt: Callable[[], None]
    ) -> None:
        self._doubt = doubt
        self._service = service.encode()
        self._failovers: dict[str, float] = {}
        self._listening_in = 0
        self._used_at = 0.0
        self._idle_timer: asyncio.TimerHandle | None = None
        ears = [partial(_ear, server.scheme, arguments_of(server, options)) for server, options in sentinels]
        names = [server.name for server, _ in sentinels]
        self._ears = LoopClients(lambda: _Ears(dict(zip(names, ears, strict=True)), self._heard), _Ears.aclose)
        self.turn = 0
        """Grows when a failover begins, and when there is another master."""

    @property
    def is_changing(self) -> bool:
        """Tell whether a failover is under way: the server that still is the master will lose what it is told."""
        return bool(self._failovers) and any(until > monotonic() for until in self._failovers.copy().values())

    def listen(self) -> None:
        """Begin to listen, in this process, unless it does already; what is known of the master is in doubt then."""
        self._used_at = monotonic()
        if self._listening_in != (pid := os.getpid()):
            self._listening_in = pid
            self._failovers.clear()
            self._doubt()
            portal.loop().call_soon_threadsafe(self._open_or_close)

    def stop(self) -> None:
        """Listen no more."""
        if self._listening_in == os.getpid():
            self._listening_in = 0
            portal.loop().call_soon_threadsafe(self._open_or_close)

    def _open_or_close(self) -> None:
        """Do what was said last; here one comes after the other, so that none is left open."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
        if self._listening_in:
            self._ears.current()
            self._look_if_idle_at(self._used_at + IDLE_SECONDS)
        else:
            self._ears.close()

    def _look_if_idle_at(self, moment: float) -> None:
        self._idle_timer = portal.loop().call_later(moment - monotonic(), self._stop_if_idle)

    def _stop_if_idle(self) -> None:
        used_at = self._used_at
        if monotonic() < used_at + IDLE_SECONDS:
            self._look_if_idle_at(used_at + IDLE_SECONDS)
            return
        self.stop()
        if self._used_at != used_at:  # somebody has just asked, and may have seen that we listen
            self.listen()

    def begin(self, sentinel: str) -> None:
        """Take note that this sentinel is changing the master; the first note counts."""
        if sentinel not in self._failovers:
            self._failovers[sentinel] = monotonic() + _LONGEST
            self.turn += 1  # last, so that who has seen it knows of the failover

    def settle(self) -> None:
        """Take note that there is another master now."""
        self.turn += 1
        self._failovers.clear()

    def _heard(self, sentinel: str, channel: bytes, words: list[bytes]) -> None:
        if not channel:  # connected again: who knows what was said meanwhile
            self._doubt()
        elif service_of(channel, words) != self._service:
            return
        elif channel == _BEGINS:
            self._failovers.pop(sentinel, None)
            self.begin(sentinel)
        elif channel in _GIVEN_UP:
            self._failovers.pop(sentinel, None)
        else:
            self._doubt()


class _Ears:
    """The tasks that listen, on one loop."""

    def __init__(self, ears: Mapping[str, Callable[[], Ear]], heard: Callable[[str, bytes, list[bytes]], None]) -> None:
        self._heard = heard
        self._tasks = [
            asyncio.create_task(self._listen(name, make), name=f"asynccache-sentinel-{name}")
            for name, make in ears.items()
        ]

    async def aclose(self) -> None:
        """End all tasks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    async def _listen(self, name: str, make: Callable[[], Ear]) -> None:
        while True:
            ear = make()
            try:
                await ear.hear((_BEGINS, *_OVER, *_GIVEN_UP), partial(self._told, name))
            except HeardNothingError:
                pass
            finally:
                await ear.drop()
            await asyncio.sleep(_PAUSE)

    def _told(self, name: str, channel: bytes, text: bytes) -> None:
        self._heard(name, channel, text.split())


def _ear(scheme: str, arguments: Mapping[str, Any]) -> Ear:
    return Ear(unopened(scheme, arguments))


def service_of(channel: bytes, words: list[bytes]) -> bytes:
    """Read `service old-host ...`, `slave name host port @ service ...` or `master service host port`."""
    if channel == _SWITCH:
        return words[0]
    return words[words.index(b"@") + 1] if b"@" in words else words[1]
