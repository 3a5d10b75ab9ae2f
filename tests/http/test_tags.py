"""`@Cache(tags=...)`: pages go with what they show."""

import asyncio

import pytest
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asynccache import Cache, ConfigurationError, current_load, get_cache_service
from tests.http.serving import app_of, ask


def site(handler, path="/products/{product_id}", **options):
    return app_of(Route(path, handler), **options)


def counting(**options):
    @Cache(60, **options)
    async def handler(request):
        handler.calls += 1
        return PlainTextResponse(f"call {handler.calls}", headers=handler.headers)

    handler.calls, handler.headers = 0, {}
    return handler


async def is_gone(app, path, tag, **options):
    """Ask for a page, invalidate a tag, and tell whether the page is gone."""
    await ask(app, path, **options)
    assert (await ask(app, path, **options)).cache == "hit"
    await get_cache_service(app).invalidate_tags_async(tag)
    return (await ask(app, path, **options)).cache != "hit"


@pytest.mark.parametrize(
    ("tag", "gone"),
    [
        ("product:7", True),
        ("products", True),
        ("product:8", False),
        ("product:{product_id}", False),
        ("product", False),
    ],
)
async def test_a_page_goes_with_its_tags(tag, gone):
    app = site(counting(tags=["product:{product_id}", "products"]))
    assert await is_gone(app, "/products/7", tag) is gone


async def test_parameters_in_the_path_are_converted_as_the_route_says():
    app = site(counting(tags=["product:{product_id}"]), "/products/{product_id:int}")
    assert await is_gone(app, "/products/007", "product:7")


async def test_parameters_of_mounts_count():
    app = app_of(Mount("/{shop}", routes=[Route("/{product_id}", counting(tags=["{shop}:{product_id}"]))]))
    assert await is_gone(app, "/tea/7", "tea:7")


async def test_methods_of_controllers_have_tags():
    @Cache(60, tags=["product:{product_id}"])
    class Products(HTTPEndpoint):
        async def get(self, request):
            return PlainTextResponse("x")

    assert await is_gone(site(Products), "/products/7", "product:7")


@pytest.mark.parametrize("tag", ["inside", "product:7"])
async def test_tags_from_inside_join_the_others(tag):
    @Cache(60, tags=["product:{product_id}"])
    def handler(request):
        current_load().tags = ["inside"]
        return PlainTextResponse("x")

    assert await is_gone(site(handler), "/products/7", tag)


@pytest.mark.parametrize("tag", ["product:7", "language"])
async def test_all_variants_of_a_page_go_with_a_tag_of_the_first(tag):
    @Cache(60, tags=["product:{product_id}"])
    async def handler(request):
        current_load().tags = ["language"]
        return PlainTextResponse(request.headers.get("accept-language", "-"))

    app = site(handler)
    german, french = ({"headers": [(b"accept-language", language)]} for language in (b"de", b"fr"))
    await ask(app, "/products/7", **german)
    assert await is_gone(app, "/products/7", tag, **french)
    assert (await ask(app, "/products/7", **german)).cache != "hit"


async def test_a_variant_has_tags_of_its_own():
    @Cache(60)
    async def handler(request):
        language = request.headers.get("accept-language", "-")
        current_load().tags = [f"language:{language}"]
        return PlainTextResponse(language)

    app = site(handler)
    german, french = ({"headers": [(b"accept-language", language)]} for language in (b"de", b"fr"))
    await ask(app, "/products/7", **german)
    assert await is_gone(app, "/products/7", "language:fr", **french)
    assert (await ask(app, "/products/7", **german)).cache == "hit"


async def test_a_page_that_allows_it_for_who_is_authorized_has_tags():
    handler = counting(tags=["product:{product_id}"])
    handler.headers = {"cache-control": "public"}
    assert await is_gone(site(handler), "/products/7", "product:7", headers=[(b"authorization", b"me")])


@pytest.mark.parametrize("authorization", [[], [(b"authorization", b"me")]], ids=["anybody", "authorized"])
@pytest.mark.parametrize("change", ["tag", "clear", "delete"])
async def test_what_was_being_made_is_not_stored(change, authorization):
    go, started = asyncio.Event(), asyncio.Event()

    @Cache(60, tags=["product:{product_id}"])
    async def handler(request):
        started.set()
        await go.wait()
        return PlainTextResponse("x", headers={"cache-control": "public"})

    app = site(handler)
    service = get_cache_service(app)
    asking = asyncio.create_task(ask(app, "/products/7", headers=authorization))
    await started.wait()
    match change:
        case "tag":
            await service.invalidate_tags_async("product:7")
        case "clear":
            await service.clear_async()
        case "delete":
            await service.delete_async("GET http://h/products/7")
    go.set()
    assert (await asking).cache == "fwd=uri-miss"
    assert (await ask(app, "/products/7")).cache == "fwd=uri-miss; stored"


async def test_what_the_client_chose_to_be_no_tag_is_answered_and_not_stored(caplog):
    app = site(counting(tags=["{product_id}"]), "/{product_id:path}")
    for path in ("/", "/a\0b"):
        answers = [await ask(app, path) for _ in range(2)]
        assert [(answer.status, answer.cache) for answer in answers] == [(200, "fwd=uri-miss")] * 2
    assert sum("is no tag" in line for line in caplog.messages) == 1


async def test_a_name_that_is_nowhere_is_told_at_the_request():
    app = site(counting(tags=["product:{id}"]))
    with pytest.raises(ConfigurationError, match=r"'id'.*\['product_id', 'request'\]"):
        await ask(app, "/products/7")


async def test_a_name_that_is_nowhere_is_told_at_the_start():
    @Cache(tags=["product:{id}"])
    class Products(HTTPEndpoint):
        async def get(self, request): ...

    for handler in (counting(tags=["product:{id}"]), Products):
        app = site(handler)
        with pytest.raises(ConfigurationError, match=r"route '/products/{product_id}'.*'id'"):
            async with app.router.lifespan_context(app):
                pass


async def test_names_above_a_mount_are_known_at_the_start():
    app = app_of(Mount("/{shop}", routes=[Route("/{product_id}", counting(tags=["{shop}:{product_id}"]))]))
    async with app.router.lifespan_context(app):
        pass


@pytest.mark.parametrize("parameters", ["request", "self_request", "typed", "keywords", "untyped"])
def test_where_a_request_is_taken_any_name_may_be_in_the_path(parameters):
    async def request(request): ...
    async def self_request(self, request): ...
    async def typed(asked: Request): ...
    async def keywords(**options: int): ...
    async def untyped(asked): ...

    Cache(tags=["product:{product_id}"])(locals()[parameters])


@pytest.mark.parametrize("parameters", ["none", "others", "self_others"])
def test_where_none_is_taken_names_are_checked_at_once(parameters):
    async def none(): ...
    async def others(number: int, name: "str" = "x"): ...
    async def self_others(self, number: int): ...

    with pytest.raises(ConfigurationError, match="'product_id'"):
        Cache(tags=["product:{product_id}"])(locals()[parameters])


def test_a_handler_that_is_not_cached_may_have_tags_all_the_same():
    @Cache(tags=["a"], enabled=False)
    async def handler(request): ...

    assert handler.__name__ == "handler"
