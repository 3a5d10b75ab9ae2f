"""`@Cache` on views of Flask and Quart, next to their own ways: blueprints, classes, return values, hooks, sessions."""

import asyncio
import itertools

import pytest
from jinja2 import FileSystemLoader

from asynccache import Cache, CacheModule, ConfigurationError, UnknownBackendError
from asynccache.testing import override
from tests.http.serving import ask, is_hit, status_of
from tests.integrations.views.sites import Site


def counting(calls):
    calls.append(1)
    return len(calls)


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_hit_runs_no_view_and_is_what_the_client_got_the_first_time(site, kind):
    calls = []

    @Cache(60)
    def plain(number):
        return {"number": number, "calls": counting(calls)}, 203, {"x-made": "here"}

    @Cache(60)
    async def asynchronous(number):
        return {"number": number, "calls": counting(calls)}, 203, {"x-made": "here"}

    site.app.add_url_rule("/p/<int:number>", "page", plain if kind == "sync" else asynchronous)
    first, second = await site.ask("/p/7"), await site.ask("/p/7")
    assert (status_of(first), status_of(second)) == ("fwd=uri-miss; stored", "hit")
    assert first.content == second.content
    assert first.status_code == second.status_code == 203
    assert (second.headers["x-made"], second.headers["age"]) == ("here", "0")
    assert second.headers["content-type"] == "application/json"
    assert int(second.headers["content-length"]) == len(second.content)
    assert (await site.ask("/p/8")).content != second.content
    not_modified = await site.ask("/p/7", headers={"if-none-match": second.headers["etag"]})
    assert (not_modified.status_code, not_modified.content) == (304, b"")
    assert (await site.ask("/p/x")).status_code == 404
    assert (await site.ask("/p/7", method="POST")).status_code == 405
    assert len(calls) == 2


RETURNED = {
    "text": lambda web: "text",
    "bytes": lambda web: b"bytes",
    "a dict": lambda web: {"a": [1, None]},
    "a list": lambda web: [1, 2],
    "status": lambda web: ("made", 203),
    "headers": lambda web: ("made", {"x-a": "1"}),
    "all of them": lambda web: ("made", 203, [("x-a", "1"), ("x-a", "2")]),
    "a response": lambda web: web.Response("<a>", mimetype="application/xml"),
    "moved": lambda web: web.redirect("/other", 308),
    "json": lambda web: web.jsonify(a=1),
    "url_for": lambda web: web.url_for("page", _external=True),
}


@pytest.mark.parametrize("make", RETURNED.values(), ids=RETURNED)
async def test_whatever_a_view_returns_comes_back_as_without_a_cache(framework, make):
    answers = []
    for cached in (False, True):
        site = Site(framework, cached=cached)
        site.app.add_url_rule("/", "page", cached_view(make, site.web, enabled=cached))
        answers += [await site.ask() for _ in range(1 + cached)]
    plain, _, hit = answers
    assert is_hit(hit)
    assert (hit.status_code, hit.content) == (plain.status_code, plain.content)
    ours = {"cache-status", "age", "etag", "cache-control"}
    assert [each for each in named(hit) if each[0] not in ours] == named(plain)


def cached_view(make, web, *, enabled):
    @Cache(60, enabled=enabled)
    def view():
        return make(web)

    return view


def named(answer):
    return sorted((name.lower(), value) for name, value in answer.headers)


async def test_templates_are_rendered_once(site, tmp_path):
    (tmp_path / "page.html").write_text("<p>{{ calls }}</p>")
    site.app.jinja_env.loader = FileSystemLoader(tmp_path)
    calls = []

    @site.app.get("/")
    @Cache(60)
    async def page():
        rendered = site.web.render_template("page.html", calls=counting(calls))
        return rendered if isinstance(rendered, str) else await rendered

    assert [(await site.ask()).text for _ in range(2)] == ["<p>1</p>"] * 2


