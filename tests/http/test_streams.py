"""Answers in parts: stored when they are whole, passed on as they come, never kept when cut."""

import asyncio

import pytest
from starlette.responses import FileResponse, StreamingResponse

from asynccache import Cache
from tests.http.serving import app_of, ask, client_of, is_hit, status_of


def raw(*messages, error=None):
    """Make a cached handler whose answer consists of these messages."""

    @Cache(60)
    async def handler(request):
        async def app(scope, receive, send):
            for message in messages:
                await send(dict(message))
            if error is not None:
                raise error

        return app

    return handler


def start(*headers, status=200, **more):
    return {"type": "http.response.start", "status": status, "headers": list(headers), **more}


def part(body, *, more=False):
    return {"type": "http.response.body", "body": body, "more_body": more}


async def stored(app, **options):
    """Tell whether a second request is a hit."""
    return (await ask(app, **options)).cache == "hit"


@pytest.mark.parametrize("sync", [False, True])
def test_a_stream_that_ended_is_stored_whole(sync):
    @Cache(60)
    async def handler(request):
        async def chunks():
            for number in range(5):
                yield str(number)

        return StreamingResponse(map(str, range(5)) if sync else chunks())

    client = client_of(handler)
    assert status_of(client.get("/")) == "fwd=uri-miss"
    again = client.get("/")
    assert is_hit(again)
    assert again.text == "01234"


async def test_parts_pass_on_before_the_next_is_made():
    taken = asyncio.Event()
    seen = []

    @Cache(60)
    async def handler(request):
        async def chunks():
            yield b"one"
            await asyncio.wait_for(taken.wait(), 5)
            yield b"two"

        return StreamingResponse(chunks())

    async def send(message):
        seen.append(message.get("body"))
        if message.get("body") == b"one":
            taken.set()

    await ask(app_of(handler), send=send)
    assert seen == [None, b"one", b"two", b""]


async def test_what_is_complete_is_stored_before_the_client_has_the_last_part():
    app = app_of(raw(start((b"content-length", b"2")), part(b"a", more=True), part(b"b")))
    hits = []

    async def send(message):
        if message.get("body") == b"b":
            hits.append((await ask(app)).cache)

    await ask(app, send=send)
    assert hits == ["hit"]


@pytest.mark.parametrize(
    "messages",
    [
        [start(), part(b"a", more=True)],
        [start(trailers=True), part(b"a")],
        [start(), {"type": "http.response.pathsend", "path": "/etc/hostname"}],
        [start(), {"type": "http.response.zerocopysend", "file": 0}],
        [start(), part(b"a", more=True), {"type": "x.unknown"}, part(b"b")],
        [start((b"content-type", b"text/event-stream")), part(b"data: 1\n\n")],
        [start((b"vary", b"*")), part(b"a")],
    ],
    ids=lambda messages: str([message["type"].rpartition(".")[2] for message in messages]),
)
async def test_what_is_not_whole_or_not_plain_is_passed_on_and_not_stored(messages):
    app = app_of(raw(*messages))
    answer = await ask(app)
    assert [message["type"] for message in answer.messages] == [message["type"] for message in messages]
    assert not await stored(app)


async def test_interim_answers_pass_at_once_and_are_not_stored():
    hint = {"type": "http.response.early_hint", "links": [b"<a>"]}
    app = app_of(raw(hint, start(), part(b"a")))
    first = await ask(app)
    assert first.messages[0] == hint
    second = await ask(app)
    assert [message["type"] for message in second.messages] == ["http.response.start", "http.response.body"]
    assert second.cache == "hit"


async def test_a_stream_that_grows_beyond_max_body_passes_and_is_not_kept():
    @Cache(60, max_body=10)
    async def handler(request):
        return StreamingResponse(iter([b"12345678", b"12345678"]))

    app = app_of(handler)
    assert (await ask(app)).body == b"1234567812345678"
    assert (await ask(app)).cache == "fwd=bypass"


async def test_a_client_that_goes_away_in_the_middle_of_a_stream_leaves_nothing():
    gone, calls = asyncio.Event(), []

    @Cache(60)
    async def handler(request):
        calls.append(1)

        async def chunks():
            yield b"a"
            if len(calls) == 1:
                gone.set()
                await asyncio.Event().wait()
            yield b"b"

        return StreamingResponse(chunks())

    app = app_of(handler)
    leader = asyncio.create_task(ask(app, gone=gone))
    await gone.wait()
    follower = asyncio.create_task(ask(app))
    assert (await asyncio.wait_for(leader, 5)).body == b"a"
    assert (await asyncio.wait_for(follower, 5)).body == b"ab"
    assert await stored(app)


async def test_a_send_that_fails_hands_over_to_who_waits():
    calls = []

    @Cache(60)
    async def handler(request):
        calls.append(1)
        await asyncio.sleep(0.01)
        return StreamingResponse(iter([b"a", b"b"]))

    async def broken(message):
        raise OSError("the client is gone")

    app = app_of(handler)
    leader = asyncio.create_task(ask(app, send=broken))
    await asyncio.sleep(0)
    followers = [asyncio.create_task(ask(app)) for _ in range(5)]
    with pytest.raises(OSError, match="gone"):
        await leader
    assert {answer.body for answer in await asyncio.gather(*followers)} == {b"ab"}
    assert len(calls) == 2


async def test_the_body_was_whole_before_a_client_of_one_message_went_away():
    app = app_of(raw(start(), part(b"whole")))

    async def broken(message):
        raise OSError("the client is gone")

    with pytest.raises(OSError, match="gone"):
        await ask(app, send=broken)
    assert await stored(app)


async def test_a_file_is_read_even_where_the_server_could_send_it(tmp_path):
    path = tmp_path / "page"
    path.write_text("content")
    extensions = {"http.response.pathsend": {}}

    @Cache(60)
    async def handler(request):
        return FileResponse(path)

    app = app_of(handler)
    for cache in ("fwd=uri-miss; stored", "hit"):
        answer = await ask(app, extensions=extensions)
        assert (answer.body, answer.cache) == (b"content", cache)
    assert extensions == {"http.response.pathsend": {}}


async def test_messages_may_carry_memoryviews_and_no_body_at_all():
    app = app_of(raw(start(), part(memoryview(b"ab"), more=True), {"type": "http.response.body"}))
    await ask(app)
    again = await ask(app)
    assert (again.body, again.cache) == (b"ab", "hit")
