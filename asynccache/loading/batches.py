"""Batches: what is missing of many keys is loaded by one call of a factory, and each key is a flight of its own.

So whoever asks for one of the keys meanwhile waits for it as for any other load, and a change of a key concerns that
key alone. The store is asked twice, for all keys at a time: for the rights to load, to which it answers with what is
there, and to store.
"""

from __future__ import annotations

from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

from asynccache.core import events
from asynccache.core.claims import Held, Hit, Lead, found_by
from asynccache.core.keys import mapped
from asynccache.loading.circles import within
from asynccache.loading.current import CurrentLoad, running_for
from asynccache.loading.leases import held_together
from asynccache.loading.load import awaited, plain
from asynccache.loading.outcomes import GONE, Failed, Landed
from asynccache.loading.parts import give_up, land
from asynccache.loading.rights import Attendance
from asynccache.model import Capability
from asynccache.plan.io import BLOCKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asynccache.core.claims import Claimed
    from asynccache.core.entry import Entry
    from asynccache.core.policy import CachePolicy
    from asynccache.loading.failures import Failures
    from asynccache.loading.parts import Formation, Part
    from asynccache.plan.io import IO


class Batch:
    """Loads what is missing of the parts of a formation.

    Args:
        formation: its parts are keys whose flights the caller leads; all of one backend, policy and version.
        factory: is given the keys that are missing and returns a mapping.
        failures: loads that are not to be tried again yet.
        renews: whether what is stored is due, so that nobody waits for this.
    """

    def __init__(
        self,
        formation: Formation,
        factory: Callable[[list[str]], Any],
        failures: Failures,
        *,
        renews: bool = False,
    ) -> None:
        first = formation.parts[0].load
        self.formation = formation
        self._factory = factory
        self._failures = failures
        self._renews = renews
        self._backend = first.backend
        self._version = first.version
        self._policy: CachePolicy = first.merged_policy()

    async def run(self, io: IO) -> Landed:
        """Find or load them all, and settle each."""
        try:
            with self._inside():
                await self._run(io)
        except Exception as error:  # noqa: BLE001  # something is configured wrongly: it is for all who wait
            for part in self.formation.missing:
                part.settle(Failed(error))
        return Landed(None, lambda: None)

    async def _run(self, io: IO) -> None:
        if not self._renews and Capability.FENCES not in self._backend.capabilities:
            await self._look(io)
        elsewhere: dict[Part, float] = {}
        attendance = Attendance(self._policy, *[part.flight for part in self.formation.parts])
        while missing := self.formation.missing:
            if elsewhere:
                await attendance.wait(io, missing[0].load, min(elsewhere.values()))
            try:
                to_load, elsewhere = await self._claimed(io, missing, attendance)
            except BaseException:
                await give_up(io, missing)
                raise
            if to_load:
                await self._loaded(io, to_load)

    async def _look(self, io: IO) -> None:
        """Find what is there, in a store that does not tell when it is asked for the right to load."""
        keys = [part.load.key for part in self.formation.parts]
        look = self._backend.look_many if self._policy.keeps_times else self._backend.read_many
        try:
            found = await look(io, keys, self._version)
        except Exception as error:  # noqa: BLE001  # a store never fails a read-through: these are misses
            self.formation.parts[0].load.note(error)
            return
        for part in self.formation.parts:
            self._serves(part, found.get(part.load.key))

    def _serves(self, part: Part, entry: Entry | None) -> bool:
        """Take what is stored if it is good enough; tell whether it is."""
        if not part.serve(entry, self._policy, renews=self._renews):
            return False
        part.tell_served()
        return True

    async def _claimed(self, io: IO, parts: list[Part], attendance: Attendance) -> tuple[list[Part], dict[Part, float]]:
        """Ask for the rights to load; give the parts that are to be loaded here, and those that others load."""
        to_load: list[Part] = []
        served: list[Part] = []
        elsewhere: dict[Part, float] = {}
        while parts:
            claims, again = await self._claims(io, parts), []
            for part in parts:
                claimed = claims.get(part.load.key)
                if isinstance(claimed, Lead):
                    part.flight.ticket = claimed.ticket
                if claimed is not None and self._serves(part, found_by(claimed)):
                    served.append(part)
                elif isinstance(claimed, Hit):
                    again.append(part)
                elif isinstance(claimed, Held) and not attendance.is_over:
                    elsewhere[part] = claimed.seconds
                else:
                    to_load.append(part)
            parts = again
        await give_up(io, served)  # what is over and served all the same is renewed behind, by another right
        return await self._allowed(io, to_load), elsewhere

    async def _claims(self, io: IO, parts: list[Part]) -> dict[str, Claimed]:
        """Ask the store; what it does not answer is not there."""
        for part in parts:
            part.flight.ask()
        seen = {part.load.key: part.seen for part in parts if part.seen is not None}
        keys = [part.load.key for part in parts]
        try:
            return await self._backend.claim_many(io, keys, seen=seen or None, version=self._version)
        except Exception as error:  # noqa: BLE001  # a store never fails a read-through
            parts[0].load.note(error)
            return {}

    async def _allowed(self, io: IO, parts: list[Part]) -> list[Part]:
        """Leave out what failed a moment ago."""
        pauses = {part: self._failures.pausing(part.load, has_value=part.stand_in is not None) for part in parts}
        failed = {part: failure for part, failure in pauses.items() if failure is not None}
        if failed:
            await give_up(io, failed)
            for part, failure in failed.items():
                part.settle(failure.again())
        return [part for part in parts if part not in failed]

    async def _loaded(self, io: IO, parts: list[Part]) -> None:
        """Call the factory, store what it returns, and settle these parts."""
        current, began = CurrentLoad(), monotonic()
        for part in parts if self._backend.is_heard else ():
            self._backend.tell(events.Miss(self._backend.name, part.load.key))
        try:
            with held_together(io, self._backend, [part.flight.ticket for part in parts]), running_for(current):
                made = self._factory([part.load.key for part in parts])
                values = mapped(plain(made) if io is BLOCKING else await awaited(made))
            for part in parts if self.formation.doomed else ():
                part.flight.doomed = True
            await land(io, parts, values, current)
        except BaseException as error:
            await give_up(io, parts)
            if not isinstance(error, Exception):
                raise
            for part in parts:
                part.outcome = Failed(error)
        for part in parts:
            self._finish(part, monotonic() - began)

    def _finish(self, part: Part, load_seconds: float) -> None:
        """Tell how a part ended."""
        outcome = part.outcome or GONE
        if isinstance(outcome, Landed | Failed):
            self._failures.conclude(part.load, outcome, load_seconds)
        part.settle(outcome)

    @contextmanager
    def _inside(self) -> Iterator[None]:
        """Mark what runs here as part of these loads, so that it never waits for itself."""
        flights = tuple(part.flight for part in self.formation.parts)
        token = within.set(flights if self._renews else (*within.get(), *flights))
        try:
            yield
        finally:
            within.reset(token)
