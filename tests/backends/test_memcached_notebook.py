"""What lies on a memcached server beside entries: which numbers compare, and what an invalidation makes of a mark."""

import pytest

from asynccache.backends.memcached_notebook import (
    CLOSED,
    Right,
    birth_of,
    born_as,
    born_at,
    gen_of,
    is_current,
    lease_exptime,
    marks_of,
    moved,
    namespace_of,
    new_number,
    number_of,
)
from asynccache.core.codec import Frame, encode
from asynccache.core.fence import Birth, Marks
from asynccache.core.keys import key_hash

OLD, GEN, NEW = 6 << 32, 7 << 32, 8 << 32


@pytest.mark.parametrize("stored", ["shop:1:k", ":1:", "shop:1:a:b:c", "sh%3Aop:v%3A2::"])
def test_namespace_is_the_first_two_fields(stored):
    assert namespace_of(stored) == ":".join(stored.split(":")[:2]) + ":"


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        *[(raw, None) for raw in (None, b"", b"-", b"-5", b"5 ", b"x", "٣".encode(), b"%d" % 2**64, b"9" * 5000)],
        *[(b"%d" % number, number) for number in (0, 1, 2**64 - 1)],
    ],
)
def test_what_is_no_number_is_as_good_as_lost(raw, number):
    assert number_of(raw) == number


def test_new_number_has_room_to_be_counted_up():
    numbers = [int(new_number()) for _ in range(1000)]
    assert len({gen_of(number) for number in numbers}) > 990
    assert all(gen_of(number) == gen_of(number + 2**32 - 1) and number < 2**63 for number in numbers)


@pytest.mark.parametrize(
    ("mark", "made"),
    [
        (None, None),  # it is lost, and what it was for is invalid
        (b"%d" % (GEN + 4), b"%d" % (GEN + 5)),
        (b"%d" % (GEN + 5), None),
        (b"%d" % (GEN + 6), None),  # another invalidation came later, and was quicker
        (CLOSED, CLOSED),  # written anew, so that whoever is about to open it fails
        (b"%d" % OLD, CLOSED),
        (b"%d" % NEW, CLOSED),
        (b"somebody else's", CLOSED),
    ],
)
def test_invalidation_never_moves_a_mark_back(mark, made):
    assert moved(mark, GEN + 5) == made


@pytest.mark.parametrize(
    ("marks", "read"),
    [
        ([], Marks(1, ())),
        ([b"%d" % GEN, b"%d" % (GEN + 9)], Marks(1, (GEN, GEN + 9))),
        ([b"%d" % GEN, None], Marks(0)),
        ([b"%d" % GEN, CLOSED], Marks(0)),
        ([b"%d" % GEN, b"%d" % OLD], Marks(0)),
    ],
)
def test_one_mark_that_is_lost_spoils_all(marks, read):
    assert marks_of(marks, GEN + 9) == read


@pytest.mark.parametrize(
    ("number", "marks", "current"),
    [
        (GEN + 5, Marks(1, (GEN + 5,)), True),
        (GEN + 9, Marks(1, (GEN + 4, GEN + 5)), True),
        (GEN + 9, Marks(1, (GEN + 6,)), False),
        (GEN + 9, Marks(0), False),
        (None, Marks(1, (GEN + 5,)), False),
        (NEW + 9, Marks(1, (GEN + 5,)), False),
    ],
)
def test_entry_is_used_by_notebook_and_marks(number, marks, current):
    assert is_current(Birth(gen_of(GEN), GEN + 5, (1,)), number, marks) is current


def test_birth_is_read_and_written():
    key = key_hash("shop:1:k")
    raw = encode(Frame(b"payload", cells=(3, 65_535), tags=("x", "y"), gen=b"00000009", born=8), key)
    assert birth_of(raw) == Birth(b"00000009", 8, (3, 65_535))
    moved_on = born_at(raw, gen_of(GEN), GEN + 5)
    assert birth_of(moved_on) == Birth(b"00000007", GEN + 5, (3, 65_535))
    assert birth_of(born_as(raw, moved_on)) == birth_of(moved_on)
    assert moved_on[16:] == raw[16:]
    assert [birth_of(raw[:length]) for length in range(70)] == [None] * 70


def test_right_is_told_from_everything_else():
    right = Right(b"12345678", 2.5, gen_of(GEN), 4711)
    raw = right.bytes_for(b"shop:1:k")
    assert Right.read(raw, b"shop:1:k") == right
    assert birth_of(raw) is None
    for other in (None, b"", raw[:-1], raw + b"x", encode(Frame(b""), key_hash("shop:1:k"))):
        assert Right.read(other, b"shop:1:k") is None
    assert Right.read(raw, b"shop:1:another") is None
    assert [right.stands(number) for number in (GEN + 9, NEW, None)] == [True, False, False]
    assert Right(b"12345678", 2.5).stands(None) is True


def test_right_lasts_at_least_as_long_as_it_is_to():
    assert [lease_exptime(seconds) for seconds in (0.1, 1, 1.5, 3)] == [2, 2, 3, 4]
