"""What a connection to Redis is told and tells, whichever flavour: who is at its other end."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from asynccache.backends.redis_peer import GREETING, TIME, Peer, ServerClock
from asynccache.backends.redis_questions import Refusal, Signed, checked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asynccache.backends.outage import Due
    from asynccache.backends.redis_questions import Question, Word


class Line:
    """What both have: who is at the other end, once somebody needs to know."""

    _peer: Peer | None = None
    _clock: ServerClock

    @property
    def keeper(self) -> bytes | None:
        """Who answers, once somebody has asked."""
        return None if self._peer is None else self._peer.keeper

    def until(self, seconds: float) -> bytes | None:
        """Give the moment in so many seconds as scripts take it; None where the server has to be asked for its time."""
        peer = self._peer
        return None if peer is None or peer.is_doubtful or peer.is_old else peer.until(seconds)

    def signed(self, questions: Sequence[Question], replies: list[Any]) -> list[Any]:
        """Give the replies to these questions, those signed that are to be; there may be more replies than that."""
        if self._peer is None:
            return replies[: len(questions)]
        self._peer.note_replies(replies)
        keeper = self._peer.keeper
        return [
            Signed(reply, keeper) if question.is_signed and not isinstance(reply, Refusal) else reply
            for question, reply in zip(questions, replies, strict=False)
        ]

    def _to_ask_first(self, questions: Sequence[Question]) -> Sequence[Question]:
        """Give what has to be known before these can be asked."""
        for question in questions:
            if question.is_personal:
                if self._peer is None:
                    return GREETING
                return (TIME,) if self._peer.is_old or self._peer.is_doubtful else ()
        return ()

    def _told(self, first: Sequence[Question], replies: list[Any]) -> None:
        if self._peer is None:
            self._peer = Peer(replies, self._clock)
        else:
            self._peer.note_time(*checked(first, replies))

    def _words(self, questions: Sequence[Question], due: Due) -> list[tuple[Word, ...]]:
        seconds = due.at - monotonic()
        return [
            self._peer.words_of(question, seconds) if question.is_personal and self._peer else question.words
            for question in questions
        ]
