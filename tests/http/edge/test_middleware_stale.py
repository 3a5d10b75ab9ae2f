"""What is over: sent while it is renewed, sent where the app fails, and never where something forbids it (36 to 38)."""

import asyncio

import pytest

from asynccache import CacheMiddleware, CacheService
from asynccache.http.edge import renewing
from asynccache.http.edge.note import note_in
from tests.http.edge.origins import FRESH, Edge, Origin, lines, part, settle, start, whole
from tests.http.serving import ask

TAG = (b"etag", b'"a"')
RENEWS = (b"cache-control", b"max-age=60, stale-while-revalidate=30")


def then(*answers):
    """Give an app that answers so, one after the other, the last again and again."""
    return lambda scope, number: answers[min(number, len(answers)) - 1]


def failing(failure, control=b"max-age=60"):
    """Give an app that answers once, and then fails in this way."""
    return then(whole(b"1", (b"cache-control", control), TAG), failure)


# Renewing behind


async def test_what_is_over_is_sent_at_once_and_renewed_once_behind():
    go = asyncio.Event()
    edge = Edge(then(whole(b"1", RENEWS), [go.wait, *whole(b"2", RENEWS)]))
    await edge.ask()
    edge.clock.advance(75)
    for _ in range(5):
        answer = await edge.ask()
        assert (answer.body, answer.cache, answer.header("age")) == (b"1", "hit; ttl=-15", "75")
    await settle()
    assert edge.calls == 2
    go.set()
    await settle()
    assert [(await edge.ask()).cache, edge.calls] == ["hit; ttl=60", 2]


async def test_what_has_been_over_for_less_than_a_second_says_so():
    edge = Edge(then(whole(b"1", RENEWS), whole(b"", status=500)))
    await edge.ask()
    edge.clock.advance(60.2)
    assert (await edge.ask()).cache == "hit; ttl=-1"


async def test_an_app_that_hangs_while_it_renews_is_left_in_the_end(monkeypatch):
    monkeypatch.setattr(renewing, "LONGEST_SECONDS", 0.01)
    edge = Edge(then(whole(b"1", RENEWS), [asyncio.Event().wait], whole(b"3", RENEWS)))
    await edge.ask()
    edge.clock.advance(61)
    await edge.ask()
    while edge.origin.running or edge.calls < 2:
        await asyncio.sleep(0.01)
    edge.clock.advance(61)
    assert (await edge.ask()).body == b"3"


async def test_after_the_window_the_app_is_waited_for():
    edge = Edge(then(whole(b"1", RENEWS), whole(b"2", RENEWS)))
    await edge.ask()
    edge.clock.advance(91)
    assert (await edge.ask()).body == b"2"


async def test_the_renewing_request_is_a_copy_without_conditions_body_or_client():
    edge = Edge(then(whole(b"1", RENEWS, TAG, (b"vary", b"accept")), whole(b"", status=304)))
    fields = lines(accept="a", if_none_match='"z"', range="bytes=0-0", x_a="1")
    await edge.ask(headers=lines(accept="a"))
    edge.clock.advance(61)
    seen = {}

    async def outer(scope, receive, send):
        scope["state"] = seen["state"] = {"a": 1}
        await edge.app(scope, receive, send)

    assert (await ask(outer, headers=fields, extensions={"x": {}})).status == 206
    await settle()
    copy = edge.origin.calls[1]
    assert copy["headers"] == [(b"host", b"h"), *lines(accept="a", x_a="1", if_none_match='"a"')]
    assert (copy["method"], copy["extensions"]) == ("GET", {})
    assert copy["state"] == {"a": 1}
    assert copy["state"] is not seen["state"]
    assert (await edge.ask(headers=lines(accept="a"))).cache == "hit; ttl=60"


@pytest.mark.parametrize(
    "failure", [whole(b"", status=500), [RuntimeError("boom")], [start(RENEWS), part(b"2", more=True)]]
)
async def test_a_renewal_that_fails_leaves_what_is_there(failure, caplog):
    edge = Edge(then(whole(b"1", RENEWS), failure))
    await edge.ask()
    edge.clock.advance(61)
    for _ in range(3):
        assert (await edge.ask()).body == b"1"
        await settle()
    assert edge.calls == 4
    assert ("RuntimeError: boom" in caplog.text) is isinstance(failure[0], RuntimeError)


async def test_a_renewal_that_gets_something_not_storable_leaves_what_is_there_until_it_is_over():
    edge = Edge(then(whole(b"1", RENEWS), whole(b"2", (b"cache-control", b"no-store"))))
    await edge.ask()
    edge.clock.advance(61)
    assert (await edge.ask()).body == b"1"
    await settle()
    edge.clock.advance(30)
    assert (await edge.ask()).body == b"2"


async def test_closing_ends_what_is_renewed_behind():
    never = asyncio.Event()
    edge = Edge(then(whole(b"1", RENEWS), [never.wait]))
    service = CacheService(default=edge.backend)
    edge.app = CacheMiddleware(edge.origin, service, clock=edge.clock)
    async with service:
        await edge.ask()
        edge.clock.advance(61)
        await edge.ask()
        await settle()
        assert edge.origin.running == 1
    assert edge.origin.running == 0


