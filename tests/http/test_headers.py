"""Header fields: what is read from well-formed ones, and what from the others."""

import pytest

from asynccache.http.headers import age_of, end_to_end, matches_etag, permissions, restrictions, vary_names, weak_etag


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ([b"no-store"], {b"no-store"}),
        ([b"No-Store , PRIVATE"], {b"no-store", b"private"}),
        ([b"max-age=60", b"no-cache"], {b"max-age", b"no-cache"}),
        ([b'private="x-a, x-b", max-age=5'], {b"private", b"max-age"}),
        ([b'ext="no-store, private"'], {b"ext"}),
        ([b'ext="a \\" no-store"'], {b"ext"}),
        ([b'ext="broken, no-store'], {b"ext", b"broken", b"no-store"}),
        ([b"max-age=1;no-store"], {b"max-age", b"no-store"}),
        ([b"no-store no-cache"], {b"no-store", b"no-cache"}),
        ([b"\tno-store\x0b"], {b"no-store"}),
        ([b"x-no-store"], {b"x-no-store"}),
        ([b""], set()),
        ([], set()),
    ],
)
def test_what_might_forbid_is_found(lines, names):
    assert restrictions(lines) == names


@pytest.mark.parametrize(
    ("lines", "name", "allowed"),
    [
        ([b"public"], b"public", True),
        ([b"Public, max-age=5"], b"public", True),
        ([b"s-maxage=60"], b"s-maxage", True),
        ([b"s-maxage=abc"], b"s-maxage", False),
        ([b"must-revalidate"], b"must-revalidate", True),
        ([b"not public"], b"public", False),
        ([b'ext="public"'], b"public", False),
        ([b'ext="a, public'], b"public", False),
        ([b"public=1"], b"public", False),
    ],
)
def test_only_what_is_well_formed_permits(lines, name, allowed):
    assert (name in permissions(lines)) is allowed


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ([b"Accept, accept-language"], {b"accept", b"accept-language"}),
        ([b"a", b"b"], {b"a", b"b"}),
        ([b"*"], None),
        ([b"foo, *"], None),
        ([b" , *"], None),
        ([b"foo", b"*"], None),
        ([], set()),
    ],
)
def test_a_star_anywhere_in_vary_matches_nothing(lines, names):
    assert vary_names(lines) == names


def test_fields_about_one_connection_are_left_out():
    headers = [
        (b"connection", b"close, X-Mine"), (b"x-mine", b"1"), (b"te", b"x"), (b"trailer", b"x"), (b"upgrade", b"x"),
        (b"keep-alive", b"x"), (b"transfer-encoding", b"chunked"), (b"proxy-authenticate", b"x"), (b"via", b"1"),
        (b"link", b"a"), (b"link", b"b"),
    ]  # fmt: skip
    assert end_to_end(headers) == ((b"via", b"1"), (b"link", b"a"), (b"link", b"b"))


@pytest.mark.parametrize(
    ("asked", "etag", "matches"),
    [
        (b'"a"', b'"a"', True),
        (b'W/"a"', b'"a"', True),
        (b'"a"', b'W/"a"', True),
        (b'"b", W/"a"', b'"a"', True),
        (b'"a,b"', b'"a,b"', True),
        (b"*", b'"a"', True),
        (b'"A"', b'"a"', False),
        (b"a", b'"a"', False),
        (b'"a"', b"a", False),
        (b'"a', b'"a"', False),
        (b"", b'"a"', False),
    ],
)
def test_entity_tags_are_compared_weakly(asked, etag, matches):
    assert matches_etag(asked, etag) is matches


def test_the_tag_we_make_is_weak_and_depends_on_the_body():
    assert weak_etag(b"a").startswith(b'W/"')
    assert weak_etag(b"a") == weak_etag(b"a") != weak_etag(b"b")


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        (b"5", 5),
        (b" 005 , 9", 5),
        (b"", 0),
        (b"5.5", 0),
        (b"'5'", 0),
        (b"+5", 0),
        (b"-5", 0),
        (b"x, 5", 0),
        (b"99999999999999", 2**31),
        (b"9" * 5000, 2**31),
        (b"0" * 5000, 0),
    ],
)
def test_age_is_the_first_member_where_that_is_a_number(line, seconds):
    assert age_of([(b"x", b"1"), (b"age", line), (b"age", b"7")]) == seconds
