"""One client per running loop: connections of one loop are of no use to another."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Generic, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

C = TypeVar("C")


class LoopClients(Generic[C]):
    """Makes a client for each loop that asks, and closes them.

    Args:
        make: called on the loop that the client is for.
        close: awaited on the client's own loop.
    """

    def __init__(self, make: Callable[[], C], close: Callable[[C], Awaitable[None]]) -> None:
        self._make = make
        self._close = close
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, C] = WeakKeyDictionary()
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def current(self) -> C:
        """Return the client of the running loop."""
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None or self._pid != os.getpid():
            with self._lock:
                if self._pid != os.getpid():
                    self._clients, self._pid = WeakKeyDictionary(), os.getpid()
                client = self._clients.get(loop) or self._clients.setdefault(loop, self._make())
        return client

    async def aclose(self) -> None:
        """Close the clients of this loop, and of the other loops that still run."""
        with self._lock:
            clients, self._clients = dict(self._clients), WeakKeyDictionary()
        here = asyncio.get_running_loop()
        for loop, client in clients.items():
            if loop is here:
                await self._close(client)
            elif loop.is_running():
                asyncio.run_coroutine_threadsafe(self._closing(client), loop)

    def close(self) -> None:
        """Close the clients of all loops that run in other threads, without waiting for them."""
        with self._lock:
            clients, self._clients = dict(self._clients), WeakKeyDictionary()
        for loop, client in clients.items():
            if loop.is_running():
                asyncio.run_coroutine_threadsafe(self._closing(client), loop)

    async def _closing(self, client: C) -> None:
        await self._close(client)
