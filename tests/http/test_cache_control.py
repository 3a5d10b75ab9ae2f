"""Cache-Control: the grammar and nothing wider for what permits, anything that looks like it for what forbids."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynccache.http.cache_control import CacheControl

TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
ABSENT = object()


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ([b"no-store"], {b"no-store"}),
        ([b"No-Store , PRIVATE"], {b"no-store", b"private"}),
        ([b"max-age=60", b"no-cache"], {b"max-age", b"no-cache"}),
        ([b'private="x-a, x-b", max-age=5'], {b"private", b"max-age"}),
        ([b'ext="no-store, private"'], {b"ext"}),
        ([b'ext="a \\" no-store"'], {b"ext"}),
        ([b'ext="a \\\\", no-store'], {b"ext", b"no-store"}),
        ([b'ext="broken, no-store'], {b"ext", b"broken", b"no-store"}),
        ([b'ext="', b'no-store, x="'], {b"ext", b"no-store", b"x"}),
        ([b'ext = "a, no-store"'], {b"ext", b"a", b"no-store"}),
        ([b"max-age=1;no-store"], {b"max-age", b"no-store"}),
        ([b"no-store no-cache"], {b"no-store", b"no-cache"}),
        ([b"no-store=1"], {b"no-store"}),
        ([b"\tno-store\x0b"], {b"no-store"}),
        ([b'"x, no-store'], {b"x", b"no-store"}),
        ([b"\xffno-store\xff"], {b"no-store"}),
        ([b"x-no-store"], {b"x-no-store"}),
        ([b",, ,no-store,"], {b"no-store"}),
        ([b""], set()),
        ([], set()),
    ],
)
def test_what_is_there_in_whatever_form(lines, names):
    control = CacheControl.of(lines)
    every = {b"no-store", b"no-cache", b"private", b"max-age", b"ext", b"broken", b"x-no-store", b"a", b"x"}
    assert {name for name in every if control.has(name)} == names
    assert bool(control) is bool(names)


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        (b"max-age=60", 60),
        (b"MAX-AGE=60", 60),
        (b'max-age="60"', 60),
        (b'max-age="6\\0"', 60),
        (b"\t max-age=60 \t,", 60),
        (b"max-age=0060", 60),
        (b"max-age=0", 0),
        (b"max-age=2147483647", 2**31 - 1),
        (b"max-age=2147483649", 2**31),
        (b"max-age=" + b"9" * 4500, 2**31),
        (b"max-age=" + b"0" * 4500 + b"7", 7),
        (b"max-age=60, max-age=1", 60),
        (b"max-age=1, max-age=60", 1),
        (b"max-age=a, max-age=60", 0),
        (b"max-age", 0),
        (b"max-age=", 0),
        (b"max-age=-1", 0),
        (b"max-age=+1", 0),
        (b"max-age=1.5", 0),
        (b"max-age=1e3", 0),
        (b"max-age=0x10", 0),
        (b"max-age='60'", 0),
        (b"max-age=a3600", 0),
        (b"max-age=3600a", 0),
        (b"max-age=1_000", 0),
        (b"max-age = 60", 0),
        (b"max-age= 60", 0),
        (b"max-age =60", 0),
        (b"max-age=60;x", 0),
        (b"max-age=60 60", 0),
        (b'max-age=" 60"', 0),
        (b'max-age=""', 0),
        (b'max-age="60', 0),
        (b"max-age=\xb2", 0),
        ("max-age=٦".encode(), 0),
        (b'x="max-age=60"', None),
        (b'x="a, max-age=60', 0),
        (b"x-max-age=60", None),
        (b"max-age2=60", None),
        (b"", None),
    ],
)
def test_delta_seconds_are_digits_or_stale(line, seconds):
    assert CacheControl.of([line]).seconds(b"max-age") == seconds


@pytest.mark.parametrize(
    ("lines", "fields", "bare"),
    [
        ([b"private"], None, True),
        ([b'private="a"'], {b"a"}, False),
        ([b'PRIVATE="Set-Cookie, X-Mine"'], {b"set-cookie", b"x-mine"}, False),
        ([b'private=" a ,, b,"'], {b"a", b"b"}, False),
        ([b"private=a"], {b"a"}, False),
        ([b'private="a", private="b"'], {b"a", b"b"}, False),
        ([b'private="a"', b"private"], None, True),
        ([b'private, private="a"'], None, True),
        ([b'private=""'], None, True),
        ([b'private=","'], None, True),
        ([b'private="a b"'], None, True),
        ([b'private="a;b"'], None, True),
        ([b'private="a, \\"b\\""'], None, True),
        ([b'private="a", private="b c"'], None, True),
        ([b"private="], None, True),
        ([b'private="a'], None, True),
        ([b"private='a, b'"], None, True),
        ([b'private = "a"'], None, True),
        ([b"no-cache"], None, False),
        ([], None, False),
    ],
)
def test_what_private_is_about(lines, fields, bare):
    control = CacheControl.of(lines)
    assert control.fields(b"private") == fields
    assert control.is_bare(b"private") is bare


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"public", True),
        (b"Public, max-age=5", True),
        (b"max-age=x, public", True),
        (b"not public", False),
        (b"public not", False),
        (b"public;", False),
        (b"public=1", False),
        (b"public=", False),
        (b'public=""', False),
        (b"public=1, public", False),
        (b'ext="public"', False),
        (b'ext="a, public', False),
        (b"publico", False),
        (b"public\n", False),
        (b"", False),
    ],
)
def test_only_what_is_well_formed_permits(line, says):
    assert CacheControl.of([line]).says(b"public") is says


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        (b"public", True),
        (b"must-revalidate", True),
        (b"s-maxage=60", True),
        (b's-maxage="60"', True),
        (b"s-maxage=0", True),
        (b"s-maxage=abc", False),
        (b"s-maxage", False),
        (b"s-maxage=, s-maxage=60", False),
        (b"must-revalidate=1", False),
        (b"max-age=60", False),
        (b"proxy-revalidate", False),
        (b'x="public, s-maxage=60, must-revalidate"', False),
    ],
)
def test_what_lets_others_have_the_answer_to_a_request_with_authorization(line, allowed):
    assert CacheControl.of([line]).is_for_others is allowed


# What a grammar-built generator put in comes out

TEXT = "".join(map(chr, (0x09, *range(0x20, 0x7F), *range(0x80, 0x100))))
tokens = st.text(TOKEN, min_size=1, max_size=6)
names = st.one_of(st.sampled_from(["max-age", "private", "no-cache", "public", "No-Store", "s-MAXAGE"]), tokens)
quoted = st.text(st.one_of(st.sampled_from('",\\= '), st.sampled_from(TEXT)), max_size=8)
arguments = st.one_of(
    st.none(),
    st.tuples(st.just("token"), st.one_of(st.from_regex(r"[0-9]{1,12}", fullmatch=True), tokens)),
    st.tuples(st.just("quoted"), st.one_of(st.from_regex(r"[0-9]{1,12}|[a-c]{1,2}, ?[a-c]", fullmatch=True), quoted)),
)
space = st.text(" \t", max_size=2)
members = st.lists(st.tuples(names, arguments), max_size=6)


@st.composite
def fields(draw):
    """Give the lines of a field, and what they say."""
    said = draw(members)
    lines, line = [], ""
    for name, argument in said:
        if line and draw(st.booleans()):
            lines.append(line)
            line = ""
        written = name if argument is None else f"{name}={draw(dressed(*argument))}"
        line += draw(st.sampled_from(["", "", ",", " ,\t,"])) if not line else ""
        line += ("," if line.strip(" \t,") else "") + draw(space) + written + draw(space)
    lines += [line, draw(st.sampled_from(["", ",", " ", " , ,"]))]
    return [one.encode("latin-1") for one in lines], said


@st.composite
def dressed(draw, kind, text):
    if kind == "token":
        return text
    escaped = (
        "\\" + letter if letter in '"\\' or (letter != "\t" and draw(st.integers(0, 5)) == 0) else letter
        for letter in text
    )
    return '"' + "".join(escaped) + '"'


@given(fields())
@settings(max_examples=150, deadline=None)
def test_what_the_grammar_writes_is_read(field):
    lines, said = field
    control = CacheControl.of(lines)
    for name in {name.lower() for name, _ in said}:
        given = [None if argument is None else argument[1] for other, argument in said if other.lower() == name]
        key = name.encode()
        assert control.has(key)
        assert control.says(key) is (given[0] is None)
        digits = given[0] if given[0] is not None and re.fullmatch("[0-9]+", given[0]) else "0"
        assert control.seconds(key) == min(int(digits), 2**31)
        assert control.fields(key) == expected_fields(given)
        assert control.is_bare(key) is (expected_fields(given) is None)
    assert not control.has(b"\n")


def expected_fields(given):
    found = set()
    for argument in given:
        listed = [name.strip(" \t") for name in (argument or "").split(",") if name.strip(" \t")]
        if not listed or not all(set(name) <= set(TOKEN) - {"'"} for name in listed):
            return None
        found |= {name.lower().encode() for name in listed}
    return found


@given(fields(), st.data())
@settings(max_examples=150, deadline=None)
def test_what_somebody_broke_permits_no_more_than_the_grammar_does(field, data):
    line = bytearray(b",".join(field[0]))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(line)))
        line[at : at + data.draw(st.integers(0, 1))] = data.draw(
            st.sampled_from([b"", b'"', b",", b"\\", b"=", b" ", b"\0"])
        )
    check_narrow(bytes(line))


@given(st.lists(st.one_of(st.binary(max_size=30), st.text('max-age=60,private"\\ \t;', max_size=30).map(str.encode))))
@settings(max_examples=200, deadline=None)
def test_anything_may_come(lines):
    CacheControl.of(lines)
    for line in lines:
        check_narrow(line)


def check_narrow(line):
    """Whatever the rest is: what permits is a whole member between commas."""
    control = CacheControl.of([line])
    for name in (b"max-age", b"s-maxage", b"public", b"private", b"no-cache", b"no-store"):
        if control.says(name):
            assert re.search(rb"(^|,)[ \t]*" + name + rb"[ \t]*(,|\Z)", line, re.IGNORECASE | re.DOTALL)
        if control.seconds(name):
            assert re.search(rb"(^|,)[ \t]*" + name + rb'=("[0-9\\]+"|[0-9]+)[ \t]*(,|\Z)', line, re.IGNORECASE)
        assert control.has(name) or name not in outside_quotes(line)
        assert control.is_bare(name) is (control.has(name) and control.fields(name) is None)


def outside_quotes(line):
    """Give the words of a line without any quote, so that a member of that name is there; else nothing."""
    if b'"' in line:
        return []
    return [part.strip(b" \t").lower() for part in line.split(b",")]


@pytest.mark.parametrize("line", [b'a="' * 20_000, b'"' * 50_000, b"a " * 30_000, b'a="\\' * 20_000, b"=," * 30_000])
def test_long_nonsense_takes_no_longer_than_sense(line):
    CacheControl.of([line])  # quadratic, it would take minutes
