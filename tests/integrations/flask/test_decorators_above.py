"""Decorators above `@Cache` run on hits too, be they sync or async, and see the view's response."""

import functools

import pytest
from flask import Flask, abort, current_app, make_response, request
from flask.views import MethodView, View

from asynccache import Cache, CacheModule
from asynccache.errors import ConfigurationError
from asynccache.integrations.flask import Caching

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


def nameless(view):
    def inner(*args, **kwargs):
        checked()
        return view(*args, **kwargs)

    return inner


def ensuring(view):
    @functools.wraps(view)
    def inner(*args, **kwargs):
        checked()
        return current_app.ensure_sync(view)(*args, **kwargs)

    return inner


def looking(view):
    @functools.wraps(view)
    def inner(*args, **kwargs):
        checked()
        response = make_response(view(*args, **kwargs))
        response.headers["x-looked"] = str(response.status_code)
        return response

    return inner


def awaiting(view):
    @functools.wraps(view)
    async def inner(*args, **kwargs):
        checked()
        return await view(*args, **kwargs)

    return inner


def app_with(view, **options):
    app = Flask(__name__)
    Caching(app, CacheModule.setup(default="local"))
    app.add_url_rule("/<int:number>", "page", view, **options)
    return app


def sync_view(number):
    return f"page {number}"


async def async_view(number):
    return f"page {number}"


GUARDED = {
    "plain": (plain, sync_view),
    "ensure_sync": (ensuring, sync_view),
    "ensure_sync around async": (ensuring, async_view),
    "looks at the response": (looking, sync_view),
    "async": (awaiting, async_view),
}


@pytest.mark.parametrize(("guard", "view"), GUARDED.values(), ids=GUARDED)
def test_a_guard_above_runs_on_hits_too(guard, view):
    client = app_with(guard(Cache(60, public=True)(view))).test_client()
    assert client.get("/7").status_code == 403
    first, second = client.get("/7", headers=KEY), client.get("/7", headers=KEY)
    assert first.text == second.text == "page 7"
    assert second.headers["cache-status"] == "asynccache; hit"
    assert client.get("/7").status_code == 403
    assert second.headers.get("x-looked") == ("200" if guard is looking else None)


def test_a_guard_that_hides_the_view_keeps_it_from_the_cache():
    client = app_with(nameless(Cache(60, public=True)(sync_view))).test_client()
    assert [client.get("/7", headers=KEY).text for _ in range(2)] == ["page 7"] * 2
    assert client.get("/7").status_code == 403


def test_a_guard_of_a_class_of_views_runs_on_hits_too():
    @Cache(60, public=True)
    class Pages(MethodView):
        decorators = (plain,)

        def get(self, number):
            return f"page {number}"

    client = app_with(Pages.as_view("pages")).test_client()
    assert client.get("/7").status_code == 403
    assert client.get("/7", headers=KEY).text == client.get("/7", headers=KEY).text == "page 7"
    assert client.get("/7", headers=KEY).headers["cache-status"] == "asynccache; hit"
    assert client.get("/7").status_code == 403


def test_a_view_class_is_cached():
    @Cache(60)
    class Page(View):
        init_every_request = False

        def dispatch_request(self, number):
            return f"page {number}"

    client = app_with(Page.as_view("pages")).test_client()
    assert client.get("/7").text == client.get("/7").text == "page 7"
    assert client.get("/7").headers["cache-status"] == "asynccache; hit"


def test_a_class_of_views_without_what_is_to_be_cached_is_refused():
    class Posts(MethodView):
        def post(self):
            return ""

    with pytest.raises(ConfigurationError, match="which has no handler for"):
        Cache(60)(Posts)


def test_a_context_that_a_decorator_opens_is_around_the_view():
    opened = []

    def within(view):
        @functools.wraps(view)
        def inner(number):
            opened.append("in")
            try:
                return view(number)
            finally:
                opened.append("out")

        return inner

    @within
    @Cache(60)
    def page(number):
        opened.append("view")
        return "x"

    app_with(page).test_client().get("/1")
    assert opened == ["in", "view", "out"]


def test_a_cached_view_may_call_another():
    @Cache(60)
    def inner(number):
        return f"inner {number}"

    @Cache(60)
    def outer(number):
        return make_response(inner(number)).get_data(as_text=True) + "!"

    client = app_with(outer).test_client()
    assert [client.get("/1").text for _ in range(2)] == ["inner 1!", "inner 1!"]
