"""Members of Cache-Status: what is written is a list that RFC 9651 knows."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynccache.http.cache_status import member
from asynccache.http.structured import items
from asynccache.http.structured_text import Token


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (member("asynccache"), b"asynccache; hit"),
        (member("asynccache", ttl=-7), b"asynccache; hit; ttl=-7"),
        (member("asynccache", fwd="uri-miss", stored=True), b"asynccache; fwd=uri-miss; stored"),
        (member("my cache", fwd="stale", fwd_status=304), b'"my cache"; fwd=stale; fwd-status=304'),
        (member("c", fwd="miss", collapsed=True), b"c; fwd=miss; collapsed"),
        (member("c", key="GET http://h/?a=1"), b'c; hit; key="GET http://h/?a=1"'),
        (member("c", fwd="bypass", detail="no-store"), b"c; fwd=bypass; detail=no-store"),
        (member("c", fwd="bypass", detail='it says "no"'), b'c; fwd=bypass; detail="it says \\"no\\""'),
        (member("c", key="a\\b"), b'c; hit; key="a\\\\b"'),
        (member("9"), b'"9"; hit'),
        (member("c d"), b'"c d"; hit'),
        (member(""), b'""; hit'),
    ],
)
def test_a_member_says_what_was_done(written, expected):
    assert written == expected


@given(
    st.text(max_size=6),
    st.fixed_dictionaries(
        {
            "fwd": st.sampled_from([None, "uri-miss", "vary-miss", "stale", "request", "method", "bypass", "partial"]),
            "fwd_status": st.one_of(st.none(), st.integers(100, 599)),
            "ttl": st.one_of(st.none(), st.integers(-(10**9), 10**9)),
            "stored": st.booleans(),
            "collapsed": st.booleans(),
            "key": st.one_of(st.none(), st.text(max_size=8)),
            "detail": st.one_of(st.none(), st.text(max_size=8)),
        }
    ),
)
@settings(max_examples=150, deadline=None)
def test_it_joins_what_other_caches_said(name, said):
    first, item = items([b"Other; hit", member(name, **said)])
    assert first.value == "Other"
    assert type(item.value) in {str, Token}
    assert item.value == name or not (name.isascii() and name.isprintable())
    given = {key.replace("_", "-"): value for key, value in said.items() if value is not None and value is not False}
    if said["fwd"] is None:
        given["hit"] = True
    assert item.parameters.keys() == given.keys()
    for key in given.keys() - {"key", "detail"}:
        assert item.parameters[key] == given[key]