async def test_errors_and_what_is_made_of_them_are_not_stored(site):
    calls, web = [], site.web

    @site.app.errorhandler(LookupError)
    def not_there(error):
        return "made by a handler of errors", 200

    @site.app.get("/<what>")
    @Cache(60)
    def view(what):
        calls.append(what)
        if what == "lookup":
            raise LookupError
        if what == "none":
            return
        web.abort(503)

    for _ in range(2):
        assert [(await site.ask(f"/{what}")).status_code for what in ("lookup", "none", "abort")] == [200, 500, 503]
    assert calls == ["lookup", "none", "abort"] * 2


async def test_hooks_and_the_session_stay_outside(site):
    web, seen, numbers = site.web, [], itertools.count(1)

    @site.app.before_request
    def visit():
        web.session["visits"] = next(numbers)

    @site.app.after_request
    def stamp(response):
        response.headers["x-stamp"] = str(web.session["visits"])
        return response

    @site.app.teardown_request
    def torn(error):
        seen.append(error)

    @site.app.get("/")
    @Cache(60)
    def view():
        return "ok"

    answers = [await site.ask() for _ in range(2)]
    assert [is_hit(answer) for answer in answers] == [False, True]
    assert [answer.headers["x-stamp"] for answer in answers] == ["1", "2"]
    assert all("session=" in answer.headers["set-cookie"] for answer in answers)
    assert seen == [None, None]


async def test_cookies_that_a_view_sets_are_nobody_elses(site):
    @site.app.get("/")
    @Cache(60)
    async def view():
        made = site.web.make_response("ok")
        response = await made if asyncio.iscoroutine(made) else made
        response.set_cookie("own", "secret")
        return response

    assert [is_hit(await site.ask()) for _ in range(2)] == [False, False]


async def test_head_is_answered_from_the_page_and_as_without_a_cache(framework):
    lengths = []
    for cached in (False, True):
        site = Site(framework, cached=cached)
        site.app.add_url_rule("/", "page", cached_view(lambda web: "text", site.web, enabled=cached))
        if cached:
            await site.ask()
        if framework == "flask":
            head = await site.ask(method="HEAD")
            assert not cached or (is_hit(head), head.content) == (True, b"")
            lengths.append(head.headers["content-length"])
        else:  # whose test client counts anew what it gets
            sent = [await ask(site.app, method=method) for method in ("GET", "HEAD")][1]
            assert not cached or (sent.cache, sent.body) == ("hit", b"")
            lengths.append(sent.header("content-length"))
    assert lengths == ["4", "4"]


async def test_blueprints_may_have_views_of_one_name(site):
    web, calls = site.web, itertools.count(1)
    outer = web.Blueprint("outer", __name__, url_prefix="/outer")
    for name in ("teas", "cakes"):
        blueprint = web.Blueprint(name, __name__, url_prefix=f"/{name}")
        blueprint.add_url_rule("/", "index", one_index(name, calls))
        (outer if name == "cakes" else site.app).register_blueprint(blueprint)
    site.app.register_blueprint(outer)
    answers = [await site.ask(path) for path in ("/teas/", "/outer/cakes/", "/teas/", "/outer/cakes/")]
    assert [answer.text for answer in answers] == ["teas 1", "cakes 2", "teas 1", "cakes 2"]
    assert is_hit(answers[3])


def one_index(name, calls):
    @Cache(60)
    def index():
        return f"{name} {next(calls)}"

    return index


async def test_url_defaults_and_converters_are_part_of_the_path(site):
    @site.app.url_value_preprocessor
    def pull(endpoint, values):
        site.web.g.language = values.pop("language")

    @site.app.get("/<language>/<float:price>")
    @Cache(60, public=True)
    def view(price):
        return f"{site.web.g.language} {price}"

    answers = [await site.ask(path) for path in ("/en/1.5", "/de/1.5", "/en/1.5")]
    assert [answer.text for answer in answers] == ["en 1.5", "de 1.5", "en 1.5"]
    assert is_hit(answers[2])


