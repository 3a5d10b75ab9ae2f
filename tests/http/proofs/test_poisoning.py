"""What is not in the key cannot be in a page: an attacker asks first, and the next one gets a clean page (A9)."""

import pytest
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asynccache import Cache, get_cache_service
from asynccache.core.page_keys import page_key
from tests.http.proofs.inputs import (
    EVIL,
    HEADERS,
    INPUTS,
    KINDS,
    asked,
    given_by,
    parts_of,
    reflecting,
    shown_as,
    vouching,
)
from tests.http.proofs.systems import DECORATED, EDGES, edge_around_decorated, edge_of_decorated, starlette_app
from tests.http.serving import app_of, ask

CONDITIONS = {b"if-none-match", b"if-modified-since", b"if-match", b"if-unmodified-since", b"if-range", b"range"}
OF_SERVERS = [{"root_path": "/evil"}]  # and of middlewares in front, which an app behind does not see


def test_there_are_enough_of_them():
    assert len(INPUTS) >= 60


async def poisoned(make, kind):
    """Give the inputs of which something is left in the answer to a clean request, or the other way round."""
    found, app, clean_app, evil_app = [], make(), make(), make()
    for number, given in enumerate(INPUTS):
        clean = given_by(await asked(clean_app, kind, number, {}))
        evil = given_by(await asked(evil_app, kind, number, given))
        assert EVIL in str(evil) or number >= len(HEADERS), given
        for _ in range(2):
            answered = given_by(await asked(app, kind, number, given))
            if answered != evil and not is_of_the_cache(given):
                found.append(("evil", given))
            if given_by(await asked(app, kind, number, {})) != clean:
                found.append(("clean", given))
    return found


def is_of_the_cache(given):
    """Tell whether a cache answers this otherwise than the handler: by a head, by 304, or not minding a body of GET."""
    names = {name for name, _ in given.get("headers", ())}
    return given.get("method") == "HEAD" or "http_version" in given or not names.isdisjoint(CONDITIONS)


@pytest.mark.parametrize("make", DECORATED.values(), ids=DECORATED)
@pytest.mark.parametrize("kind", KINDS)
async def test_no_input_poisons_decorated_handlers(make, kind):
    found = await poisoned(lambda: make(reflecting, methods=("GET", "HEAD")), kind)
    assert [given for _, given in found if make is not edge_of_decorated or given not in OF_SERVERS] == []


@pytest.mark.parametrize("make", EDGES.values(), ids=EDGES)
@pytest.mark.parametrize("kind", KINDS)
async def test_no_input_poisons_an_app_that_says_what_it_depends_on(make, kind):
    found = await poisoned(lambda: make(vouching), kind)
    assert [given for _, given in found if given not in OF_SERVERS] == []


@pytest.mark.parametrize("make", [*DECORATED.values(), *EDGES.values()], ids=[*DECORATED, *EDGES])
async def test_the_clean_page_is_from_the_store(make):
    calls = []

    async def counted(request):
        calls.append(request)
        return await vouching(request)

    app, numbers = make(counted), range(len(HEADERS), len(INPUTS))
    for _ in range(3):
        for number in numbers:
            await asked(app, "text", number, {})
    assert len(calls) == len(numbers)


async def test_a_page_that_another_made_after_ours_was_deleted_is_not_ours():
    @Cache(60)
    async def handler(request):
        return PlainTextResponse(request.scope["path"])

    app = app_of(Route("/{rest:path}", handler))
    await ask(app, "/a/b")
    await get_cache_service(app).delete_async(page_key("GET", "http://h/a/b"))
    assert (await ask(app, "/evil", raw_path=b"/a/b")).body == b"/evil"
    assert (await ask(app, "/a/b")).body == b"/a/b"


class Trusting:
    """A middleware that takes from fields of a request what others take from the connection."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        fields = dict(scope["headers"])
        if host := fields.get(b"x-forwarded-host"):
            scope["headers"] = [(name, host if name == b"host" else value) for name, value in scope["headers"]]
        scope["scheme"] = fields.get(b"x-forwarded-proto", scope["scheme"].encode()).decode()
        scope["root_path"] = fields.get(b"x-forwarded-prefix", scope["root_path"].encode()).decode()
        if path := fields.get(b"x-original-url"):
            scope["path"] = path.decode()
        scope["method"] = fields.get(b"x-http-method-override", scope["method"].encode()).decode()
        if address := fields.get(b"x-forwarded-for"):
            scope["client"] = (address.decode(), 1)
        await self.app(scope, receive, send)


REWRITING = [
    (b"x-forwarded-host", b"evil"), (b"x-forwarded-proto", b"evil"), (b"x-forwarded-prefix", b"/evil"),
    (b"x-original-url", b"/evil"), (b"x-http-method-override", b"POST"), (b"x-forwarded-for", b"6.6.6.6"),
]  # fmt: skip
BEHIND = {"@Cache": starlette_app, "edge=True": edge_of_decorated, "CacheMiddleware around": edge_around_decorated}


@pytest.mark.parametrize("make", BEHIND.values(), ids=BEHIND)
@pytest.mark.parametrize("field", REWRITING, ids=lambda field: field[0].decode())
async def test_what_a_middleware_inside_makes_of_a_field_poisons_nothing(make, field):
    async def told(request):
        address = [request.client.host] if field[0] == b"x-forwarded-for" else []
        return shown_as("text", [*await parts_of(request, None), *address])

    clean = (await ask(make(told, middleware=[Middleware(Trusting)]))).body
    app = make(told, middleware=[Middleware(Trusting)])
    assert field[1] in (await ask(app, headers=[field])).body
    for _ in range(3):
        assert (await ask(app)).body == clean
        await ask(app, headers=[field])
