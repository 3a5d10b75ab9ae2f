"""Preconditions: entity tags, dates and If-Range, as a cache evaluates them."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynccache.http.conditions import (
    entity_tag,
    entity_tags,
    if_range_holds,
    is_not_modified,
    is_same,
    is_strong,
    matches,
)

RECEIVED = 1_000_000_000.0  # Sun, 09 Sep 2001 01:46:40 GMT
LAST = b"Sun, 06 Nov 1994 08:49:37 GMT"
MODIFIED = (b"last-modified", LAST)
MADE = (b"date", b"Sun, 06 Nov 1994 08:49:38 GMT")
TAG = (b"etag", b'"a"')
WEAK = (b"etag", b'W/"a"')


@pytest.mark.parametrize(
    ("lines", "tag"),
    [
        ([b'"a"'], b'"a"'),
        ([b'W/"a"'], b'W/"a"'),
        ([b'""'], b'""'),
        ([b' \t"a" '], b'"a"'),
        ([b'"!#,\\\xff"'], b'"!#,\\\xff"'),
        ([b"a"], None),
        ([b'"a'], None),
        ([b'a"'], None),
        ([b'w/"a"'], None),
        ([b'W"a"'], None),
        ([b'W/ "a"'], None),
        ([b"W/a"], None),
        ([b"'a'"], None),
        ([b'"a b"'], None),
        ([b'"a\t"'], None),
        ([b'"a\x7f"'], None),
        ([b'"a"b"'], None),
        ([b'"a\\"b"'], None),
        ([b'"a", "b"'], None),
        ([b'"a"\n'], None),
        ([b"*"], None),
        ([b""], None),
        ([b'"a"', b'"a"'], None),
        ([], None),
    ],
)
def test_one_entity_tag_is_read(lines, tag):
    assert entity_tag(lines) == tag


@pytest.mark.parametrize(
    ("lines", "tags"),
    [
        ([b'"a"'], [b'"a"']),
        ([b'"a", W/"b","c"'], [b'"a"', b'W/"b"', b'"c"']),
        ([b'"a"', b'"b"'], [b'"a"', b'"b"']),
        ([b' ,, "a" ,\t,"b", '], [b'"a"', b'"b"']),
        ([b'"a,b"'], [b'"a,b"']),
        ([b'"a" "b"'], []),
        ([b'"a""b"'], []),
        ([b'"a", b'], []),
        ([b'"a", "b'], []),
        ([b'"a"; "b"'], []),
        ([b'*, "a"'], []),
        ([b'"a", *'], []),
        ([b'"a", w/"b"'], []),
        ([b'"a" W/ "b"'], []),
        ([b""], []),
        ([], []),
    ],
)
def test_a_list_of_entity_tags_is_read_whole_or_not_at_all(lines, tags):
    assert entity_tags(lines) == tags


@pytest.mark.parametrize(
    ("one", "other", "strongly", "weakly"),  # RFC 9110 8.8.3.2
    [
        (b'W/"1"', b'W/"1"', False, True),
        (b'W/"1"', b'W/"2"', False, False),
        (b'W/"1"', b'"1"', False, True),
        (b'"1"', b'W/"1"', False, True),
        (b'"1"', b'"1"', True, True),
        (b'"W/1"', b'"1"', False, False),
        (b'"A"', b'"a"', False, False),
    ],
)
def test_entity_tags_are_compared_strongly_and_weakly(one, other, strongly, weakly):
    assert is_same(one, other, strongly=True) is strongly
    assert is_same(one, other) is weakly
    assert is_strong(one) is not one.startswith(b"W/")


@pytest.mark.parametrize(
    ("asked", "tag", "expected"),
    [
        ([b'"a"'], b'"a"', True),
        ([b'W/"a"'], b'"a"', True),
        ([b'"a"'], b'W/"a"', True),
        ([b'"b", W/"a"'], b'"a"', True),
        ([b'"b"', b'"a"'], b'"a"', True),
        ([b'"a,b"'], b'"a,b"', True),
        ([b"*"], b'"a"', True),
        ([b" * "], None, True),
        ([b"*"], None, True),
        ([b"*, *"], b'"a"', False),
        ([b'"*"'], b'"a"', False),
        ([b'"A"'], b'"a"', False),
        ([b"a"], b'"a"', False),
        ([b'"a'], b'"a"', False),
        ([b'"a", b'], b'"a"', False),
        ([b""], b'"a"', False),
        ([b'"a"'], None, False),
    ],
)
def test_if_none_match_is_compared_weakly(asked, tag, expected):
    assert matches(asked, tag) is expected


@pytest.mark.parametrize(
    ("headers", "none_match", "since", "expected"),
    [
        ([TAG], b'"a"', None, True),
        ([WEAK], b'"a"', None, True),
        ([TAG], b"*", None, True),
        ([], b"*", None, True),
        ([TAG], b'"other"', None, False),
        ([TAG, TAG], b'"a"', None, False),
        ([(b"etag", b"a")], b"a", None, False),
        ([TAG, MODIFIED], b'"other"', LAST, False),
        ([TAG, MODIFIED], b'"a"', b"Sat, 05 Nov 1994 08:49:37 GMT", True),
        ([TAG, MODIFIED], b"", LAST, False),
        ([MODIFIED], None, LAST, True),
        ([MODIFIED], None, b"Sun, 06 Nov 1994 08:49:36 GMT", False),
        ([MODIFIED], None, b"Sunday, 06-Nov-94 08:49:38 GMT", True),
        ([MODIFIED], None, b"Sun Nov  6 08:49:37 1994", True),
        ([MODIFIED], None, b"sun, 06 nov 1994 08:49:37 gmt", True),
        ([MODIFIED], None, b"Sun, 06 Nov 2999 08:49:37 GMT", True),
        ([MODIFIED], None, b"yesterday", False),
        ([MODIFIED], None, b"", False),
        ([MODIFIED], None, LAST + b", " + LAST, False),
        ([MODIFIED], None, b'"a"', False),
        ([MADE], None, LAST, False),
        ([MADE], None, MADE[1], True),
        ([(b"last-modified", b"0"), MADE], None, MADE[1], True),
        ([MODIFIED, MODIFIED, MADE], None, LAST, False),
        ([], None, b"Sun, 09 Sep 2001 01:46:40 GMT", True),
        ([], None, b"Sun, 09 Sep 2001 01:46:39 GMT", False),
        ([TAG, MODIFIED], None, None, False),
    ],
)
def test_when_the_client_has_it_already(headers, none_match, since, expected):
    lines = [[] if field is None else [field] for field in (none_match, since)]
    assert is_not_modified(headers, RECEIVED, *lines) is expected


def test_two_lines_of_if_modified_since_mean_nothing():
    assert not is_not_modified([MODIFIED], RECEIVED, [], [LAST, LAST])


@pytest.mark.parametrize(
    ("headers", "if_range", "expected"),
    [
        ([TAG], b'"a"', True),
        ([TAG], b' "a" ', True),
        ([TAG], b'W/"a"', False),
        ([WEAK], b'W/"a"', False),
        ([WEAK], b'"a"', False),
        ([TAG], b'"b"', False),
        ([TAG], b'"A"', False),
        ([TAG], b'"a", "b"', False),
        ([TAG], b"*", False),
        ([TAG], b"a", False),
        ([TAG], b"", False),
        ([], b'"a"', False),
        ([MODIFIED, MADE], LAST, True),
        ([MODIFIED, MADE], b"Sunday, 06-Nov-94 08:49:37 GMT", True),
        ([MODIFIED, MADE], b"Sun, 06 Nov 1994 08:49:38 GMT", False),
        ([MODIFIED, MADE], b"Sun, 06 Nov 1994 08:49:36 GMT", False),
        ([MODIFIED, (b"date", LAST)], LAST, False),
        ([MODIFIED, (b"date", b"Sun, 06 Nov 1994 08:49:36 GMT")], LAST, False),
        ([MODIFIED], LAST, True),
        ([(b"last-modified", b"Sun, 09 Sep 2001 01:46:40 GMT")], b"Sun, 09 Sep 2001 01:46:40 GMT", False),
        ([(b"last-modified", b"x"), MADE], b"x", False),
        ([MADE], MADE[1], False),
        ([TAG, MODIFIED, MADE], LAST, True),
        ([TAG, MODIFIED, MADE], b"yesterday", False),
    ],
)
def test_if_range_holds_by_what_is_strong(headers, if_range, expected):
    assert if_range_holds(headers, RECEIVED, [if_range]) is expected


def test_without_if_range_a_part_may_be_sent_and_with_two_not():
    assert if_range_holds([], RECEIVED, [])
    assert not if_range_holds([TAG], RECEIVED, [b'"a"', b'"a"'])


tags = st.text([chr(code) for code in (0x21, *range(0x23, 0x7F), *range(0x80, 0x100))], max_size=5).map(
    lambda text: b'"' + text.encode("latin-1") + b'"'
)
marked = st.one_of(tags, tags.map(lambda tag: b"W/" + tag))


@given(st.lists(marked, max_size=4), st.sampled_from([b",", b", ", b" ,\t,, "]), marked)
@settings(max_examples=150, deadline=None)
def test_lists_that_were_written_are_read(listed, comma, own):
    assert entity_tags([comma.join(listed)]) == entity_tags(listed) == listed
    assert matches([comma.join(listed)], own) is (own.lstrip(b"W/") in {tag.lstrip(b"W/") for tag in listed})
    assert entity_tag([own]) == own


PIECES = [b"", b'"', b",", b" ", b"W/", b"\\", b"*", b"a", b"\0"]


@given(st.lists(marked, min_size=1, max_size=3), st.data())
@settings(max_examples=150, deadline=None)
def test_what_somebody_broke_is_read_only_where_it_is_still_a_list(listed, data):
    line = bytearray(b", ".join(listed))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(line)))
        line[at : at + data.draw(st.integers(0, 1))] = data.draw(st.sampled_from(PIECES))
    check_narrow(bytes(line))


@given(st.one_of(st.binary(max_size=20), st.lists(st.sampled_from(PIECES), max_size=10).map(b"".join)))
@settings(max_examples=200, deadline=None)
def test_anything_may_come(line):
    check_narrow(line)
    is_not_modified([(b"etag", line), (b"last-modified", line)], RECEIVED, [], [line])
    is_not_modified([(b"etag", line)], RECEIVED, [line], [])
    if_range_holds([(b"etag", line), (b"last-modified", line)], RECEIVED, [line])


def check_narrow(line):
    """Between the tags that were read are commas, and nothing but white space else."""
    rest = re.sub(rb'(W/)?"[^\x00-\x20"\x7f]*"', b"t", line)
    if entity_tags([line]):
        assert re.fullmatch(rb"[ \t,]*t([ \t]*,[ \t,]*t)*[ \t,]*", rest)
    elif b"t" not in line:
        assert not re.fullmatch(rb"[ \t,]*t([ \t]*,[ \t,]*t)*[ \t,]*", rest)


@pytest.mark.parametrize("line", [b'"a" ,' * 30_000 + b"x", b'"' * 100_001, b" ," * 50_000 + b'"', b'W/"' * 50_000])
def test_long_nonsense_names_no_tag(line):
    assert not matches([line], b'"a"')
