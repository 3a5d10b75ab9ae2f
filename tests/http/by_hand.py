"""Requests and responses written as text, for the tables of the rules."""

import pytest
from msgspec.structs import replace

from asynccache.http.dates import written_date
from asynccache.http.profile import RFC9111, SAFE, Rules
from asynccache.http.rules import Refusal, Request, completed, may_store
from asynccache.http.stored import Stored

NOW = 1_800_000_000.0
URL = "https://shop.example/a/list?x=1"
RULES = {"safe": Rules(profile=SAFE), "rfc9111": Rules(profile=RFC9111)}


def rows(*table):
    """Parametrize by rows whose first item is their id."""
    return [pytest.param(*row[1:], id=row[0]) for row in table]


def date(offset=0):
    """An HTTP date so many seconds after NOW."""
    return written_date(NOW + offset).decode()


def fields(text):
    """`name: value | name: value` as pairs; `<+60>` stands for a date 60 seconds after NOW."""
    pairs = []
    for line in filter(None, (part.strip() for part in text.split("|"))):
        name, _, value = line.partition(":")
        while "<" in value:
            before, _, rest = value.partition("<")
            offset, _, after = rest.partition(">")
            value = before + date(int(offset)) + after
        pairs.append((name.strip().lower().encode(), value.strip().encode("latin-1")))
    return pairs


def request(text="", method="GET"):
    return Request(method, fields(text), URL)


def judged(response, asked="", *, status=200, profile="rfc9111", method="GET", rules=None, delay=0.0):
    return may_store(request(asked, method), status, fields(response), rules or RULES[profile], NOW, NOW - delay)


def stored(response, asked="", *, body=b"0123456789", **how):
    """What is stored of a response, which must be stored."""
    judgement = judged(response, asked, **how)
    assert isinstance(judgement, Stored), judgement
    whole = completed(judgement, body)
    assert whole is not None
    return whole


def is_stored(judgement):
    assert isinstance(judgement, Stored | Refusal)
    return isinstance(judgement, Stored)


def older(response, seconds):
    """The same, received and made earlier."""
    return replace(response, generated_at=response.generated_at - seconds, received_at=response.received_at - seconds)


def named(stored_response, name):
    return [value for field, value in stored_response.headers if field == name]


TAGGED = 'etag: "a" | cache-control: max-age=60'
PART = stored(f"{TAGGED} | content-range: bytes 2-5/10", "range: bytes=2-5", status=206, body=b"2345")
"""Bytes 2 to 5 of ten."""
