"""Nobody gets what was made for another, whatever way a view of Flask or Quart reads who asks."""

import copy
import functools
import itertools
import json
import pickle

import pytest
from werkzeug.utils import cached_property

from asynccache import Cache
from tests.http.serving import is_hit
from tests.integrations.views.sites import Site

READS_OF_HEADERS = {
    "get": lambda web: web.request.headers.get("X-Tenant"),
    "item": lambda web: web.request.headers["x-tenant"],
    "in": lambda web: "x-tenant" in web.request.headers,
    "getlist": lambda web: web.request.headers.getlist("x-tenant"),
    "get_all": lambda web: web.request.headers.get_all("x-tenant"),
    "with a type": lambda web: web.request.headers.get("x-tenant", type=str),
}
OF_WSGI = {
    "environ": lambda web: web.request.environ["HTTP_X_TENANT"],
    "environ get": lambda web: web.request.environ.get("HTTP_X_TENANT"),
    "environ of the headers": lambda web: web.request.headers.environ.get("HTTP_X_TENANT"),
}
OF_ASGI = {
    "scope": lambda web: [value for name, value in web.request.scope["headers"] if name == b"x-tenant"],
}
WAYS = [
    *(pytest.param("flask", read, id=f"flask: {name}") for name, read in (READS_OF_HEADERS | OF_WSGI).items()),
    *(pytest.param("quart", read, id=f"quart: {name}") for name, read in (READS_OF_HEADERS | OF_ASGI).items()),
]


def site_with(framework, read, **options):
    """Make a site whose views, sync and async, read something of their request."""
    site = Site(framework)

    @site.app.get("/sync")
    @Cache(60, **options)
    def plain():
        return str(read(site.web))

    @site.app.get("/async")
    @Cache(60, **options)
    async def asynchronous():
        return str(read(site.web))

    return site


@pytest.mark.parametrize("path", ["/sync", "/async"])
@pytest.mark.parametrize(("framework", "read"), WAYS)
async def test_a_header_that_was_read_is_a_variant_and_in_vary(framework, read, path):
    site = site_with(framework, read)
    answers = [await site.ask(path, headers={"x-tenant": tenant}) for tenant in ("one", "two", "one", "two")]
    assert [is_hit(answer) for answer in answers] == [False, False, True, True]
    assert [answer.text for answer in answers[2:]] == [answer.text for answer in answers[:2]]
    assert answers[3].headers["vary"] == "x-tenant"


NEGOTIATED = {
    "accept_languages": ("accept-language", ["en", "de"], lambda web: web.request.accept_languages.best),
    "accept_mimetypes": ("accept", ["text/html", "text/plain"], lambda web: web.request.accept_mimetypes.best),
    "accept_encodings": ("accept-encoding", ["gzip", "br"], lambda web: web.request.accept_encodings.best),
    "user_agent": ("user-agent", ["one", "two"], lambda web: web.request.user_agent.string),
    "referrer": ("referer", ["/one", "/two"], lambda web: web.request.referrer),
    "origin": ("origin", ["http://one", "http://two"], lambda web: web.request.origin),
    "cache_control": ("pragma", ["one", "two"], lambda web: list(web.request.pragma)),
}


@pytest.mark.parametrize(("name", "values", "read"), NEGOTIATED.values(), ids=NEGOTIATED)
async def test_what_a_property_says_of_a_header_is_a_variant(framework, name, values, read):
    site = site_with(framework, read)
    answers = [await site.ask("/sync", headers={name: value}) for value in (*values, *values)]
    assert answers[0].text != answers[1].text
    assert [answer.text for answer in answers[2:]] == [answer.text for answer in answers[:2]]
    assert [is_hit(answer) for answer in answers] == [False, False, True, True]
    assert answers[3].headers["vary"] == name


