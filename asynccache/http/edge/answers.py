"""Answers that are sent in place of the app's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynccache.http.dates import written_date
from asynccache.http.replies import Reply, reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from asynccache.http.edge.incoming import Send
    from asynccache.http.edge.shelved import Shelved
    from asynccache.http.rules import Request

    Answer = Callable[[Send], Awaitable[None]]

_NOTHING_STORED = b"nothing that is stored answers this request, and it wants nothing else\n"


def sending(answer: Reply) -> Answer:
    """Give what sends an answer."""

    async def go(send: Send) -> None:
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    return go


def answer_with(request: Request, shelved: Shelved, now: float, told: bytes, *, validated: bool = False) -> Answer:
    """Give what answers a request by a stored response."""
    return sending(reply(request, shelved.stored, now, told, validated=validated))


def gateway_timeout(told: bytes, now: float) -> Answer:
    """Give the answer to a request that wants something stored or nothing (RFC 9111 5.2.1.7)."""
    length = b"%d" % len(_NOTHING_STORED)
    headers = [(b"content-type", b"text/plain"), (b"content-length", length), (b"date", written_date(now))]
    return sending(Reply(504, [*headers, (b"cache-status", told)], _NOTHING_STORED))
