"""What may be stored: tables, and directives in every dress."""

import itertools

import pytest

from asynccache.http.page_rules import Allowed, Refusal, Seen, Then, judge, judge_reads
from asynccache.http.settings import CacheSettings

PLAIN = CacheSettings()


def dressed(directive):
    name, _, value = directive.partition("=")
    yield from (directive, directive.upper(), directive.title(), f"  {directive}\t")
    yield from (f"{name} = {value}" if value else f"{name} ", f",,{directive},", f"max-age=60, {directive}")
    yield from (f"{directive}, {directive}", f"max-age=60,{directive},public", f'ext="a, b", {directive}')
    yield from (f'ext="\\"", {directive}', f'broken="x, {directive}', f"{directive};max-age=60", f"x=1 {directive}")


FORBIDDING = [
    "no-store",
    "private",
    "no-cache",
    'private="set-cookie"',
    'no-cache="x-a, x-b"',
    "private=",
    "no-store=1",
]
VECTORS = [
    [line.encode() for line in lines]
    for directive in FORBIDDING
    for dress in dressed(directive)
    for lines in ([dress], ["max-age=60", dress], [dress, "public, s-maxage=60"], [dress, "must-understand"])
]


def test_there_are_enough_vectors():
    assert len(VECTORS) >= 400 - 10


@pytest.mark.parametrize("lines", VECTORS, ids=lambda lines: b"|".join(lines).decode())
def test_what_forbids_storing_is_never_stored(lines):
    assert isinstance(judge(200, [(b"cache-control", line) for line in lines], PLAIN), Refusal)


@pytest.mark.parametrize(
    "line",
    [
        b'ext="no-store"',
        b'a="private, no-cache"',
        b"x-private",
        b"max-age=60, public",
        b"immutable",
        b"",
        b"no-transform",
    ],
)
def test_what_only_looks_like_it_is_stored(line):
    assert isinstance(judge(200, [(b"cache-control", line)], PLAIN), Allowed)


@pytest.mark.parametrize(
    ("status", "then"),
    [
        (404, Then.MARK),
        (302, Then.MARK),
        (500, Then.RUN),
        (503, Then.RUN),
        (599, Then.RUN),
        (206, Then.RETRY),
        (304, Then.RETRY),
    ],
)
def test_a_status_that_is_not_stored_tells_what_others_do(status, then):
    judged = judge(status, [], PLAIN)
    assert isinstance(judged, Refusal)
    assert judged.then is then


@pytest.mark.parametrize("status", [200, 203, 204, 301, 308])
def test_complete_answers_are_stored(status):
    assert judge(status, [], PLAIN) == Allowed()


@pytest.mark.parametrize(
    "headers",
    [
        [(b"set-cookie", b"a=b")],
        [(b"vary", b"accept, *")],
        [(b"content-type", b"Text/Event-Stream; charset=utf-8")],
        [(b"content-length", b"8388609")],
        [(b"content-length", b"abc")],
        [(b"content-length", b"-1")],
    ],
)
def test_these_are_never_stored(headers):
    assert isinstance(judge(200, headers, PLAIN), Refusal)


def test_names_in_vary_and_permission_to_share_are_found():
    allowed = judge(200, [(b"vary", b"Accept, Host"), (b"cache-control", b"s-maxage=5")], PLAIN)
    assert allowed == Allowed(frozenset({b"accept"}), shared=True)


IDENTITIES = ["authorization", "cookie", "session", "user", "auth", "client", "state.tenant"]
SPEAKERS = [
    (public, shared, spoken) for public in (False, True) for shared in (False, True) for spoken in (False, True)
]


@pytest.mark.parametrize(("who", "speaker"), list(itertools.product(IDENTITIES, SPEAKERS)))
def test_an_identity_is_stored_only_when_something_speaks_for_it(who, speaker):
    public, shared, spoken = speaker
    settings = CacheSettings(public=public)
    refusal = judge_reads(
        Seen(identity=frozenset({who})), Allowed(shared=shared), settings, frozenset({who} if spoken else ())
    )
    guard = who in {"auth", "user", "authorization"}
    stored = spoken or (public and not guard) or (who == "authorization" and shared)
    assert (refusal is None) is stored
    if public and not stored:
        assert "move @Cache below the guard" in refusal.why


def test_all_headers_need_a_vary_that_says_which_matter():
    seen = Seen(everything=True)
    assert "vary=" in judge_reads(seen, Allowed(), PLAIN, frozenset()).why
    assert judge_reads(seen, Allowed(), CacheSettings(vary=frozenset({b"accept"})), frozenset()) is None


def test_more_than_eight_names_are_too_many():
    names = frozenset(b"x-%d" % number for number in range(9))
    assert "8 is the most" in judge_reads(Seen(names=names), Allowed(), PLAIN, frozenset()).why


@pytest.mark.parametrize(("above", "stored"), [({"authorization"}, True), (set(), False)])
def test_guards_above_a_public_handler_may_look_at_who_asks(above, stored):
    settings = CacheSettings(public=True)
    seen = Seen(identity=frozenset({"authorization"}), above=frozenset(above))
    assert (judge_reads(seen, Allowed(), settings, frozenset()) is None) is stored
    assert judge_reads(seen, Allowed(), CacheSettings(), frozenset()) is not None
