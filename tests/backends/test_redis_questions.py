"""Which replies are taken for an answer: a table."""

import math

import pytest

from asynccache.backends import redis_questions as ask
from asynccache.backends import redis_scripts as scripts
from asynccache.backends.redis_parts import Parts
from asynccache.backends.redis_peer import GREETING, Peer, ServerClock
from asynccache.backends.redis_questions import Refusal
from asynccache.wire.faults import OutOfStepError

SPOT = Parts().spot("p:1:k")
KEYS = (SPOT.entry, SPOT.lease)
REPLIES = [None, b"", b"OK", b"value", 0, 1, 2, 3, -1, True, "OK", 1.0, [], [None], [b"x", None], [b"x", 1], [[], None]]
EVENT = [b"5-0", [b"p", b"4", b"k", b"p:1:k"]]
INFO = b"# Server\r\nrun_id:0123456789abcdef\r\nuptime_in_seconds:7\r\n"
TOLD = [script.digest for script in scripts.ALL]


@pytest.mark.parametrize(
    ("question", "answers"),
    [
        (ask.look(b"n", [b"a"]), [[b"x", None]]),
        (ask.look(b"n"), [[None]]),
        (ask.marks(b"t", [3]), []),
        (ask.changes(b"g", 5, 500), [None]),
        (scripts.DROP(SPOT.part, KEYS, b"k").by_digest(), []),
    ],
)
def test_a_reply_of_another_shape_is_no_answer(question, answers):
    fitting = [reply for reply in REPLIES if question.fits(reply)]
    assert [(type(reply), reply) for reply in fitting] == [(type(answer), answer) for answer in answers]


@pytest.mark.parametrize(
    ("reply", "fits"),
    [
        ([[b"g", [EVENT, EVENT]]], True),
        ([[b"g", []]], True),
        ([[b"g", [[b"5-0", [b"x", b"4", b"k", b""]]]]], False),
        ([[b"g", [[b"5-0", [b"p", b"x", b"k", b""]]]]], False),
        ([[b"g", [[b"x-0", [b"p", b"4", b"k", b""]]]]], False),
        ([[b"g", [EVENT]], [b"h", [EVENT]]], False),
    ],
)
def test_what_a_log_looks_like(reply, fits):
    assert ask.changes(b"g", 5, 500).fits(reply) is fits


def test_stamps_are_as_many_as_were_asked_for():
    question = ask.marks(b"t", [3, 70])
    assert question.words == (
        b"BITFIELD_RO",
        b"t",
        b"GET",
        b"i64",
        b"#0",
        b"GET",
        b"i64",
        b"#4",
        b"GET",
        b"i64",
        b"#71",
    )
    assert question.fits([1, 0, 0])
    assert not question.fits([1, 0])


def test_the_answer_to_another_call_is_none():
    mine, other = scripts.BUMP(SPOT.part, KEYS, b"k"), scripts.BUMP(SPOT.part, KEYS, b"k")
    assert mine.by_digest().fits([mine.arguments[0], b"OK", b"7"])
    assert not mine.by_digest().fits([other.arguments[0], b"OK", b"7"])


@pytest.mark.parametrize(
    ("ttl", "milliseconds"), [(0.0001, 1), (0.25, 250), (1.0001, 1001), (3.15e9, 3_150_000_000_000), (1e300, 10**15)]
)
def test_lifetimes_on_the_wire(ttl, milliseconds):
    assert scripts.lifetime(ttl) == milliseconds


def test_for_ever_has_no_lifetime_on_the_wire():
    assert scripts.lifetime(math.inf) == 0


class TestPeer:
    """What a connection learns of the process at its other end."""

    def test_what_it_told_is_filled_in(self):
        peer = Peer([INFO, [b"1700000000", b"5"], *TOLD], ServerClock())
        keeper, by, since = peer.words_of(ask.Question((ask.KEEPER, ask.BY, ask.SINCE), bool), 1.0)
        assert keeper == b"01234567"
        assert since == b"%020d" % (1_700_000_000_000_005 - 6_000_000)
        assert 1_700_000_001_000_005 <= int(by) < 1_700_000_002_000_000

    def test_who_may_not_ask_takes_what_it_finds(self):
        refused = Refusal("NOPERM", "NOPERM")
        peer = Peer([refused] * len(GREETING), ServerClock())
        assert peer.words_of(ask.Question((ask.KEEPER, ask.BY, ask.SINCE), bool), 1.0) == (
            ask.NOBODY,
            b"9",
            b"9" * 20,
        )

    def test_a_server_that_is_busy_is_not_one_that_may_not_be_asked(self):
        with pytest.raises(ConnectionRefusedError):
            Peer([Refusal("BUSY", "BUSY"), [b"1", b"5"], *TOLD], ServerClock())

    @pytest.mark.parametrize("place", range(len(GREETING)))
    def test_replies_that_are_shifted_are_none(self, place):
        replies = [INFO, [b"1", b"5"], *TOLD]
        with pytest.raises(OutOfStepError):
            Peer([*replies[:place], b"STRAY", *replies[place:-1]], ServerClock())
