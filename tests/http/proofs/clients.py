"""A client of the party, which may leave at any moment, and what an application may do for it."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import anyio

current: ContextVar["Client"] = ContextVar("client")


class Failed(Exception):
    """What an application raises."""


@dataclass(eq=False)
class Called:
    """One call of the application, on behalf of a client; nobody's, if a cache made it."""

    number: int
    kind: str
    client: "Client | None"
    variant: str | None = None
    body: bytes = b""
    confirmed: int = 0

    @property
    def is_for_all(self):
        return self.kind in {"fine", "streams"}


@dataclass(eq=False)
class Client:
    """Who asks once, and how it leaves; `barrier`: what was called before that is not for it."""

    number: int
    luck: Any
    leaves: str
    turns: int
    variant: str | None = None
    method: str = "GET"
    barrier: int = 0
    messages: list[dict[str, Any]] = field(default_factory=list)
    error: BaseException | None = None
    has_left: bool = False
    lasted: float = 0.0
    gone: anyio.Event = field(default_factory=anyio.Event)

    async def receive(self):
        if not self.messages and not self.gone.is_set() and self.turns >= 0:
            self.turns -= 1
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        await idle(self.luck)
        if self.gone.is_set() and self.luck.random() < 0.5:
            raise OSError("the client is gone")
        if self.leaves == "while it is sent to" and self.luck.random() < 0.4:
            self.leave()
            raise OSError("the client is gone")
        self.messages.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.gone.set()

    def leave(self):
        self.has_left = True
        self.gone.set()

    @property
    def body(self):
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def is_answered(self):
        kinds = [message["type"] for message in self.messages]
        ended = bool(self.messages) and not self.messages[-1].get("more_body", False)
        return kinds[:1] == ["http.response.start"] and set(kinds[1:]) == {"http.response.body"} and ended


async def idle(luck):
    """Let others go on: for a few turns, now and then for seconds."""
    if luck.random() < 0.1:
        await anyio.sleep(luck.random() * 2)
    for _ in range(int(1 / (1 - luck.random() * 0.9)) - 1):
        await anyio.sleep(0)


async def polling(scope, receive, send):
    """Answer nothing as long as the client is there."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Parts:
    """A body in parts, each of which may take a while."""

    def __init__(self, body, luck):
        self._parts = iter([body[place : place + 1] for place in range(len(body))])
        self._luck = luck

    def __aiter__(self):
        return self

    async def __anext__(self):
        if self._luck.random() < 0.3:
            await idle(self._luck)
        try:
            return next(self._parts)
        except StopIteration:
            raise StopAsyncIteration from None
