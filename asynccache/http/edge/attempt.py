"""One passage of a request to the app: what its answer is good for, who waits for it, and what is stored of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from asynccache.http.edge.answers import answer_with
from asynccache.http.edge.finishing import joined_to, with_etag
from asynccache.http.edge.note import Note
from asynccache.http.edge.shelved import Shelved
from asynccache.http.edge.telling import told
from asynccache.http.heads import SETS_COOKIES
from asynccache.http.page_rules import Then
from asynccache.http.rules import (
    Refusal,
    Validate,
    completed,
    freshen,
    freshen_by_head,
    keep_for,
    may_store,
    stands_in,
)
from asynccache.http.stored import ANONYMOUS
from asynccache.http.turn import Turn
from asynccache.loading.outcomes import Landed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asynccache.http.edge.answers import Answer
    from asynccache.http.edge.found import Found
    from asynccache.http.edge.incoming import Incoming
    from asynccache.http.edge.place import Place
    from asynccache.http.headers import Pair
    from asynccache.http.rules import Forward
    from asynccache.http.stored import Stored

_ERROR = 400
_LASTING_ERRORS = frozenset({404, 410})  # others may be about one client, who is not to keep a URL from the cache
_NOBODY = "nobody would have it: the store is away, or another request is about to store one"


class AppFailed(msgspec.Struct, frozen=True):
    """The app answered with this status, or raised where it is None: whoever has something older may send that."""

    status: int | None


@dataclass(slots=True, eq=False, kw_only=True)
class Attempt(Turn):
    """An answer of the app on its way.

    Args:
        place: where it may be stored, and by which rules.
        incoming: the request.
        found: what was found for it.
        decision: why the app is asked; `Validate`: whether what was found still holds.
        proof: the number of the last question to the store, where the answer is not stored.
        note: what `@Cache` says of it.
        requested_at: when the app was asked.
        parts: what is to be stored, without its body.
    """

    place: Place
    incoming: Incoming
    found: Found
    decision: Validate | Forward
    proof: int = 0
    note: Note = field(default_factory=Note)
    requested_at: float = 0.0
    parts: Stored | None = None
    is_mismatched: bool = False
    _fwd_status: int | None = None
    _is_stored: bool = False
    _detail: str = ""
    _added: tuple[Pair, ...] = ()
    _kept: Shelved | None = None

    @property
    def wants_body(self) -> bool:
        """Whether there is somebody to keep an answer for."""
        return self.open and self.incoming.method == "GET" and (self.right is not None or self.flight is not None)

    @property
    def slices(self) -> bool:
        """Whether all is fetched where the client asks for a part."""
        wants = self.right is not None or self.flight is not None
        return wants and self.place.slices(self.incoming.request)

    @property
    def is_recording(self) -> bool:
        """Whether the body is to be kept."""
        return self.open and self.parts is not None

    @property
    def is_private(self) -> bool:
        """Whether the request carries somebody's identity."""
        return self.place.is_private(self.incoming)

    def told(self, headers: list[Pair]) -> list[Pair]:
        """Give the header with what becomes of this answer."""
        return told([*headers, *self._added], self._member(), self.place.now())

    def _member(self) -> bytes:
        return self.place.telling(self.incoming).forwarded(
            self.decision.why, fwd_status=self._fwd_status, stored=self._is_stored, detail=self._detail
        )

    # The head

    async def judge(self, status: int, headers: Sequence[Pair], *, trailers: bool) -> Answer | None:
        """Judge a head; give another answer, where one goes out in place of this one."""
        now, stored = self.place.now(), self.found.stored
        if stored is not None:
            if status == 304 and isinstance(self.decision, Validate):
                return await self._confirmed(stored, headers, now)
            if stands_in(self.incoming.request, stored, now, self.place.rules, status):
                return await self._stood_in(status)
            if status == 200 and self.incoming.method == "HEAD":
                await self._compared(stored, headers, now)
        if not self.wants_body:
            self._detail = _NOBODY
            return None
        judged = self._judged(status, headers, now, trailers=trailers)
        if isinstance(judged, Refusal):
            await self.refuse(judged, status)
        else:
            self.parts = judged
        return None

    def _judged(self, status: int, headers: Sequence[Pair], now: float, *, trailers: bool) -> Stored | Refusal:
        if trailers:
            return Refusal("it has trailers")
        if self.note.forbidden:
            return Refusal(self.note.forbidden)
        if self.note.is_anonymous and not SETS_COOKIES.isdisjoint(name for name, _ in headers):
            return Refusal("somebody added a cookie to a page of @Cache")
        judged = may_store(self.incoming.request, status, headers, self.place.rules, now, self.requested_at)
        return judged if isinstance(judged, Refusal) else self._as_noted(judged)

    def _as_noted(self, stored: Stored, before: int = 0) -> Stored:
        """Give it with what `@Cache` said of it, now or `before`."""
        terms = (ANONYMOUS if self.note.is_anonymous else before & ANONYMOUS) | stored.terms
        return stored if terms == stored.terms else msgspec.structs.replace(stored, terms=terms)

    async def _confirmed(self, stored: Stored, headers: Sequence[Pair], now: float) -> Answer | None:
        """Answer with what the app has confirmed; None where it meant something else (RFC 9111 4.3.4)."""
        request, rules = self.incoming.request, self.place.rules
        fresh = freshen(stored, request, headers, now, self.requested_at, rules)
        if fresh is None:
            self.is_mismatched = True
            return None
        self._fwd_status = 304
        shelved = await self._keep(self._as_noted(fresh, stored.terms))
        return answer_with(request, shelved, now, self._member(), validated=True)

    async def _compared(self, stored: Stored, headers: Sequence[Pair], now: float) -> None:
        """Let the answer to a HEAD update what is stored (RFC 9111 4.3.5)."""
        other = freshen_by_head(stored, self.incoming.request, headers, now, self.requested_at, self.place.rules)
        if other is not None:
            await self._keep(other)

    # What becomes of it

    async def _stood_in(self, status: int | None) -> Answer:
        """Answer with what is over, here and for those who wait."""
        shelved: Any = self.found.shelved
        self._fwd_status = status
        if status is None:
            self._detail = "the app failed"
        failed = AppFailed(status)
        if self.right is not None:
            await self.right.give_up()
        self.land(Landed(failed, lambda: failed))
        return answer_with(self.incoming.request, shelved, self.place.now(), self._member())

    async def fail(self) -> Answer | None:
        """Note that the app raised; give what is answered instead, if anything is."""
        stored = self.found.stored
        if stored is None or not stands_in(self.incoming.request, stored, self.place.now(), self.place.rules):
            return None
        return await self._stood_in(None)

    async def refuse(self, refusal: Refusal, status: int = 200) -> None:
        """Let those who wait go on, and later ones not wait at all where that would be in vain."""
        if not self.open:
            return
        lasts = status < _ERROR or status in _LASTING_ERRORS
        if lasts and self.incoming.method == "GET" and (self.is_private or not refusal.of_request):
            self.place.memory.refused(self.incoming.key, is_private=self.is_private)
        self._detail = refusal.why
        self.parts = None
        await self.leave(Then.RETRY if refusal.of_request else Then.RUN)

    async def give_up(self, why: str, *, of_request: bool = False) -> None:
        """Let those who wait go on: it turned out late that it cannot be stored."""
        if self.is_recording:
            await self.refuse(Refusal(why, of_request=of_request))

    def limit(self, length: int | None) -> int:
        """Give the most bytes that its body may have."""
        return self.place.rules.max_body if length is None else length

    async def store(self, body: bytes) -> None:
        """Store it whole, and tell those who wait."""
        parts = None if self.parts is None else completed(self.parts, body)
        if parts is None:
            await self.give_up("it is not as long as it says")
        elif self.note.forbidden:
            await self.refuse(Refusal(self.note.forbidden))
        else:
            self._kept = await self._keep(self._finished(parts))

    def part(self) -> Answer | None:
        """Give the part that the client asked for, where all was fetched and is complete."""
        if self._kept is None or not self.slices:
            return None
        return answer_with(self.incoming.request, self._kept, self.place.now(), self._member())

    def _finished(self, parts: Stored) -> Stored:
        """Give it with an entity tag, where that is wanted, and joined to what is there of it."""
        place = self.place
        tagged = with_etag(parts) if place.settings.etags else parts
        self._added = tagged.headers[len(parts.headers) :]
        return joined_to(self.found.stored, tagged, place.rules.max_body)

    async def _keep(self, stored: Stored) -> Shelved:
        """Store this, if that is still right, and tell those who wait."""
        flight, right, place = self.flight, self.right, self.place
        shelved = Shelved(stored)
        proof = 0 if flight is None else flight.ask()
        if right is not None:
            seconds, tags = keep_for(stored, place.rules), self.note.tags
            shelved, self._detail = await place.shelf.store(
                self.found, stored, seconds, self.flight_told, right.ticket, tags=tags
            )
            self._is_stored = not self._detail
        if self._is_stored:
            place.memory.taken(self.incoming.key, is_private=self.is_private)
        elif right is not None:
            await right.give_up()
        self.land(Landed(shelved, lambda: shelved, proof if self._is_stored else self.proof))
        return shelved
