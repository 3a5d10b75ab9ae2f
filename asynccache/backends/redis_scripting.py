"""Runs scripts wherever their keys are, and sees to it that each is run for the process that answers.

A script that a server has forgotten is sent once more as its text; data that nobody has accepted for the process that
answers is adopted first, and what was invalidated a moment ago is said again; a script that came too late is sent once
more. In all three nothing had been done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from asynccache.backends.followed import At
from asynccache.backends.redis_questions import KEEPER, NEVER, NO_SCRIPT, NOBODY, NONE, SINCE, Refusal
from asynccache.backends.redis_recall import Recall
from asynccache.backends.redis_scripts import ADOPT, LATE, VIEW
from asynccache.core.fence import Birth, Marks, Notebook, is_valid, read_notebook
from asynccache.errors import BackendUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asynccache.backends.redis_parts import Part, Parts
    from asynccache.backends.redis_place import Place
    from asynccache.backends.redis_questions import Question, Signed
    from asynccache.backends.redis_scripts import Call
    from asynccache.plan.io import IO

_ROUNDS = 3
_MOST_STAMPS = 10_000
NOT_YET = 2**64
"""A stamp after all others, of cells that are not known."""
TABLE = -1
"""The number of the table of cells itself, among its cells."""


class Told(NamedTuple):
    """A notebook as the leader told it last, of which note was taken, and the process that told it.

    `stamps` are those of cells that are known: as long as the notebook is the same, no tag was invalidated.
    """

    raw: bytes
    teller: bytes
    book: Notebook
    gen: bytes
    floor: int
    stamps: dict[int, int]

    def vouches_for(self, birth: Birth) -> bool:
        """Tell whether an entry that was read with this notebook is known to be valid, its tags too."""
        stamps = [self.stamps.get(cell, NOT_YET) for cell in (TABLE, *birth.cells)]
        return is_valid(birth, self.book, self.book.keeper, Marks(stamps[0], tuple(stamps[1:])))

    def note(self, stamps: Mapping[int, int], after: Signed) -> None:
        """Take note of stamps that were asked for after this was told, and before the notebook that came `after`."""
        if after.reply[0] != self.raw or after.keeper != self.teller or self.teller == NOBODY:
            return
        if len(self.stamps) > _MOST_STAMPS:
            self.stamps.clear()
        self.stamps.update(stamps)


class Scripting:
    """The scripts at one place, and what is known there of each part.

    Args:
        place: where they are run.
        parts: finds the keys.
        keeps: whether a replica that was promoted keeps its data; what a disk had is never kept.
    """

    def __init__(self, place: Place, parts: Parts, *, keeps: bool) -> None:
        self.place = place
        self.recall = Recall()
        self.known: dict[str, At] = {}
        """How far the leader of each part has told to be."""
        self.told: dict[str, Told] = {}
        """What each part's leader told last to those who look at single keys: it need not be read again."""
        self._near: dict[str, Told] = {}
        self._parts = parts
        self._keeps = keeps

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
            asked = [self._once_more(calls[at], replies[at], answers) for at in again]
            told = iter(await self.place.write(io, tried, [one for several in asked for one in several], keys))
            for at, several in zip(again, asked, strict=True):
                replies[at] = [next(told) for _ in several][-1]
        found = [self._answer(question, tried, reply) for question, reply in zip(questions, replies, strict=True)]
        for call, reply in zip(calls, found, strict=True):
            if call.part is not None and isinstance(reply, list):
                await self.note(io, call.part, book_of(reply[1]))
        return found

    async def adopted(self, io: IO, tried: str, part: Part) -> Notebook:
        """Have the data of a part accepted for the process that answers; give its notebook."""
        ((_, _, raw),) = await self.place.write(io, tried, [self._adoption(part)], [])
        return book_of(raw)

    async def note(self, io: IO, part: Part, book: Notebook) -> bool:
        """Take note of what the leader told of a part.

        Where another process took it over with the data, say again what was invalidated a moment ago; True then.
        """
        if self.noted(part, book):
            return False
        known = self.known[part.name]
        self._know(part, At(book.view, book.seq))
        if known.view.gen != book.gen:
            return False
        again = [call.by_text() for call in self.recall.calls(part, book.gen, self._parts)]
        if again:
            try:
                _check(await self.place.write(io, "invalidate again", again, []))
            except BaseException:  # whoever asks next says it
                self._know(part, known)
                raise
        return bool(again)

    def noted(self, part: Part, book: Notebook) -> bool:
        """Take note of what the leader told, unless its view is another than before: that is for `note`."""
        at, known = At(book.view, book.seq), self.known.get(part.name)
        if known is not None and known.view != at.view:
            return False
        if known is None or known.position < at.position:
            self.known[part.name] = at
        return True

    def told_by(self, part: Part, raw: bytes | None, teller: bytes | None) -> Told | None:
        """Give what this says that the leader told; None where that is not the usual case, and nothing is noted."""
        told = self.told.get(part.name)
        if told is not None and told.raw == raw and told.teller == teller:
            return told
        book = read_notebook(raw)
        if book is None or raw is None or teller is None or teller not in {book.keeper, NOBODY}:
            return None
        if not self.noted(part, book):
            return None
        self.told[part.name] = told = Told(raw, teller, book, book.gen, book.floor, {})
        if self.known[part.name].view != book.view:  # another thread has just heard of another
            self.told.pop(part.name, None)
        return told

    def told_near(self, part: Part, raw: bytes | None) -> Told | None:
        """Give what a replica told; None where it is behind what the leader has told."""
        told, known = self._near.get(part.name), self.known.get(part.name)
        if told is None or told.raw != raw:
            book = read_notebook(raw)
            if book is None or raw is None:
                return None
            self._near[part.name] = told = Told(raw, book.keeper, book, book.gen, book.floor, {})
        is_behind = known is not None and (known.view != told.book.view or told.book.seq < known.position)
        return None if is_behind else told

    def _know(self, part: Part, at: At) -> None:
        self.known[part.name] = at
        self.told.pop(part.name, None)

    def _once_more(self, call: Call, reply: Any, answers: frozenset[str]) -> tuple[Question, ...]:
        if isinstance(reply, Refusal):
            return (call.by_text().taking(answers),)
        again = call.by_digest().taking(answers)
        if reply[1] == LATE or call.part is None:
            return (again,)
        known = self.known.get(call.part.name)
        recalled = [] if known is None else self.recall.calls(call.part, known.view.gen, self._parts)
        return (self._adoption(call.part), *[one.by_text() for one in recalled], again)

    def _adoption(self, part: Part) -> Question:
        return ADOPT(part, (), KEEPER, SINCE if self._keeps else NEVER).by_text()

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


def _check(replies: list[Any]) -> None:
    for reply in replies:
        if isinstance(reply, BackendUnavailableError):
            raise reply


def book_of(raw: bytes) -> Notebook:
    """Read the notebook that a script answered with."""
    book = read_notebook(raw)
    if book is None:
        raise BackendUnavailableError("the notebook is not what was written there")
    return book
