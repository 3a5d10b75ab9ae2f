"""What holds of the rules of a shared cache whatever comes: nothing raises, and nothing that forbids ever permits."""

from hypothesis import assume, given
from hypothesis import strategies as st

from asynccache.http.headers import end_to_end
from asynccache.http.profile import RFC9111, SAFE, Rules
from asynccache.http.replies import reply
from asynccache.http.rules import (
    Request,
    Serve,
    answer,
    combined,
    completed,
    freshen,
    freshen_by_head,
    invalidates,
    keep_for,
    matches,
    may_store,
    select,
    stands_in,
    vary_values,
)
from asynccache.http.stored import Stored
from tests.http.by_hand import NOW, URL, date

BODY = b"0123456789"
DIRECTIVES = [
    b"max-age=60", b"max-age=0", b"max-age=x", b"s-maxage=60", b"public", b"private", b'private="x-a"', b"no-cache",
    b'no-cache="x-a"', b"no-store", b"must-revalidate", b"proxy-revalidate", b"must-understand", b"immutable",
    b"stale-while-revalidate=30", b"stale-if-error=30", b"min-fresh=5", b"max-stale", b"max-stale=5", b"only-if-cached",
    b'a="b, no-store"', b'a="b', b"max-age=99999999999", b"max-age=60;x", b"",
]  # fmt: skip
VALUES = [
    b"", b"*", b'"a"', b'W/"a"', b'"a", "b"', b"x-a", b"x-a, Cookie", b"bytes 0-3/10", b"bytes 0-9/10", b"bytes=0-3",
    b"bytes=-2", b"0", b"10", b"-1", b"text/html", b"/b", b"//[", b"https://shop.example/a/list?x=1", b"close, x-a",
    *(date(offset).encode() for offset in (-1000, -5, 0, 60)),
]  # fmt: skip
NAMES = [
    b"age", b"authorization", b"cache-groups", b"cache-group-invalidation", b"connection", b"content-length", b"range",
    b"content-location", b"content-range", b"content-type", b"cookie", b"date", b"etag", b"expires", b"if-none-match",
    b"if-modified-since", b"if-range", b"if-match", b"last-modified", b"location", b"pragma", b"set-cookie", b"vary",
    b"x-a",
]  # fmt: skip
CONTROLS = [b"cache-control", b"cdn-cache-control"]

values = st.sampled_from(VALUES) | st.binary(max_size=12)
directives = st.lists(st.sampled_from(DIRECTIVES), max_size=4).map(b", ".join) | st.binary(max_size=12)
lines = st.tuples(st.sampled_from(NAMES), values) | st.tuples(st.sampled_from(CONTROLS), directives)
headers = st.lists(lines, max_size=8)
lively = st.builds(lambda first, rest: [(b"cache-control", first), *rest], directives, headers)
methods = st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "PUT", "MADE-UP"])
requests = st.builds(Request, methods, headers, st.sampled_from([URL, ""]))
gets = st.builds(Request, st.just("GET"), headers, st.just(URL))
statuses = st.sampled_from([200, 200, 200, 206, 304, 404, 503]) | st.integers(0, 999)
rules = st.builds(Rules, st.sampled_from([SAFE, RFC9111]), default_ttl=st.sampled_from([None, 60.0]))
moments = st.floats(-1e4, 1e4).map(lambda offset: NOW + offset)


SAID = st.sampled_from([
    b"", b"public", b"s-maxage=50", b"must-revalidate", b"no-cache", b'no-cache="x-a"', b"immutable", b"max-age=30",
    b"stale-while-revalidate=30", b"stale-if-error=30", b"max-age=30, public", b"proxy-revalidate",
])  # fmt: skip
OTHERS = st.sampled_from([
    (b"vary", b"x-a"), (b"vary", b"x-a, Cookie"), (b"vary", b"accept-language"), (b"x-a", b"1"), (b"age", b"5"),
    (b"last-modified", date(-1000).encode()), (b"etag", b'W/"b"'), (b"date", date(-5).encode()), (b"set-cookie", b"a"),
])  # fmt: skip


PARTS = st.sampled_from([None, None, (0, 3), (2, 9)])


@st.composite
def kept(draw, part=PARTS):
    """A response that is stored, and the request that it answered."""
    ruled = draw(rules)
    asked = Request("GET", [*draw(st.lists(OTHERS, max_size=2)), (b"accept-language", b"en")], URL)
    response = [(b"cache-control", b"max-age=60, public"), (b"etag", b'"a"'), *draw(st.lists(OTHERS, max_size=3))]
    response += [(b"cache-control", said) for said in draw(st.lists(SAID, max_size=2))]
    if draw(st.booleans()):
        response[0] = (b"cache-control", b"max-age=60")
    span = draw(part)
    if span is not None:
        response.append((b"content-range", b"bytes %d-%d/10" % span))
    judgement = may_store(asked, 200 if span is None else 206, response, ruled, NOW, NOW)
    assume(isinstance(judgement, Stored))
    return asked, completed(judgement, BODY if span is None else BODY[span[0] : span[1] + 1]), ruled


spans = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted).map(tuple)


