"""Structured fields: read as RFC 9651 says, or not at all."""

import re
from base64 import b64encode
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynccache.http.structured import dictionary, groups, items, targeted
from asynccache.http.structured_text import Date, DisplayString, Item, Token


def plain(value):
    """Give a value and its type, of all that is within."""
    if isinstance(value, Item):
        return plain(value.value), {key: plain(one) for key, one in value.parameters.items()}
    return tuple(map(plain, value)) if type(value) is tuple else (type(value).__name__, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"1", 1),
        (b"-0", 0),
        (b"00042", 42),
        (b"999999999999999", 999_999_999_999_999),
        (b"-999999999999999", -999_999_999_999_999),
        (b"1.5", Decimal("1.5")),
        (b"-0.123", Decimal("-0.123")),
        (b"999999999999.999", Decimal("999999999999.999")),
        (b'"a\\"b\\\\c, d"', 'a"b\\c, d'),
        (b'""', ""),
        (b"abc", Token("abc")),
        (b"*a/b:c!#$%&'*+-.^_`|~", Token("*a/b:c!#$%&'*+-.^_`|~")),
        (b"A", Token("A")),
        (b":aGVsbG8=:", b"hello"),
        (b":aGVsbG8:", b"hello"),
        (b":iZ==:", b"\x89"),
        (b"::", b""),
        (b"?1", True),
        (b"?0", False),
        (b"@1659578233", Date(1_659_578_233)),
        (b"@-62135596800", Date(-62_135_596_800)),
        (b'%"f%c3%bc%22 %25"', DisplayString('fü" %')),
        (b'%""', DisplayString("")),
        (b"()", ()),
        (b"(  a   1 )", (Item(Token("a")), Item(1))),
        (b"(a;x 1);y", (Item(Token("a"), {"x": True}), Item(1))),
    ],
)
def test_an_item_is_what_it_is(text, value):
    (found,) = items([b" " + text + b"  "])
    assert plain(found.value) == plain(value)
    assert plain(dictionary([b"a=" + text])["a"].value) == plain(value)


@pytest.mark.parametrize(
    "text",
    [
        b"1000000000000000", b"-", b"--1", b"+1", b"1.", b".5", b"1.5555", b"1234567890123.1", b"1.5.5", b"1e3", b"- 1",
        b'"', b'"a', b'"a\\"', b'"\\a"', b'"\t"', b'"\x7f"', b"'a'", b'a"b"',
        b"1a", b"a,", b",a", b"a,,b", b"a b", b"a\tb", b"\ta", b"a\n", b"\na", b"a\x0b", b"a\0",
        b":a:", b":aGVsbG8", b":aGVs=bG8:", b":aGVsbG8==  :", b":aGVsbG8_:", b":====:", b":a===:", b":aGVsbG8====:",
        b"?", b"?2", b"?true", b"? 1", b"?10", b"@", b"@1.0", b"@a", b"@ 1", b"@1234567890123456",
        b'%"', b"%a", b'%"%C3%BC"', b'%"%c3"', b'%"%zz"', b'%"%c"', b'%"\t"', b'% "a"', b'%"%ff"', b'%"a',
        b"(", b"(a", b"(a,b)", b"(a\tb)", b'("a""b")', b"((a))", b"(a)b", b"( a", b")", b"(1 2",
        b"a;", b"a;1", b"a;A=1", b"a;x=", b"a;x=()", b"a ;x", b"a;x =1", b"a;x= 1", b"a;\tx",
        b"\xc3\xa4", b'"\xc3\xa4"', b"a;x=\xff", b"{}", b"=", b"!a", b"a@",
    ],
)  # fmt: skip
def test_what_is_not_well_formed_says_nothing(text):
    assert items([text]) is None
    assert dictionary([b"a=" + text]) is None
    assert dictionary([b"b=1, a=" + text]) is None
    assert groups([text]) == ()
    assert targeted([b"max-age=60, x=" + text]) is None


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([b"a"], {"a": (True, {})}),
        ([b"a;x;y=?0;x=2"], {"a": (True, {"x": 2, "y": False})}),
        ([b"a=1;  x=1, b = 2"], None),
        ([b"a=1 ,\t b=2"], {"a": (1, {}), "b": (2, {})}),
        ([b"a=1", b"b=2"], {"a": (1, {}), "b": (2, {})}),
        ([b"a=1", b""], None),
        ([b"a=1,"], None),
        ([b"a=1, b=2, a=3"], {"a": (3, {}), "b": (2, {})}),
        ([b"a=1;x, a"], {"a": (True, {})}),
        ([b"*a._-9=1"], {"*a._-9": (1, {})}),
        ([b"a="], None),
        ([b"A=1"], None),
        ([b"1a=1"], None),
        ([b"-a=1"], None),
        ([b"a =1"], None),
        ([b"a= 1"], None),
        ([b"a/b"], None),
        ([b"\ta"], None),
        ([b"a\t "], {"a": (True, {})}),
        ([b""], {}),
        ([b"\t"], None),
        ([b"   "], {}),
        ([], {}),
    ],
)
def test_a_dictionary_is_read_whole_or_not_at_all(lines, expected):
    found = dictionary(lines)
    assert (None if found is None else {key: (one.value, one.parameters) for key, one in found.items()}) == expected


