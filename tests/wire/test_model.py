"""Asks, cancellations, slices and losses in any order: each result is the caller's own, or an error."""

import asyncio
import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from asynccache.wire.faults import BusyError
from tests.wire.driver import BOOK, Driven, reply

KEYS = [b"a", b"b", b"c", b"d"]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("look"), st.sampled_from(KEYS)),
        st.tuples(st.just("write"), st.sampled_from(KEYS)),
        st.tuples(st.just("read"), st.sampled_from(KEYS)),
        st.tuples(st.just("cancel"), st.integers(0, 50)),
        st.tuples(st.just("turn"), st.just(0)),
        st.tuples(st.just("answer"), st.integers(0, 200)),
        st.tuples(st.just("pause"), st.booleans()),
        st.tuples(st.just("lose"), st.integers(0, 9)),
    ),
    max_size=60,
)


class Served:
    """A server of a few keys behind a wire; what it answers comes when the test lets it, cut anywhere."""

    def __init__(self) -> None:
        self.driven = Driven()
        self.store: dict[bytes, bytes] = {}
        self.sent = b""
        self.writes = 0
        self.callers: list[tuple[asyncio.Future, str, bytes, bytes | None]] = []

    def do(self, step: str, what: object) -> None:
        getattr(self, f"_{step}")(what)

    def _look(self, key):
        self._asks(lambda: self.driven.look(key), "look", key)

    def _read(self, key):
        self._asks(lambda: self.driven.ask(b"GET", key), "read", key)

    def _write(self, key):
        self.writes += 1
        value = b"%b%d" % (key, self.writes)
        self._asks(lambda: self.driven.ask(b"SET", key, value), "write", key, value)

    def _asks(self, ask, kind, key, value=None):
        with contextlib.suppress(BusyError):
            self.callers.append((ask(), kind, key, value))

    def _cancel(self, number):
        if self.callers:
            self.callers[number % len(self.callers)][0].cancel()

    def _pause(self, is_full):
        if self.driven.wire.is_open:
            self.driven.wire.pause_writing() if is_full else self.driven.wire.resume_writing()

    def _lose(self, number):
        if number == 0:
            self.driven.wire.connection_lost(None)

    def _answer(self, count):
        for command in self.driven.asked():
            self.sent += reply(self._reply(*command))
        now, self.sent = self.sent[:count], self.sent[count:]
        if now and self.driven.wire.is_open:
            self.driven.wire.data_received(now)

    def _reply(self, name, *words):
        if name == b"SET":
            self.store[words[0]] = words[1]
            return words[1]
        if name == b"GET":
            return self.store.get(words[0], words[0])
        assert (name, words[0]) == (b"MGET", BOOK)
        return [b"book", *[self.store.get(key, key) for key in words[1:]]]


async def play(script):
    served = Served()
    for step, what in script:
        if step == "turn":
            await asyncio.sleep(0)
        else:
            served.do(step, what)
    served._pause(is_full=False)
    await asyncio.sleep(0)
    served._answer(1_000_000)
    written: dict[bytes, int] = {}
    for future, kind, key, value in served.callers:
        assert future.done()
        if future.cancelled() or isinstance(future.exception(), ConnectionResetError | BusyError):
            continue
        match kind, future.result():
            case "write", [said]:
                assert said == value
                written[key] = int(value[1:])
            case ("read", [found]) | ("look", (b"book", found)):
                assert found[:1] == key
                assert int(found[1:] or 0) >= written.get(key, 0)  # a write that was asked before is seen
            case other:
                raise AssertionError(other)
    assert served.driven.wire.room == 10_000
    return served.driven.wire.is_open


@settings(max_examples=300, deadline=None)
@given(steps)
def test_each_result_is_the_callers_own(script):
    is_open = asyncio.run(play(script))
    assert is_open or ("lose", 0) in script


@settings(max_examples=200, deadline=None)
@given(steps, st.integers(0, 30), st.sampled_from([b"$5\r\nSTRAY\r\n", b"$-1\r\n", b"*2\r\n$1\r\nx\r\n$1\r\ny\r\n"]))
def test_a_stray_reply_is_never_taken_for_an_mget_of_another_length(script, place, stray):
    """Which is all that the wire itself can tell: whose value it is, is told by the entry."""

    async def run():
        driven = Driven()
        looks = [driven.look(key) for key in KEYS]
        await asyncio.sleep(0)
        replies = [reply([b"book", b"a"]), reply([b"book", *KEYS[1:]])]
        replies.insert(place % 3, stray)
        driven.wire.data_received(b"".join(replies))
        assert not driven.wire.is_open
        found = [None if look.exception() else look.result() for look in looks]
        assert found[1:] in ([None] * 3, [(b"book", key) for key in KEYS[1:]])

    asyncio.run(run())
