"""Answers in parts: passed on as they come, stored when they are whole, never kept when they are cut (rules 12, 13)."""

import asyncio

import pytest

from asynccache import CacheMiddleware
from tests.http.edge.origins import FRESH, Edge, lines, part, start, whole

LENGTH_2 = (b"content-length", b"2")
LENGTH_3 = (b"content-length", b"3")


async def test_parts_pass_on_before_the_next_is_made():
    taken = asyncio.Event()
    seen = []

    async def send(message):
        seen.append(message.get("body"))
        if message.get("body") == b"one":
            taken.set()

    edge = Edge(lambda *_: [start(FRESH), part(b"one", more=True), taken.wait, part(b"two", more=True), part()])
    await edge.ask(send=send)
    assert seen == [None, b"one", b"two", b""]
    assert (await edge.ask()).body == b"onetwo"


@pytest.mark.parametrize(
    "messages",
    [
        [start(FRESH, LENGTH_2), part(b"ab")],
        [start(FRESH, LENGTH_2), part(b"a", more=True), part(b"b")],
        [start(FRESH, LENGTH_2), part(b"a", more=True), part(b"b", more=True), part()],
        [start(FRESH, LENGTH_2), part(b"ab", more=True), part(more=True), part()],
        [start(FRESH), part(b"a", more=True), part(b"b")],
        [start(FRESH), part(b"ab", more=True), part()],
        [start(FRESH, status=204), part()],
        [start(FRESH, (b"content-length", b"0")), part()],
    ],
    ids=lambda messages: " ".join(str(len(message.get("body", "head"))) for message in messages),
)
async def test_a_client_that_has_all_and_asks_again_at_once_hits(messages):
    announced = dict(messages[0]["headers"]).get(b"content-length")
    size = sum(len(message.get("body", b"")) for message in messages)
    edge, got, again = Edge(lambda *_: messages), bytearray(), []

    async def send(message):
        got.extend(message.get("body", b""))
        is_last = message["type"] == "http.response.body" and not message.get("more_body")
        knows = len(got) == size and message["type"] == "http.response.body" and announced is not None
        if not again and (is_last or knows):
            again.append(await edge.is_stored())

    first = await edge.ask(send=send)
    assert (again, edge.calls) == ([True], 1)
    assert first.body == b"ab"[:size]


@pytest.mark.parametrize(
    "messages",
    [
        [start(FRESH), part(b"a", more=True)],
        [start(FRESH)],
        [start(FRESH, LENGTH_3), part(b"ab")],
        [start(FRESH, LENGTH_3), part(b"a", more=True), part(b"b")],
        [start(FRESH, LENGTH_2), part(b"ab", more=True)],
        [start(FRESH, LENGTH_2), part(b"abc")],
        [start(FRESH, LENGTH_2), part(b"ab", more=True), part(b"c")],
        [start(FRESH, (b"content-length", b"two")), part(b"ab")],
        [start(FRESH, LENGTH_2, LENGTH_3), part(b"ab")],
        [start(FRESH, trailers=True), part(b"ab"), {"type": "http.response.trailers", "headers": []}],
        [start(FRESH), {"type": "http.response.pathsend", "path": "/x"}],
        [start(FRESH), part(b"a", more=True), {"type": "http.response.zerocopysend", "file": 0}, part()],
        [start(FRESH), part(b"a", more=True), {"type": "x.unknown"}, part(b"b")],
        [start((b"content-type", b"text/event-stream"), FRESH), part(b"data: 1\n\n")],
        [start(FRESH, (b"content-range", b"bytes 0-1/9"), status=206), part(b"abc")],
    ],
    ids=lambda messages: " ".join(f"{message['type'][14:]}{len(message.get('body', ''))}" for message in messages),
)
async def test_what_is_not_whole_or_not_plain_passes_and_is_not_stored(messages):
    edge = Edge(lambda *_: messages)
    answer = await edge.ask()
    assert [message["type"] for message in answer.messages] == [message["type"] for message in messages]
    assert answer.body == b"".join(message.get("body", b"") for message in messages)
    assert not await edge.is_stored()


@pytest.mark.parametrize("before", [0, 1, 2, 3])
async def test_an_answer_whose_app_raises_is_not_stored_and_the_client_gets_what_it_would_have_got(before):
    messages = [start(FRESH, LENGTH_2), part(b"a", more=True), part(b"b", more=True)][:before]
    edge = Edge(lambda *_: [*messages, RuntimeError("boom")])
    got = []

    async def send(message):
        got.append(message["type"])

    with pytest.raises(RuntimeError, match="boom"):
        await edge.ask(send=send)
    assert got == ([message["type"] for message in messages] if before > 1 else [])
    with pytest.raises(RuntimeError, match="boom"):
        await edge.ask()
    assert (edge.calls, len(edge.app._home.found({})[0].flights)) == (2, 0)


