"""Commands go out in the order asked, and each caller gets the reply to his own."""

import asyncio

import pytest

from asynccache.wire.faults import BusyError, ErrorReply, OutOfStepError
from tests.wire.driver import BOOK, Driven, outcome, outcomes, reply, turns


async def test_one_caller_at_a_time_is_sent_at_once():
    driven = Driven()
    for number in range(3):
        future = driven.ask(b"GET", b"%d" % number)
        assert driven.asked() == [[b"GET", b"%d" % number]]
        driven.say(b"v%d" % number)
        assert await future == [b"v%d" % number]


async def test_a_crowd_goes_out_in_order_and_in_few_writes():
    driven = Driven()
    futures = [driven.ask(b"GET", b"%d" % number) for number in range(600)]
    await turns()
    assert [command[1] for command in driven.asked()] == [b"%d" % number for number in range(600)]
    assert len(driven.transport.written) == 4  # the first alone, 256, 256 and the rest
    driven.say(*[b"v%d" % number for number in range(600)])
    assert await outcomes(*futures) == [[b"v%d" % number] for number in range(600)]


async def test_several_replies_of_one_caller_come_together():
    driven = Driven()
    first, second = driven.ask(b"PING", count=3), driven.ask(b"GET", b"a")
    await turns()
    driven.say("+1", "+2")
    await turns()
    assert not first.done()
    driven.say("+3", b"a")
    assert await outcomes(first, second) == [[b"1", b"2", b"3"], [b"a"]]


async def test_an_error_is_a_reply():
    driven = Driven()
    command, look = driven.ask(b"GET", b"a"), driven.look(b"a")
    driven.say("-ERR no", "-LOADING wait")
    assert await outcomes(command, look) == [[ErrorReply("ERR no")], ErrorReply("LOADING wait")]


class TestFolding:
    async def test_looks_of_one_turn_are_one_command_and_duplicates_are_shared(self):
        driven = Driven()
        driven.ask(b"PING")  # so that they are not the first
        looks = [driven.look(key) for key in (b"a", b"b", b"a", b"c")]
        await turns()
        assert driven.asked() == [[b"PING"], [b"MGET", BOOK, b"a", b"b", b"c"]]
        driven.say("+PONG", [b"book", b"A", None, b"C"])
        assert await outcomes(*looks) == [(b"book", b"A"), (b"book", None), (b"book", b"A"), (b"book", b"C")]

    async def test_a_write_between_keeps_them_apart(self):
        driven = Driven()
        driven.ask(b"PING")
        futures = [driven.look(b"a"), driven.ask(b"SET", b"a", b"2"), driven.look(b"a")]
        await turns()
        assert driven.asked()[1:] == [[b"MGET", BOOK, b"a"], [b"SET", b"a", b"2"], [b"MGET", BOOK, b"a"]]
        driven.say("+PONG", [b"book", b"1"], "+OK", [b"book", b"2"])
        assert await outcomes(*futures) == [(b"book", b"1"), [b"OK"], (b"book", b"2")]

    async def test_looks_beside_something_else_are_a_command_of_their_own(self):
        driven = Driven()
        driven.ask(b"PING")
        driven.look(b"a")
        driven.look(b"b", book=b"~m")
        await turns()
        assert driven.asked()[1:] == [[b"MGET", BOOK, b"a"], [b"MGET", b"~m", b"b"]]

    async def test_a_command_has_256_keys_at_most(self):
        driven = Driven()
        driven.ask(b"PING")
        looks = [driven.look(b"%d" % number) for number in range(600)]
        await turns()
        commands = driven.asked()[1:]
        assert [len(command) - 2 for command in commands] == [256, 256, 88]
        driven.say("+PONG", *[[b"book", *command[2:]] for command in commands])
        assert await outcomes(*looks) == [(b"book", b"%d" % number) for number in range(600)]

    async def test_what_was_sent_is_not_joined_any_more(self):
        driven = Driven()
        first = driven.look(b"a")
        second = driven.look(b"a")
        await turns()
        assert driven.asked() == [[b"MGET", BOOK, b"a"]] * 2
        driven.say([b"1", b"old"], [b"2", b"new"])
        assert await outcomes(first, second) == [(b"1", b"old"), (b"2", b"new")]

    @pytest.mark.parametrize("stray", [b"value", 1, None, "+OK", [b"book"], [b"book", b"a", b"b"], [b"book", 1], []])
    async def test_what_an_mget_never_answers_ends_the_connection(self, stray):
        driven = Driven()
        looks = [driven.look(b"a"), driven.look(b"b"), driven.ask(b"GET", b"c")]
        await turns()
        driven.say(stray, [b"book", b"A"], [b"book", b"B"], b"c")
        assert await outcomes(*looks) == [OutOfStepError, BusyError, BusyError]
        assert driven.transport.is_aborted


