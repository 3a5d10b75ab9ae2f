"""The keys of URLs before any app: one for what is one, byte by byte, and never one for two."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.core.page_keys import page_key
from asynccache.core.url_keys import group_tags, key_of_url, origin, url_key
from asynccache.http.edge.keys import UrlKeys, host_of
from asynccache.http.vary import vary_values
from tests.http.serving import scope_of

SAME = {  # RFC 3986 6.2, RFC 9110 4.2.3
    "the case of scheme and host": ("HTTPS://Shop.Example/a", "https://shop.example/a"),
    "the default port of https": ("https://h:443/a", "https://h/a"),
    "the default port of http": ("http://h:80/a", "http://h/a"),
    "an empty port": ("http://h:/a", "http://h/a"),
    "no path": ("http://h", "http://h/"),
    "no path before a query": ("http://h?a", "http://h/?a"),
    "a fragment": ("http://h/a#b", "http://h/a"),
    "a user": ("http://me:x@h/a", "http://h/a"),
    "what no client can send as it is": (
        "http://h/caf\u00e9 au lait?\u00fc=\u00fc",
        "http://h/caf%C3%A9%20au%20lait?%C3%BC=%C3%BC",
    ),
}
DIFFERENT = {
    "schemes": ("http://h/a", "https://h/a"),
    "hosts": ("http://h/a", "http://i/a"),
    "ports": ("http://h:81/a", "http://h/a"),
    "the port of another scheme": ("https://h:80/a", "https://h/a"),
    "the case of paths": ("http://h/A", "http://h/a"),
    "percent-encoding": ("http://h/%61", "http://h/a"),
    "the case of percent-encoding": ("http://h/%c3", "http://h/%C3"),
    "dots": ("http://h/a/../b", "http://h/b"),
    "slashes": ("http://h//a", "http://h/a"),
    "a slash at the end": ("http://h/a/", "http://h/a"),
    "the order of a query": ("http://h/?a&b", "http://h/?b&a"),
    "a query": ("http://h/", "http://h/?a"),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_equivalent_urls_have_one_key(one, other):
    assert key_of_url(one) == key_of_url(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_other_urls_have_others(one, other):
    assert key_of_url(one) != key_of_url(other)


@pytest.mark.parametrize("url", ["/a", "h/a", "http:///a", ""])
def test_a_url_that_is_not_absolute_is_an_error(url):
    with pytest.raises(ValueError, match="is not absolute"):
        key_of_url(url)


TARGETS = ["/", "/a?b=c", "/a%2Fb?x=%20&y", "/a'b(c)*;v=1,2!$&+~@:", '/"<>\\^`{|}?"<>\\^`{|}', "/?", "/a?b?c"]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("host", ["h", "H:80", "h:8080", "[::1]:81"])
@pytest.mark.parametrize("prefix", ["", "sh:op"])
def test_a_request_has_the_key_of_its_url(target, host, prefix):
    scope = scope_of(target)
    scope["path"] = unquote(scope["path"])
    assert UrlKeys(prefix).of(scope, host.encode()) == key_of_url(f"http://{host}{target}", prefix)


def test_a_request_whose_server_tells_no_raw_path_has_the_key_of_its_url():
    scope = {**scope_of("/"), "raw_path": None, "path": "/caf\u00e9 100%"}
    assert UrlKeys().of(scope, b"h") == key_of_url("http://h/caf%C3%A9%20100%25")


def test_a_path_that_somebody_has_changed_is_in_the_key():
    def key(raw_path, path, root_path=""):
        scope = {**scope_of("/"), "raw_path": raw_path, "path": path, "root_path": root_path}
        return keys.of(scope, b"h")

    keys = UrlKeys()
    plain = key(b"/a/b", "/a/b")
    assert key(b"/a/b", "/b", "/a") == key(b"/a/b", "/a/b", "/a") == plain
    changed = [key(b"/a/b", "/b"), key(b"/a/b", "/c"), key(b"/c", "/a/b"), key(b"/b", "/a/b"), key(b"/a/b", "\udc80")]
    assert len({plain, key(b"/c", "/c"), key(b"/b", "/b"), *changed}) == 8
    assert key(b"/caf%C3%A9%20%25", "/caf\u00e9 %") == key_of_url("http://h/caf%C3%A9%20%25")


def test_keys_are_remembered_and_never_mixed_up():
    keys = UrlKeys()
    asked = [
        (scope_of(target, scheme=scheme), host)
        for target in TARGETS
        for scheme in ("http", "https")
        for host in (b"h", b"i")
    ]
    first = [keys.of(*one) for one in asked]
    assert [keys.of(*one) for one in asked] == first
    assert len(set(first)) == len(first) - 4  # `/?` is `/`
    assert keys.of(scope_of("/", method="HEAD"), b"h") == keys.of(scope_of("/"), b"h")


HOSTS, PATHS, QUERIES = (st.binary(max_size=6) for _ in range(3))
ODD = st.sampled_from(
    [b"", b"/", b"?", b"#", b" ", b":", b"h", b"%", b"%23", b"%3F", b"\xef\xbc\x83", b"/a", b"//", b"\0", b"\xff"]
)
PARTS = st.lists(ODD, max_size=4).map(b"".join) | HOSTS


@given(st.tuples(PARTS, PARTS, PARTS), st.tuples(PARTS, PARTS, PARTS))
def test_no_bytes_of_a_request_make_it_another(one, other):
    def seen(host, path, query):
        return host.lower().removesuffix(b":80").removesuffix(b":"), path or b"/", query

    keys = [url_key("http", *parts) for parts in (one, other)]
    assert (keys[0] == keys[1]) == (seen(*one) == seen(*other))
    assert not any("#" in key for key in keys)  # with which those of variants go on


@pytest.mark.parametrize(("key_prefix", "path"), [("", b"/"), ("edge GET x", b"/"), ("a:b", b"/edge GET http://i/")])
def test_groups_are_those_of_an_origin(key_prefix, path):
    key = url_key("HTTPS", b"Shop.Example:443", path, b"q", key_prefix)
    assert origin("HTTPS", b"Shop.Example:443") == "https://shop.example"
    assert group_tags(key, ("a", "b c", "")) == ("group:https://shop.example:a", "group:https://shop.example:b c")
    assert group_tags(page_key("GET", "https://shop.example/"), ("a",)) == ()


def test_the_host_is_the_fields_or_the_servers():
    scope = scope_of("/")
    assert host_of(scope, b"shop") == b"shop"
    assert host_of(scope, None) == b"h:80"
    assert host_of({**scope, "server": None}, None) == b""


NAMES = (b"accept-language", b"x-a")
EQUAL = {  # RFC 9111 4.1
    "white space beside commas": ([(b"x-a", b"1, 2 ,3")], [(b"x-a", b" 1,2,3\t")]),
    "several lines": ([(b"x-a", b"1"), (b"x-a", b"2")], [(b"x-a", b"1, 2")]),
    "the case of language tags": ([(b"accept-language", b"de-AT")], [(b"accept-language", b"de-at")]),
    "other fields": ([(b"x-b", b"1")], []),
}
UNEQUAL = {
    "absence": ([], [(b"x-a", b"")]),
    "the case of values": ([(b"x-a", b"A")], [(b"x-a", b"a")]),
    "order": ([(b"x-a", b"1,2")], [(b"x-a", b"2,1")]),
    "white space within": ([(b"x-a", b"a  b")], [(b"x-a", b"a b")]),
    "quoted white space": ([(b"x-a", b'"a, b"')], [(b"x-a", b'"a,b"')]),
    "white space in a comment": ([(b"x-a", b"x (a, b)")], [(b"x-a", b"x (a,b)")]),
    "an empty member": ([(b"x-a", b"a,,b")], [(b"x-a", b"a,b")]),
    "which field": ([(b"x-a", b"a")], [(b"accept-language", b"a")]),
}


@pytest.mark.parametrize(("one", "other"), EQUAL.values(), ids=EQUAL)
def test_equivalent_fields_select_one_variant(one, other):
    assert vary_values(one, NAMES) == vary_values(other, NAMES)


@pytest.mark.parametrize(("one", "other"), UNEQUAL.values(), ids=UNEQUAL)
def test_other_fields_select_another(one, other):
    assert vary_values(one, NAMES) != vary_values(other, NAMES)
