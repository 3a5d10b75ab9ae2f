"""A lane connects when it is needed; its callers wait, each for as long as he can, and nobody in vain."""

import asyncio
import time

import pytest

from asynccache.wire.faults import BusyError
from asynccache.wire.lane import Lane
from tests.wire.driver import Driven, outcome, outcomes, turns

FULL = 10_000


class Server:
    """Where a lane connects to: as often, and as soon, as the test says."""

    def __init__(self, pause: float = 0.0, failures: list[Exception] | None = None, deadline: float = 0.1) -> None:
        self.pause = pause
        self.failures = failures or []
        self.made: list[Driven] = []
        self.attempts: list[float] = []
        self.lane = Lane(self._connect, deadline)

    async def _connect(self):
        self.attempts.append(time.monotonic())
        await asyncio.sleep(self.pause)
        if self.failures:
            raise self.failures.pop(0)
        self.made.append(Driven())
        return self.made[-1].wire

    async def wire(self, within: float = 5.0):
        return await self.lane.wire(time.monotonic() + within)

    async def ask(self, within: float = 5.0):
        wire = await self.wire(within)
        return await wire.look(b"~n", b"k", time.monotonic() + within)

    def fill(self) -> Driven:
        driven = self.made[-1]
        for number in range(FULL):
            driven.look(b"%d" % number)
        return driven


def answer(driven: Driven) -> None:
    """Answer everything that was asked."""
    if commands := driven.asked():
        driven.say(*[[b"book", *command[2:]] for command in commands])


class TestConnecting:
    async def test_a_crowd_makes_one_connection(self):
        server = Server()
        wires = await asyncio.gather(*[server.wire() for _ in range(100)])
        assert len(server.made) == len(set(map(id, wires))) == 1
        assert server.lane.open_wire is wires[0]

    async def test_it_connects_again_when_the_connection_was_lost(self):
        server = Server()
        first = await server.wire()
        first.connection_lost(None)
        assert server.lane.open_wire is None
        assert await server.wire() is not first
        assert len(server.made) == 2

    async def test_each_caller_waits_as_long_as_he_can_and_the_attempt_goes_on(self):
        server = Server(pause=0.08)
        hasty, patient = asyncio.create_task(server.wire(0.02)), asyncio.create_task(server.wire())
        assert await outcome(hasty) is TimeoutError
        assert (await patient).is_open
        assert len(server.attempts) == 1

    async def test_who_is_cancelled_takes_nobody_with_him(self):
        server = Server(pause=0.01)
        first, second = asyncio.create_task(server.wire()), asyncio.create_task(server.wire())
        await turns()
        first.cancel()
        assert (await second).is_open
        assert first.cancelled()

    async def test_who_is_cancelled_alone_leaves_a_connection_for_the_next(self):
        server = Server(pause=0.01)
        alone = asyncio.create_task(server.wire())
        await turns()
        alone.cancel()
        await asyncio.sleep(0.03)
        assert server.lane.open_wire is server.made[0].wire

    async def test_all_who_wait_hear_why_it_cannot(self):
        server = Server(failures=[ConnectionRefusedError("nobody there")])
        found = await asyncio.gather(*[server.wire() for _ in range(3)], return_exceptions=True)
        assert list(map(str, found)) == ["nobody there", *["no connection: nobody there"] * 2]

    async def test_after_a_failure_callers_hear_of_it_at_once_for_a_moment(self):
        server, why = Server(failures=[OSError("nobody there")] * 5), []
        while server.failures:
            why.append(await outcome(asyncio.ensure_future(server.wire())))
            await asyncio.sleep(0.001)
        assert why.count(OSError) == 5
        assert set(why) == {OSError, BusyError}
        pauses = [later - sooner for sooner, later in zip(server.attempts, server.attempts[1:], strict=False)]
        assert [pause >= 0.005 * 2**failed for failed, pause in enumerate(pauses)] == [True] * 4

    async def test_pauses_begin_anew_after_a_success(self):
        server = Server(failures=[OSError()] * 3)
        while not server.made:
            await outcome(asyncio.ensure_future(server.wire()))
            await asyncio.sleep(0.005)
        server.made[0].wire.eof_received()
        server.failures = [OSError()]
        assert await outcome(asyncio.ensure_future(server.wire())) is OSError
        assert server.lane._failed == 1
        assert server.lane._pause_ends_at - time.monotonic() <= 0.01

    async def test_an_attempt_that_never_ends_is_given_up(self):
        server = Server(pause=60)
        assert await outcome(asyncio.ensure_future(server.wire(50))) is TimeoutError
        assert server.lane._failed == 1

    async def test_a_loop_that_was_blocked_gets_the_time_back(self):
        server = Server(pause=0.01)
        waiting = asyncio.create_task(server.wire(0.05))
        await turns()
        server.pause = 0
        time.sleep(0.1)
        assert (await waiting).is_open