class TestCancelled:
    async def test_the_reply_to_who_is_gone_reaches_nobody(self):
        driven = Driven()
        futures = [driven.ask(b"GET", b"%d" % number) for number in range(6)]
        looks = [driven.look(b"a"), driven.look(b"b"), driven.look(b"a")]
        await turns()
        for gone in (futures[0], futures[3], looks[0]):
            gone.cancel()
        driven.say(*[b"%d" % number for number in range(6)], [b"book", b"A", b"B"])
        stayed = [*futures[1:3], *futures[4:], *looks[1:]]
        assert await outcomes(*stayed) == [[b"1"], [b"2"], [b"4"], [b"5"], (b"book", b"B"), (b"book", b"A")]
        assert driven.wire.is_open

    async def test_who_is_gone_before_it_was_sent_disturbs_nobody(self):
        driven = Driven()
        futures = [driven.ask(b"GET", b"%d" % number) for number in range(4)]
        futures[1].cancel()
        await turns()
        driven.say(*[command[1] for command in driven.asked()])
        assert await outcomes(futures[0], *futures[2:]) == [[b"0"], [b"2"], [b"3"]]


class TestBytes:
    async def test_bytes_that_come_one_by_one(self):
        driven = Driven()
        futures = [driven.ask(b"GET", b"a"), driven.look(b"b"), driven.ask(b"INCR", b"n")]
        await turns()
        for byte in b"".join(map(reply, [b"value", [b"book", b"B"], 7])):
            driven.wire.data_received(bytes([byte]))
        assert await outcomes(*futures) == [[b"value"], (b"book", b"B"), [7]]

    async def test_replies_of_five_megabytes_between_small_ones(self):
        driven = Driven()
        large = b"x" * (5 * 1024 * 1024)
        futures = [driven.ask(b"GET", b"small"), driven.look(b"large"), driven.ask(b"GET", b"small")]
        await turns()
        data = b"".join(map(reply, [b"1", [b"book", large], b"3"]))
        for start in range(0, len(data), 65_536):
            driven.wire.data_received(data[start : start + 65_536])
        assert await outcomes(*futures) == [[b"1"], (b"book", large), [b"3"]]

    @pytest.mark.parametrize("garbage", [b"\x00\xff", b"STORED\r\n", b"!3\r\n", b"*99999999999999999999\r\n"])
    async def test_garbage_ends_the_connection(self, garbage):
        driven = Driven()
        futures = [driven.ask(b"GET", b"a"), driven.ask(b"GET", b"b")]
        await turns()
        driven.wire.data_received(garbage)
        driven.wire.data_received(reply(b"late") * 2)
        assert await outcomes(*futures) == [OutOfStepError, BusyError]
        assert not driven.wire.is_open

    @pytest.mark.parametrize("stray", [b"STRAY", "-ERR stray", 1])
    async def test_a_reply_that_nobody_asked_for_ends_the_connection(self, stray):
        driven = Driven()
        future = driven.ask(b"GET", b"a")
        driven.say(b"a", stray)
        assert await future == [b"a"]
        assert not driven.wire.is_open
        with pytest.raises(BusyError):
            driven.ask(b"GET", b"a")

    async def test_nothing_behind_a_reply_that_fits_not_is_believed(self):
        driven = Driven()
        due = asyncio.get_running_loop().time() + 60
        is_number = lambda reply: type(reply) is int  # noqa: E731
        futures = [
            driven.wire.command([(b"INCR", b"n"), (b"INCR", b"n")], due, [is_number] * 2),
            driven.wire.command([(b"INCR", b"m")], due, [is_number]),
        ]
        await turns()
        driven.say(1, b"not a number", 3)
        assert await outcomes(*futures) == [OutOfStepError, BusyError]
        assert driven.transport.is_aborted


