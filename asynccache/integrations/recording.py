"""Recording the response of a view in Flask or Quart, and making one of what is stored."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from asynccache.http.capture import Tee
from asynccache.http.mark import busy
from asynccache.http.statement import Said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asynccache.http.hiding import Hiding
    from asynccache.http.mark import Mark
    from asynccache.http.page_rules import Then
    from asynccache.http.replay import Replay


class Recording:
    """Lets a response go through the tee, as the messages that it would be in ASGI.

    Args:
        response: what `make_response` made of what the view returned; it is given the headers that the tee adds.
        mark: what to record; None to let it pass.
        label: the parameters of Cache-Status.
        hiding: what hides a part of the query from whoever makes the body.

    Where an older page stands in for the response, it is `instead`.
    """

    def __init__(self, response: Any, mark: Mark | None, label: bytes, hiding: Hiding | None = None) -> None:
        self.response = response
        self._hiding = hiding
        self._mark = mark
        self._tee = Tee(mark, label, self._take)
        self.instead: Replay | None = None
        self._said = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]

    @property
    def is_on(self) -> bool:
        """Whether it is still to be recorded."""
        return self._mark is not None and self._mark.open

    async def start(self) -> None:
        """Begin, with its status and its headers."""
        status = self.response.status_code
        if self._mark is not None and (instead := await self._mark.replaced(status)) is not None:
            self.instead = instead
        else:
            await self._tee({"type": "http.response.start", "status": status, "headers": self._said})

    async def pass_on(self, part: Any, *, is_last: bool = False) -> None:
        """Record a part of the body; an empty one only lets the headers be said."""
        body = part.encode() if isinstance(part, str) else part
        await self._tee({"type": "http.response.body", "body": body, "more_body": not is_last})
        self.watch(active=False)

    def watch(self, *, active: bool) -> None:
        """Watch what is read, or do not."""
        if self._mark is not None and self._mark.open:
            self._mark.reads.active = active

    @contextmanager
    def making(self) -> Iterator[None]:
        """Let a part of the body be made within."""
        self.watch(active=True)
        with busy(), nullcontext() if self._hiding is None else self._hiding:
            yield

    async def leave(self, then: Then) -> None:
        """Tell those who wait, if nobody did."""
        if self._mark is not None:
            await self._mark.leave(then)

    async def _take(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            for name, value in message["headers"][len(self._said) :]:
                self.response.headers.add(name.decode("latin-1").title(), _text(value))


def replayed(found: Replay, response_class: Any) -> Any:
    """Give the response that an answer from the store is."""
    response = response_class(bytes(found.body), found.status_code)
    response.headers.clear()
    response.headers.extend((name.decode("latin-1"), _text(value)) for name, value in found.raw_headers)
    return response


def looked_at(response: Any) -> Any:
    """Give a response on its way out; with a cookie that was added since, it no longer says how long it is good for."""
    headers = response.headers
    if "set-cookie" in headers and any(type(value) is _SaidText for _, value in headers):
        kept = [pair for pair in headers if type(pair[1]) is not _SaidText]
        headers.clear()
        headers.extend(kept)
    return response


def last_looked_at(process_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Look at each response when all others have had their part in it."""
    return lambda response: looked_at(process_response(response))


class _SaidText(str):
    """What `Said` is in these frameworks, which keep headers as text."""

    __slots__ = ()


def _text(value: bytes) -> str:
    return (_SaidText if type(value) is Said else str)(value, "latin-1")
