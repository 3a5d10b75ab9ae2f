"""Recording an answer while it goes by: one tee around `send`, for every framework, since all end in ASGI messages.

The head is held until the first part of the body, so that an answer of one message is stored, and those who wait for
it served, before the client can have read it. Once it is known that nothing will be stored, messages only pass.
"""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from asynccache.http.ask import values_of
from asynccache.http.conditions import CONDITIONAL_STATUSES
from asynccache.http.headers import Pair, age_of, end_to_end, joined, lowered, split_list, weak_etag
from asynccache.http.mark import busy
from asynccache.http.page_rules import Allowed, Refusal, Then, judge, too_long
from asynccache.http.snapshot import Record

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from asynccache.http.mark import Mark

    Message = MutableMapping[str, Any]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[..., Awaitable[None]]

_START = "http.response.start"
_BODY = "http.response.body"
_PASSING = frozenset({"http.response.early_hint", "http.response.push", "http.response.debug"})
FILES = frozenset({"http.response.pathsend", "http.response.zerocopysend"})


class Tee:
    """Stands before `send` for one answer.

    Args:
        mark: what to record; None to let all pass.
        label: the parameters of Cache-Status.
        send: where the messages go.
    """

    __slots__ = (
        "_added",
        "_allowed",
        "_chunks",
        "_head",
        "_is_replaced",
        "_label",
        "_mark",
        "_names",
        "_pairs",
        "_send",
        "_size",
        "_status",
        "broken",
    )

    def __init__(self, mark: Mark | None, label: bytes, send: Send) -> None:
        self._mark = mark
        self._label = label
        self._send = send
        self._head: Message | None = None
        self._allowed = Allowed()
        self._chunks: list[bytes] = []
        self._size = 0
        self._status = 0
        self._pairs: list[Pair] = []
        self._names: tuple[bytes, ...] = ()
        self._added: tuple[Pair, ...] = ()
        self._is_replaced = False
        self.broken = False

    async def __call__(self, message: Message) -> None:
        """Take a message of the answer."""
        kind = message["type"]
        if self._is_replaced:
            return
        if kind == _START:
            await self._start(message)
        elif kind == _BODY and (mark := self._recording()) is not None:
            await self._body(mark, message)
        elif kind in _PASSING:
            await self._out(message)
        else:
            await self._give_up(Refusal(f"it sent {kind}", telling=False))
            await self._release()
            await self._out(message)

    def _recording(self) -> Mark | None:
        return self._mark if self._mark is not None and self._mark.open else None

    async def _start(self, message: Message) -> None:
        self._status = message["status"]
        self._pairs = lowered(message.get("headers", ()))
        self._head = message
        mark = self._recording()
        if mark is not None and (instead := await mark.replaced(self._status)) is not None:
            self._is_replaced = True
            self._head = None
            await instead.go(self._send)
            return
        mark = self._recording()
        if mark is None:
            await self._release()
            return
        judged = judge(self._status, self._pairs, mark.handler.settings)
        if message.get("trailers"):
            judged = Refusal("it has trailers")
        elif sys.exc_info()[1] is not mark.error:
            judged = Refusal("an exception handler made it", Then.RUN, telling=False)
        if isinstance(judged, Allowed):
            self._allowed = judged
            judged = mark.judge_reads(judged) or judged
        if isinstance(judged, Refusal):
            await self._give_up(judged)
            await self._release()

    async def _body(self, mark: Mark, message: Message) -> None:
        chunk = bytes(message.get("body", b""))
        self._chunks.append(chunk)
        self._size += len(chunk)
        self._names = mark.names(self._allowed)
        if self._size > mark.handler.settings.max_body:
            await self._give_up(too_long(mark.handler.settings))
        elif not message.get("more_body", False):
            await self._finish(mark)
        else:
            await mark.sent_a_part()
        await self._release()
        await self._out(message)

    async def _finish(self, mark: Mark) -> None:
        body = b"".join(self._chunks)
        self._chunks.clear()
        length = joined(b"content-length", self._pairs)
        refusal = mark.judge_reads(self._allowed)
        if length is not None and int(length) != len(body) and self._status != 204:
            refusal = Refusal("it is not as long as its Content-Length says", Then.RUN)
        if refusal is not None:
            await self._give_up(refusal)
        elif (page := await mark.store(self._record(mark, body))) is not None:
            self._label += b"; stored"
            self._added = mark.added(page)

    def _record(self, mark: Mark, body: bytes) -> Record:
        kept = tuple(pair for pair in end_to_end(self._pairs) if pair[0] != b"age")
        headers = with_vary(kept, self._names)
        own = self._status not in CONDITIONAL_STATUSES or any(name == b"etag" for name, _ in headers)
        return Record(
            status=self._status,
            headers=headers,
            body=body,
            owner=mark.ask.owner,
            names=self._names,
            values=values_of(mark.ask.headers, self._names),
            conditions=mark.conditions(self._allowed),
            etag=b"" if own else weak_etag(body),
            stored_at=mark.now() - age_of(self._pairs),
            received=time.time(),
        )

    async def _give_up(self, refusal: Refusal) -> None:
        self._chunks.clear()
        self._names = ()
        if (mark := self._recording()) is not None:
            await mark.refuse(refusal)

    async def _release(self) -> None:
        if self._head is None:
            return
        head, self._head = self._head, None
        if self._mark is not None:
            self._mark.tell_tags()
        head["headers"] = [
            *with_vary(tuple(self._pairs), self._names),
            *self._added,
            (b"cache-status", b"asynccache; " + self._label),
        ]
        await self._out(head)

    async def _out(self, message: Message) -> None:
        try:
            mark = self._recording()
            with nullcontext() if mark is None else mark.reads.paused():
                await self._send(message)
        except BaseException:
            self.broken = True
            raise


async def record(mark: Mark | None, label: bytes, app: App, scope: Any, receive: Any, send: Send) -> None:
    """Run what answers, recording what it sends."""
    tee = Tee(mark, label, send)
    if mark is None:
        await app(scope, receive, tee)
        return
    extensions = scope.get("extensions")
    if extensions and not FILES.isdisjoint(extensions):
        scope["extensions"] = {name: value for name, value in extensions.items() if name not in FILES}
    try:
        with busy():
            await app(scope, receive, tee)
    except Exception:
        await mark.leave(Then.RETRY if tee.broken else Then.RUN)
        raise
    finally:
        await mark.leave(Then.RETRY)
        if extensions:
            scope["extensions"] = extensions


def with_vary(headers: tuple[Pair, ...], names: tuple[bytes, ...]) -> tuple[Pair, ...]:
    """Add the names that Vary does not have yet, in a line of their own."""
    if not names:
        return headers
    said = {name.lower() for name in split_list(value for field, value in headers if field == b"vary")}
    missing = [name for name in names if name not in said]
    return (*headers, (b"vary", b", ".join(missing))) if missing else headers
