"""What a batch of loads consists of, and how its parts are stored: all of them by one question to the store."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asynccache.core.claims import Made
from asynccache.core.events import Hit, Miss
from asynccache.core.policy import Verdict, judge, lifetime
from asynccache.core.tags import tagged
from asynccache.loading.flight import Flight
from asynccache.loading.outcomes import GONE, Failed, Gone, Landed
from asynccache.model import Capability

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from asynccache.core.entry import Entry
    from asynccache.core.policy import CachePolicy
    from asynccache.errors import SerializationError
    from asynccache.loading.current import CurrentLoad
    from asynccache.loading.flights import Flights
    from asynccache.loading.load import Load
    from asynccache.loading.loops import Launched
    from asynccache.loading.outcomes import Outcome
    from asynccache.plan.io import IO


@dataclass(slots=True, eq=False)
class Part:
    """One key of a batch: its load and flight, what is stored and may stand in, and how it ended.

    One that `is_absent` is not known to the factory: it ended without a value for whoever joined, and has none here.
    """

    load: Load
    flight: Flight
    seen: Entry | None = None
    stand_in: Entry | None = None
    is_due: bool = False
    is_absent: bool = False
    outcome: Outcome | None = None

    def settle(self, outcome: Outcome) -> None:
        """Tell all who wait for this key."""
        self.outcome = outcome
        self.flight.settle(outcome)

    def serve(self, entry: Entry | None, policy: CachePolicy, *, renews: bool) -> bool:
        """Take what is stored if it is good enough, also if it is due unless this `renews` it; tell whether it is.

        Others who wait for the key are not to have what is over: their policies may not allow that.
        """
        verdict = self.know(entry, policy)
        self.is_due = verdict is Verdict.DUE and not renews
        if entry is None or (verdict is not Verdict.FRESH and not self.is_due):
            return False
        self.outcome = Landed(entry.value, self.load.replicas(entry.value), self.flight.asked)
        self.flight.settle(GONE if self.is_over else self.outcome)
        return True

    def tell_served(self) -> None:
        """Tell listeners that what is stored was served."""
        backend = self.load.backend
        if backend.is_heard:
            backend.tell((Miss if self.is_over else Hit)(backend.name, self.load.key))

    @property
    def is_over(self) -> bool:
        """Whether the ttl of what is stored has passed."""
        return self.seen is not None and self.seen.times.fresh_until <= self.load.backend.clock()

    def know(self, entry: Entry | None, policy: CachePolicy) -> Verdict:
        """Remember what is stored, and whether it may stand in."""
        verdict = judge(entry, policy, self.load.backend.clock())
        if entry is not None:
            self.seen = entry
        if verdict is Verdict.STALE:
            self.stand_in = entry
        return verdict


class Formation(Flight):
    """The load of a batch as a whole, known by no key: what breaks it off breaks off its parts."""

    __slots__ = ("parts",)

    def __init__(self, flights: Flights, parts: list[Part]) -> None:
        super().__init__(flights, None, 0)
        self.parts = parts

    @property
    def missing(self) -> list[Part]:
        """The parts that are not settled yet."""
        return [part for part in self.parts if part.outcome is None]

    def settle(self, outcome: Any) -> None:
        """Tell all waiters, and those of parts that have none yet that there will be no value."""
        for part in self.parts:
            part.flight.settle(outcome if isinstance(outcome, Gone) else GONE)
        super().settle(outcome)

    def break_off(self, outcome: Any) -> None:
        """Settle all without a value, and keep what is still loading from being stored."""
        for part in self.parts:
            part.flight.break_off(outcome)
        super().break_off(outcome)

    def leave_for_a_thread(self) -> None:
        """Note that all are not run where they were begun."""
        for part in self.parts:
            part.flight.leave_for_a_thread()
        super().leave_for_a_thread()

    def leave_to(self, launched: Launched) -> None:
        """Let the caller leave: what nobody else waits for is not stored, and is cancelled with the last waiter."""

        def end_if_nobody_waits() -> None:
            if all(part.flight.doomed for part in self.missing):
                launched.cancel()

        self.doomed = False  # that is told part by part
        for part in self.missing:
            part.flight.when_abandoned(end_if_nobody_waits)
            part.flight.doom_if_alone()
        end_if_nobody_waits()


async def land(io: IO, parts: list[Part], values: Mapping[str, Any], current: CurrentLoad) -> None:
    """Store what was loaded where that is still right, end all rights, and note how each part ended."""
    load = parts[0].load
    policy = current.applied(load.merged_policy())
    made = {part: one for part in parts if (one := _made(part, values, policy)) is not None}
    tags = tagged((*load.tags, *current.tags))
    stored = await _landed(io, load, made.values(), policy.kept_seconds, tags)
    outdated = [part.load.key for part in parts if _is_outdated(part, made.get(part), stored)]
    if outdated:
        try:
            await load.backend.remove_many(io, outdated, load.version)
        except Exception as error:  # noqa: BLE001  # the caller has its values
            load.note(error)
    for part in parts:
        if part.outcome is None:
            part.outcome = _outcome(part, values, stored.get(part.load.key, False))


async def give_up(io: IO, parts: Iterable[Part]) -> None:
    """End the rights of these parts, so that others may load."""
    granted = [(part.load, part.flight.ticket) for part in parts]
    made = [Made(load.key, None, None, ticket) for load, ticket in granted if ticket is not None]
    if made:
        await _landed(io, granted[0][0], made, None, ())


def _made(part: Part, values: Mapping[str, Any], policy: CachePolicy) -> Made | None:
    """Give what is to be sent to the store; None where there is no right to."""
    key, flight = part.load.key, part.flight
    value, kept = values.get(key), None
    if flight.begin_storing() and key in values:
        try:
            ttl = lifetime(policy, value, default=part.load.backend.default_ttl, luck=random.random())
        except Exception as error:  # noqa: BLE001  # the policy's condition raised
            part.outcome = Failed(error)
        else:
            kept = ttl if ttl is not None and ttl > 0 else None
    flight.ask()
    return None if flight.ticket is None else Made(key, value, kept, flight.ticket)


async def _landed(
    io: IO, load: Load, made: Iterable[Made], stale: float | None, tags: tuple[str, ...]
) -> Mapping[str, bool | SerializationError]:
    try:
        return await load.backend.land_many(io, list(made), stale=stale, tags=tags, version=load.version)
    except Exception as error:  # noqa: BLE001  # a store never fails a read-through
        load.note(error)
        return {}


def _is_outdated(part: Part, made: Made | None, stored: Mapping[str, bool | SerializationError]) -> bool:
    """Tell whether what is stored is to be removed: it is replaced by nothing, or by what was overtaken."""
    if not part.flight.is_storing or part.outcome is not None:
        return False
    if _is_overtaken(part):
        return True
    return part.seen is not None and made is not None and made.ttl is None and stored.get(made.key) is True


def _outcome(part: Part, values: Mapping[str, Any], stored: bool | SerializationError) -> Outcome:  # noqa: FBT001  # what the store said
    if part.load.key not in values:
        part.is_absent = True
        return GONE
    if not isinstance(stored, bool):
        return Failed(stored)
    value, flight = values[part.load.key], part.flight
    is_proven = stored and flight.is_storing and not _is_overtaken(part)
    return Landed(value, part.load.replicas(value), flight.asked if is_proven else 0)


def _is_overtaken(part: Part) -> bool:
    """Tell whether the key has changed while its value was stored, in a store that does not see to that itself."""
    return part.flight.doomed and Capability.FENCES not in part.load.backend.capabilities