@given(requests, statuses, headers | lively, rules, moments)
def test_judging_never_raises_and_what_is_stored_is_sound(asked, status, response, ruled, now):
    judgement = may_store(asked, status, response, ruled, now, NOW)
    if not isinstance(judgement, Stored):
        assert judgement.why
        return
    assert 0 <= judgement.lifetime <= 2**31
    assert judgement.generated_at <= judgement.received_at == now
    assert keep_for(judgement, ruled) > 0
    assert end_to_end(judgement.headers) == judgement.headers
    names = [name for name, _ in judgement.headers]
    assert b"date" in names
    assert b"age" not in names
    assert judgement.values == vary_values(asked.headers, judgement.names)
    completed(judgement, BODY)


@given(requests, statuses, headers)
def test_invalidation_never_raises_and_never_leaves_the_origin(asked, status, response):
    found = invalidates(asked, status, response)
    assert all(url.startswith("https://shop.example/") or url == asked.url for url in found.urls)


@given(kept(), requests, headers, rules, moments)
def test_nothing_raises_for_what_is_stored(known, asked, response, ruled, now):
    _, old, _ = known
    answer(asked, select(asked, [old, old]), now, ruled)
    stands_in(asked, old, now, ruled, 503)
    freshen_by_head(old, asked, response, now, now, ruled)
    reply(asked, old, now, b"test")
    fresh = freshen(old, asked, response, now, now, ruled)
    if fresh is not None:
        assert (fresh.status, fresh.body, fresh.span) == (old.status, old.body, old.span)
        assert keep_for(fresh, ruled) >= 0


@given(kept(part=spans), kept(part=spans | st.none()))
def test_parts_are_never_joined_wrongly(one, other):
    for joined in filter(None, (combined(one[1], other[1]), combined(other[1], one[1]))):
        first = 0 if joined.span is None else joined.span.first
        assert joined.body == BODY[first : first + len(joined.body)]


FORBIDDING = st.sampled_from([b"no-store", b"private", b"No-Store", b"PRIVATE", b"no-store=1", b"x, private"])


@given(requests, statuses, lively, rules, FORBIDDING, st.integers(0, 8))
def test_no_store_and_private_are_never_stored(asked, status, response, ruled, forbidding, at):
    assume(not any(name == b"cdn-cache-control" or b"must-understand" in value for name, value in response))
    forbidden = [*response[:at], (b"cache-control", forbidding), *response[at:]]
    assert not isinstance(may_store(asked, status, forbidden, ruled, NOW, NOW), Stored)


@given(gets, statuses, lively, rules, st.sampled_from([b"authorization", b"cookie"]))
def test_identity_never_widens_what_is_stored(asked, status, response, ruled, name):
    known = Request("GET", [*asked.headers, (name, b"me")], URL)
    if isinstance(may_store(known, status, response, ruled, NOW, NOW), Stored):
        assert isinstance(may_store(asked, status, response, ruled, NOW, NOW), Stored)


@given(kept(), headers, st.sampled_from([b"authorization", b"cookie"]))
def test_identity_never_widens_what_is_reused(known, asked, name):
    _, old, _ = known
    assume(name not in old.names)
    if matches(Request("GET", [*asked, (name, b"me")], URL), old):
        assert matches(Request("GET", asked, URL), old)


@given(gets, lively, rules)
def test_what_was_stored_for_somebody_says_that_it_may_be(asked, response, ruled):
    judgement = may_store(asked, 200, response, ruled, NOW, NOW)
    said = b",".join(value.lower() for name, value in response if name in CONTROLS)
    if isinstance(judgement, Stored) and asked.has(b"authorization"):
        assert any(word in said for word in (b"public", b"s-maxage", b"must-revalidate"))
    if isinstance(judgement, Stored) and ruled.profile is SAFE and asked.has(b"cookie"):
        assert b"cookie" in judgement.names or b"public" in said or b"s-maxage" in said


STRICTER = st.sampled_from([b"no-cache", b"no-store", b"max-age=0", b"max-age=10", b"min-fresh=30", b"only-if-cached"])


@given(kept(), headers, moments, STRICTER)
def test_a_stricter_request_is_never_served_more(known, asked, now, stricter):
    _, old, ruled = known
    lax = [(b"cache-control", b"x"), *asked]
    strict = [*lax, (b"cache-control", stricter)]
    if isinstance(answer(Request("GET", strict, URL), old, now, ruled), Serve):
        assert isinstance(answer(Request("GET", lax, URL), old, now, ruled), Serve)


@given(kept(), gets, rules, moments)
def test_what_is_served_fits_the_request_and_is_fresh_or_allowed_to_be_stale(known, asked, ruled, now):
    first, old, _ = known
    chosen = select(asked, [old])
    decision = answer(asked, chosen, now, ruled)
    if isinstance(decision, Serve):
        assert vary_values(asked.headers, old.names) == vary_values(first.headers, old.names)
        assert old.is_fresh(now) != decision.stale
        said = b",".join(value.lower() for name, value in old.headers if name in CONTROLS)
        if decision.stale and ruled.profile is SAFE:
            assert b"stale-while-revalidate" in said
