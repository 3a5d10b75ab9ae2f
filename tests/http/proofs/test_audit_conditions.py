"""Conditional requests of clients, answered from the store: RFC 9111 4.3.2, RFC 9110 13."""

import pytest

from tests.http.proofs.dates import asctime, imf, rfc850
from tests.http.proofs.upstream import NOW, Site, said

FRESH = "max-age=600"
MODIFIED = imf(NOW - 1000)


async def stored(**fields):
    site = Site()
    await site.after(said(**{"cache_control": FRESH} | fields))
    return site


async def status_for(stored_fields, **asked):
    site = await stored(**stored_fields)
    answer = await site(**asked)
    assert site.count == 1
    return answer.status


# 4.3.2: the client's conditions

NOT_MODIFIED = [
    ({"etag": '"a"'}, {"if_none_match": '"a"'}),
    ({"etag": '"a"'}, {"if_none_match": 'W/"a"'}),
    ({"etag": 'W/"a"'}, {"if_none_match": '"a"'}),
    ({"etag": 'W/"a"'}, {"if_none_match": 'W/"a"'}),
    ({"etag": '"a"'}, {"if_none_match": '"b", "a"'}),
    ({"etag": '"a"'}, {"if_none_match": '"b","c" ,\tW/"a", "d"'}),
    ({"etag": '"a"'}, {"if_none_match": ['"b"', '"a"']}),
    ({"etag": '"a,b"'}, {"if_none_match": '"x", "a,b"'}),
    ({"etag": '"a"'}, {"if_none_match": ', "a",'}),
    ({"etag": '""'}, {"if_none_match": '""'}),
    ({"etag": '"a"'}, {"if_none_match": "*"}),
    ({}, {"if_none_match": "*"}),
    ({"etag": '"a"', "last_modified": MODIFIED}, {"if_none_match": '"a"', "if_modified_since": imf(NOW - 9999)}),
    ({"last_modified": MODIFIED}, {"if_modified_since": MODIFIED}),
    ({"last_modified": MODIFIED}, {"if_modified_since": imf(NOW - 999)}),
    ({"last_modified": MODIFIED}, {"if_modified_since": rfc850(NOW - 1000)}),
    ({"last_modified": MODIFIED}, {"if_modified_since": asctime(NOW - 1000)}),
    ({"last_modified": rfc850(NOW - 1000)}, {"if_modified_since": MODIFIED}),
    ({"date": imf(NOW)}, {"if_modified_since": imf(NOW)}),
    ({}, {"if_modified_since": imf(NOW)}),
]
MODIFIED_SINCE = [
    ({"etag": '"a"'}, {"if_none_match": '"b"'}),
    ({"etag": '"a"'}, {"if_none_match": '"A"'}),
    ({"etag": '"a"'}, {"if_none_match": "a"}),
    ({"etag": '"a"'}, {"if_none_match": "'a'"}),
    ({"etag": '"a"'}, {"if_none_match": ""}),
    ({"etag": '"a"'}, {"if_none_match": '"b, a'}),
    ({"etag": '"a"'}, {"if_none_match": 'w/"b"'}),
    ({}, {"if_none_match": '"a"'}),
    ({"etag": '"a"', "last_modified": MODIFIED}, {"if_none_match": '"b"', "if_modified_since": imf(NOW)}),
    ({"last_modified": MODIFIED}, {"if_none_match": '"b"', "if_modified_since": imf(NOW)}),
    ({"last_modified": MODIFIED}, {"if_modified_since": imf(NOW - 1001)}),
    ({"last_modified": MODIFIED}, {"if_modified_since": "yesterday"}),
    ({"last_modified": MODIFIED}, {"if_modified_since": imf(NOW).replace("GMT", "UTC")}),
    ({"date": imf(NOW)}, {"if_modified_since": imf(NOW - 1)}),
]


async def test_the_client_is_told_that_it_has_it():
    assert [row for row in NOT_MODIFIED if await status_for(row[0], **row[1]) != 304] == []


async def test_the_client_gets_what_it_does_not_have():
    assert [row for row in MODIFIED_SINCE if await status_for(row[0], **row[1]) != 200] == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_304_has_the_fields_of_the_200_that_matter_and_no_content(method):
    site = Site()
    fields = {"etag": '"a"', "date": imf(NOW), "expires": imf(NOW + 600), "content_location": "/c", "vary": "x-a"}
    await site.after(said(cache_control=FRESH, content_type="text/x", last_modified=MODIFIED, **fields))
    site.wait(5)
    answer = await site(method, if_none_match='"a"')
    assert (answer.status, answer.body, answer.header("age"), site.count) == (304, b"", "5", 1)
    assert answer.header("content-length") is None
    assert answer.header("cache-control") == FRESH
    assert {name: answer.header(name.replace("_", "-")) for name in fields} == fields


@pytest.mark.parametrize("status", [404, 301, 500])
async def test_conditions_say_nothing_about_what_is_no_success(status):
    site = Site()
    await site.after(said(status, cache_control=FRESH, etag='"a"', last_modified=MODIFIED))
    assert (await site(if_none_match='"a"')).status == status
    assert (await site(if_modified_since=imf(NOW))).status == status
