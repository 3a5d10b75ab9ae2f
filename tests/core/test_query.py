"""Which parameters of a query count."""

from urllib.parse import parse_qsl, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.core.query import Parameters, parameters_of
from asynccache.errors import ConfigurationError

QUERY = b"page=2&utm_source=a&sort=up&%75tm_term=b&utm+x=c&fbclid&page=1&filter%5Bcolour%5D=red&=&empty="


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["page"], b"page=2&page=1"),
        (["sort", "page"], b"page=2&sort=up&page=1"),
        (("filter[*]",), b"filter%5Bcolour%5D=red"),
        ({"filter[colour]"}, b"filter%5Bcolour%5D=red"),
        (["utm_*"], b"utm_source=a&%75tm_term=b"),
        (["*_*"], b"utm_source=a&%75tm_term=b"),
        (["*term"], b"%75tm_term=b"),
        (["utm x"], b"utm+x=c"),
        (["empty", "fbclid"], b"fbclid&empty="),
        (["Page"], b""),
        (["pag"], b""),
        (["p?ge", "[p]age"], b""),
        ([], b""),
        (["-page"], b"utm_source=a&sort=up&%75tm_term=b&utm+x=c&fbclid&filter%5Bcolour%5D=red&=&empty="),
        (["-utm*", "-fbclid", "-filter*"], b"page=2&sort=up&page=1&=&empty="),
        (["-*e*"], b"sort=up&utm+x=c&fbclid&="),
    ],
    ids=repr,
)
def test_what_is_kept(given, kept):
    assert parameters_of(given).kept(QUERY) == kept


@pytest.mark.parametrize("given", ["all", "declared"])
def test_words_that_say_all_or_leave_it_to_the_route(given):
    assert parameters_of(given) is None


@pytest.mark.parametrize("query", [b"", b"page=2", b"page=2&page=%31", b"page"])
def test_a_query_of_which_all_is_kept_is_the_very_same(query):
    assert parameters_of(["page"]).kept(query) is query


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("page", ConfigurationError),
        ("-utm_*", ConfigurationError),
        ("", ConfigurationError),
        (b"page", TypeError),
        (None, TypeError),
        (7, TypeError),
        ([7], TypeError),
        ([b"page"], TypeError),
        (iter(["page"]), TypeError),
        (["page", "-utm_*"], ConfigurationError),
        ([""], ConfigurationError),
        (["-"], ConfigurationError),
        (["*"], ConfigurationError),
        (["-*"], ConfigurationError),
        (["page=1"], ConfigurationError),
        (["a&b"], ConfigurationError),
        (["a#b"], ConfigurationError),
    ],
    ids=lambda value: None if isinstance(value, type) else ("iterator" if hasattr(value, "__next__") else repr(value)),
)
def test_what_cannot_be_meant(given, error):
    with pytest.raises(error, match="query"):
        parameters_of(given)


def test_hostile_names_take_no_time():
    parameters = parameters_of(["*a*a*a*a*a*a*b", "*x*x*x*x*x*y"])
    assert not parameters.has("a" * 50_000)
    assert not parameters.has("ax" * 25_000)


names = st.text(st.sampled_from("ab*_%+ é[]?"), min_size=1, max_size=6)
pairs = st.lists(st.tuples(names, st.text(max_size=3)), max_size=6)


@given(st.frozensets(names.filter(lambda name: "*" not in name)), pairs, st.booleans())
def test_names_are_those_that_a_handler_would_see(kept, given, left_out):
    query = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in given).encode()
    found = Parameters(kept, left_out=left_out).kept(query)
    assert parse_qsl(found.decode(), keep_blank_values=True) == [
        (name, value) for name, value in given if (name in kept) is not left_out
    ]


@given(st.binary(max_size=60), st.lists(names.filter(lambda name: not name.startswith("-")), max_size=3))
def test_whatever_comes_is_parted_and_nothing_is_raised(query, patterns):
    keeping, leaving = Parameters(patterns), Parameters(patterns, left_out=True)
    kept, left = keeping.kept(query), leaving.kept(query)
    assert keeping.kept(kept) == kept
    assert len(kept) + len(left) <= len(query)
    if query:
        both = [part for found in (kept, left) if found for part in found.split(b"&")]
        assert sorted(filter(None, both)) == sorted(filter(None, query.split(b"&")))
