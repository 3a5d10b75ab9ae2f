"""What a cache adds to messages, passes on and leaves alone: RFC 9110 15.2, RFC 9111 5, RFC 9211, and ASGI."""

import asyncio

import pytest

from asynccache import CacheMiddleware
from asynccache.backends.local_cache import LocalMemCacheBackend
from tests.http.proofs.messages import part, sending, start
from tests.http.proofs.upstream import Site, said
from tests.http.serving import ask

FRESH = "max-age=600"


def edge_of(app, profile="rfc9111", **options):
    return CacheMiddleware(app, LocalMemCacheBackend(), profile=profile, **options)


# RFC 9211


async def test_each_answer_says_what_happened():
    site = Site()
    states = [await site.after(said(cache_control="max-age=60", etag='"a"'))]
    states.append(await site())
    site.wait(60)
    states.append(await site.after(said(304, b"", etag='"a"')))
    states.append(await site.after(said(), method="POST"))
    states.append(await site.after(said(cache_control="no-store"), path="/other"))
    told = [state.header("cache-status") for state in states]
    assert told[0].startswith("asynccache; fwd=uri-miss")
    assert "stored" in told[0]
    assert told[1].startswith("asynccache; hit; ttl=60")
    assert "fwd=stale" in told[2]
    assert "fwd-status=304" in told[2]
    assert "fwd=method" in told[3]
    assert "fwd=uri-miss" in told[4]
    assert "stored" not in told[4]


async def test_other_caches_are_told_of_first():
    site = Site()
    first = await site.after(said(cache_control=FRESH, cache_status="Origin; hit"))
    again = await site()
    for answer in (first, again):
        members = [value.decode() for name, value in answer.messages[0]["headers"] if name == b"cache-status"]
        assert ", ".join(members).startswith("Origin; hit, asynccache; ")


@pytest.mark.parametrize("vary", ["x-a"])
async def test_a_miss_among_variants_is_told(vary):
    site = Site()
    await site.after(said(cache_control=FRESH, vary=vary), x_a="1")
    assert "fwd=vary-miss" in (await site.after(said(cache_control=FRESH, vary=vary), x_a="2")).header("cache-status")


# RFC 9110 15.2 and ASGI


async def test_interim_responses_pass_at_once_and_are_not_replayed():
    hint = {"type": "http.response.early_hint", "links": [b"</a>"]}
    app = edge_of(sending(hint, start((b"cache-control", b"max-age=60")), part(b"one")))
    first, second = await ask(app), await ask(app)
    assert first.messages[0] == hint
    assert [message["type"] for message in second.messages] == ["http.response.start", "http.response.body"]
    assert second.body == b"one"


async def test_trailers_pass():
    trailers = {"type": "http.response.trailers", "headers": [(b"a", b"b")]}
    app = edge_of(sending(start((b"cache-control", b"max-age=60"), trailers=True), part(b"one"), trailers))
    for _ in range(2):
        answer = await ask(app)
        assert answer.messages[-1] == trailers
        assert answer.messages[0]["trailers"] is True


@pytest.mark.parametrize("kind", ["lifespan", "websocket", "other"])
async def test_other_scopes_pass_untouched(kind):
    seen = []

    async def app(scope, receive, send):
        seen.append((scope, receive, send))
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})

    told = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent, scope = [], {"type": kind, "path": "/", "headers": []}

    async def receive():
        return told.pop(0)

    async def send(message):
        sent.append(message["type"])

    await edge_of(app)(scope, receive, send)
    assert seen[0][0] is scope
    if kind == "lifespan":
        assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_files_that_the_server_could_send_are_stored_or_sent_whole(tmp_path):
    (tmp_path / "page").write_bytes(b"content")

    async def app(scope, receive, send):
        await send(start((b"cache-control", b"max-age=60"), (b"content-length", b"7")))
        if "http.response.pathsend" in scope.get("extensions", {}):
            await send({"type": "http.response.pathsend", "path": str(tmp_path / "page")})
        else:
            await send(part(b"content"))

    extensions = {"http.response.pathsend": {}}
    edge = edge_of(app)
    for _ in range(2):
        answer = await ask(edge, extensions=extensions)
        assert answer.body == b"content" or answer.messages[-1]["type"] == "http.response.pathsend"
    assert extensions == {"http.response.pathsend": {}}