IDENTITIES = {
    "cookies": lambda web: web.request.cookies.get("who"),
    "cookie in": lambda web: "who" in web.request.cookies,
    "all cookies": lambda web: dict(web.request.cookies),
    "cookie header": lambda web: web.request.headers.get("cookie"),
    "cookie item": lambda web: web.request.headers["Cookie"],
    "all headers": lambda web: dict(web.request.headers),
    "iterated": lambda web: list(web.request.headers),
    "items": lambda web: list(web.request.headers.items()),
    "shown": lambda web: repr(web.request.headers),
    "by getattr": lambda web: getattr(web.request, "coo" + "kies"),
    "authorization": lambda web: web.request.authorization,
    "remote_addr": lambda web: web.request.remote_addr,
    "access_route": lambda web: web.request.access_route,
    "session get": lambda web: web.session.get("who"),
    "session in": lambda web: "who" in web.session,
    "session iterated": lambda web: dict(web.session),
    "session permanent": lambda web: web.session.permanent,
    "session pop": lambda web: web.session.pop("who"),
    "g": lambda web: web.g.who,
    "g get": lambda web: web.g.get("who"),
    "g in": lambda web: "who" in web.g,
    "g iterated": lambda web: list(web.g),
    "g vars": lambda web: vars(web.g._get_current_object())["who"],
    "g set for others": lambda web: web.g.get("nobody"),
    "kept on the request": lambda web: web.request.who,
    "kept on the request for others": lambda web: hasattr(web.request, "nobody"),
    "flashes taken before": lambda web: web.get_flashed_messages(),
    "vars of the request": lambda web: vars(web.request._get_current_object())["who"],
    "copied request": lambda web: copy.copy(web.request._get_current_object()).cookies,
}
IDENTITIES_OF_WSGI = {
    "environ": lambda web: web.request.environ["HTTP_COOKIE"],
    "all of environ": lambda web: dict(web.request.environ),
    "unpacked environ": lambda web: {**web.request.environ},
    "copied environ": lambda web: web.request.environ.copy(),
    "address in environ": lambda web: web.request.environ["REMOTE_ADDR"],
    "user in environ": lambda web: web.request.environ.get("REMOTE_USER"),
    "middleware under a server's name": lambda web: web.request.environ["wsgi.who"],
    "headers by key": lambda web: web.request.headers._get_key("cookie"),
    "session in the context": lambda web: dict(web.globals.request_ctx._session),
    "middleware in environ": lambda web: web.request.environ["shop.who"],
    "a proxy's original": lambda web: web.request.environ["werkzeug.proxy_fix.orig"],
    "remote_user": lambda web: web.request.remote_user,
}
IDENTITIES_OF_ASGI = {
    "scope": lambda web: [value for name, value in web.request.scope["headers"] if name == b"cookie"],
    "client in scope": lambda web: web.request.scope.get("client"),
    "client among headers": lambda web: web.request.headers["remote-Addr"],
    "copied headers": lambda web: copy.copy(web.request.headers).get("cookie"),
    "pickled headers": lambda web: pickle.loads(pickle.dumps(web.request.headers)),
    "popped header": lambda web: web.request.headers.pop("cookie"),
}
WHOSE = [
    *(pytest.param("flask", read, id=f"flask: {name}") for name, read in (IDENTITIES | IDENTITIES_OF_WSGI).items()),
    *(pytest.param("quart", read, id=f"quart: {name}") for name, read in (IDENTITIES | IDENTITIES_OF_ASGI).items()),
]