def test_the_place_of_a_key_is_the_first_and_its_value_the_last():
    assert list(dictionary([b"b, a, b=2"])) == ["b", "a"]
    (item,) = items([b"x;b;a;b=2"])
    assert list(item.parameters.items()) == [("b", 2), ("a", True)]


# Targeted fields


@pytest.mark.parametrize(
    "lines",
    [
        [], [b""], [b" "], [b"max-age=60,"], [b"Max-Age=60"], [b"max-age = 60"], [b"max-age=60, public;"],
        [b"max-age=60 public"], [b"max-age='60'"], [b'max-age=60, private="\xc3\xa4"'], [b"max-age=60", b""],
        [b"max-age=60;"], [b"max-age"], [b"max-age=1.0"], [b'max-age="60"'], [b"max-age=a"], [b"max-age=-1"],
        [b"max-age=?1"], [b"max-age=(60)"], [b"max-age=@60"], [b"no-store=1"], [b"no-store=?0"], [b'public="x"'],
        [b"private=a"], [b"no-cache=?0"], [b"no-cache=()"], [b'no-cache=%"a"'],
    ],
)  # fmt: skip
def test_what_is_invalid_or_has_nothing_usable_counts_as_absent(lines):
    assert targeted(lines) is None


def test_a_targeted_field_says_what_cache_control_would():
    control = targeted([b'max-age=60;x="y", s-maxage=0, no-cache="A, b", private', b"must-revalidate=?1, extension=7"])
    assert (control.seconds(b"max-age"), control.seconds(b"s-maxage")) == (60, 0)
    assert control.fields(b"no-cache") == {b"a", b"b"}
    assert control.is_bare(b"private")
    assert control.says(b"must-revalidate")
    assert control.has(b"extension")
    assert not control.says(b"extension")
    assert not control.has(b"no-store")
    assert control.is_for_others


def test_members_of_another_type_are_not_used_and_the_others_are():
    control = targeted([b'max-age="60", stale-if-error=1.5, no-store=1, public, s-maxage=5'])
    assert not any(map(control.has, (b"max-age", b"stale-if-error", b"no-store")))
    assert control.says(b"public")
    assert control.seconds(b"s-maxage") == 5


@pytest.mark.parametrize(
    ("line", "seconds"),
    [(b"max-age=1, max-age=60", 60), (b"max-age=60, max-age=1", 1), (b"max-age=999999999999999", 2**31)],
)
def test_the_last_of_a_kind_counts_there(line, seconds):
    assert targeted([line]).seconds(b"max-age") == seconds


def test_an_extension_alone_is_a_field_with_something_in_it():
    assert targeted([b"x"])


# Groups


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ([b'"a"'], ("a",)),
        ([b'"a", "b";x=1 ,"a"', b'"A"'], ("a", "b", "A")),
        ([b'"a, b"'], ("a, b",)),
        ([b'""'], ("",)),
        ([b'"a", b'], ()),
        ([b'"a", 1'], ()),
        ([b'("a" "b")'], ()),
        ([b'%"a"'], ()),
        ([b'"a",'], ()),
        ([b"a"], ()),
        ([], ()),
    ],
)
def test_groups_are_a_list_of_strings(lines, names):
    assert groups(lines) == names


def test_many_groups_are_read():
    names = tuple(f"{number:032}" for number in range(500))
    assert groups([", ".join(f'"{name}"' for name in names).encode()]) == names


# What RFC 9651 4.1 writes is read, and what its grammar does not write is not

keys = st.from_regex(r"[a-z*][a-z0-9_\-.*]{0,4}", fullmatch=True)
texts = st.text([chr(code) for code in range(0x20, 0x7F)], max_size=6)
bare = st.one_of(
    st.integers(-(10**15) + 1, 10**15 - 1),
    st.decimals(-(10**11), 10**11, places=3).map(lambda number: number.normalize()).filter(lambda n: "." in f"{n:f}"),
    texts,
    st.from_regex(r"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]{0,5}", fullmatch=True).map(Token),
    st.binary(max_size=5),
    st.booleans(),
    st.integers(-(10**12), 10**12).map(Date),
    st.text(st.characters(codec="utf-8"), max_size=4).map(DisplayString),
)
parameters = st.dictionaries(keys, bare, max_size=2)
single = st.builds(Item, bare, parameters)
anything = st.one_of(single, st.builds(Item, st.lists(single, max_size=3).map(tuple), parameters))


