"""The body of a request on its passage: noted as it comes, for whoever else needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from asynccache.http.reads import Reads

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope

    from asynccache.http.current import Installed


class NotedBody:
    """What comes of a request's body, whoever receives it.

    Args:
        receive: where it comes from.
        limit: bytes of the longest one that is kept; 0: it is only measured.
    """

    __slots__ = ("_ended", "_kept", "_limit", "_receive", "_unread", "size")

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._kept = bytearray()
        self._unread: list[Message] = []
        self._ended = False
        self.size = 0

    async def receive(self) -> Message:
        """Receive the next message."""
        return self._unread.pop(0) if self._unread else await self._next()

    async def whole(self) -> bytes:
        """Give all of it; whoever receives later gets it, too."""
        while not self._ended:
            message = await self._next()
            self._unread.append(message)
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
        if self.size != len(self._kept):
            raise RuntimeError(f"a body of {self.size} bytes is longer than what its Content-Length allowed")
        return bytes(self._kept)

    async def _next(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            chunk = message.get("body", b"")
            self.size += len(chunk)
            if self.size <= self._limit:
                self._kept += chunk
            self._ended = not message.get("more_body", False)
        return message


class PassageReads(Reads):
    """What is read of a request on its passage, whose body is noted as it comes."""

    def __init__(self, body: NotedBody, scope: Scope, found: Installed) -> None:
        self._body = body
        super().__init__(scope, None, found.lifespan_state)

    def _has_read_body(self) -> bool:
        return self._body.size > 0
