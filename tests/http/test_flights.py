"""Many ask at once: one runs the handler, the others wait for it, and whoever goes away disturbs nobody."""

import asyncio
import threading
import time

import anyio
import pytest
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from asynccache import Cache, get_cache_service
from asynccache.backends.base import StoreBackend
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.core.entry import Kind
from asynccache.core.page_keys import page_key
from asynccache.http import following
from tests.http.serving import app_of, ask, is_hit


class Slow:
    """A handler that answers when it is let go."""

    def __init__(self, answer=None, backend=None, **options):
        self.calls = 0
        self.running = 0
        self.go = asyncio.Event()
        self.started = asyncio.Event()
        self.answer = answer or (lambda request, number: PlainTextResponse(f"call {number}"))

        @Cache(60, **options)
        async def handler(request):
            self.calls += 1
            self.running += 1
            number = self.calls
            self.started.set()
            try:
                await self.go.wait()
            finally:
                self.running -= 1
            return self.answer(request, number)

        self.app = app_of(handler, backend=backend)

    async def asked(self, count, path="/", **options):
        """Let so many ask, and wait until all that can happen has happened."""
        tasks = [asyncio.create_task(ask(self.app, path, **options)) for _ in range(count)]
        await settle()
        return tasks


async def settle():
    for _ in range(30):
        await asyncio.sleep(0)


async def test_a_hundred_ask_and_one_runs():
    slow = Slow()
    tasks = await slow.asked(100)
    slow.go.set()
    answers = await asyncio.gather(*tasks)
    assert slow.calls == 1
    assert {answer.body for answer in answers} == {b"call 1"}
    assert [answer.cache for answer in answers].count("fwd=uri-miss; stored") == 1
    assert [answer.cache for answer in answers].count("fwd=uri-miss; collapsed") == 99


async def test_those_who_wait_get_what_fits_their_condition():
    slow = Slow(lambda request, number: PlainTextResponse("x", headers={"etag": '"a"'}))
    (leader,) = await slow.asked(1)
    (follower,) = await slow.asked(1, headers=[(b"if-none-match", b'"a"')])
    slow.go.set()
    assert (await leader).status == 200
    assert (await follower).status == 304


async def test_a_cancelled_leader_hands_over():
    slow = Slow()
    leader, *others = await slow.asked(5)
    leader.cancel()
    await settle()
    assert (slow.calls, slow.running) == (2, 1)
    slow.go.set()
    assert {answer.body for answer in await asyncio.gather(*others)} == {b"call 2"}
    assert slow.calls == 2
    with pytest.raises(asyncio.CancelledError):
        await leader


async def test_a_cancelled_follower_disturbs_nobody():
    slow = Slow()
    tasks = await slow.asked(5)
    tasks[2].cancel()
    await settle()
    slow.go.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert slow.calls == 1
    assert sum(getattr(answer, "body", None) == b"call 1" for answer in answers) == 4


async def test_the_only_follower_may_go_away_too():
    slow = Slow()
    leader, follower = await slow.asked(2)
    follower.cancel()
    await settle()
    (later,) = await slow.asked(1)
    slow.go.set()
    assert (await leader).body == (await later).body == b"call 1"


async def test_when_all_go_away_nothing_is_left():
    slow = Slow()
    tasks = await slow.asked(5)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(get_cache_service(slow.app).flights) == 0
    slow.go.set()
    assert (await ask(slow.app)).body.startswith(b"call")


async def test_where_the_handler_raises_each_runs_its_own_and_no_mark_is_left():
    def answer(request, number):
        if number < 4:
            raise HTTPException(418, f"call {number}")
        return PlainTextResponse(f"call {number}")

    slow = Slow(answer)
    tasks = await slow.asked(3)
    slow.go.set()
    answers = await asyncio.gather(*tasks)
    assert sorted(answer.body for answer in answers) == [b"call 1", b"call 2", b"call 3"]
    assert (await ask(slow.app)).cache == "fwd=uri-miss; stored"
    assert (await ask(slow.app)).cache == "hit"


