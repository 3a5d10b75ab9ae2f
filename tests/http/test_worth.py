"""What a policy says of whole pages: whether they are worth keeping, and for how long those that say "nothing"."""

import asyncio
import logging

import pytest
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from asynccache import Cache, CachePolicy, current_load
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.http.witness import witness
from asynccache.testing import FakeClock
from tests.http.serving import app_of, ask


class Site:
    """An app with one cached handler, whose answers are made of its call number."""

    def __init__(self, policy, make, **options):
        @Cache(60, policy=policy, **options)
        async def handler(request):
            self.calls += 1
            answer = make(self.calls)
            await asyncio.sleep(0)
            return answer

        self.calls = 0
        self.clock = FakeClock()
        self.app = app_of(handler, backend=LocalMemCacheBackend(clock=self.clock))

    async def ask(self, **options):
        answer = await ask(self.app, **options)
        return answer.status, answer.cache


MISS, STORED = "fwd=uri-miss", "fwd=uri-miss; stored"


async def test_a_page_that_the_condition_is_false_for_is_not_stored():
    site = Site(CachePolicy(condition=lambda response: response.body != b"[]"), lambda n: JSONResponse([1][: n - 1]))
    assert [await site.ask() for _ in range(3)] == [(200, MISS), (200, STORED), (200, "hit")]


async def test_the_condition_is_given_the_whole_answer():
    seen = []

    def note(response):
        seen.append((response.status_code, response.headers["x-rows"], response.headers["vary"], response.body))
        return True

    async def rows():
        yield b"a"
        yield b"b"

    policy = CachePolicy(condition=note)
    site = Site(policy, lambda n: StreamingResponse(rows(), headers={"X-Rows": "2"}), vary=("x-a",))
    await site.ask()
    await site.ask()
    assert seen == [(200, "2", "x-a", b"ab")]


async def test_those_who_wait_share_what_is_not_stored():
    site = Site(CachePolicy(condition=lambda response: False), lambda n: PlainTextResponse(f"call {n}"))
    answers = await asyncio.gather(*[ask(site.app) for _ in range(9)])
    assert {answer.body for answer in answers} == {b"call 1", b"call 2"}  # one that began after they had come
    assert [answer.cache for answer in answers].count("fwd=uri-miss; collapsed") == 7


async def test_an_older_page_goes_where_the_newer_one_is_not_worth_it():
    policy = CachePolicy(stale_if_error=500, condition=lambda response: response.body != b"call 2")
    site = Site(policy, lambda n: PlainTextResponse(f"call {n}"))
    await site.ask()
    site.clock.advance(100)
    assert await site.ask() == (200, "fwd=stale")
    assert await site.ask() == (200, STORED)


async def test_a_condition_that_fails_stores_nothing_and_the_answer_goes_out(caplog):
    site = Site(CachePolicy(condition=lambda response: 1 / 0), lambda n: PlainTextResponse("x"))
    assert [await site.ask() for _ in range(2)] == [(200, MISS)] * 2
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert caplog.records[0].exc_info[0] is ZeroDivisionError


async def test_whoever_explains_hears_of_the_condition():
    site = Site(CachePolicy(condition=lambda response: False), lambda n: PlainTextResponse("x"))
    heard = []
    token = witness.set(heard)
    await site.ask()
    witness.reset(token)
    assert [told.refusal for told in heard] == ["the condition of its policy is not met"]


@pytest.mark.parametrize("status", [404, 410])
async def test_pages_that_say_that_there_is_nothing_are_stored_for_the_negative_ttl(status):
    site = Site(CachePolicy(negative_ttl=5), lambda n: Response("none", status))
    assert [await site.ask() for _ in range(2)] == [(status, STORED), (status, "hit")]
    site.clock.advance(6)
    assert await site.ask() == (status, STORED)


async def test_other_pages_live_as_long_as_without_it():
    site = Site(CachePolicy(negative_ttl=5), lambda n: Response("there"))
    await site.ask()
    site.clock.advance(50)
    assert await site.ask() == (200, "hit")


@pytest.mark.parametrize(("own", "after", "found"), [(30, 20, "hit"), (2, 3, STORED)])
async def test_what_the_handler_says_beats_the_negative_ttl(own, after, found):
    def make(number):
        current_load().ttl = own
        return Response(status_code=404)

    site = Site(CachePolicy(negative_ttl=10), make)
    await site.ask()
    site.clock.advance(after)
    assert await site.ask() == (404, found)


async def test_without_a_negative_ttl_and_with_none_of_them_nothing_is_stored():
    for policy in (CachePolicy(), CachePolicy(negative_ttl=0)):
        site = Site(policy, lambda n: Response(status_code=404))
        assert await site.ask() == (404, MISS)
        await site.ask()
        assert site.calls == 2


async def test_a_page_that_is_raised_is_not_stored_and_the_log_says_so_once(caplog):
    def make(number):
        raise HTTPException(404)

    site = Site(CachePolicy(negative_ttl=5), make)
    assert [(await ask(site.app)).status for _ in range(2)] == [404, 404]
    assert site.calls == 2
    (record,) = caplog.records
    assert "its 404 was raised: return a response with that status" in record.message
