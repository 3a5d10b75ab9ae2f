"""Read-through of many keys at once: one call of the factory for all that are missing.

A key that somebody else loads just now is waited for; all others are one batch, which runs as a single load does: on a
loop in a task of its own, off a loop in this thread, or in one of its own where callers wait for a limited time only.
"""

from __future__ import annotations

from contextlib import suppress
from contextvars import copy_context
from functools import partial
from threading import get_ident
from typing import TYPE_CHECKING, Any

from asynccache.core.keys import mapped
from asynccache.loading.batches import Batch
from asynccache.loading.circles import waiting, within
from asynccache.loading.load import awaited, check_factory, is_plain_function, plain
from asynccache.loading.loops import running_loop
from asynccache.loading.many_call import Call
from asynccache.loading.outcomes import GONE, Failed, Gone
from asynccache.loading.parts import Formation, Part
from asynccache.plan.io import BLOCKING, LOOP, run

if TYPE_CHECKING:
    from asynccache.loading.flights import Flights
    from asynccache.loading.loops import Launched
    from asynccache.loading.many_call import ManyLoads
    from asynccache.loading.outcomes import Outcome
    from asynccache.loading.running import Runner
    from asynccache.plan.io import IO


class ManyLoader:
    """Answers read-throughs of many keys; `flights` and `runner` are those of single loads."""

    def __init__(self, flights: Flights, runner: Runner) -> None:
        self._flights = flights
        self._runner = runner

    def get(self, wanted: ManyLoads) -> dict[str, Any]:
        """Return the values, loading what is missing in this thread or waiting for whoever does."""
        check_factory(wanted.factory)
        if not is_plain_function(wanted.factory):
            raise TypeError(f"{wanted.factory!r} is asynchronous: use get_or_set_many_async")
        return run(self._found(BLOCKING, wanted))

    async def get_async(self, wanted: ManyLoads) -> dict[str, Any]:
        """Return the values, loading what is missing in a task of its own or waiting for whoever does."""
        check_factory(wanted.factory)
        return await self._found(LOOP, wanted)

    async def _found(self, io: IO, wanted: ManyLoads) -> dict[str, Any]:
        if not wanted.keys:
            return {}
        call = Call(wanted, self._flights.begun)
        keys = list(wanted.keys)
        while keys:
            led, joined = self._joined(call, keys)
            if led:
                await self._loaded(io, call, led)  # first of all: nobody else settles the flights that this call leads
            joined = await self._unserved(io, call, joined)
            keys = [part.load.key for part in led if not call.take(part)]
            keys += [part.load.key for part, asked in joined if not await self._followed(io, call, part, asked)]
        if call.due:
            self._renew_behind(io, call)
        return {key: call.values[key] for key in wanted.keys if key in call.values}

    def _joined(self, call: Call, keys: list[str]) -> tuple[list[Part], list[tuple[Part, int]]]:
        """Join the flights of these keys; give those that this call leads, and the others, with what they had asked."""
        led, joined = [], []
        for key in keys:
            flight, leads = self._flights.join(call.flight_keys[key])
            part = Part(call.loads[key], flight)
            if leads:
                led.append(part)
            else:
                joined.append((part, flight.asked))
        return led, joined

    async def _unserved(self, io: IO, call: Call, joined: list[tuple[Part, int]]) -> list[tuple[Part, int]]:
        """Take what is good enough while somebody else renews it; give the others, for which to wait."""
        if not (joined and call.policy.keeps_times):
            return joined
        first = joined[0][0].load
        try:
            found = await first.backend.look_many(io, [part.load.key for part, _ in joined], first.version)
        except Exception as error:  # noqa: BLE001  # a store never fails a read-through: there is nothing
            first.note(error)
            return joined
        return [(part, asked) for part, asked in joined if not call.serves(part, found.get(part.load.key))]

    async def _loaded(self, io: IO, call: Call, parts: list[Part]) -> None:
        """Load these, and wait until that is over, or until there are values that stand in."""
        formation = Formation(self._flights, parts)
        batch = Batch(formation, call.factory, self._runner.failures)
        if io is BLOCKING and not call.policy.is_timed:
            self._lead(batch)
            return
        if io is BLOCKING:
            self._start(batch)
        else:
            formation.when_abandoned(partial(formation.leave_to, self._launch(batch)))
        outcome = await self._waited(io, call, formation)
        if isinstance(outcome, Gone):
            outcome.for_leader()

    async def _waited(self, io: IO, call: Call, formation: Formation) -> Outcome | None:
        """Wait for a batch, as long as the policy allows; None where what stands in is to be used."""
        soft, hard = call.policy.soft_timeout, call.policy.hard_timeout
        for timeout in (hard,) if soft is None else (soft, hard):
            try:
                outcome: Outcome = await io.twin(formation.wait_in_thread, formation.wait, call.left(timeout))
            except TimeoutError:
                if all(part.stand_in is not None for part in formation.missing):
                    return None
            else:
                return outcome
        raise call.lost()

    async def _followed(self, io: IO, call: Call, part: Part, asked: int) -> bool:
        """Wait for somebody else's load of this key, and take its value; False where it is to be asked for again."""
        key, flight = part.load.key, part.flight
        stuck = (*within.get(), *self._flights.led_here()) if io is BLOCKING else within.get()
        with waiting(self._flights, stuck, flight) as ends:
            if not ends:
                made = call.factory([key])
                values = mapped(plain(made) if io is BLOCKING else await awaited(made))
                call.values |= {key: values[key]} if key in values else {}
                return True
            try:
                outcome = await io.twin(flight.wait_in_thread, flight.wait, call.patience(part))
            except TimeoutError:
                if call.stands_in(part):
                    return True
                raise call.lost() from None
        if isinstance(outcome, Gone):
            if outcome.closed_on is not None and outcome.closed_on == running_loop():
                outcome.for_leader()
            return False
        if isinstance(outcome, Failed) and call.stands_in(part):
            return True
        if flight.suits(outcome, call.arrived, asked):
            call.values[key] = outcome.for_follower()
        return key in call.values

    def _renew_behind(self, io: IO, call: Call) -> None:
        """Begin to renew what is due, but for what goes on already or failed a moment ago."""
        parts = []
        for due in call.due:
            if self._runner.failures.pausing(due.load, has_value=True) is None:
                flight, leads = self._flights.join(due.flight.key)
                parts += [Part(due.load, flight, due.seen)] if leads else []
        if not parts:
            return
        batch = Batch(Formation(self._flights, parts), call.factory, self._runner.failures, renews=True)
        if io is BLOCKING:
            with suppress(RuntimeError):  # no more threads, or no more at all: the process ends
                self._start(batch)
        else:
            self._launch(batch)

    def _lead(self, batch: Batch) -> None:
        """Load in this thread."""
        outcome: Outcome = GONE
        try:
            outcome = run(batch.run(BLOCKING))
        except BaseException as error:
            outcome = Gone(error)
            raise
        finally:
            batch.formation.settle(outcome)

    def _start(self, batch: Batch) -> None:
        """Load in a thread of its own."""
        context = copy_context()

        def work() -> None:
            for part in batch.formation.parts:
                part.flight.thread = get_ident()
            with suppress(BaseException):  # SystemExit and the like are for the caller who waits
                context.run(self._lead, batch)

        self._runner.own_in_thread(batch.formation, work)

    def _launch(self, batch: Batch) -> Launched:
        """Load in a task of its own on this loop."""
        name = f"asynccache load of {len(batch.formation.parts)} keys"
        return self._runner.own(batch.formation, batch.run(LOOP), name)