@pytest.mark.parametrize("path", ["/sync", "/async"])
@pytest.mark.parametrize(("framework", "read"), WHOSE)
async def test_whose_request_it_is_keeps_an_answer_from_the_store(framework, read, path, caplog):
    site = site_with(framework, read)

    @site.app.before_request
    def know():
        web = site.web
        web.g.who = web.request.who = web.request.cookies.get("who")
        web.get_flashed_messages()
        if framework == "flask":
            web.request.environ |= {"shop.who": "me", "wsgi.who": "me", "werkzeug.proxy_fix.orig": {}}

    cookies = f"who=me; {site.signed(who='me', _flashes=[('message', 'hello')])['cookie']}"
    whose = (
        {"cookie": cookies, "authorization": "Basic bWU6c2VjcmV0"} if "authorization" in path else {"cookie": cookies}
    )
    answers = [await site.ask(path, headers=whose) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [is_hit(answer) for answer in answers] == [False, False]
    assert "is not cached" in caplog.text


NOBODYS = {
    "path": lambda web: web.request.path,
    "url": lambda web: web.request.url,
    "endpoint": lambda web: web.request.endpoint,
    "args": lambda web: web.request.args.get("page"),
    "method": lambda web: web.request.method,
    "blueprints": lambda web: web.request.blueprints,
    "url_for": lambda web: web.url_for("plain"),
    "is_json": lambda web: web.request.is_secure,
    "current_app": lambda web: web.current_app.name,
    "json": lambda web: web.jsonify(1),
}


@pytest.mark.parametrize("path", ["/sync", "/async"])
@pytest.mark.parametrize("read", NOBODYS.values(), ids=NOBODYS)
async def test_what_nobody_reads_is_shared(framework, read, path, caplog):
    site = site_with(framework, read)
    await site.ask(path, headers={"cookie": "who=me"})
    again = await site.ask(path, headers={"cookie": "who=you", "user-agent": "another"} | site.signed(who="you"))
    assert is_hit(again)
    assert "vary" not in again.headers
    assert "is not cached" not in caplog.text


async def test_what_a_view_puts_where_others_may_read_it_is_its_own(site):
    web = site.web

    @site.app.get("/g")
    @Cache(60)
    def memo():
        if "db" not in web.g:
            web.g.db = "opened"
        web.g.setdefault("more", 1)
        return web.g.db + str(web.g.get("more"))

    @site.app.get("/request")
    @Cache(60)
    def on_the_request():
        if not hasattr(web.request, "memo"):
            web.request.memo = "made"
        return web.request.memo

    for path, text in (("/g", "opened1"), ("/request", "made")):
        answers = [await site.ask(path) for _ in range(2)]
        assert [answer.text for answer in answers] == [text, text]
        assert is_hit(answers[1])


def own_request(site):
    """Give the site a class of requests with properties of its own."""

    class Request(site.app.request_class):
        @property
        def tenant(self):
            return self.headers.get("x-tenant")

        @cached_property
        def who(self):
            return self.cookies.get("who")

        @functools.cached_property
        def whose(self):
            return self.cookies.get("who")

    site.app.request_class = Request


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("name", ["who", "whose"])
async def test_properties_of_ones_own_are_seen_reading_or_having_read(site, name, before):
    own_request(site)
    if before:
        site.app.before_request(lambda: str(getattr(site.web.request, name)) and None)

    @site.app.get("/")
    @Cache(60)
    def view():
        return [getattr(site.web.request, name)]

    answers = [await site.ask(headers={"cookie": f"who={who}"}) for who in ("me", "you")]
    assert [json.loads(answer.text) for answer in answers] == [["me"], ["you"]]


async def test_a_property_of_ones_own_that_reads_a_header_is_a_variant(site):
    own_request(site)

    @site.app.get("/")
    @Cache(60)
    def view():
        return [site.web.request.tenant]

    answers = [await site.ask(headers={"x-tenant": tenant}) for tenant in ("a", "b", "a", "b")]
    assert [json.loads(answer.text) for answer in answers] == [["a"], ["b"], ["a"], ["b"]]
    assert is_hit(answers[3])


TEMPLATES = {
    "nothing": ("{{ greeting }}", True),
    "session": ("{{ session.get('who') }}", False),
    "g": ("{{ g.who }}", False),
    "cookies": ("{{ request.cookies.who }}", False),
    "args": ("{{ request.args.page }}", True),
    "current user": ("{{ user }}", False),
}


@pytest.mark.parametrize(("template", "shared"), TEMPLATES.values(), ids=TEMPLATES)
async def test_a_template_reads_what_it_uses_and_rendering_alone_is_not_reading(site, template, shared):
    web = site.web

    @site.app.before_request
    def know():
        web.g.who = web.request.cookies.get("who")

    class Lazy:
        def __str__(self):
            return str(web.session.get("who"))

    site.app.context_processor(lambda: {"user": Lazy()})

    async def rendered():
        found = web.render_template_string(template, greeting="hello")
        return await found if site.framework == "quart" else found

    @site.app.get("/")
    @Cache(60)
    async def view():
        return await rendered()

    answers = [await site.ask(headers={"cookie": f"who={who}; {site.signed(who=who)['cookie']}"}) for who in ("a", "b")]
    assert is_hit(answers[1]) is shared
    assert answers[1].headers["content-type"] == "text/html; charset=utf-8"
    if not shared:
        assert [answer.text for answer in answers] == ["a", "b"]


@pytest.mark.parametrize("read", [lambda web: web.session.get("who"), lambda web: web.get_flashed_messages()])
async def test_an_empty_session_is_shared_by_those_who_have_none(site, read):
    @site.app.get("/")
    @Cache(60)
    def view():
        return str(read(site.web))

    me = site.signed(who="me", _flashes=[("message", "me")])
    answers = [await site.ask(headers=headers) for headers in ({}, me, {"cookie": "other=1"}, me)]
    assert [is_hit(answer) for answer in answers] == [False, False, True, False]
    assert ["me" in answer.text for answer in answers] == [False, True, False, True]
    if site.framework == "flask":  # Quart says so only where the session was written
        assert {answer.headers["vary"].lower() for answer in answers} == {"cookie"}


WRITES = {
    "item": lambda session: session.update(who="me"),
    "permanent": lambda session: setattr(session, "permanent", True),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_a_session_that_a_view_begins_is_its_clients_alone(site, write):
    @site.app.get("/")
    @Cache(60)
    def view():
        write(site.web.session)
        return "ok"

    answers = [await site.ask() for _ in range(2)]
    assert [is_hit(answer) for answer in answers] == [False, False]
    assert all("session=" in answer.headers["set-cookie"] for answer in answers)


async def test_a_session_with_more_than_its_items_is_never_taken_for_an_empty_one(site):
    kind = site.app.session_interface.session_class
    numbers = itertools.count()

    class Numbered(kind):
        def __init__(self, initial=None):
            super().__init__(initial)
            self.sid = next(numbers)

    site.app.session_interface = type(site.app.session_interface)()
    site.app.session_interface.session_class = Numbered

    @site.app.get("/")
    @Cache(60)
    def view():
        return str(site.web.session.sid)

    assert [(await site.ask()).text for _ in range(2)] == ["0", "1"]


async def test_who_is_logged_in_by_a_guard_on_g_is_identity_and_public_shares_what_lies_behind(site):
    web = site.web

    @site.app.before_request
    def load():
        web.g._login_user = web.request.cookies.get("who")

    @site.app.get("/own")
    @Cache(60)
    def own():
        return str(web.g._login_user)

    @site.app.get("/public")
    @Cache(60, public=True)
    def public():
        return "hello" if web.g._login_user else "who are you?"

    for path, hit in (("/own", False), ("/public", True)):
        answers = [await site.ask(path, headers={"cookie": "who=me"}) for _ in range(2)]
        assert is_hit(answers[1]) is hit


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_what_a_stream_reads_late_counts_and_what_others_read_meanwhile_does_not(site, kind, caplog):
    web = site.web

    def parts():
        yield "a"
        yield web.request.args["page"]
        yield str(web.request.cookies.get("who")) if web.request.args["page"] == "own" else "c"

    async def asynchronous():
        for part in parts():
            yield part

    @site.app.after_request
    def nosy(response):
        response.headers["x-who"] = web.request.cookies.get("who", "")
        return response

    @Cache(60)
    def plain():
        return web.stream_with_context(parts if site.framework == "flask" else asynchronous)()

    @Cache(60)
    async def view():
        return web.stream_with_context(parts if site.framework == "flask" else asynchronous)()

    site.app.get("/")(plain if kind == "sync" else view)

    for page, hit in (("own", False), ("shared", True)):
        answers = [await site.ask(f"/?page={page}", headers={"cookie": f"who={who}"}) for who in ("me", "you")]
        assert is_hit(answers[1]) is hit
        assert [answer.headers["x-who"] for answer in answers] == ["me", "you"]
        assert answers[1].text == ("aownyou" if page == "own" else "asharedc")


async def test_what_is_read_after_the_request_is_nobodys_business(site):
    web, seen = site.web, []

    @site.app.before_request
    def later():
        @web.after_this_request
        def note(response):
            seen.append(web.request.cookies["who"])
            return response

    @site.app.get("/")
    @Cache(60)
    def view():
        return "ok"

    answers = [await site.ask(headers={"cookie": f"who={who}"}) for who in ("me", "you")]
    assert is_hit(answers[1])
    assert seen == ["me", "you"]


async def test_what_a_view_does_to_its_response_after_the_request_is_not_lost(site, caplog):
    web = site.web

    @site.app.get("/")
    @Cache(60)
    def view():
        @web.after_this_request
        def greet(response):
            response.set_cookie("greeted", "yes")
            return response

        return "ok"

    assert ["greeted" in (await site.ask()).headers["set-cookie"] for _ in range(2)] == [True, True]
    assert "after_this_request" in caplog.text


def disguised(web):
    """Give the names of what is watched now."""
    context, g = web.globals.request_ctx._get_current_object(), web.globals.app_ctx.g
    kept = {"context": context, "request": context.request, "headers": context.request.headers, "g": g}
    return [
        name for name, owner in kept.items() if "asynccache" in type(owner).__module__ + str(sorted(owner.__dict__))
    ] + (["environ"] if type(getattr(context.request, "environ", {})) is not dict else [])


@pytest.mark.parametrize("path", ["/stored", "/refused", "/fails", "/aborts"])
async def test_everything_is_put_back(site, path):
    web, found = site.web, []
    site.app.before_request(lambda: found.append(disguised(web)))
    site.app.teardown_request(lambda error: found.append(disguised(web)))

    @site.app.get("/<what>")
    @Cache(60)
    def view(what):
        found.append(disguised(web))
        web.g.mine = web.request.mine = 1
        match what:
            case "refused":
                return str(web.request.cookies)
            case "fails":
                raise ValueError
            case "aborts":
                web.abort(404)
        return "ok"

    await site.ask(path)
    environ = ["environ"] if site.framework == "flask" else []
    assert found == [[], ["context", "request", "headers", "g", *environ], []]


@pytest.mark.parametrize("name", ["if-none-match", "if-modified-since", "range"])
async def test_what_a_view_makes_of_conditions_is_not_for_all(site, name):
    @site.app.get("/")
    @Cache(60)
    def view():
        return str(site.web.request.headers.get(name))

    value = {"if-none-match": '"a"', "if-modified-since": "Wed, 21 Oct 2015 07:28:00 GMT", "range": "bytes=0-1"}[name]
    assert (await site.ask(headers={name: value})).text == value
    assert (await site.ask()).text == "None"


async def test_declared_cookies_and_callbacks_speak_for_whose_it_is(site):
    web = site.web

    @site.app.get("/spoken")
    @Cache(60, vary=["cookie"])
    def spoken():
        return web.request.cookies["who"]

    @site.app.get("/keyed")
    @Cache(60, make_key_callback=lambda context, prefix: f"{prefix}{context.cookies['who']}")
    def keyed():
        return web.request.cookies["who"]

    for path in ("/spoken", "/keyed"):
        answers = [await site.ask(path, headers={"cookie": f"who={who}"}) for who in ("me", "you", "me", "you")]
        assert [answer.text for answer in answers] == ["me", "you", "me", "you"]
        assert [is_hit(answer) for answer in answers[2:]] == [True, True]
