"""Recording what a view in Quart returns: the response is made asynchronously, one step behind the view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from quart import current_app
from quart.wrappers.response import DataBody, ResponseBody

from asynccache.http.page_rules import Then
from asynccache.integrations.recording import Recording, replayed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from asynccache.http.hiding import Hiding
    from asynccache.http.mark import Mark


@dataclass(frozen=True, slots=True)
class Unmade:
    """What a view returned, of which a response is to be made and recorded."""

    answer: Any
    mark: Mark | None
    label: bytes
    hiding: Hiding | None

    async def recorded(self) -> Any:
        """Make the response and record it, or let its body be recorded while it is sent."""
        try:
            response: Any = await current_app.make_response(self.answer)
            recording = Recording(response, self.mark, self.label, self.hiding)
            await recording.start()
            if recording.is_on:
                await _record(recording)
        except BaseException as failure:
            if self.mark is not None:
                await self.mark.leave(Then.RUN if isinstance(failure, Exception) else Then.RETRY)
            raise
        return response if recording.instead is None else replayed(recording.instead, current_app.response_class)


async def _record(recording: Recording) -> None:
    response = recording.response
    if isinstance(response.response, DataBody):
        await recording.pass_on(await response.get_data(as_text=False), is_last=True)
        await recording.leave(Then.RETRY)
    else:
        await recording.pass_on(b"")
        response.response = _Recorded(recording, response.response)


async def _next(recording: Recording, parts: AsyncIterator[Any]) -> Any:
    """Give the next part that is not empty; an empty one is the end."""
    with recording.making():
        async for part in parts:
            if part:
                return part
    return b""


class _Recorded(ResponseBody):
    """A body that is recorded while it is sent; what is read between two parts is read by others."""

    def __init__(self, recording: Recording, body: ResponseBody) -> None:
        self._recording = recording
        self._body = body

    async def __aenter__(self) -> Self:
        self._parts = aiter(await self._body.__aenter__())
        return self

    async def __aexit__(self, kind: Any, failure: Any, trace: Any) -> None:  # noqa: PYI036  # as Quart's are
        try:
            await self._recording.leave(Then.RUN if isinstance(failure, Exception) else Then.RETRY)
        finally:
            await self._body.__aexit__(kind, failure, trace)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._sent()

    async def _sent(self) -> AsyncIterator[bytes]:
        while part := await _next(self._recording, self._parts):
            await self._recording.pass_on(part)
            yield part
        await self._recording.pass_on(b"", is_last=True)