def written(value):
    if isinstance(value, Item):
        return written(value.value) + "".join(
            f";{key}" if one is True else f";{key}={written(one)}" for key, one in value.parameters.items()
        )
    match value:
        case tuple():
            return f"({' '.join(map(written, value))})"
        case bool():
            return f"?{value:d}"
        case Date():
            return f"@{int(value)}"
        case int():
            return str(value)
        case Decimal():
            return f"{value:f}"
        case bytes():
            return f":{b64encode(value).decode()}:"
        case Token():
            return str(value)
        case DisplayString():
            odd = (f"%{code:02x}" if code in b'%"' or not 0x20 <= code < 0x7F else chr(code) for code in value.encode())
            return f'%"{"".join(odd)}"'
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(st.dictionaries(keys, anything, max_size=4), st.sampled_from([", ", ",", " \t,\t "]))
@settings(max_examples=150, deadline=None)
def test_a_dictionary_that_was_written_is_read(members, comma):
    text = comma.join(
        f"{key}{written(one)[2:]}" if one.value is True else f"{key}={written(one)}" for key, one in members.items()
    )
    found = dictionary([text.encode()])
    assert {key: plain(one) for key, one in found.items()} == {key: plain(one) for key, one in members.items()}


@given(st.lists(anything, max_size=4))
@settings(max_examples=100, deadline=None)
def test_a_list_that_was_written_is_read(members):
    assert list(map(plain, items([written(one).encode() for one in members]))) == list(map(plain, members))


KEY = r"[a-z*][a-z0-9_.*\-]*"
BARE = (
    r"(?:-?\d{1,12}\.\d{1,3}|-?\d{1,15}|\"(?:[ !#-\[\]-~]|\\[\"\\])*\"|[A-Za-z*][\w!#$%&'*+.^`|~:/\-]*"
    r"|:[\w+/]*={0,2}:|\?[01]|@-?\d{1,15}|%\"(?:[ !#$&-~]|%[0-9a-f]{2})*\")"
)
ITEM = rf"{BARE}(?:; *{KEY}(?:={BARE})?)*"
PARAMETERS = rf"(?:; *{KEY}(?:={BARE})?)*"
MEMBER = rf"(?:{ITEM}|\( *(?:{ITEM}(?: +{ITEM})* *)?\){PARAMETERS})"
KEYED = rf"{KEY}(?:={MEMBER}|{PARAMETERS})"
LIST = re.compile(rf" *(?:{MEMBER}(?:[ \t]*,[ \t]*{MEMBER})*[ \t]*)? *", re.ASCII)
DICTIONARY = re.compile(rf" *(?:{KEYED}(?:[ \t]*,[ \t]*{KEYED})*[ \t]*)? *", re.ASCII)
PIECES = [
    b"",
    b'"',
    b",",
    b"\\",
    b"=",
    b" ",
    b"\t",
    b";",
    b"(",
    b")",
    b":",
    b"?",
    b"@",
    b"%",
    b".",
    b"-",
    b"1",
    b"a",
    b"\xff",
]


def check_narrow(read, grammar, text):
    if grammar.fullmatch(text.decode("latin-1")) is None:
        assert read([text]) is None
    elif b"%" not in text and b":" not in text and b"_" not in text:  # whose insides have rules of their own
        assert read([text]) is not None


@given(st.dictionaries(keys, anything, min_size=1, max_size=3), st.data())
@settings(max_examples=150, deadline=None)
def test_what_somebody_broke_is_read_only_where_it_is_still_grammar(members, data):
    text = bytearray(", ".join(f"{key}={written(one)}" for key, one in members.items()).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        text[at : at + data.draw(st.integers(0, 1))] = data.draw(st.sampled_from(PIECES))
    check_narrow(dictionary, DICTIONARY, bytes(text))
    check_narrow(items, LIST, bytes(text))


@given(st.one_of(st.binary(max_size=20), st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join)))
@settings(max_examples=400, deadline=None)
def test_anything_may_come(text):
    check_narrow(dictionary, DICTIONARY, text)
    check_narrow(items, LIST, text)
    targeted([text, text])
    groups([text])


@pytest.mark.parametrize(
    "text", [b"(" * 50_000, b"a;" * 50_000, b'"\\' * 50_000, b"1" * 50_000, b'%"%' * 30_000, b"((" * 9]
)
def test_long_nonsense_is_none(text):
    assert dictionary([b"a=" + text]) is None
    assert items([text]) is None
