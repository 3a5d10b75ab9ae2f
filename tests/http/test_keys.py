"""Keys of pages: one for each request that differs, and the same for those that do not."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from asynccache.core.page_keys import page_key, prefixed, sorted_query
from asynccache.http.ask import Ask, Keys


def scope(method="GET", path="/", query=b"", host=b"h", **more):
    raw = more.pop("raw_path", path.encode())
    headers = [(b"host", host)] if host is not None else []
    return {
        "type": "http", "method": method, "scheme": "http", "path": path, "raw_path": raw, "query_string": query,
        "headers": headers, "server": ("s", 80), "root_path": "", **more,
    }  # fmt: skip


def key(prefix="", **differing):
    return Ask(scope(**differing), Keys("m.f", prefixed(prefix))).key


def test_a_key_reads_like_the_request():
    assert key(path="/a/b", query=b"x=1") == "GET http://h/a/b?x=1"


@pytest.mark.parametrize(
    ("url", "differing"),
    [
        ("http://h/", {}),
        ("http://h", {}),
        ("http://h/a?b=2&a=1", {"path": "/a", "query": b"a=1&b=2"}),
        ("HTTP://H:80/a#part", {"path": "/a"}),
        ("http://user:secret@h/a", {"path": "/a"}),
        ("https://h/a", {"path": "/a", "scheme": "https", "host": b"h:443"}),
        ("http://h/a b", {"path": "/a b", "raw_path": b"/a%20b"}),
        ("http://h/caf\u00e9", {"path": "/caf\u00e9", "raw_path": b"/caf%C3%A9"}),
        ("http://h:8000/a", {"path": "/a", "host": b"h:8000"}),
        ("http://h/a?q=%26&q=b", {"path": "/a", "query": b"q=%26&q=b"}),
    ],
)
def test_page_key_of_a_url_is_the_key_of_its_request(url, differing):
    assert page_key("get", url) == key(**differing)
    assert page_key("HEAD", url) == key(**differing)


def test_page_key_takes_prefix_and_body():
    assert page_key("GET", "http://h/", "a:b") == "a%3Ab:GET http://h/"
    assert page_key("POST", "http://h/", body=b"1") != page_key("POST", "http://h/", body=b"2")
    with pytest.raises(ValueError, match="not absolute"):
        page_key("GET", "/a")


def test_host_case_default_port_and_query_order_make_no_difference():
    assert key(host=b"Example.COM") == key(host=b"example.com") == key(host=b"example.com:80")
    assert key(query=b"b=1&a=2") == key(query=b"a=2&b=1")


DISTINCT = [
    {}, {"path": "/a"}, {"path": "/A"}, {"path": "/a/"}, {"path": "/a;x"}, {"path": "/a.css"}, {"path": "//a"},
    {"path": "/a/b"}, {"path": "/a/b", "raw_path": b"/a%2Fb"}, {"path": "/a/b", "raw_path": b"/a%2fb"},
    {"path": "/a", "query": b"x"}, {"path": "/a", "query": b"x="}, {"path": "/a", "query": b"x=1"},
    {"path": "/a", "query": b"x=1;y=2"}, {"path": "/a", "query": b"x=1&y=2"}, {"path": "/a", "query": b"x=1%26y=2"},
    {"path": "/a", "query": b"x=1&x=2"}, {"path": "/a", "query": b"x=2&x=1"}, {"path": "/a", "query": b"x=1&%78=2"},
    {"path": "/a", "query": b"%78=2&x=1"}, {"path": "/a", "query": b"X=1"}, {"path": "/a", "query": b"x=?"},
    {"path": "/a?x", "raw_path": b"/a%3Fx"}, {"path": "/a", "query": b"x#y"}, {"path": "/a#b", "raw_path": b"/a%23b"},
    {"host": b"a/b", "path": "/c"}, {"host": b"a", "path": "/b/c"}, {"host": b"a?b", "path": "/c"},
    {"host": b"a", "path": "/", "query": b"b/c"}, {"host": b"a@h"}, {"host": b"h:81"}, {"host": b"[::1]"},
    {"host": b"h."}, {"host": b"%68"}, {"host": b""}, {"host": None}, {"host": b"h\n"}, {"scheme": "https"},
    {"path": "/\u00e9", "raw_path": b"/%C3%A9"}, {"path": "/e\u0301", "raw_path": b"/e%CC%81"},
    {"method": "POST"}, {"method": "post"}, {"prefix": "p"}, {"prefix": "p:"}, {"prefix": "GET http"},
    {"prefix": "p", "path": "/a"}, {"prefix": "p:GET http", "path": "/a"},
]  # fmt: skip


def test_requests_that_differ_never_meet():
    keys = [key(**differing) for differing in DISTINCT]
    met = [(a, b) for (a, x), (b, y) in itertools.combinations(zip(DISTINCT, keys, strict=True), 2) if x == y]
    assert met == []


parameters = st.lists(
    st.tuples(st.sampled_from(["a", "%61", "b", "A", "", "a+", "a%20"]), st.sampled_from(["1", "2", "", "%26"])),
    max_size=5,
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))


@given(parameters, parameters)
def test_queries_share_a_key_only_if_a_handler_sees_each_name_alike(one, other):
    if sorted_query(one) != sorted_query(other):
        return
    seen = [Request(scope(query=query.encode())).query_params for query in (one, other)]
    names = {name for params in seen for name in params}
    assert all(seen[0].getlist(name) == seen[1].getlist(name) for name in names)


def test_what_a_middleware_rewrote_is_told_apart_by_the_owner():
    plain = Ask(scope(path="/a"), Keys("m.f", ""))
    rewritten = Ask(scope(path="/secret", raw_path=b"/a"), Keys("m.f", ""))
    below = Ask(scope(path="/a", root_path="/evil"), Keys("m.f", ""))
    assert plain.key == rewritten.key == below.key
    assert len({plain.owner, rewritten.owner, below.owner, Ask(scope(path="/a"), Keys("m.g", "")).owner}) == 4


def test_a_server_without_raw_path_gets_the_same_keys():
    assert key(path="/a b/caf\u00e9", raw_path=None) == page_key("GET", "http://h/a b/caf\u00e9")
