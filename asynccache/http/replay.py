"""Sending a stored page: what was sent the first time, with its age; or the part that is asked for, or 304."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from starlette.responses import Response

from asynccache.http.carried import session_counts
from asynccache.http.outer import is_told
from asynccache.http.replies import Reply, answered
from asynccache.http.requests import Request
from asynccache.http.snapshot import EMPTY_SESSION, HIT, Snapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from starlette.types import Receive, Scope, Send

    from asynccache.core.entry import Entry
    from asynccache.http.ask import Ask
    from asynccache.http.headers import Pair

COLLAPSED = b"fwd=uri-miss; collapsed"


class Replay(Response):
    """A response from the store; what is changed on it stays its own."""

    background = None
    body: bytes
    is_sent = False
    _changed: list[Pair] | None = None

    def __init__(self, status_code: int, pairs: Sequence[Pair], body: bytes) -> None:
        self.status_code = status_code
        self.body = body
        self._pairs = pairs

    @property
    def raw_headers(self) -> list[Pair]:  # type: ignore[override]  # made for who asks: most answers go out as they are
        """The headers, to look at and to change."""
        if self._changed is None:
            self._changed = list(self._pairs)
        return self._changed

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:  # type: ignore[override]  # is awaited
        """Send it."""
        del scope, receive
        return self.go(send)

    async def go(self, send: Send) -> None:
        """Send it there."""
        self.is_sent = True
        headers = list(self._pairs) if self._changed is None else self._changed
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})
        if self.background is not None:
            await self.background()


def replay(snapshot: Snapshot, ask: Ask, now: float, label: bytes = b"") -> Replay:
    """Answer a request with a page that fits it; `label` is what Cache-Status says where it is not simply a hit."""
    record = snapshot.record
    pairs = snapshot.pairs(now, states=is_told(ask.scope, ask.headers, record))
    if label:
        said = (b"cache-status", b"asynccache; " + label)
        pairs = tuple(said if pair[1] is HIT else pair for pair in pairs)
    if record.conditions & EMPTY_SESSION:
        session_counts(ask.scope)
    if ask.wants_all:
        return Replay(record.status, pairs, snapshot.body)
    whole = Reply(record.status, list(pairs), snapshot.body)
    request = Request(ask.method, ask.headers)
    return Replay(*answered(request, whole, record.received, snapshot.fields))


def stale_label(entry: Entry | None, now: float) -> bytes:
    """Say for how long a page has been over (RFC 9211 2.3); nothing for one that is not."""
    left = 0.0 if entry is None else entry.times.fresh_until - now
    return b"hit; ttl=-%d" % ceil(-left) if left < 0 else b""