async def test_an_exception_is_never_an_answer_for_others():
    def answer(request, number):
        if number == 1:
            raise RuntimeError("boom")
        return PlainTextResponse(f"call {number}")

    slow = Slow(answer)
    tasks = await slow.asked(2)
    slow.go.set()
    first, second = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(first, RuntimeError)
    assert second.body == b"call 2"


async def test_an_answer_that_cannot_be_stored_lets_all_run_at_once_and_later_ones_too():
    def answer(request, number):
        response = PlainTextResponse(f"call {number}")
        response.set_cookie("a", str(number))
        return response

    slow = Slow(answer)
    tasks = await slow.asked(20)
    assert slow.running == 1
    slow.go.set()
    assert len({answer.body for answer in await asyncio.gather(*tasks)}) == 20
    slow.go.clear()
    later = await slow.asked(20)
    assert slow.running == 20
    slow.go.set()
    assert {answer.cache for answer in await asyncio.gather(*later)} == {"fwd=bypass"}


async def test_server_errors_leave_no_mark():
    statuses = iter([500, 200, 200])
    slow = Slow(lambda request, number: PlainTextResponse("", next(statuses)))
    slow.go.set()
    assert (await ask(slow.app)).status == 500
    assert (await ask(slow.app)).cache == "fwd=uri-miss; stored"


async def test_other_variants_look_again():
    slow = Slow(lambda request, number: PlainTextResponse(request.headers.get("accept", "")))
    one = await slow.asked(3, headers=[(b"accept", b"one")])
    two = await slow.asked(3, headers=[(b"accept", b"two")])
    assert slow.running == 1
    slow.go.set()
    assert {answer.body for answer in await asyncio.gather(*one)} == {b"one"}
    assert {answer.body for answer in await asyncio.gather(*two)} == {b"two"}
    assert slow.calls == 2


async def test_variants_that_are_known_do_not_wait_for_each_other():
    slow = Slow(vary=("accept",))
    slow.go.set()
    await ask(slow.app, headers=[(b"accept", b"zero")])
    slow.go.clear()
    tasks = [*await slow.asked(2, headers=[(b"accept", b"one")]), *await slow.asked(2, headers=[(b"accept", b"two")])]
    assert slow.running == 2
    slow.go.set()
    await asyncio.gather(*tasks)
    assert slow.calls == 3


async def test_a_page_deleted_while_it_is_made_does_not_land():
    slow = Slow()
    (leader,) = await slow.asked(1)
    await get_cache_service(slow.app).delete_async(page_key("GET", "http://h/"))
    (fresh,) = await slow.asked(1)
    assert slow.running == 2
    slow.go.set()
    assert (await leader).cache == "fwd=uri-miss"
    assert (await fresh).cache == "fwd=uri-miss; stored"
    assert (await ask(slow.app)).body == b"call 2"


async def test_of_a_page_deleted_while_it_is_made_nothing_is_left():
    slow = Slow(vary=("accept",))
    (leader,) = await slow.asked(1)
    service, key = get_cache_service(slow.app), page_key("GET", "http://h/")
    await service.delete_async(key)
    slow.go.set()
    await leader
    assert not await service.has_key_async(key)


async def test_a_variant_deleted_while_it_is_made_does_not_bring_the_others_back():
    slow = Slow(vary=("accept",))
    slow.go.set()
    await ask(slow.app, headers=[(b"accept", b"old")])
    slow.go.clear()
    (leader,) = await slow.asked(1, headers=[(b"accept", b"new")])
    await get_cache_service(slow.app).delete_async(page_key("GET", "http://h/"))
    slow.go.set()
    assert (await leader).cache == "fwd=vary-miss"
    assert (await ask(slow.app, headers=[(b"accept", b"old")])).cache == "fwd=uri-miss; stored"
    assert (await ask(slow.app, headers=[(b"accept", b"new")])).body == b"call 4"


async def test_a_handler_that_asks_for_its_own_url_just_runs():
    depth = []

    @Cache(60)
    async def handler(request):
        depth.append(1)
        if len(depth) > 1:
            return PlainTextResponse("inner")
        inner = await ask(app)
        return PlainTextResponse(b"outer " + inner.body)

    app = app_of(handler)
    assert (await asyncio.wait_for(ask(app), 5)).body == b"outer inner"
    assert (await ask(app)).body == b"outer inner"


