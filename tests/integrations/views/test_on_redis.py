"""Cached views whose pages lie on a Redis: found by others, done without while it is away."""

from asynccache import Cache, CacheModule
from tests.http.serving import is_hit
from tests.integrations.views.sites import Site


def site_on(framework, url):
    site, runs = Site(framework, CacheModule.setup(default=url)), []

    def page():
        runs.append(1)
        return f"page {len(runs)}"

    site.app.add_url_rule("/", "page", Cache(60)(page))
    return site


async def test_another_worker_finds_the_page(framework, redis_server, unique_prefix):
    url = f"{redis_server.url}?key_prefix={unique_prefix}"
    answers = [await site_on(framework, url).ask() for _ in range(2)]
    assert [(answer.text, is_hit(answer)) for answer in answers] == [("page 1", False), ("page 1", True)]


async def test_a_redis_that_dies_costs_nobody_an_answer(framework, fresh_redis):
    site = site_on(framework, fresh_redis.url)
    before = [(await site.ask()).text for _ in range(2)]
    fresh_redis.kill()
    after = [await site.ask() for _ in range(3)]
    assert before == ["page 1"] * 2
    assert [answer.status_code for answer in after] == [200] * 3
    assert [answer.text for answer in after] == ["page 2", "page 3", "page 4"]


async def test_the_service_works_in_sync_and_async_views(framework, redis_server, unique_prefix):
    site = Site(framework, CacheModule.setup(default=f"{redis_server.url}?key_prefix={unique_prefix}"))

    @site.app.get("/sync")
    def sync():
        return str(site.integration.get_cache_service().incr("visits"))

    @site.app.get("/async")
    async def asynchronous():
        return str(await site.integration.get_cache_service().incr_async("visits"))

    assert [(await site.ask(path)).text for path in ("/sync", "/async") * 3] == ["1", "2", "3", "4", "5", "6"]
