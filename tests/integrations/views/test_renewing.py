"""Pages of Flask and Quart are renewed by a copy of the request, and stand in where a new one fails."""

import asyncio

import pytest
from werkzeug.exceptions import HTTPException

from asynccache import Cache, CacheModule, CachePolicy, ConfigurationError, current_load
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.testing import FakeClock
from tests.integrations.views.sites import Site

POLICY = CachePolicy(ttl=100, refresh_ahead=0.8, stale_while_revalidate=50, stale_if_error=500)


class Shop:
    """A site with one page."""

    def __init__(self, framework, policy=POLICY, *, sync=True):
        self.clock = FakeClock()
        module = CacheModule.setup(default=LocalMemCacheBackend(clock=self.clock))
        self.service = module.service
        self.site = site = Site(framework, module)
        self.calls, self.before, self.closed = [], [], []
        self.failing = None
        site.app.before_request(lambda: self.before.append(site.web.request.method))
        site.app.teardown_request(self.closed.append)

        def page(number):
            if isinstance(self.failing, Exception):
                raise self.failing
            if self.failing:
                return "failed", self.failing
            current_load().tags = ["inside"]
            self.calls.append((number, site.web.request.args.get("b"), site.web.request.headers.get("x-a")))
            return f"call {len(self.calls)}"

        async def awaited(number):
            return page(number)

        chosen = page if sync else awaited
        site.app.add_url_rule("/shop/<int:number>", "page", Cache(policy=policy, tags=["page:{number}", "all"])(chosen))

    async def ask(self, path="/shop/7", **options):
        answer = await self.site.ask(path, **options)
        return answer.text, answer.headers["cache-status"].removeprefix("asynccache; ")

    async def settled(self):
        async with asyncio.timeout(5):
            while self.service.loader.runner.running:
                await asyncio.sleep(0.001)


@pytest.fixture(params=["sync", "async"])
def shop(framework, request):
    return Shop(framework, sync=request.param == "sync")


async def test_a_page_is_renewed_behind_by_a_request_like_it(shop):
    headers = {"x-a": "1"}
    assert await shop.ask("/shop/7?b=2", headers=headers) == ("call 1", "fwd=uri-miss; stored")
    shop.clock.advance(81)
    etag = {"if-none-match": '"none"', "range": "bytes=0-1"}
    assert await shop.ask("/shop/7?b=2", headers=headers | etag, method="HEAD") == ("", "hit")
    await shop.settled()
    assert await shop.ask("/shop/7?b=2", headers=headers) == ("call 2", "hit")
    assert shop.calls == [(7, "2", "1")] * 2
    assert sorted(shop.before) == ["GET", "GET", "GET", "HEAD"]
    assert shop.closed == [None] * 4


async def test_a_due_page_is_rendered_once_for_all_who_read_it(shop):
    await shop.ask()
    shop.clock.advance(81)
    assert {cache for _, cache in await asyncio.gather(*(shop.ask() for _ in range(10)))} == {"hit"}
    await shop.settled()
    assert len(shop.calls) == 2


@pytest.mark.parametrize("failing", [KeyError("x"), 503], ids=str)
async def test_an_older_page_stands_in_for_a_failure(shop, failing):
    await shop.ask()
    shop.clock.advance(200)
    shop.failing = failing
    assert await shop.ask() == ("call 1", "hit; ttl=-100")
    shop.clock.advance(2)
    shop.failing = None
    assert await shop.ask() == ("call 2", "fwd=stale; stored")


async def test_what_is_not_there_any_more_is_said(shop):
    class Gone(HTTPException):
        code = 410

    await shop.ask()
    shop.clock.advance(200)
    shop.failing = Gone()
    assert (await shop.site.ask("/shop/7")).status_code == 410


async def test_a_renewal_that_fails_is_not_tried_again_at_once(shop, caplog):
    await shop.ask()
    shop.clock.advance(120)
    shop.failing = KeyError("x")
    for _ in range(2):
        assert await shop.ask() == ("call 1", "hit; ttl=-20")
        await shop.settled()
    assert len(shop.before) == 4


@pytest.mark.parametrize("tag", ["page:7", "all", "inside"])
async def test_pages_go_with_their_tags(shop, tag):
    await shop.ask()
    await shop.ask("/shop/8")
    await shop.service.invalidate_tags_async(tag)
    assert (await shop.ask())[0] == "call 3"
    assert (await shop.ask("/shop/8"))[1] == ("hit" if tag == "page:7" else "fwd=uri-miss; stored")


async def test_a_limit_that_nothing_keeps_is_refused(framework):
    shop = Shop(framework, CachePolicy(ttl=100, stale_while_revalidate=50, hard_timeout=5))
    if framework == "quart":
        assert await shop.ask() == ("call 1", "fwd=uri-miss; stored")
        return
    shop.site.app.testing = True
    with pytest.raises(ConfigurationError, match="hard_timeout"):
        await shop.ask()


async def test_a_soft_timeout_lets_the_older_page_stand_in(framework):
    shop = Shop(framework, CachePolicy(ttl=100, stale_if_error=500, soft_timeout=5), sync=True)
    await shop.ask()
    shop.clock.advance(200)
    assert await shop.ask() == ("call 2", "hit")
