"""Recording what a view in Flask returns: the response that `make_response` makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response, current_app
from werkzeug.wsgi import ClosingIterator

from asynccache.http.page_rules import Then
from asynccache.integrations.recording import Recording, replayed
from asynccache.plan.io import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asynccache.http.hiding import Hiding
    from asynccache.http.mark import Mark


def recorded(answer: Any, mark: Mark | None, label: bytes, hiding: Hiding | None) -> Response:
    """Make the response of what a view returned, and record it, or let its body be recorded while it is sent."""
    try:
        recording = Recording(current_app.make_response(answer), mark, label, hiding)
        run(recording.start())
        if recording.is_on:
            _record(recording)
    except BaseException:
        if mark is not None:
            run(mark.leave(Then.RUN))
        raise
    if recording.instead is not None:
        return replayed(recording.instead, current_app.response_class)  # type: ignore[no-any-return]
    return recording.response  # type: ignore[no-any-return]


def _record(recording: Recording) -> None:
    """Record the body, or let it be recorded while it is sent."""
    response = recording.response
    if response.is_streamed or response.direct_passthrough:
        body = response.response
        run(recording.pass_on(b""))
        parts = _recorded(recording, iter(body if response.direct_passthrough else response.iter_encoded()))
        closings = [body.close] if hasattr(body, "close") else []
        response.response = ClosingIterator(parts, [lambda: run(recording.leave(Then.RETRY)), *closings])
    else:
        run(recording.pass_on(response.get_data(), is_last=True))
        run(recording.leave(Then.RETRY))


def _recorded(recording: Recording, parts: Iterator[Any]) -> Iterator[Any]:
    """Give a body that is recorded while it is sent; what is read between two parts is read by others."""
    try:
        while part := _next(recording, parts):
            run(recording.pass_on(part))
            yield part
        run(recording.pass_on(b"", is_last=True))
    except Exception:
        run(recording.leave(Then.RUN))
        raise


def _next(recording: Recording, parts: Iterator[Any]) -> Any:
    """Give the next part that is not empty; an empty one is the end."""
    with recording.making():
        return next(filter(None, parts), b"")
