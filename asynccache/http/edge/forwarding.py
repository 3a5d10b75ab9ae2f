"""Passing a request on to the app, and what it answers back."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from asynccache.http.capture import FILES
from asynccache.http.edge.note import EDGE_KEY, Note, note_in
from asynccache.http.edge.tee import Tee
from asynccache.http.edge.telling import told
from asynccache.http.headers import lowered
from asynccache.http.page_rules import Then
from asynccache.http.rules import Forward, Validate
from asynccache.http.statement import take_back

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asynccache.http.edge.attempt import Attempt
    from asynccache.http.edge.incoming import Incoming, Message, Scope
    from asynccache.http.edge.place import Place

logger = logging.getLogger(__name__)
_OF_PARTS = frozenset({b"range", b"if-range"})
_is_within: ContextVar[bool] = ContextVar("asynccache_within_edge", default=False)


def is_within() -> bool:
    """Tell whether this runs on behalf of a request that others may wait for: it must not wait for others."""
    return _is_within.get()


def set_within(within: bool) -> None:  # noqa: FBT001  # what it is set to
    """Say so for the rest of this context, or that it is not so."""
    _is_within.set(within)


async def forward(attempt: Attempt) -> None:
    """Ask the app, and again where it confirmed something else than what is stored; settle the attempt in any case."""
    hearing = _Hearing(attempt)
    try:
        await _ask(attempt, hearing)
        if attempt.is_mismatched:
            attempt.is_mismatched = False
            attempt.decision = Forward(attempt.decision.why)
            hearing.begin_again()
            await _ask(attempt, hearing)
    finally:
        await attempt.leave(Then.RETRY)


async def _ask(attempt: Attempt, hearing: _Hearing) -> None:
    incoming = attempt.incoming
    tee = Tee(attempt, incoming.send)
    attempt.requested_at = attempt.place.now()
    try:
        with _asking(attempt):
            await attempt.place.app(incoming.scope, hearing.receive, tee)
    except Exception as error:
        if await _in_its_place(attempt, tee):
            logger.warning("something older stands in: the app raised for %s", incoming.request.url, exc_info=error)
            return
        await attempt.leave(Then.RETRY if tee.is_broken else Then.RUN)
        if tee.has_begun and not tee.is_broken:
            await tee.finish()
        raise
    await tee.finish()


async def _in_its_place(attempt: Attempt, tee: Tee) -> bool:
    """Send something older in place of what the app did not answer, if nothing forbids that."""
    instead = None if tee.has_begun else await attempt.fail()
    if instead is None:
        return False
    tee.drop()
    await instead(attempt.incoming.send)
    return True


@contextmanager
def _asking(attempt: Attempt) -> Iterator[None]:
    """Change the scope, and let it be as it was afterwards: who stands in front may look into it."""
    scope = attempt.incoming.scope
    attempt.note = note = Note(scope, note_in(scope))
    changes: dict[str, object] = {EDGE_KEY: note}
    headers = scope["headers"]
    if isinstance(attempt.decision, Validate):
        headers = attempt.decision.over(headers)
    if attempt.slices:
        headers = [pair for pair in headers if pair[0].lower() not in _OF_PARTS]
    if headers is not scope["headers"]:
        changes["headers"] = headers
    extensions = scope.get("extensions")
    if extensions and attempt.wants_body and not FILES.isdisjoint(extensions):
        changes["extensions"] = {name: value for name, value in extensions.items() if name not in FILES}
    within = _is_within.set(True)
    try:
        with _changed(scope, changes):
            yield
    finally:
        _is_within.reset(within)
        if note.remembered is not None:
            attempt.place.memory.remember(attempt.incoming.key, note.remembered)


@contextmanager
def _changed(scope: Scope, changes: dict[str, object]) -> Iterator[None]:
    before = {name: scope[name] for name in changes if name in scope}
    scope.update(changes)
    try:
        yield
    finally:
        for name in changes:
            scope.pop(name, None)
        scope.update(before)


class _Hearing:
    """The client, as the app hears it.

    An app that is asked again hears the end of the request again. Content that no field announced, others would not
    have sent: the answer to it is not stored.
    """

    __slots__ = ("_attempt", "_has_heard", "_is_again")

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._has_heard = False
        self._is_again = False

    def begin_again(self) -> None:
        self._is_again = self._has_heard

    async def receive(self) -> Message:
        """Give the next message of the client."""
        if self._is_again:
            self._is_again = False
            return {"type": "http.request", "body": b"", "more_body": False}
        message = await self._attempt.incoming.receive()
        self._has_heard = True
        if message.get("body"):
            self._attempt.note.forbid("the request had content")
        return message


async def passed(place: Place, incoming: Incoming, member: bytes) -> None:
    """Pass a request on that has nothing to do with the store, and say so."""

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = dict(message)
            take_back(message)
            message["headers"] = told(lowered(message.get("headers", ())), member, place.now())
        await incoming.send(message)

    await place.app(incoming.scope, incoming.receive, send)