def classes_of(site, place):
    cache, calls = Cache(60), []

    def method(function):
        return cache(function) if place == "method" else function

    class Pages(site.views.MethodView):
        decorators = [cache] if place == "decorators" else []

        @method
        def get(self):
            return f"get {counting(calls)}"

        def post(self):
            return f"post {counting(calls)}"

    return cache(Pages) if place == "class" else Pages


@pytest.mark.parametrize("place", ["method", "class", "decorators"])
async def test_view_classes_are_cached_by_method_by_class_and_by_their_decorators(site, place):
    site.app.add_url_rule("/", view_func=classes_of(site, place).as_view("pages"))
    answers = [(await site.ask(method=method)).text for method in ("GET", "GET", "POST", "POST", "GET")]
    assert answers == ["get 1", "get 1", "post 2", "post 3", "get 1"]


async def test_a_view_class_with_one_method_is_cached(site):
    calls = []

    class Page(site.views.View):
        @Cache(60)
        async def dispatch_request(self, number):
            return f"{number} {counting(calls)}"

    site.app.add_url_rule("/<int:number>", view_func=Page.as_view("page"))
    assert [(await site.ask(path)).text for path in ("/1", "/1", "/2")] == ["1 1", "1 1", "2 2"]


async def test_the_body_is_part_of_the_key_where_methods_have_one(site):
    calls, web = [], site.web

    @site.app.post("/")
    @Cache(60, methods=["POST"])
    async def view():
        found = web.request.get_json()
        return [counting(calls), (await found if asyncio.iscoroutine(found) else found)["id"]]

    answers = [(await site.ask(method="POST", json={"id": number})).text.split() for number in (1, 1, 2)]
    assert ["".join(answer) for answer in answers] == ["[1,1]", "[1,1]", "[2,2]"]


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_streams_are_recorded_as_they_go_by(site, kind):
    calls = []

    def plain():
        for part in ("a", "", "b"):
            yield f"{part}{counting(calls)} " if part else ""

    async def asynchronous():
        for part in plain():
            yield part

    @site.app.get("/")
    @Cache(60)
    def view():
        return site.web.Response(plain() if kind == "sync" or site.framework == "flask" else asynchronous())

    answers = [await site.ask() for _ in range(2)]
    assert [answer.text for answer in answers] == ["a1 b2 ", "a1 b2 "]
    assert is_hit(answers[1])


async def test_a_stream_that_breaks_off_is_not_stored(site):
    def parts():
        yield "a"
        raise ValueError("broken")

    @site.app.get("/")
    @Cache(60)
    def view():
        return site.web.Response(parts())

    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            await site.ask()


async def test_files_are_stored_whole_and_ranges_are_not(site, tmp_path):
    (tmp_path / "file.txt").write_text("0123456789")
    longest = "max_age" if site.framework == "flask" else "cache_timeout"

    @site.app.get("/")
    @Cache(60)
    async def view():
        sent = site.web.send_file(tmp_path / "file.txt", **{longest: 60})
        return await sent if asyncio.iscoroutine(sent) else sent

    part = await site.ask(headers={"range": "bytes=2-3"})
    whole = [await site.ask() for _ in range(2)]
    assert part.status_code in {200, 206}
    assert [answer.text for answer in whole] == ["0123456789"] * 2
    assert is_hit(whole[1])


async def test_called_by_another_view_a_cached_one_is_a_function(site):
    calls = []

    @site.app.get("/count")
    @Cache(60)
    def count():
        return {"calls": counting(calls)}

    @site.app.get("/sync")
    def sync():
        return str(count()["calls"])

    @site.app.get("/ensured")
    async def ensured():
        return str((await slow())["calls"])

    @site.app.get("/slow")
    @Cache(60)
    async def slow():
        return {"calls": counting(calls)}

    assert [(await site.ask(path)).text for path in ("/sync", "/sync", "/ensured")] == ["1", "2", "3"]
    assert not is_hit(await site.ask("/count"))
    assert is_hit(await site.ask("/count"))


