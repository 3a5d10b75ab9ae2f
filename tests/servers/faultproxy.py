"""A TCP proxy with faults, to be steered live; it has a thread and a loop of its own, so any client will do.

with FaultProxy("127.0.0.1", server.port) as proxy:   # clients connect to 127.0.0.1:proxy.port
    proxy.set(latency=0.2, jitter=0.05)               # see Faults for all of them; `set` adds to what is set
    proxy.blackhole()                                 # accepts and takes, hands on nothing
    proxy.reset_all()                                 # RST to every open connection
    proxy.half_close()                                # FIN to every client; their requests still pass
    proxy.refuse()                                    # nobody listens: ECONNREFUSED
    proxy.heal()                                      # as new, on the same port
"""

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Self, TypeVar

from tests.servers.faults import Faults
from tests.servers.link import Link
from tests.servers.process import HOST, free_port

T = TypeVar("T")


class FaultProxy:
    """Stand between clients and the server at `host:port`; the dice are seeded."""

    host = HOST

    def __init__(self, host: str, port: int, *, seed: int = 0) -> None:
        self.port = free_port()
        self.faults = Faults()
        self.counts: Counter[str] = Counter()
        """What happened: connections, refused (by the server), chunks, resets."""
        self.dice = random.Random(seed)
        self._upstream = (host, port)
        self._links: set[Link] = set()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"faultproxy-{port}", daemon=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """`host:port` for clients."""
        return f"{self.host}:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._links)

    def start(self) -> Self:
        """Listen."""
        self._thread.start()
        self._do(self._listen())
        return self

    def stop(self) -> None:
        """Drop all connections and end."""
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def set(self, **faults: Any) -> None:
        """Change the named fields of `Faults`, for connections that are open too."""
        self.faults = replace(self.faults, **faults)

    def blackhole(self) -> None:
        """Take everything and hand on nothing until healed; then what was held arrives."""
        self.set(blackhole=True)

    def refuse(self) -> None:
        """Reset all connections and refuse new ones, as a host does where no server runs."""
        self._do(self._unlisten())
        self.reset_all()

    def reset_all(self) -> None:
        """Reset all open connections."""
        self._do(self._on_links(Link.reset))

    def half_close(self) -> None:
        """Close all open connections towards their clients, whose requests still reach the server."""
        self._do(self._on_links(Link.finish))

    def heal(self) -> None:
        """Take all faults away and listen again, on the same port."""
        self.faults = Faults()
        self._do(self._listen())

    def _do(self, steps: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(steps, self._loop).result(10)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, HOST, self.port, backlog=1024)

    async def _unlisten(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _on_links(self, act: Any) -> None:
        for link in list(self._links):
            act(link)

    async def _close(self) -> None:
        await self._unlisten()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for link in list(self._links):
            link.reset()
        await asyncio.wait(tasks, timeout=1) if tasks else None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts["connections"] += 1
        try:
            upstream = await asyncio.open_connection(*self._upstream)
        except OSError:
            self.counts["refused"] += 1
            writer.transport.abort()
            return
        link = Link(self, (reader, writer), upstream)
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)
