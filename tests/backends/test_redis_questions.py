"""Which replies are taken for an answer: a table."""

import math

import pytest

from asynccache.backends import redis_questions as ask
from asynccache.backends.redis_scripts import BUMP, bump_arguments

KEYS = (b"p:1:n", b"~p:1:s:n")
REPLIES = [None, b"", b"OK", b"value", 0, 1, 2, 3, -1, True, "OK", 1.0, [], [None], [b"x", None], [b"x", 1], [[], None]]


@pytest.mark.parametrize(
    ("question", "answers"),
    [
        (ask.get(b"k"), [None, b"", b"OK", b"value"]),
        (ask.get_many([b"a", b"b"]), [[b"x", None]]),
        (ask.put(b"k", b"v", 1.0), [b"OK"]),
        (ask.put_new(b"k", b"v", math.inf), [None, b"OK"]),
        (ask.remove(b"a", b"b"), [0, 1, 2]),
        (ask.touch(b"k", 1.0)[-1], [0, 1]),
        (ask.touch(b"k", math.inf)[-1], [0, 1]),
        (BUMP.by_digest(KEYS, bump_arguments(b"", 1, 1.0)), []),
    ],
)
def test_a_reply_of_another_shape_is_no_answer(question, answers):
    fitting = [reply for reply in REPLIES if question.fits(reply)]
    assert [(type(reply), reply) for reply in fitting] == [(type(answer), answer) for answer in answers]


def test_the_number_of_another_call_is_no_answer():
    mine, other = bump_arguments(b"", 1, 1.0), bump_arguments(b"", 1, 1.0)
    question = BUMP.by_digest(KEYS, mine)
    assert question.fits([mine[0], b"OK", b"7"])
    assert not question.fits([other[0], b"OK", b"7"])


@pytest.mark.parametrize(
    ("ttl", "milliseconds"), [(0.0001, 1), (0.25, 250), (1.0001, 1001), (3.15e9, 3_150_000_000_000), (1e300, 10**15)]
)
def test_lifetimes_on_the_wire(ttl, milliseconds):
    assert ask.put(b"k", b"v", ttl).words == (b"SET", b"k", b"v", b"PX", milliseconds)
    assert ask.put_new(b"k", b"v", ttl).words == (b"SET", b"k", b"v", b"NX", b"PX", milliseconds)
    assert ask.touch(b"k", ttl)[0].words == (b"PEXPIRE", b"k", milliseconds)


def test_for_ever_has_no_lifetime_on_the_wire():
    assert ask.put(b"k", b"v", math.inf).words == (b"SET", b"k", b"v")
    assert [question.words[0] for question in ask.touch(b"k", math.inf)] == [b"PERSIST", b"EXISTS"]
