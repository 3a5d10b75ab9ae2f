"""Header fields: what is read from well-formed ones, and what from the others."""

import pytest

from asynccache.http.headers import age_of, end_to_end, vary_names, weak_etag


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ([b"Accept, accept-language"], {b"accept", b"accept-language"}),
        ([b"a", b"b"], {b"a", b"b"}),
        ([b"*"], None),
        ([b"foo, *"], None),
        ([b" , *"], None),
        ([b"foo", b"*"], None),
        ([b"*, *"], None),
        ([b"Accept Encoding"], None),
        ([b'"accept"'], None),
        ([b"accept;q=1"], None),
        ([b"\xe4"], None),
        ([b", ,", b""], set()),
        ([b"foo*"], {b"foo*"}),
        ([], set()),
    ],
)
def test_a_star_anywhere_in_vary_matches_nothing_and_neither_does_what_is_no_name(lines, names):
    assert vary_names(lines) == names


def test_fields_about_one_connection_are_left_out():
    headers = [
        (b"connection", b"close, X-Mine"), (b"x-mine", b"1"), (b"te", b"x"), (b"trailer", b"x"), (b"upgrade", b"x"),
        (b"keep-alive", b"x"), (b"transfer-encoding", b"chunked"), (b"proxy-authenticate", b"x"), (b"via", b"1"),
        (b"link", b"a"), (b"link", b"b"),
    ]  # fmt: skip
    assert end_to_end(headers) == ((b"via", b"1"), (b"link", b"a"), (b"link", b"b"))


def test_the_tag_we_make_is_weak_and_depends_on_the_body():
    assert weak_etag(b"a").startswith(b'W/"')
    assert weak_etag(b"a") == weak_etag(b"a") != weak_etag(b"b")


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        (b"5", 5),
        (b" 005 , 9", 5),
        (b"\t7\t", 7),
        (b"7\x0b", 0),
        (b", 5", 0),
        (b"0x5", 0),
        (b"5;a", 0),
        (b'"5"', 0),
        ("٥".encode(), 0),
        (b"2147483647", 2**31 - 1),
        (b"2147483649", 2**31),
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
