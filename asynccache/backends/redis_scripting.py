"""Runs scripts wherever their keys are, and sees to it that each is run for the process that answers.

A script that a server has forgotten is sent once more as its text; data that nobody has accepted for the process that
answers is adopted first; one that came too late is sent once more. In all three nothing had been done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.backends.followed import At
from asynccache.backends.redis_questions import NO_SCRIPT, NONE, Refusal
from asynccache.backends.redis_scripts import LATE, VIEW
from asynccache.core.fence import Notebook, read_notebook
from asynccache.errors import BackendUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asynccache.backends.redis_parts import Part
    from asynccache.backends.redis_place import Place
    from asynccache.backends.redis_questions import Question
    from asynccache.backends.redis_scripts import Call
    from asynccache.plan.io import IO

_ROUNDS = 3


class Scripting:
    """The scripts at one place, and what is known there of each part."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.known: dict[str, At] = {}
        """How far the leader of each part has told to be."""

    async def run(
        self, io: IO, tried: str, calls: Sequence[Call], keys: Sequence[str], answers: frozenset[str] = NONE
    ) -> list[Any]:
        """Give the answers, without their nonces; those of one server come in the order of the calls.

        In the place of one there may be a `Refusal` of these codes, or, as in `Place.write`, an error.
        """
        questions = [call.by_digest().taking(answers) for call in calls]
        replies = await self.place.write(io, tried, questions, keys)
        for _ in range(_ROUNDS):
            again = [at for at, reply in enumerate(replies) if _is_unheard(reply)]
            if not again:
                break
            asked = [_once_more(calls[at], replies[at], answers) for at in again]
            told = iter(await self.place.write(io, tried, [one for several in asked for one in several], keys))
            for at, several in zip(again, asked, strict=True):
                replies[at] = [next(told) for _ in several][-1]
        return [self._answer(question, tried, reply) for question, reply in zip(questions, replies, strict=True)]

    async def adopt(self, io: IO, tried: str, call: Call) -> Notebook:
        """Have the data of the part that a call names accepted for who answers; give its notebook."""
        ((_, _, raw),) = await self.place.write(io, tried, [call.adoption()], [])
        book = read_notebook(raw)
        if book is None:
            raise BackendUnavailableError(f"{tried}: the notebook is not what was written there")
        return book

    def note(self, part: Part, raw: bytes) -> At:
        """Take note of what the leader told of a part, and give it."""
        book = read_notebook(raw)
        if book is None:
            raise BackendUnavailableError(f"the notebook of {part.name} is not what was written there")
        return self.note_book(part, book)

    def note_book(self, part: Part, book: Notebook) -> At:
        """Take note of what the leader told of a part, and give it."""
        at, known = At(book.view, book.seq), self.known.get(part.name)
        if known is None or known.view != at.view or known.position < at.position:
            self.known[part.name] = at
        return at

    def _answer(self, question: Question, tried: str, reply: Any) -> Any:
        if isinstance(reply, Refusal | BackendUnavailableError):
            return reply
        if reply[1] in {LATE, VIEW}:
            why = "it was late there" if reply[1] == LATE else "the server is another all the time"
            return self.place.guard_of(question).unavailable(f"{tried}: {why}")
        return reply[1:]


def _is_unheard(reply: Any) -> bool:
    if isinstance(reply, Refusal):
        return reply.code in NO_SCRIPT
    return isinstance(reply, list) and reply[1] in {LATE, VIEW}


def _once_more(call: Call, reply: Any, answers: frozenset[str]) -> tuple[Question, ...]:
    if isinstance(reply, Refusal):
        return (call.by_text().taking(answers),)
    again = call.by_digest().taking(answers)
    return (call.adoption(), again) if reply[1] == VIEW else (again,)