async def test_handlers_that_ask_for_each_other_do_not_wait_for_ever():
    def asking(other):
        @Cache(60)
        async def handler(request):
            await barrier.wait()
            if request.scope["path"] in seen:
                return PlainTextResponse("again")
            seen.add(request.scope["path"])
            return PlainTextResponse((await ask(app, other)).body)

        return handler

    seen, barrier = set(), asyncio.Event()
    app = app_of(Route("/a", asking("/b")), Route("/b", asking("/a")))
    both = [asyncio.create_task(ask(app, path)) for path in ("/a", "/b")]
    await settle()
    barrier.set()
    await asyncio.wait_for(asyncio.gather(*both), 5)


async def test_a_stream_releases_those_who_wait_as_soon_as_it_is_known_not_to_be_stored():
    more = asyncio.Event()

    def answer(request, number):
        async def chunks():
            yield b"first"
            await more.wait()
            yield b"last"

        return StreamingResponse(chunks(), media_type="text/event-stream")

    slow = Slow(answer)
    tasks = await slow.asked(3)
    slow.go.set()
    await settle()
    assert slow.calls == 3
    more.set()
    assert {answer.body for answer in await asyncio.gather(*tasks)} == {b"firstlast"}


def in_two_parts(request, number):
    async def chunks():
        yield b"a"
        yield b"b"

    return StreamingResponse(chunks())


@pytest.fixture
async def slow_reader():
    """A page of two parts, and one who leads and does not read what is sent; `go_on` lets it."""
    slow = Slow(in_two_parts)
    go_on = asyncio.Event()

    async def stuck(message):
        await go_on.wait()

    slow.go.set()
    leader = asyncio.create_task(ask(slow.app, send=stuck))
    await settle()
    yield slow, go_on
    go_on.set()
    assert (await leader).body == b"ab"


@pytest.mark.parametrize("limit", ["FOLLOW_SECONDS", "SENDING_SECONDS"])
async def test_those_who_wait_for_a_leader_with_a_slow_reader_do_not_wait_for_ever(monkeypatch, slow_reader, limit):
    monkeypatch.setattr(following, limit, 0.05)
    slow, _ = slow_reader
    (follower,) = await slow.asked(1)
    assert (await asyncio.wait_for(follower, 5)).body == b"ab"


async def test_a_slow_reader_keeps_a_page_from_the_store_for_a_while_only(monkeypatch, slow_reader):
    monkeypatch.setattr(following, "SENDING_SECONDS", 0.01)
    monkeypatch.setattr(following, "SLOW_SECONDS", 0.05)
    slow, go_on = slow_reader
    await asyncio.sleep(0.06)
    assert "stored" not in (await ask(slow.app)).cache
    await ask(slow.app)
    assert (await ask(slow.app)).cache == "hit"
    go_on.set()
    await settle()
    assert slow.calls == 3


async def test_a_response_that_is_never_sent_releases_those_who_wait():
    slow = Slow()
    inner = slow.app.routes[0].endpoint
    dropped = []

    async def dropping(request):
        response = await inner(request)
        if not dropped:
            dropped.append(1)
            return PlainTextResponse("another")
        return response

    slow.app = app_of(dropping)
    tasks = await slow.asked(2)
    slow.go.set()
    assert sorted([answer.body for answer in await asyncio.wait_for(asyncio.gather(*tasks), 5)]) == [
        b"another",
        b"call 2",
    ]


async def test_a_cancel_scope_around_the_leader_hands_over():
    slow = Slow()

    async def impatient():
        with anyio.move_on_after(0.02):
            await ask(slow.app)

    leader = asyncio.create_task(impatient())
    await settle()
    (follower,) = await slow.asked(1)
    await leader
    slow.go.set()
    assert (await follower).body == b"call 2"


class Distant(LocalMemCacheBackend):
    """A store whose first answer comes late."""

    peek = None

    def __init__(self, late_reads=1):
        super().__init__()
        self.arrives = asyncio.Event()
        self.late_reads = late_reads

    async def read(self, io, key, version=None, kind=Kind.VALUE):
        entry = await super().read(io, key, version, kind)
        if self.late_reads:
            self.late_reads -= 1
            await self.arrives.wait()
            self.arrives.clear()
        return entry