# Standing in


@pytest.mark.parametrize(
    ("control", "seconds", "status", "stands_in"),
    [
        (b"max-age=60", 100, None, True),
        (b"max-age=60", 100, 503, False),
        (b"max-age=60, stale-if-error=60", 100, None, True),
        (b"max-age=60, stale-if-error=60", 100, 500, True),
        (b"max-age=60, stale-if-error=60", 100, 502, True),
        (b"max-age=60, stale-if-error=60", 100, 504, True),
        (b"max-age=60, stale-if-error=60", 100, 404, False),
        (b"max-age=60, stale-if-error=60", 121, 503, False),
        (b"max-age=60, stale-if-error=60", 121, None, False),
        (b"max-age=60, must-revalidate", 100, None, False),
        (b"max-age=60, stale-if-error=60, must-revalidate", 100, 503, False),
        (b"max-age=60, proxy-revalidate", 100, None, False),
        (b"s-maxage=60", 100, None, False),
        (b"max-age=60, no-cache", 1, None, False),
    ],
)
async def test_what_is_over_stands_in_for_a_failure_where_nothing_forbids_it(control, seconds, status, stands_in):
    edge = Edge(failing([RuntimeError("boom")] if status is None else whole(b"no", status=status), control))
    await edge.ask()
    edge.clock.advance(seconds)
    if stands_in:
        answer = await edge.ask()
        told = "fwd=stale" if status is None else f"fwd=stale; fwd-status={status}"
        assert (answer.status, answer.body, answer.cache, answer.header("age")) == (200, b"1", told, str(seconds))
    elif status is None:
        with pytest.raises(RuntimeError, match="boom"):
            await edge.ask()
    else:
        assert ((await edge.ask()).status, edge.calls) == (status, 2)


async def test_a_head_that_was_not_seen_yet_does_not_count():
    edge = Edge(failing([start(FRESH), RuntimeError("boom")]))
    await edge.ask()
    edge.clock.advance(61)
    assert (await edge.ask()).body == b"1"


async def test_all_who_wait_get_what_stands_in():
    go = asyncio.Event()
    edge = Edge(failing([go.wait, *whole(b"", status=503)], b"max-age=60, stale-if-error=60"))
    await edge.ask()
    edge.clock.advance(61)
    tasks = [asyncio.create_task(edge.ask()) for _ in range(5)]
    await settle()
    go.set()
    assert {answer.body for answer in await asyncio.gather(*tasks)} == {b"1"}
    assert edge.calls == 2


async def test_after_a_failure_the_app_is_asked_again():
    edge = Edge(then(whole(b"1", FRESH), [RuntimeError("boom")], whole(b"3", FRESH)))
    await edge.ask()
    edge.clock.advance(61)
    assert [(await edge.ask()).body for _ in range(2)] == [b"1", b"3"]


# A limit for the app


async def test_an_app_that_takes_too_long_is_not_waited_for_where_something_stands_in():
    go = asyncio.Event()
    edge = Edge(then(whole(b"1", FRESH), [go.wait, *whole(b"2", FRESH)]), timeout=0.01, debug=True)
    await edge.ask()
    edge.clock.advance(61)
    answer = await edge.ask()
    assert answer.body == b"1"
    assert answer.cache == 'fwd=stale; key="edge GET http://h/"; detail="the app takes too long"'
    go.set()
    await settle()
    assert (await edge.ask()).body == b"2"
    assert edge.calls == 2


async def test_an_app_that_is_quick_enough_is_heard():
    replies = [
        whole(b"1", FRESH),
        whole(b"2", FRESH),
        whole(b"3", (b"cache-control", b"no-store")),
        [RuntimeError("no")],
    ]
    edge = Edge(then(*replies, whole(b"5", (b"cache-control", b"no-store"))), timeout=5)
    got = []
    for _ in range(4):
        got.append((await edge.ask()).body)
        edge.clock.advance(61)
    assert got == [b"1", b"2", b"2", b"5"]


async def test_without_anything_that_may_stand_in_the_app_is_waited_for():
    async def slowly():
        await asyncio.sleep(0.05)

    edge = Edge(failing([slowly, *whole(b"2", FRESH)], b"max-age=60, must-revalidate"), timeout=0.01)
    await edge.ask()
    edge.clock.advance(61)
    assert (await edge.ask()).body == b"2"


async def test_an_outer_middleware_is_told_nothing_by_a_renewal():
    outers = []

    async def app(scope, receive, send):
        outers.append(note_in(scope).outer)
        await origin(scope, receive, send)

    origin = Origin(then(whole(b"1", RENEWS), whole(b"2", RENEWS)))
    edge = Edge()
    async with CacheService(default="local") as service:
        inner = CacheMiddleware(app, service, clock=edge.clock)
        outer = CacheMiddleware(inner, service, key_prefix="outer", clock=edge.clock)
        await ask(outer)
        edge.clock.advance(61)
        for body in (b"1", b"1", b"2"):
            assert (await ask(outer)).body == body
            await settle()
    assert [note is None for note in outers] == [False, True]
