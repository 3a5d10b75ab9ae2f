"""How rights to load are asked of a store, and given back: none is left standing that nobody uses."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

from asynccache.backends.base import StoreBackend
from asynccache.backends.forsaken import Forsaken
from asynccache.backends.granting import Found, Granted, Taken, Unheard
from asynccache.backends.outage import NotAskedError
from asynccache.core.claims import Claimed, Held, Hit, Lead, Ticket
from asynccache.errors import BackendUnavailableError
from asynccache.plan.io import BLOCKING, LOOP, run

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from asynccache.backends.granting import Answer, Want
    from asynccache.core.entry import Kind
    from asynccache.plan.io import IO

X = TypeVar("X")


class ClaimingBackend(StoreBackend, ABC):
    """A backend over bytes whose store grants rights to load."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._forsaken = Forsaken()

    @abstractmethod
    async def _claim_many(self, io: IO, wants: Sequence[Want], lease: float) -> Sequence[Answer | Unheard]:
        """Look, and grant rights for `lease` seconds, each in one step.

        `BackendUnavailableError` where nobody answers, `Unheard` for the keys of one server of several.
        """

    @abstractmethod
    async def _release(self, io: IO, ticket: Ticket) -> bool:
        """End a right, if it still stands; tell whether it did."""

    async def release(self, io: IO, ticket: Ticket) -> bool:
        try:
            return await self._release(io, ticket)
        except BackendUnavailableError:
            self._forsake([ticket])
            return True  # it ends by itself

    async def _claims(self, io: IO, wants: Sequence[Want], lease: float, kind: Kind) -> dict[str, Claimed | None]:
        """Look, and ask for rights; None where an entry is damaged, and is removed now, or of another kind.

        What is on servers that are away is missing, unless nobody answers: that raises. Whoever fails or is cancelled
        may have been granted them all the same.
        """
        try:
            answers = await self._answers(io, wants, lease)
            return {want.key: await self._claimed(io, want, answer, kind) for want, answer in answers}
        except NotAskedError:
            raise
        except BackendUnavailableError:
            self._forsake(wants)
            raise
        except Exception:
            raise
        except BaseException:
            await self._give_back(io, [Ticket(want.key, want.token) for want in wants])
            raise

    async def _answers(self, io: IO, wants: Sequence[Want], lease: float) -> list[tuple[Want, Answer]]:
        found = dict(zip(wants, await self._claim_many(io, wants, lease), strict=True))
        taken = [want for want, answer in found.items() if isinstance(answer, Taken) and want.key in self._forsaken]
        if taken and (ended := await self._ended(io, taken)):
            found |= await self._answers_again(io, ended, lease)
        answers: list[tuple[Want, Answer]] = []
        failures = []
        for want, answer in found.items():
            if isinstance(answer, Unheard):
                failures.append(answer.failure)
                if not isinstance(answer.failure, NotAskedError):
                    self._forsake([want])
                continue
            if isinstance(answer, Granted):
                self._forsaken.forget(want.key)
            answers.append((want, answer))
        if failures and not answers:
            raise failures[0]
        return answers

    async def _answers_again(self, io: IO, wants: Sequence[Want], lease: float) -> dict[Want, Answer]:
        """Ask for what has just been ended; what is not answered is missing."""
        try:
            found = dict(zip(wants, await self._claim_many(io, wants, lease), strict=True))
        except BackendUnavailableError as failure:
            found = dict.fromkeys(wants, Unheard(failure))
        self._forsake(want for want, answer in found.items() if isinstance(answer, Unheard))
        return {want: answer for want, answer in found.items() if not isinstance(answer, Unheard)}

    async def _ended(self, io: IO, wants: Sequence[Want]) -> list[Want]:
        """End the rights to load these keys that this process has forsaken; give those whose right that was."""
        ends = await _each(io, self._ends_forsaken, [want.key for want in wants])
        return [want for want, has_ended in zip(wants, ends, strict=True) if has_ended]

    async def _ends_forsaken(self, io: IO, key: str) -> bool:
        """End a right to load this key that this process has forsaken; tell whether that was the one that stood."""
        while (token := self._forsaken.take(key)) is not None:
            if await self.release(io, Ticket(key, token)):
                return True
        return False

    def _forsake(self, rights: Iterable[Want | Ticket]) -> None:
        """Note rights that may stand, and that nobody will use."""
        for right in rights:
            if right.token:
                self._forsaken.add(right.key, right.token)

    async def _give_back(self, io: IO, tickets: Sequence[Ticket]) -> None:
        """End rights, all at once: whoever was cancelled does not wait long."""
        await _each(io, self.release, tickets)

    async def _claimed(self, io: IO, want: Want, answer: Answer, kind: Kind) -> Claimed | None:
        """Decode an answer; None where an entry is damaged, and is removed now, or of another kind."""
        stale = None if answer.raw is None else await self._opened(io, want.key, answer.raw, kind, stale=True)
        match answer:
            case Found():
                return None if stale is None else Hit(stale)
            case Granted(born, view):
                return Lead(Ticket(want.key, want.token, born, view), stale)
            case Taken(seconds):
                return Held(seconds, stale)


async def _each(io: IO, do: Callable[[IO, X], Coroutine[Any, Any, bool]], with_each: Sequence[X]) -> list[bool]:
    """Do something with each of these: all at once on a loop, else one after the other."""

    def in_turn() -> list[bool]:
        return [run(do(BLOCKING, one)) for one in with_each]

    async def together() -> list[bool]:
        return await asyncio.gather(*[do(LOOP, one) for one in with_each])

    told: list[bool] = await io.twin(in_turn, together)
    return told