async def test_parts_pass_on_before_the_next_is_made():
    taken, seen = asyncio.Event(), []

    async def app(scope, receive, send):
        await send(start((b"cache-control", b"max-age=60"), (b"content-length", b"6")))
        await send(part(b"one", more=True))
        await asyncio.wait_for(taken.wait(), 5)
        await send(part(b"two"))

    async def send(message):
        seen.append(message.get("body"))
        if message.get("body") == b"one":
            taken.set()

    await ask(edge_of(app), send=send)
    assert b"".join(filter(None, seen)) == b"onetwo"


async def test_what_is_whole_is_stored_before_the_client_has_its_end():
    edge = edge_of(
        sending(start((b"cache-control", b"max-age=60"), (b"content-length", b"2")), part(b"a", more=True), part(b"b"))
    )
    hits = []

    async def send(message):
        if message.get("body") == b"b":
            hits.append((await ask(edge)).cache)

    await ask(edge, send=send)
    assert hits[0].startswith("hit")


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 5000])
async def test_bodies_up_to_the_limit_are_stored(size):
    calls = []

    async def app(scope, receive, send):
        calls.append(1)
        await send(start((b"cache-control", b"max-age=60")))
        for _ in range(size):
            await send(part(b"x", more=True))
        await send(part())

    edge = edge_of(app, max_body=100)
    for _ in range(2):
        assert (await ask(edge)).body == b"x" * size
    assert len(calls) == (1 if size <= 100 else 2)


async def test_a_hundred_ask_and_one_is_forwarded():
    site, original = Site(), Site.answer

    async def slowly(scope, receive, send):
        await asyncio.sleep(0.01)
        await original(site, scope, receive, send)

    site.answer = slowly
    site.__post_init__()
    site.answers = [said(cache_control=FRESH)]
    answers = await asyncio.gather(*(site() for _ in range(100)))
    assert ({answer.body for answer in answers}, site.count) == ({b"one"}, 1)


async def test_what_is_not_for_others_is_forwarded_for_each():
    site = Site()
    site.answers = [said(body=str(number), cache_control="private") for number in range(20)]
    answers = await asyncio.gather(*(site() for _ in range(20)))
    assert sorted(int(answer.body) for answer in answers) == list(range(20))


ODD = [b"\xff\xfe", b'"', b"\x00", b",,,", b"=", b"9" * 5000, b"a" * 70_000, b"\t", b"(" * 99, b"*" * 99]
ODD += [b"bytes=" + b"9" * 5000 + b"-"]


@pytest.mark.parametrize("name", [
    "cache-control", "expires", "age", "date", "vary", "etag", "last-modified", "content-range", "pragma", "connection",
    "cache-groups", "cache-group-invalidation", "cdn-cache-control", "location", "content-location", "cache-status",
])  # fmt: skip
async def test_no_value_of_any_field_is_an_error(name):
    for value in ODD:
        site = Site()
        answers = [said(status, extra=value) for status in (200, 200, 304, 201)]
        for answer in answers:
            answer.headers[0] = (name.encode(), value)
            answer.headers.append((b"etag", b'"a"'))
        site.answers = answers[:3]
        assert [(await site()).status for _ in range(2)] == [200, 200]
        site.wait(10**7)
        await site()
        site.answers = [answers[3]]
        assert (await site("POST")).status == 201


@pytest.mark.parametrize(
    "name", ["cache-control", "if-none-match", "if-modified-since", "range", "if-range", "pragma", "accept", "cookie"]
)
async def test_no_value_of_any_field_of_a_request_is_an_error(name):
    for value in ODD:
        site = Site()
        await site.after(said(cache_control=FRESH, etag='"a"', vary=name))
        for _ in range(2):
            site.answers = [said(cache_control=FRESH, etag='"a"', vary=name)]
            assert (await ask(site.app, headers=[(name.encode(), value)])).status in {200, 304, 416}
