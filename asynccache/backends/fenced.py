"""Backends whose store has an order of its own: rights to load, tags and clearing that hold in all processes.

A driver's write (`_store`, `_add`, `_touch`, `_bump`, `_drop`, `_swap`) revokes the right to load that key and takes a
new position; its reads give only what is still valid. What rights and positions are: `core/fence.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from secrets import token_bytes
from typing import TYPE_CHECKING, Any

from asynccache.backends.base import StoreBackend
from asynccache.backends.forsaken import Forsaken
from asynccache.backends.granting import ANEW, Found, Granted, Landing, Taken, Want
from asynccache.backends.outage import NotAskedError
from asynccache.core.claims import LEASE_SECONDS, Claimed, Held, Hit, Lead, Made, Ticket
from asynccache.core.entry import Entry, Kind
from asynccache.core.fence import cells_of
from asynccache.core.keys import checked
from asynccache.errors import BackendUnavailableError, SerializationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from asynccache.core.codec import Frame
    from asynccache.model import Version
    from asynccache.plan.io import IO

LOCKS = "~locks:"
"""Ends the namespace of locks, which is one of their own, since no version of a user has a bare `~`."""
_ROUNDS = 3


class FencedBackend(StoreBackend, ABC):
    """A backend over bytes whose store grants rights to load."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._forsaken = Forsaken()

    # Drivers

    @abstractmethod
    async def _claim_many(self, io: IO, wants: Sequence[Want], lease: float) -> list[Found | Granted | Taken]:
        """Look, and grant rights for `lease` seconds, each in one step; `BackendUnavailableError` where that fails."""

    @abstractmethod
    async def _land_many(self, io: IO, landings: Sequence[Landing]) -> list[bool]:
        """Store each where its right stands and nothing was invalidated since, and end the right, each in one step."""

    @abstractmethod
    async def _hold(self, io: IO, ticket: Ticket, lease: float) -> bool:
        """Renew a right; False where it is lost."""

    @abstractmethod
    async def _release(self, io: IO, ticket: Ticket) -> bool:
        """End a right, if it still stands; tell whether it did."""

    @abstractmethod
    async def _attend(self, io: IO, key: str, seconds: float) -> None:
        """Wait until the right to load this key may have ended, at most so long."""

    @abstractmethod
    async def _void(self, io: IO, namespace: str, tags: tuple[str, ...]) -> None:
        """Invalidate what is tagged so; `namespace` is that of stored keys, colon included."""

    @abstractmethod
    async def _empty(self, io: IO, namespace: str) -> None:
        """Invalidate all entries of this namespace, and the loads that are under way."""

    def _is_current(self, frame: Frame) -> bool:
        del frame
        return True  # its reads have seen to that

    # Plans

    async def claim(
        self,
        io: IO,
        key: str,
        lease: float = LEASE_SECONDS,
        *,
        seen: Entry | None = None,
        anew: bool = False,
        version: Version = None,
        kind: Kind = Kind.VALUE,
    ) -> Claimed:
        stored_key = self.stored_key(key, version)
        mark = ANEW if anew else 0 if seen is None else seen.at
        for _ in range(_ROUNDS):
            (claimed,) = await self._claims(io, [Want(stored_key, token_bytes(8), mark)], lease, kind)
            if claimed is not None:
                return claimed
            mark = ANEW
        raise BackendUnavailableError(f"{key!r:.80} cannot be claimed: what is stored there changes all the time")

    async def claim_many(
        self,
        io: IO,
        keys: Sequence[str],
        lease: float = LEASE_SECONDS,
        *,
        seen: Mapping[str, Entry] | None = None,
        version: Version = None,
    ) -> dict[str, Claimed]:
        marks = {key: entry.at for key, entry in (seen or {}).items()}
        wants = {key: Want(self.stored_key(key, version), token_bytes(8), marks.get(key, 0)) for key in keys}
        found = await self._claims(io, list(wants.values()), lease, Kind.VALUE) if wants else []
        claims: dict[str, Claimed] = {}
        for key, first in zip(wants, found, strict=True):
            claimed = first or await self.claim(io, key, lease, anew=True, version=version)
            claims[key] = claimed
            if seen is None:  # nobody has looked before
                self._counted(claimed.entry if isinstance(claimed, Hit) else None)
        return claims

    async def _claims(self, io: IO, wants: Sequence[Want], lease: float, kind: Kind) -> list[Claimed | None]:
        """Look, and ask for rights; None where an entry is damaged, and is removed now, or of another kind.

        Whoever fails or is cancelled may have been granted them all the same.
        """
        try:
            answers = await self._answers(io, wants, lease)
            return [await self._claimed(io, *pair, kind) for pair in zip(wants, answers, strict=True)]
        except NotAskedError:
            raise
        except BackendUnavailableError:
            self._forsake(wants)
            raise
        except Exception:
            raise
        except BaseException:
            for want in wants:
                await self.release(io, Ticket(want.key, want.token))
            raise

    async def _answers(self, io: IO, wants: Sequence[Want], lease: float) -> list[Found | Granted | Taken]:
        answers = await self._claim_many(io, wants, lease)
        for number, (want, answer) in enumerate(zip(wants, answers, strict=True)):
            if isinstance(answer, Granted):
                self._forsaken.forget(want.key)
            elif isinstance(answer, Taken) and await self._ends_forsaken(io, want.key):
                answers[number] = await self._answer_again(io, want, lease) or answer
        return answers

    async def _answer_again(self, io: IO, want: Want, lease: float) -> Found | Granted | Taken | None:
        try:
            (answer,) = await self._claim_many(io, [want], lease)
        except BackendUnavailableError:
            self._forsake([want])
            return None
        return answer

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

    async def _claimed(self, io: IO, want: Want, answer: Found | Granted | Taken, kind: Kind) -> Claimed | None:
        """Decode an answer; None where an entry is damaged, and is removed now, or of another kind."""
        stale = None if answer.raw is None else await self._opened(io, want.key, answer.raw, kind, stale=True)
        match answer:
            case Found():
                return None if stale is None else Hit(stale)
            case Granted(born, view):
                return Lead(Ticket(want.key, want.token, born, view), stale)
            case Taken(seconds):
                return Held(seconds, stale)

    async def land(
        self,
        io: IO,
        key: str,
        value: Any,
        ttl: float | None,
        ticket: Ticket,
        *,
        stale: float | None = None,
        tags: tuple[str, ...] = (),
        version: Version = None,
        kind: Kind = Kind.VALUE,
    ) -> bool:
        landing = await self._landing(io, Made(key, value, ttl, ticket), kind, stale=stale or 0.0, tags=tags)
        (landed,) = await self._lands(io, [landing])
        return landed

    async def land_many(
        self,
        io: IO,
        made: Sequence[Made],
        *,
        stale: float | None = None,
        tags: tuple[str, ...] = (),
        version: Version = None,
    ) -> dict[str, bool | SerializationError]:
        landed: dict[str, bool | SerializationError] = {}
        landings: dict[str, Landing] = {}
        for one in made:
            try:
                landings[one.key] = await self._landing(io, one, Kind.VALUE, stale=stale or 0.0, tags=tags)
            except SerializationError as error:
                landed[one.key] = error
        stood = await self._lands(io, list(landings.values())) if landings else []
        return landed | dict(zip(landings, stood, strict=True))

    async def _lands(self, io: IO, landings: Sequence[Landing]) -> list[bool]:
        try:
            return await self._land_many(io, landings)
        except BackendUnavailableError:
            self._forsake(landing.ticket for landing in landings)
            raise

    async def _landing(self, io: IO, made: Made, kind: Kind, *, stale: float, tags: tuple[str, ...]) -> Landing:
        _, value, ttl, ticket = made
        if ttl is None or ttl <= 0:
            return Landing(ticket, None, 0.0, cells_of(tags))
        raw = await self._closed(io, ticket.key, value, ttl, kind, stale=stale, tags=tags)
        return Landing(ticket, raw, ttl + stale, cells_of(tags))

    async def hold(self, io: IO, ticket: Ticket, lease: float = LEASE_SECONDS) -> bool:
        return await self._hold(io, ticket, lease)

    async def release(self, io: IO, ticket: Ticket) -> bool:
        try:
            return await self._release(io, ticket)
        except BackendUnavailableError:
            self._forsake([ticket])
            return True  # it ends by itself

    async def claim_lock(self, io: IO, key: str, lease: float, version: Version = None) -> Lead | Held:
        want = Want(self._lock_key(key, version), token_bytes(8), ANEW, stamped=True)
        (claimed,) = await self._claims(io, [want], lease, Kind.VALUE)
        if claimed is None or isinstance(claimed, Hit):
            raise BackendUnavailableError(f"the lock {key!r:.80} cannot be had: something is stored in its place")
        return claimed

    async def attend_lock(self, io: IO, key: str, seconds: float, version: Version = None) -> None:
        await self._attend(io, self._lock_key(key, version), seconds)

    async def attend(self, io: IO, key: str, seconds: float, version: Version = None, kind: Kind = Kind.VALUE) -> None:
        del kind
        await self._attend(io, self.stored_key(key, version), seconds)

    async def void(self, io: IO, tags: Iterable[str], version: Version = None) -> None:
        if chosen := tuple(tags):
            await self._void(io, self.stored_key("", version), chosen)

    async def empty(self, io: IO, version: Version = None) -> None:
        await self._empty(io, self.stored_key("", version))

    def _lock_key(self, key: str, version: Version) -> str:
        """Give the stored key of a lock."""
        return f"{self.stored_key('', version)[:-1]}{LOCKS}{checked(key)}"