async def test_what_landed_while_one_was_looking_is_found_after_all():
    backend = Distant()
    slow = Slow(backend=backend)
    (looking,) = await slow.asked(1)
    slow.go.set()
    assert (await ask(slow.app)).cache == "fwd=uri-miss; stored"
    backend.arrives.set()
    assert (await looking).cache == "hit"
    assert slow.calls == 1


async def test_a_leader_cancelled_while_it_looks_again_keeps_nobody_waiting():
    backend = Distant(late_reads=2)
    slow = Slow(backend=backend)
    (looking,) = await slow.asked(1)
    get_cache_service(slow.app).flights.join("another key")[0].settle(None)
    backend.arrives.set()
    await settle()
    (follower,) = await slow.asked(1)
    looking.cancel()
    slow.go.set()
    assert (await asyncio.wait_for(follower, 5)).body == b"call 1"


class Crowded(LocalMemCacheBackend):
    """A store that is asked while other flights land all the time."""

    peek = None
    flights = None

    async def read(self, io, key, version=None, kind=Kind.VALUE):
        entry = await super().read(io, key, version, kind)
        self.flights.join("another key")[0].settle(None)
        return entry


async def test_landings_of_others_keep_nobody_from_leading():
    backend = Crowded()
    slow = Slow(backend=backend)
    backend.flights = get_cache_service(slow.app).flights
    slow.go.set()
    assert (await ask(slow.app)).cache == "fwd=uri-miss; stored"
    assert (await ask(slow.app)).cache == "hit"


def test_sync_handlers_run_in_threads_on_misses_and_hits_never_wait_for_one():
    threads = set()

    @Cache(60)
    def handler(request):
        threads.add(threading.get_ident())
        time.sleep(0.01)
        return PlainTextResponse("x")

    async def main():
        app = app_of(handler)
        answers = await asyncio.gather(*(ask(app) for _ in range(400)))
        assert {answer.body for answer in answers} == {b"x"}
        assert len(threads) == 1
        assert threads != {threading.get_ident()}
        limiter = anyio.to_thread.current_default_thread_limiter()
        limiter.total_tokens = 1
        async with limiter:
            assert (await asyncio.wait_for(ask(app), 1)).cache == "hit"

    asyncio.run(main())


def test_one_app_serves_several_loops_one_after_the_other():
    @Cache(60)
    async def handler(request):
        return PlainTextResponse("x")

    app = app_of(handler)
    for number in range(3):
        with TestClient(app) as client:
            assert is_hit(client.get("/")) is (number > 0)


async def test_a_value_under_a_pages_key_is_loaded_apart_from_the_page():
    slow = Slow()
    cache = get_cache_service(slow.app)
    [visitor] = await slow.asked(1)
    key = page_key("GET", "http://h/")
    async with asyncio.timeout(5):
        assert await cache.get_or_set_async(key, lambda: "value") == "value"
    slow.go.set()
    assert (await visitor).body == b"call 1"


class SlowlyWriting(StoreBackend):
    """A dict that takes what it is given when it is let go."""

    def __init__(self):
        super().__init__()
        self.entries = {}
        self.writing, self.go = asyncio.Event(), asyncio.Event()

    async def _fetch(self, io, key):
        return self.entries.get(key)

    async def _store(self, io, key, raw, ttl):
        self.writing.set()
        await self.go.wait()
        self.entries[key] = raw
        return True

    async def _drop(self, io, key):
        return self.entries.pop(key, None) is not None


async def test_nobody_sees_a_page_after_its_delete_returned_though_it_was_just_being_written():
    backend = SlowlyWriting()
    slow = Slow(backend=backend)
    slow.go.set()
    [leader] = await slow.asked(1)
    await backend.writing.wait()
    deleting = asyncio.create_task(get_cache_service(slow.app).delete_async(page_key("GET", "http://h/")))
    await settle()
    assert not deleting.done()
    backend.go.set()
    await deleting
    assert backend.entries == {}
    assert (await leader).body == b"call 1"
    assert (await ask(slow.app)).body == b"call 2"
