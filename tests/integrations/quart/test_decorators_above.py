"""Decorators above `@Cache` run on hits too, be they sync or async."""

import functools

import pytest
from quart import Quart, abort, current_app, make_response, request
from quart.views import MethodView, View

from asynccache import Cache, CacheModule
from asynccache.integrations.quart import Caching

KEY = {"x-key": "ok"}


def checked():
    if request.headers.get("x-key") != "ok":
        abort(403)


def plain(view):
    @functools.wraps(view)
    def inner(*args, **kwargs):
        checked()
        return view(*args, **kwargs)

    return inner


def awaiting(view):
    @functools.wraps(view)
    async def inner(*args, **kwargs):
        checked()
        return await view(*args, **kwargs)

    return inner


def nameless(view):
    def inner(*args, **kwargs):
        checked()
        return view(*args, **kwargs)

    return inner


def ensuring(view):
    @functools.wraps(view)
    async def inner(*args, **kwargs):
        checked()
        return await current_app.ensure_async(view)(*args, **kwargs)

    return inner


def looking(view):
    @functools.wraps(view)
    async def inner(*args, **kwargs):
        checked()
        response = await make_response(await view(*args, **kwargs))
        response.headers["x-looked"] = str(response.status_code)
        return response

    return inner


def app_with(view):
    app = Quart(__name__)
    Caching(app, CacheModule.setup(default="local"))
    app.add_url_rule("/<int:number>", "page", view)
    return app


def sync_view(number):
    return f"page {number}"


async def async_view(number):
    return f"page {number}"


@pytest.mark.parametrize("view", [sync_view, async_view])
@pytest.mark.parametrize("guard", [plain, awaiting, ensuring, looking])
async def test_a_guard_above_runs_on_hits_too(guard, view):
    client = app_with(guard(Cache(60, public=True)(view))).test_client()
    assert (await client.get("/7")).status_code == 403
    first, second = [await client.get("/7", headers=KEY) for _ in range(2)]
    assert await first.get_data() == await second.get_data() == b"page 7"
    assert second.headers["cache-status"] == "asynccache; hit"
    assert (await client.get("/7")).status_code == 403
    assert second.headers.get("x-looked") == ("200" if guard is looking else None)


async def test_a_guard_that_hides_the_view_keeps_it_from_the_cache():
    client = app_with(nameless(Cache(60, public=True)(sync_view))).test_client()
    answers = [await client.get("/7", headers=KEY) for _ in range(2)]
    assert [await answer.get_data() for answer in answers] == [b"page 7"] * 2
    assert (await client.get("/7")).status_code == 403


async def test_a_guard_of_a_class_of_views_runs_on_hits_too():
    @Cache(60, public=True)
    class Pages(MethodView):
        decorators = (awaiting,)

        async def get(self, number):
            return f"page {number}"

    client = app_with(Pages.as_view("pages")).test_client()
    assert (await client.get("/7")).status_code == 403
    answers = [await client.get("/7", headers=KEY) for _ in range(2)]
    assert [await answer.get_data() for answer in answers] == [b"page 7"] * 2
    assert answers[1].headers["cache-status"] == "asynccache; hit"
    assert (await client.get("/7")).status_code == 403


@pytest.mark.parametrize("is_sync", [False, True])
async def test_a_view_class_is_cached(is_sync):
    if is_sync:

        @Cache(60)
        class Page(View):
            def dispatch_request(self, number):
                return f"page {number}"
    else:

        @Cache(60)
        class Page(View):
            async def dispatch_request(self, number):
                return f"page {number}"

    client = app_with(Page.as_view("pages")).test_client()
    answers = [await client.get("/7") for _ in range(2)]
    assert [await answer.get_data() for answer in answers] == [b"page 7"] * 2
    assert answers[1].headers["cache-status"] == "asynccache; hit"


async def test_a_cached_view_may_call_another():
    @Cache(60)
    async def inner(number):
        return f"inner {number}"

    @Cache(60)
    async def outer(number):
        return await inner(number) + "!"

    client = app_with(outer).test_client()
    assert [await (await client.get("/1")).get_data() for _ in range(2)] == [b"inner 1!"] * 2
