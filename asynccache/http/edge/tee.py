"""An answer of the app on its way to the client: judged by its head, kept while it goes by, stored when it is whole.

The head is held until the first part of the body, and the part that completes the announced length until the app has
said that it is the last: so a response is stored before its client can know that it is over, and ask again. All of it
is held where the client gets a part of what is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynccache.http.headers import Pair, content_length, lines_of, lowered
from asynccache.http.statement import take_back

if TYPE_CHECKING:
    from asynccache.http.edge.answers import Answer
    from asynccache.http.edge.attempt import Attempt
    from asynccache.http.edge.incoming import Message, Send

_START = "http.response.start"
_BODY = "http.response.body"
_PASSING = frozenset({"http.response.early_hint", "http.response.push", "http.response.debug"})


class Tee:
    """Stands before `send` for one answer.

    `has_begun`: something of it went on; `is_broken`: the client could not be sent it.

    Args:
        attempt: what becomes of it.
        send: where the messages go.
    """

    __slots__ = (
        "_attempt",
        "_chunks",
        "_head",
        "_headers",
        "_held",
        "_is_replaced",
        "_length",
        "_send",
        "_size",
        "has_begun",
        "is_broken",
    )

    def __init__(self, attempt: Attempt, send: Send) -> None:
        self._attempt = attempt
        self._send = send
        self._head: Message | None = None
        self._headers: list[Pair] = []
        self._held: list[Message] = []
        self._chunks: list[bytes] = []
        self._size = 0
        self._length: int | None = None
        self._is_replaced = False
        self.has_begun = False
        self.is_broken = False

    async def __call__(self, message: Message) -> None:
        """Take a message of the app."""
        if self._is_replaced:
            return
        kind = message["type"]
        if kind == _START:
            await self._start(message)
        elif kind == _BODY and self._attempt.is_recording:
            await self._body(message)
        elif kind == _BODY or kind in _PASSING:
            await self._out(message)
        else:
            await self._give_up(f"the app sent {kind}")
            await self._out(message)

    async def finish(self) -> None:
        """Pass on what is held, where the app sends nothing more."""
        await self._give_up("the app did not finish it", of_request=True)

    def drop(self) -> None:
        """Let nothing more of this answer pass: there is another one."""
        self._is_replaced = True
        self._head = None
        self._held.clear()
        self._chunks.clear()

    # Head

    async def _start(self, message: Message) -> None:
        attempt = self._attempt
        message = dict(message)
        take_back(message)
        self._headers = lowered(message.get("headers", ()))
        self._head = message
        instead = await attempt.judge(message["status"], self._headers, trailers=bool(message.get("trailers")))
        if instead is not None:
            await self._replace(instead)
        elif attempt.is_mismatched:
            self.drop()
        elif attempt.is_recording:
            self._length = content_length(lines_of(b"content-length", self._headers))
        else:
            await self._release()

    async def _replace(self, answer: Answer) -> None:
        self.drop()
        self.has_begun = True
        await answer(self._send)

    async def _release(self) -> None:
        if self._head is not None:
            head, self._head = self._head, None
            self.has_begun = True
            await self._out({**head, "headers": self._attempt.told(self._headers)})
        held, self._held = self._held, []
        for message in held:
            await self._out(message)

    # Body

    async def _body(self, message: Message) -> None:
        chunk = bytes(message.get("body", b""))
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > self._attempt.limit(self._length):
            await self._give_up("it is too long")
        elif not message.get("more_body", False):
            await self._attempt.store(b"".join(self._chunks))
            if (part := self._attempt.part()) is not None:
                await self._replace(part)
                return
        elif self._size == self._length or self._attempt.slices:
            if chunk:
                self._held.append(message)
            return
        else:
            await self._attempt.sent_a_part()
        await self._release()
        await self._out(message)

    async def _give_up(self, why: str, *, of_request: bool = False) -> None:
        self._chunks.clear()
        await self._attempt.give_up(why, of_request=of_request)
        await self._release()

    async def _out(self, message: Message) -> None:
        try:
            await self._send(message)
        except BaseException:
            self.is_broken = True
            raise