class TestLost:
    @pytest.mark.parametrize(
        "end",
        [
            lambda wire: wire.eof_received(),
            lambda wire: wire.connection_lost(None),
            lambda wire: wire.connection_lost(OSError("broken pipe")),
        ],
        ids=["eof", "closed", "broken"],
    )
    async def test_all_who_wait_hear_of_it_and_nobody_after(self, end):
        """It is the server's fault once, however many wait."""
        driven = Driven()
        futures = [driven.ask(b"GET", b"a"), driven.look(b"a"), driven.look(b"b")]
        end(driven.wire)
        await turns()
        assert await outcomes(*futures) == [ConnectionResetError, BusyError, BusyError]
        with pytest.raises(BusyError):
            driven.look(b"a")
        driven.wire.connection_lost(None)
        assert driven.asked() == [[b"GET", b"a"]]

    async def test_each_has_an_exception_of_its_own(self):
        driven = Driven()
        futures = [driven.ask(b"GET", b"a"), driven.look(b"a"), driven.look(b"a")]
        driven.wire.lose(ConnectionAbortedError, "over")
        assert len({id(future.exception()) for future in futures}) == 3

    @pytest.mark.parametrize("failure", [RuntimeError("the handler is closed"), OSError("bad file descriptor")])
    async def test_a_transport_that_is_closed_and_has_not_yet_said_so(self, failure):
        driven = Driven()
        driven.transport.failure = failure
        assert await outcome(driven.ask(b"GET", b"a")) is ConnectionResetError
        assert not driven.wire.is_open


class TestWriting:
    async def test_what_is_asked_while_the_socket_is_full_goes_out_later_and_in_order(self):
        driven = Driven()
        driven.wire.pause_writing()
        futures = [driven.ask(b"GET", b"%d" % number) for number in range(300)]
        await turns()
        assert driven.asked() == []
        driven.wire.resume_writing()
        assert [command[1] for command in driven.asked()] == [b"%d" % number for number in range(300)]
        driven.say(*[b"%d" % number for number in range(300)])
        assert await futures[-1] == [b"299"]

    async def test_it_is_full_when_too_many_bytes_wait(self):
        driven = Driven()
        driven.wire.pause_writing()
        driven.ask(b"SET", b"a", b"x" * (4 * 1024 * 1024))
        assert driven.wire.is_full
        assert driven.wire.room == 0
        driven.wire.resume_writing()
        assert not driven.wire.is_full

    async def test_looks_that_wait_make_it_full_too(self):
        driven = Driven()
        driven.wire.pause_writing()
        for _ in range(5_000):
            driven.look(b"k" * 1_000)
        assert driven.wire.is_full

    async def test_it_is_full_when_too_many_callers_wait_for_replies(self):
        driven = Driven()
        looks = [driven.look(b"%d" % number) for number in range(10_000)]
        await turns()
        assert driven.wire.is_full
        commands = driven.asked()
        driven.say([b"book", *commands[0][2:]], [b"book", *commands[1][2:]])
        assert driven.wire.room == 257
        driven.say(*[[b"book", *command[2:]] for command in commands[2:]])
        assert driven.wire.room == 10_000
        assert await looks[-1] == (b"book", b"9999")