async def test_a_view_may_ask_the_app_that_it_belongs_to(site):
    """What it puts on `g` is there for the requests that it makes: Flask's and Quart's way."""
    calls, web = [], site.web

    def inner(number):
        return site.app.test_client(use_cookies=False).get(f"/{number - 1}")

    @Cache(60)
    def plain(number):
        web.g.depth = web.g.get("depth", 0) + counting(calls)
        return str(number * int(inner(number).text)) if number > 1 else "1"

    @Cache(60)
    async def asynchronous(number):
        web.g.depth = web.g.get("depth", 0) + counting(calls)
        return str(number * int(await (await inner(number)).get_data(as_text=True))) if number > 1 else "1"

    site.app.add_url_rule("/<int:number>", "page", plain if site.framework == "flask" else asynchronous)
    answers = [await site.ask("/4") for _ in range(2)]
    assert [answer.text for answer in answers] == ["24", "24"]
    assert is_hit(answers[1])
    assert len(calls) == 4


async def test_the_cache_above_the_route_decorator_is_told_at_the_first_request(site):
    @Cache(60)
    @site.app.get("/")
    def late():
        return "ok"

    site.app.testing = True
    with pytest.raises(ConfigurationError, match="move @Cache below it"):
        await site.ask()


@pytest.mark.parametrize("in_class", [False, True])
async def test_an_unknown_backend_is_told_at_the_first_request(site, in_class):
    site.app.testing = True

    @Cache(60, backend="pages")
    def view(*_):
        return "ok"

    kind = site.views.MethodView
    site.app.add_url_rule("/", "page", type("Page", (kind,), {"get": view}).as_view("page") if in_class else view)
    with pytest.raises(UnknownBackendError, match=r"the view 'page'.*pages"):
        await site.ask("/nowhere")


def test_two_caches_on_one_app_are_refused_and_without_one_it_is_said(framework):
    site = Site(framework)
    with pytest.raises(ConfigurationError, match="installed on this app already"):
        site.integration.Caching(site.app)
    with pytest.raises(ConfigurationError, match=r"call Caching\(app"):
        site.integration.get_cache_service(Site(framework, cached=False).app)


@pytest.mark.parametrize(
    "config",
    [
        {"CACHES": {"default": "local", "pages": "dummy"}},
        {"CACHE_TYPE": "SimpleCache", "CACHE_DEFAULT_TIMEOUT": 30},
    ],
)
async def test_backends_are_found_in_the_config_of_the_app(framework, config):
    site = Site(framework, cached=False)
    site.app.config.update(config)
    caching = site.integration.Caching()
    caching.init_app(site.app)

    @site.app.get("/")
    @Cache(60)
    def view():
        return "ok"

    assert [is_hit(await site.ask()) for _ in range(2)] == [False, True]


async def test_backends_are_exchanged_for_a_test(site):
    @site.app.get("/")
    @Cache(60)
    def view():
        return "ok"

    with override(site.app, default="dummy"):
        assert [is_hit(await site.ask()) for _ in range(2)] == [False, False]
    assert [is_hit(await site.ask()) for _ in range(2)] == [False, True]


async def test_pages_are_invalidated_by_url_and_by_the_service(site):
    calls = []

    @site.app.get("/page")
    @Cache(60)
    def page():
        return str(counting(calls))

    @site.app.post("/page")
    async def change():
        await site.integration.get_cache_service().invalidate_url_async(site.web.url_for("page", _external=True))
        return "changed"

    texts = [(await site.ask("/page", method=method)).text for method in ("GET", "GET", "POST", "GET")]
    assert texts == ["1", "1", "changed", "2"]


async def test_apps_have_caches_of_their_own(framework):
    first, second = (Site(framework, CacheModule.setup(default="local")) for _ in range(2))
    view = cached_view(lambda web: "ok", first.web, enabled=True)
    for site in (first, second):
        site.app.add_url_rule("/", "page", view)
        assert [is_hit(await site.ask()) for _ in range(2)] == [False, True]
