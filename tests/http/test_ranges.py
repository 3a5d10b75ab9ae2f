"""Ranges: one of bytes is understood; whatever is anything else asks for the whole."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynccache.http.ranges import UNSATISFIABLE, Unsatisfiable, content_range, requested, written, written_unsatisfied
from asynccache.http.stored import Span

HUGE = b"9" * 5000


@pytest.mark.parametrize(
    ("line", "first", "last"),
    [
        (b"bytes=0-9", 0, 9),
        (b"BYTES=0-9", 0, 9),
        (b"bytes=0-0", 0, 0),
        (b"bytes=99-99", 99, 99),
        (b"bytes=00-007", 0, 7),
        (b"bytes=10-", 10, 99),
        (b"bytes=0-", 0, 99),
        (b"bytes=90-100", 90, 99),
        (b"bytes=90-" + HUGE, 90, 99),
        (b"bytes=" + b"0" * 5000 + b"5-6", 5, 6),
        (b"bytes=-1", 99, 99),
        (b"bytes=-100", 0, 99),
        (b"bytes=-101", 0, 99),
        (b"bytes=-" + HUGE, 0, 99),
        (b" \tbytes=0-9 \t", 0, 9),
        (b"bytes= 0-9", 0, 9),
        (b"bytes=,0-9", 0, 9),
        (b"bytes=, ,\t0-9 , ,", 0, 9),
    ],
)
def test_one_range_of_bytes_is_understood(line, first, last):
    assert requested([line], 100) == Span(first, last, 100)


@pytest.mark.parametrize(
    "line", [b"bytes=100-", b"bytes=100-200", b"bytes=-0", b"bytes=-000", b"bytes=" + HUGE + b"-", b"bytes=100-" + HUGE]
)
def test_what_lies_beyond_cannot_be_had(line):
    assert requested([line], 100) is UNSATISFIABLE


@pytest.mark.parametrize(
    "line",
    [
        b"", b"bytes", b"bytes=", b"bytes=,", b"bytes=-", b"bytes=a-b", b"bytes=0", b"bytes=0-9-", b"bytes=--9",
        b"bytes=5-4", b"bytes=200-100", b"bytes=0-1,5-6", b"bytes=0-1, 200-", b"bytes=200-, 300-", b"bytes=0-1 5-6",
        b"bytes =0-9", b"bytes:0-9", b"bytes 0-9", b"bytes=0 -9", b"bytes=0- 9", b"bytes=+0-9", b"bytes=0x0-9",
        b"bytes=0.0-9", b"bytes=1_0-20", b"bytes=0-9;x", b'bytes="0-9"', b"items=0-9", b"bytess=0-9", b"none=0-9",
        b"0-9", b"=0-9", b"bytes=0-9\0", b"bytes=\x0b0-9", b"bytes=\xb2-9", "bytes=٠-٩".encode(), b"x, bytes=0-9",
        b"bytes=0-9\n", b"\nbytes=0-9",
    ],
)  # fmt: skip
def test_anything_else_asks_for_the_whole(line):
    assert requested([line], 100) is None


@pytest.mark.parametrize("lines", [[], [b"bytes=0-1", b"bytes=0-1"], [b"bytes=0-1", b""]])
def test_so_do_no_field_and_two(lines):
    assert requested(lines, 100) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [(b"bytes=0-", UNSATISFIABLE), (b"bytes=0-0", UNSATISFIABLE), (b"bytes=-0", UNSATISFIABLE), (b"bytes=-5", None)],
)
def test_of_nothing_nothing_can_be_had(line, expected):
    assert requested([line], 0) is expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [(b"bytes=2-5", Span(2, 5, None)), (b"bytes=2-", None), (b"bytes=-2", None), (b"bytes=5-2", None)],
)
def test_where_the_length_is_unknown_only_both_ends_are_enough(line, expected):
    assert requested([line], None) == expected


@pytest.mark.parametrize(
    ("line", "span"),
    [
        (b"bytes 0-9/100", Span(0, 9, 100)),
        (b"Bytes 0-0/1", Span(0, 0, 1)),
        (b"bytes 0-9/*", Span(0, 9, None)),
        (b"bytes 99-99/100", Span(99, 99, 100)),
        (b"bytes 000-009/0100", Span(0, 9, 100)),
        (b"bytes */100", None),
        (b"bytes 0-100/100", None),
        (b"bytes 9-0/100", None),
        (b"bytes 0-0/0", None),
        (b"bytes=0-9/100", None),
        (b"bytes  0-9/100", None),
        (b"bytes\t0-9/100", None),
        (b" bytes 0-9/100\t", Span(0, 9, 100)),
        (b"bytes 0-9 / 100", None),
        (b"bytes 0-9", None),
        (b"bytes -9/100", None),
        (b"bytes 0-/100", None),
        (b"bytes 0-9/", None),
        (b"bytes 0-9/**", None),
        (b"items 0-9/100", None),
        (b"bytes 0-9/100, bytes 0-9/100", None),
        (b"bytes 0-" + HUGE + b"/*", None),
        (b"bytes 0-9/" + HUGE, None),
        (b"", None),
    ],
)
def test_content_range_is_read_strictly(line, span):
    assert content_range(line) == span


def test_content_range_is_written_as_it_is_read():
    for span in (Span(0, 9, 100), Span(5, 5, None), Span(0, 0, 1)):
        assert content_range(written(span)) == span
    assert written_unsatisfied(0) == b"bytes */0"


numbers = st.one_of(st.integers(0, 12), st.integers(0, 10**25))


@given(numbers, st.one_of(st.none(), numbers), st.integers(0, 12))
@settings(max_examples=200, deadline=None)
def test_ranges_are_what_python_would_cut_out(first, last, size):
    body = bytes(range(size))
    found = requested([f"bytes={first}-{'' if last is None else last}".encode()], size)
    if last is not None and last < first and last < 10**18:
        assert found is None
    elif first >= size:
        assert found is UNSATISFIABLE
    else:
        assert body[found.first : found.last + 1] == body[first : None if last is None else last + 1]
        assert found.size == size


@given(numbers, st.integers(1, 12))
@settings(max_examples=100, deadline=None)
def test_ends_are_what_python_would_cut_out(length, size):
    found = requested([f"bytes=-{length}".encode()], size)
    if length == 0:
        assert found is UNSATISFIABLE
    else:
        assert bytes(range(size))[found.first : found.last + 1] == bytes(range(size))[-length:]


ONE = re.compile(rb"(?i:bytes)=[\t ,]*([0-9]+-[0-9]*|-[0-9]+)[\t ,]*")


@given(st.one_of(st.binary(max_size=20), st.text("bytes=0123-, \t", max_size=14).map(str.encode)), st.integers(0, 30))
@settings(max_examples=300, deadline=None)
def test_anything_may_come(line, size):
    for text in (line, b"bytes=" + line):
        found = requested([text], size)
        if found is not None:
            assert ONE.fullmatch(text.strip(b" \t"))
        if not isinstance(found, Unsatisfiable | None):
            assert 0 <= found.first <= found.last < size
        given = content_range(b"bytes " + line)
        assert given is None or content_range(written(given)) == given


@pytest.mark.parametrize(
    "line", [b"bytes=" + b", " * 50_000, b"bytes=" + b"0-," * 50_000, b"bytes=0-1" + b" ," * 50_000 + b"x"]
)
def test_long_nonsense_asks_for_the_whole(line):
    assert requested([line], 100) is None