async def test_nothing_stands_in_for_an_answer_of_which_the_client_has_something():
    cut = [start(FRESH), part(b"a", more=True), RuntimeError("boom")]
    edge = Edge(lambda scope, number: whole(b"1", FRESH) if number == 1 else cut)
    await edge.ask()
    edge.clock.advance(61)
    got = []

    async def send(message):
        got.append(message["type"])

    with pytest.raises(RuntimeError, match="boom"):
        await edge.ask(send=send)
    assert got == ["http.response.start", "http.response.body"]


@pytest.mark.parametrize("fails_at", [0, 1, 2])
async def test_a_client_that_is_gone_poisons_nothing(fails_at):
    edge = Edge(lambda *_: [start(FRESH), part(b"a", more=True), part(b"b")])
    count = 0

    async def send(message):
        nonlocal count
        count += 1
        if count > fails_at:
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await edge.ask(send=send)
    assert await edge.is_stored() is (fails_at == 2)
    assert (await edge.ask()).body == b"ab"


async def test_an_app_that_stops_when_its_client_leaves_stores_nothing():
    gone = asyncio.Event()

    async def app(scope, receive, send):
        await receive()
        await send(start(FRESH))
        await send(part(b"a", more=True))
        if number() == 1:
            gone.set()
            assert (await receive())["type"] == "http.disconnect"
            return
        await send(part(b"b"))

    calls = []

    def number():
        calls.append(1)
        return len(calls)

    edge = Edge()
    edge.app = CacheMiddleware(app, edge.backend)
    assert (await edge.ask(gone=gone)).body == b"a"
    assert (await edge.ask()).body == b"ab"
    assert await edge.is_stored()


async def test_a_body_that_is_too_long_passes_as_it_comes():
    held = []
    edge = Edge(lambda *_: [start(FRESH, (b"content-length", b"11")), part(b"x" * 11)], max_body=10)

    async def send(message):
        held.append(message["type"])

    assert (await edge.ask(send=send)).cache == "fwd=uri-miss"
    assert not await edge.is_stored()


async def test_a_head_that_announces_too_much_goes_out_at_once():
    go = asyncio.Event()

    async def send(message):
        if message["type"] == "http.response.start":
            go.set()

    long = [start(FRESH, (b"content-length", b"11")), go.wait, part(b"x" * 11)]
    edge = Edge(lambda *_: long, max_body=10)
    assert len((await asyncio.wait_for(edge.ask(send=send), 5)).body) == 11


@pytest.mark.parametrize(("size", "stored"), [(10, True), (11, False)])
async def test_an_unknown_length_may_grow_to_the_limit(size, stored):
    edge = Edge(lambda *_: [start(FRESH), *[part(b"x", more=True)] * size, part()], max_body=10)
    assert len((await edge.ask()).body) == size
    assert await edge.is_stored() is stored


async def test_hints_and_what_else_is_no_part_of_the_answer_pass_untouched():
    hint = {"type": "http.response.early_hint", "links": [b"</a>; rel=preload"]}
    debug = {"type": "http.response.debug", "info": {"a": 1}}
    push = {"type": "http.response.push", "path": "/a", "headers": []}
    edge = Edge(lambda *_: [debug, hint, start(FRESH), push, part(b"a", more=True), hint, part(b"b")])
    answer = await edge.ask()
    kinds = [message["type"].rpartition(".")[2] for message in answer.messages]
    assert kinds == ["debug", "early_hint", "push", "start", "body", "early_hint", "body"]
    assert answer.messages[0] == debug
    assert [message["type"] for message in (await edge.ask()).messages] == ["http.response.start", "http.response.body"]


FILES = {"http.response.pathsend": {}, "http.response.zerocopysend": {}, "http.response.debug": {}}


@pytest.mark.parametrize(
    ("options", "hidden"),
    [
        ({}, True),
        ({"method": "HEAD"}, False),
        ({"method": "POST"}, False),
        ({"headers": lines(content_length=1)}, False),
    ],
    ids=str,
)
async def test_ways_around_the_body_are_hidden_only_where_it_may_be_stored(options, hidden):
    edge = Edge()
    await edge.ask(extensions=FILES, **options)
    assert set(edge.origin.calls[0]["extensions"]) == (set(FILES) - set(list(FILES)[:2]) if hidden else set(FILES))


async def test_messages_of_the_app_are_left_as_they_are():
    messages = whole(b"x", (b"Cache-Control", b"max-age=60"))
    copies = [dict(message) for message in messages]

    async def app(scope, receive, send):
        for message in messages:
            await send(message)

    edge = Edge()
    edge.app = CacheMiddleware(app, edge.backend)
    await edge.ask()
    assert messages == copies


async def test_bytes_of_all_kinds_are_bodies():
    edge = Edge(lambda *_: [start(FRESH), part(bytearray(b"a"), more=True), part(memoryview(b"b"))])
    await edge.ask()
    assert (await edge.ask()).body == b"ab"