class TestRoom:
    async def test_who_comes_while_it_is_full_waits_for_room(self):
        server = Server()
        await server.wire()
        driven = server.fill()
        await turns()
        assert server.lane.open_wire is None
        crowd = [asyncio.create_task(server.ask()) for _ in range(1_000)]
        await turns()
        answer(driven)
        assert driven.wire.room
        assert server.lane.open_wire is None  # others were there before
        while not all(task.done() for task in crowd):
            answer(driven)
            await turns()
        assert {await task for task in crowd} == {(b"book", b"k")}
        assert server.lane.open_wire is driven.wire

    async def test_who_waits_too_long_was_one_of_too_many(self):
        server = Server()
        await server.wire()
        server.fill()
        assert await outcome(asyncio.ensure_future(server.wire(0.02))) is BusyError

    async def test_they_go_on_in_the_order_of_their_coming(self):
        server, came = Server(), []
        await server.wire()
        driven = server.fill()

        async def visit(number):
            await server.ask()
            came.append(number)

        crowd = [asyncio.create_task(visit(number)) for number in range(300)]
        await turns()
        while len(came) < 300:
            answer(driven)
            await turns()
        assert came == sorted(came)
        await asyncio.wait(crowd)

    async def test_a_huge_crowd_is_never_under_way_all_at_once(self):
        server, most = Server(), 0
        await server.wire()
        driven = server.made[0]
        crowd = [asyncio.create_task(server.ask(60)) for _ in range(30_000)]
        while not all(task.done() for task in crowd[-300:]):
            await turns()
            most = max(most, FULL - driven.wire.room)
            answer(driven)
        assert most == FULL
        assert {await task for task in crowd} == {(b"book", b"k")}
        assert (driven.wire.room, driven.wire.has_room) == (FULL, None)

    async def test_who_has_his_turn_and_is_cancelled_passes_it_on(self):
        server = Server()
        await server.wire()
        driven = server.fill()
        crowd = [asyncio.create_task(server.ask()) for _ in range(600)]
        await turns()
        answer(driven)
        for task in crowd[:300]:  # those whose turn it is, and some more
            task.cancel()
        for _ in range(20):
            await turns()
            answer(driven)
        assert [task.done() for task in crowd] == [True] * 600
        assert await crowd[-1] == (b"book", b"k")

    @pytest.mark.parametrize("unsent", [False, True], ids=["callers", "bytes"])
    async def test_all_go_on_where_a_full_connection_is_lost(self, unsent):
        server = Server()
        wire = await server.wire()
        if unsent:
            wire.pause_writing()
            server.made[0].ask(b"SET", b"k", b"x" * (5 * 1024 * 1024))
        else:
            server.fill()
        crowd = [asyncio.create_task(server.ask()) for _ in range(1_000)]
        await turns()
        wire.connection_lost(None)
        for _ in range(20):
            await turns()
            if len(server.made) == 2:
                answer(server.made[1])
        assert [task.done() for task in crowd] == [True] * 1_000
        assert await crowd[-1] == (b"book", b"k")
        assert len(server.made) == 2

    async def test_newcomers_see_to_it_that_nobody_waits_in_vain(self):
        """Whoever was woken last has gone without asking."""
        server = Server()
        wire = await server.wire()
        driven = server.fill()
        waiting = asyncio.create_task(server.ask())
        await turns()
        wire.has_room = None
        answer(driven)
        newcomer = asyncio.create_task(server.ask())
        for _ in range(10):
            await turns()
            answer(driven)
        assert await outcomes(waiting, newcomer) == [(b"book", b"k")] * 2


class TestClosing:
    async def test_who_waits_for_a_connection_hears_of_it(self):
        server = Server(pause=60)
        waiting = [asyncio.create_task(server.wire()) for _ in range(3)]
        await turns()
        await server.lane.aclose()
        assert await outcomes(*waiting) == [ConnectionAbortedError, BusyError, BusyError]

    async def test_an_attempt_that_had_not_begun_is_no_exception(self):
        server = Server()
        waiting = asyncio.create_task(server.wire())
        await asyncio.sleep(0)
        server.lane.close()
        assert await outcome(waiting) is ConnectionAbortedError
        assert server.attempts == []

    async def test_who_waits_for_replies_or_room_hears_of_it_and_nothing_connects_again(self):
        server = Server()
        await server.wire()
        replies = asyncio.create_task(server.ask())
        await turns()
        server.fill()
        room = [asyncio.create_task(server.wire()) for _ in range(1_000)]
        await turns()
        await server.lane.aclose()
        assert set(await outcomes(replies, *room)) <= {ConnectionAbortedError, BusyError}
        assert await outcome(asyncio.ensure_future(server.wire())) is ConnectionAbortedError
        assert len(server.attempts) == 1

    async def test_a_connection_that_comes_after_all_is_closed(self):
        server = Server()

        async def stubborn():
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                server.made.append(Driven())
            return server.made[0].wire

        server.lane._connect = stubborn
        waiting = asyncio.create_task(server.wire())
        await turns()
        await server.lane.aclose()
        await turns()
        assert server.made[0].transport.is_aborted
        assert await outcome(waiting) is ConnectionAbortedError

    async def test_aborting_lets_the_next_connect(self):
        server = Server()
        asking = asyncio.create_task(server.ask())
        await turns(6)
        server.lane.abort(ConnectionAbortedError, "given up")
        assert await outcome(asking) is ConnectionAbortedError
        assert (await server.wire()).is_open
