"""A deadline is its caller's only; a server that says nothing, or never ends, is given up."""

import asyncio
import gc
import time

from asynccache.wire.faults import BusyError
from tests.wire.driver import Driven, outcome, outcomes, turns


async def keep_saying(driven, reply, seconds, every=0.01):
    """Let a reply come again and again."""
    began = time.monotonic()
    while time.monotonic() < began + seconds and driven.wire.is_open:
        driven.say(reply)
        await asyncio.sleep(every)


async def test_who_is_too_late_is_alone_in_that():
    driven = Driven()
    futures = [driven.ask(b"GET", b"a"), driven.ask(b"GET", b"b", within=0.02), driven.look(b"c")]
    assert await outcome(futures[1]) is TimeoutError
    driven.say(b"a", b"b", [b"book", b"c"])
    assert await outcomes(futures[0], futures[2]) == [[b"a"], (b"book", b"c")]


async def test_a_late_joiner_of_looks_has_a_deadline_of_his_own():
    driven = Driven()
    driven.ask(b"PING")
    patient, hasty = driven.look(b"a"), driven.look(b"a", within=0.02)
    assert await outcome(hasty) is TimeoutError
    driven.say("+PONG", [b"book", b"A"])
    assert await patient == (b"book", b"A")


async def test_silence_ends_the_connection_for_all():
    driven = Driven(silence=0.05)
    futures = [driven.ask(b"GET", b"a", within=0.05), driven.look(b"b")]
    assert await outcomes(*futures) == [TimeoutError, BusyError]
    assert driven.transport.is_aborted


async def test_silence_is_none_while_nobody_waits():
    driven = Driven(silence=0.03)
    future = driven.ask(b"GET", b"a", within=0.03)
    driven.say(b"a")
    await asyncio.sleep(0.1)
    assert await future == [b"a"]
    assert driven.wire.is_open


async def test_a_server_that_answers_others_in_time_is_not_to_blame():
    driven = Driven(silence=0.2)
    first, last = driven.ask(b"PING", count=100), driven.ask(b"GET", b"a", within=0.08)
    await turns()
    await keep_saying(driven, "+PONG", 0.04)
    assert await outcome(last) is BusyError
    assert driven.wire.is_open
    first.cancel()


async def test_a_server_whose_replies_are_all_too_late_is_to_blame():
    """Replies come all the time, and none of use to anybody."""
    driven = Driven(silence=0.1)
    driven.ask(b"PING", count=1_000)
    saying = asyncio.create_task(keep_saying(driven, "+PONG", 1))
    await asyncio.sleep(0.15)
    assert await outcome(driven.ask(b"GET", b"a", within=0.1)) is TimeoutError
    assert driven.wire.is_open
    saying.cancel()


async def test_a_reply_without_an_end_is_given_up():
    driven = Driven(silence=0.02)
    future = driven.ask(b"GET", b"a", within=0.02)
    began = time.monotonic()
    driven.wire.data_received(b"$999999999\r\n")
    while driven.wire.is_open and time.monotonic() < began + 5:
        driven.wire.data_received(b"x" * 100)
        await asyncio.sleep(0.002)
    assert not driven.wire.is_open
    assert time.monotonic() - began < 2
    assert await outcome(future) is TimeoutError


async def test_a_loop_that_was_blocked_gets_the_time_back():
    driven = Driven(silence=0.1)
    future = driven.ask(b"GET", b"a", within=0.1)
    await turns()
    asyncio.get_running_loop().call_later(0.15, driven.say, b"a")  # as a reply that could not be read meanwhile
    time.sleep(0.2)
    assert await future == [b"a"]


async def test_a_loop_that_is_blocked_gets_it_back_once():
    driven = Driven(silence=0.05)
    future = driven.ask(b"GET", b"a", within=0.05)
    for _ in range(6):
        await asyncio.sleep(0)
        time.sleep(0.08)
    assert type(future.exception()) is TimeoutError


async def test_a_question_whose_time_was_over_when_it_was_asked_gets_none_back():
    driven = Driven()
    assert await asyncio.wait_for(outcome(driven.ask(b"GET", b"a", within=-1)), 0.5) is TimeoutError


async def test_thousands_of_deadlines_of_their_own_hold_up_nobody():
    """One look goes through all that is under way; so there are not too many."""
    driven = Driven(silence=60)
    crowd = [driven.ask(b"GET", b"a", within=0.2 + number / 10_000) for number in range(5_000)]
    looks = 0
    look = driven.wire._look

    def counted():
        nonlocal looks
        looks += 1
        look()

    driven.wire._look = counted
    driven.wire._look_at(time.monotonic())
    await asyncio.wait(crowd)
    assert looks < 100
    assert await outcomes(*crowd) == [TimeoutError] * 5_000


async def test_nothing_is_left_of_a_connection_that_was_lost():
    driven = Driven()
    driven.ask(b"GET", b"a").cancel()
    timer = driven.wire._timer
    driven.wire.lose(ConnectionAbortedError, "over")
    assert timer.cancelled()
    gc.collect()
    assert (len(driven.wire._pending), driven.wire._outbox, driven.wire.room) == (0, [], 10_000)
