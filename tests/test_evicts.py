"""`@Evicts`: what a writing handler has changed is gone from the cache before its answer leaves."""

import asyncio
import itertools

import anyio
import pytest
from injector import Inject
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.websockets import WebSocket

from asynccache import (
    BackendUnavailableError,
    Cache,
    CacheMiddleware,
    CacheModule,
    ConfigurationError,
    Evicts,
    ICacheService,
    UnknownBackendError,
    get_cache_service,
    inject,
    install,
)
from asynccache.backends.fallback_cache import FallbackCacheBackend
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.tiered_cache import TieredCacheBackend
from tests.http.serving import app_of, ask

PATH = "/products/{product_id}"
TAGS = ["product:{product_id}"]
AT = "/products/7"
DEAD = "redis://127.0.0.1:1"


def reading(**options):
    numbers = itertools.count(1)

    @Cache(60, tags=TAGS, **options)
    async def product(request):
        return JSONResponse(next(numbers))

    return product


def site(*handlers, methods=("POST", "PUT", "PATCH", "DELETE"), **options):
    """Make an app that reads products with GET, and answers other methods by these."""
    routes = [Route(PATH, reading(), methods=["GET"])]
    routes += [Route(PATH, handler, methods=list(methods)) for handler in handlers]
    return app_of(*routes, **options)


async def is_gone(app, *, method="PUT", path=AT, after=AT, **options):
    """Ask for a page, write, and tell whether the page is gone."""
    await ask(app, after)
    assert (await ask(app, after)).cache == "hit"
    await ask(app, path, method=method, **options)
    return (await ask(app, after)).cache != "hit"


def answering(make, *, is_sync=False, **options):
    async def update(request):
        return make(request)

    def update_in_a_thread(request):
        return make(request)

    return Evicts(tags=TAGS, **options)(update_in_a_thread if is_sync else update)


@pytest.mark.parametrize("is_sync", [False, True])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_what_was_changed_is_gone(method, is_sync):
    app = site(answering(lambda request: Response(status_code=204), is_sync=is_sync))
    assert await is_gone(app, method=method)
    assert not await is_gone(app, method=method, path="/products/8")


@pytest.mark.parametrize(
    ("status", "gone"),
    [(200, True), (201, True), (202, True), (204, True), (302, True), (303, True), (307, True)]
    + [(status, False) for status in (400, 401, 403, 404, 409, 412, 422, 500, 503)],
)
async def test_only_a_success_evicts(status, gone):
    assert await is_gone(site(answering(lambda request: Response(status_code=status)))) is gone


@pytest.mark.parametrize("status", [303, 400, 500])
async def test_an_exception_evicts_nothing_whatever_becomes_of_it(status):
    async def redirect(request, error):
        return RedirectResponse("/", status_code=status)

    def fail(request):
        raise LookupError

    routes = [Route(PATH, reading()), Route(PATH, answering(fail), methods=["PUT"])]
    app = Starlette(routes=routes, exception_handlers={LookupError: redirect})
    install(app, CacheModule.setup(default="local"))
    assert not await is_gone(app)


async def test_an_http_exception_evicts_nothing():
    def fail(request):
        raise HTTPException(409)

    assert not await is_gone(site(answering(fail)))


@pytest.mark.parametrize(("status", "gone"), [(200, True), (500, False)])
async def test_it_is_the_status_that_is_really_sent(status, gone):
    class Overrule:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            async def changed(message):
                if message["type"] == "http.response.start" and scope["method"] == "PUT":
                    message["status"] = status
                await send(message)

            await self.app(scope, receive, changed)

    handler = answering(lambda request: Response(status_code=700 - status))
    assert await is_gone(site(handler, middleware=[Middleware(Overrule)])) is gone


async def test_the_page_is_gone_before_the_head_of_the_answer_leaves():
    app = site(answering(lambda request: StreamingResponse(iter([b"a", b"b"]))))
    await ask(app, AT)
    seen = []

    async def look(message):
        seen.append((message["type"], (await ask(app, AT)).cache))

    await ask(app, AT, method="PUT", send=look)
    assert seen[0] == ("http.response.start", "fwd=uri-miss; stored")
    assert {what for _, what in seen[1:]} == {"hit"}


async def test_a_page_that_began_before_is_not_stored_afterwards():
    go, started = asyncio.Event(), asyncio.Event()

    @Cache(60, tags=TAGS)
    async def product(request):
        started.set()
        await go.wait()
        return PlainTextResponse("old")

    app = app_of(Route(PATH, product), Route(PATH, answering(lambda request: Response()), methods=["PUT"]))
    asked = asyncio.create_task(ask(app, AT))
    await started.wait()
    await ask(app, AT, method="PUT")
    go.set()
    assert (await asked).cache == "fwd=uri-miss"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_requests_that_only_read_evict_nothing(method):
    methods = ["GET", "HEAD", "OPTIONS", "POST"]
    both = Route("/both/{product_id}", answering(lambda request: Response()), methods=methods)
    app = app_of(Route(PATH, reading()), both)
    assert not await is_gone(app, path="/both/7", method=method)
    assert await is_gone(app, path="/both/7", method="POST")


class Classes:
    """Controllers with both decorators, in either order."""

    @staticmethod
    def plain():
        numbers = itertools.count(1)

        class Products(HTTPEndpoint):
            async def get(self, request):
                return JSONResponse(next(numbers))

            async def put(self, request):
                return Response(status_code=int(request.query_params.get("status", 200)))

            def delete(self, request):
                return Response(status_code=204)

        return Products

    @classmethod
    def evicts_above(cls):
        return Evicts(tags=TAGS)(Cache(60, tags=TAGS)(cls.plain()))

    @classmethod
    def cache_above(cls):
        return Cache(60, tags=TAGS)(Evicts(tags=TAGS)(cls.plain()))

    @classmethod
    def inherited(cls):
        return Evicts(tags=TAGS)(type("Inheriting", (Cache(60, tags=TAGS)(cls.plain()),), {}))


@pytest.mark.parametrize("kind", ["evicts_above", "cache_above", "inherited"])
async def test_controllers_evict_when_they_write(kind):
    app = app_of(Route(PATH, getattr(Classes, kind)()))
    assert await is_gone(app, method="PUT")
    assert await is_gone(app, method="DELETE")
    assert not await is_gone(app, method="PUT", path=f"{AT}?status=404")
    assert not await is_gone(app, method="GET")


async def test_the_tags_of_a_method_and_of_its_class_add_up():
    @Evicts(tags=["products"])
    class Products(HTTPEndpoint):
        @Evicts(tags=TAGS)
        async def put(self, request):
            return Response()

        async def delete(self, request):
            return Response()

    app = app_of(Route("/write/{product_id}", Products), Route(PATH, reading()))
    service = get_cache_service(app)
    for method, gone in (("PUT", {"product:7", "products"}), ("DELETE", {"products"})):
        for tag in ("product:7", "products"):
            await service.set_async(tag, 1, tags=[tag])
        await ask(app, "/write/7", method=method)
        assert {tag for tag in ("product:7", "products") if not await service.has_key_async(tag)} == gone


@pytest.mark.parametrize("order", ["evicts above", "cache above"])
@pytest.mark.parametrize("is_sync", [False, True])
async def test_one_handler_may_read_and_write(order, is_sync):
    numbers = itertools.count(1)

    async def product(request):
        return JSONResponse(next(numbers))

    def product_in_a_thread(request):
        return JSONResponse(next(numbers))

    evicts, cache = Evicts(tags=TAGS), Cache(60, tags=TAGS)
    handler = product_in_a_thread if is_sync else product
    both = evicts(cache(handler)) if order == "evicts above" else cache(evicts(handler))
    app = app_of(Route(PATH, both, methods=["GET", "POST"]))
    assert await is_gone(app, method="POST")
    assert not await is_gone(app, method="HEAD")


@pytest.mark.parametrize("order", ["evicts above", "cache above"])
async def test_what_the_store_answers_evicts_nothing(order):
    async def search(request):
        return PlainTextResponse("found")

    evicts, cache = Evicts(tags=TAGS), Cache(60, methods=("POST",))
    handler = evicts(cache(search)) if order == "evicts above" else cache(evicts(search))
    app = app_of(Route(PATH, reading()), Route(PATH, handler, methods=["POST"]))
    asked = {"headers": [(b"content-length", b"1")], "body": b"q"}
    assert await is_gone(app, method="POST", **asked)
    assert not await is_gone(app, method="POST", **asked)


async def test_injected_services_and_mounts():
    @Evicts(tags=["{shop}:{product_id}"])
    @inject
    async def update(request, cache: Inject[ICacheService]):
        return JSONResponse(await cache.incr_async("updates"))

    app = app_of(Mount("/{shop}", routes=[Route("/{product_id}", update, methods=["PUT"])]))
    service = get_cache_service(app)
    await service.set_async("a", 1, tags=["tea:7"])
    assert (await ask(app, "/tea/7", method="PUT")).body == b"1"
    assert not await service.has_key_async("a")


async def test_other_backends_and_versions():
    evicts = Evicts(tags=["prices"], backend="other", version=2)

    @evicts
    async def update(request):
        return Response()

    app = app_of(Route("/", update, methods=["POST"]), other=LocalMemCacheBackend())
    service = get_cache_service(app)
    places = [{}, {"backend": "other"}, {"backend": "other", "version": 2}]
    for place in places:
        await service.set_async("a", 1, tags=["prices"], **place)
    await ask(app, "/", method="POST")
    assert [await service.has_key_async("a", **place) for place in places] == [True, True, False]


async def test_a_cache_middleware_around_the_app_hears_of_it():
    numbers = itertools.count(1)

    async def page(request):
        headers = {"cache-control": "max-age=60", "cache-groups": '"products"'}
        return JSONResponse(next(numbers), headers=headers)

    @Evicts(tags=["group:http://h:products"])
    async def update(request):
        return Response()

    inner = app_of(Route("/list", page), Route(PATH, update, methods=["PUT"]))
    app = CacheMiddleware(inner, get_cache_service(inner))
    await ask(app, "/list")
    assert (await ask(app, "/list")).body == b"1"
    await ask(app, AT, method="PUT")
    assert (await ask(app, "/list")).body == b"2"


# What the client chose


async def test_what_makes_no_tag_is_answered_and_the_others_are_evicted():
    @Evicts(tags=["{product_id}", "products"])
    async def update(request):
        return Response(status_code=204)

    app = app_of(Route("/{product_id:path}", update, methods=["PUT"]))
    service = get_cache_service(app)
    await service.set_async("a", 1, tags=["products"])
    assert (await ask(app, "/", method="PUT")).status == 204
    assert not await service.has_key_async("a")


async def test_a_tag_that_cannot_be_made_is_an_error_before_the_handler_writes():
    written = []

    @Evicts(tags=["product:{nowhere}"])
    async def update(request):
        written.append(1)

    with pytest.raises(ConfigurationError, match="'nowhere'"):
        await ask(site(update), AT, method="PUT")
    assert written == []


# Whoever goes away, the write has happened


async def test_a_request_that_is_cancelled_before_its_answer_has_evicted():
    written = asyncio.Event()

    class Slow(Response):
        async def __call__(self, scope, receive, send):
            written.set()
            await asyncio.sleep(60)

    app = site(answering(lambda request: Slow()))
    await ask(app, AT)
    task = asyncio.create_task(ask(app, AT, method="PUT"))
    await written.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await ask(app, AT)).cache != "hit"


@pytest.mark.parametrize("how", ["task", "scope"])
async def test_a_request_that_is_cancelled_while_it_evicts_has_evicted(how):
    """A cancelled scope waits for the eviction; of a cancelled task what was left is done all the same."""
    began, backend = asyncio.Event(), LocalMemCacheBackend()
    app = site(answering(lambda request: Response()), backend=backend)
    service, calls = get_cache_service(app), []
    invalidate = service.invalidate_tags_async

    async def slowly(*tags, **options):
        calls.append(tags)
        began.set()
        await asyncio.sleep(0.01)
        await invalidate(*tags, **options)

    service.invalidate_tags_async = slowly
    await ask(app, AT)
    with anyio.CancelScope() as scope:

        async def cancel():
            await began.wait()
            task.cancel() if how == "task" else scope.cancel()

        task = asyncio.create_task(ask(app, AT, method="PUT")) if how == "task" else None
        ending = asyncio.create_task(cancel())
        try:
            await (task or ask(app, AT, method="PUT"))
        except asyncio.CancelledError:
            if how == "scope":
                raise
    await ending
    assert len(calls) == (2 if how == "task" else 1)
    assert (await ask(app, AT)).cache != "hit"


async def test_middleware_that_answers_in_a_task_of_its_own_changes_nothing():
    async def dispatch(request, call_next):
        return await call_next(request)

    middleware = [Middleware(BaseHTTPMiddleware, dispatch=dispatch)]
    assert await is_gone(site(answering(lambda request: Response()), middleware=middleware))
    assert not await is_gone(site(answering(lambda request: Response(status_code=404)), middleware=middleware))


async def test_what_a_background_task_changes_is_evicted_when_it_is_done():
    app = None

    @Evicts(tags=["slow:{product_id}"])
    async def update_slowly(request, product_id):
        return Response()

    def answer(request):
        return Response(background=BackgroundTask(update_slowly, request, 7))

    app = site(answering(answer))
    service = get_cache_service(app)
    await service.set_async("a", 1, tags=["slow:7"])
    await ask(app, AT, method="PUT")
    assert not await service.has_key_async("a")


async def test_what_would_come_too_late_is_told():
    late = []

    @Evicts(tags=["late"])
    async def update(request):
        await asyncio.sleep(0)
        return Response()

    async def begin(request):
        late.append(asyncio.create_task(update(request)))
        return Response()

    await ask(app_of(Route("/", begin, methods=["POST"])), "/", method="POST")
    with pytest.raises(ConfigurationError, match="call invalidate_tags"):
        await late[0]


async def test_a_request_that_a_handler_makes_in_this_process_is_one_of_its_own():
    other = site(answering(lambda request: Response(status_code=404)))

    async def forward(request):
        await ask(other, AT, method="PUT")
        return Response()

    app = app_of(Route("/", forward, methods=["POST"]))
    assert not await is_gone(other, method="GET")
    await ask(other, AT)
    await ask(app, "/", method="POST")
    assert (await ask(other, AT)).cache == "hit"


def test_under_trio():
    async def write_and_read():
        app = site(answering(lambda request: Response()))
        asked = [await ask(app, AT, method=method, gone=anyio.Event()) for method in ("GET", "GET", "PUT", "GET")]
        return [answer.header("cache-status") for answer in asked]

    first, hit, _, last = anyio.run(write_and_read, backend="trio")
    assert "hit" in hit
    assert first == last


# When the store is away


async def test_an_eviction_that_fails_is_never_silent(fresh_redis):
    app = site(
        answering(lambda request: Response(status_code=204)), backend=RedisCacheBackend(fresh_redis.url, deadline=1)
    )
    assert await is_gone(app)
    fresh_redis.kill()
    sent = []

    async def note(message):
        sent.append(message)

    with pytest.raises(BackendUnavailableError):
        await ask(app, AT, method="PUT", send=note)
    assert sent[0]["status"] == 500
    await get_cache_service(app).aclose()


@pytest.mark.parametrize("key", [Exception, 500], ids=["all exceptions", "status"])
async def test_a_handler_of_exceptions_answers_for_an_eviction_that_failed(key):
    async def excuse(request, error):
        assert isinstance(error, BackendUnavailableError)
        return PlainTextResponse("try again", 503)

    routes = [Route(PATH, answering(lambda request: Response()), methods=["PUT"])]
    app = Starlette(routes=routes, exception_handlers={key: excuse})
    install(app, CacheModule.setup(default=RedisCacheBackend(DEAD)))
    sent = []

    async def note(message):
        sent.append(message)

    with pytest.raises(BackendUnavailableError):  # for the server's log
        await ask(app, AT, method="PUT", send=note)
    assert sent[0]["status"] == 503


async def test_each_eviction_is_tried_and_the_first_failure_told():
    @Evicts(tags=["a"], backend="dead")
    @Evicts(tags=["b"])
    @Evicts(tags=["c"], backend="dead")
    async def update(request):
        return Response()

    app = app_of(Route("/", update, methods=["POST"]), dead=RedisCacheBackend(DEAD))
    service = get_cache_service(app)
    await service.set_async("b", 1, tags=["b"])
    with pytest.raises(BackendUnavailableError):
        await ask(app, "/", method="POST")
    assert not await service.has_key_async("b")
    await service.aclose()


@pytest.mark.parametrize("make", ["tiered", "chain"])
async def test_an_eviction_that_the_backend_will_do_later_is_a_success(make):
    dead = RedisCacheBackend(DEAD)
    near = LocalMemCacheBackend()
    backend = TieredCacheBackend(near, dead) if make == "tiered" else FallbackCacheBackend([dead, near])
    app = site(answering(lambda request: Response(status_code=204)), backend=backend)
    assert (await ask(app, AT, method="PUT")).status == 204
    await get_cache_service(app).aclose()


# What is wrong is told early


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({}, TypeError),
        ({"tags": "product:7"}, TypeError),
        ({"tags": [7]}, TypeError),
        ({"tags": 7}, TypeError),
        ({"tags": []}, ConfigurationError),
        ({"tags": ["{a.b}"]}, ConfigurationError),
        ({"tags": ["{a}{b}"]}, ConfigurationError),
        ({"tags": [""]}, ValueError),
        ({"tags": ["a"], "backend": None}, TypeError),
        ({"tags": ["a"], "version": 1.5}, TypeError),
        ({"tags": ["a"], "version": True}, TypeError),
    ],
    ids=repr,
)
def test_bad_arguments(options, error):
    with pytest.raises(error):
        Evicts(**options)


async def stream():
    yield b""


def streamed():
    yield b""


async def socket(websocket): ...


async def typed(chat: WebSocket): ...


class Reading(HTTPEndpoint):
    async def get(self, request): ...


@pytest.mark.parametrize("target", ["stream", "streamed", "socket", "typed", "Reading"])
def test_what_is_no_writing_handler(target):
    with pytest.raises(ConfigurationError, match="@Evicts on"):
        Evicts(tags=["a"])(globals()[target])


def test_what_is_no_handler_at_all():
    with pytest.raises(TypeError, match="@Evicts on 'handler'"):
        Evicts(tags=["a"])("handler")


def test_names_are_checked_where_no_request_is_taken():
    async def update(number: int): ...

    with pytest.raises(ConfigurationError, match=r"@Evicts on .*'product_id'"):
        Evicts(tags=TAGS)(update)


async def started(app):
    async with app.router.lifespan_context(app):
        pass


async def test_wrong_routes_are_told_at_the_start():
    handler = answering(lambda request: Response())
    for app, error, match in (
        (app_of(Route(PATH, handler)), ConfigurationError, r"@Evicts on the route '/products/{product_id}'.*only read"),
        (app_of(Route("/", handler, methods=["PUT"])), ConfigurationError, "'product_id'"),
        (
            app_of(Route(PATH, answering(lambda request: Response(), backend="none"), methods=["PUT"])),
            UnknownBackendError,
            r"@Evicts on the route .*'none'",
        ),
    ):
        with pytest.raises(error, match=match):
            await started(app)


async def test_a_route_that_never_got_it_is_told_at_the_start():
    async def update(request): ...

    routed = Route("/", update, methods=["PUT"])
    Evicts(tags=["a"])(update)
    with pytest.raises(ConfigurationError, match="above the route decorator"):
        await started(app_of(routed))


async def test_two_routes_with_evictions_of_their_own():
    async def update(request):
        return Response()

    one, other = Evicts(tags=["one"])(update), Evicts(tags=["other"])(update)
    app = app_of(Route("/one", one, methods=["PUT"]), Route("/other", other, methods=["PUT"]))
    await started(app)
    service = get_cache_service(app)
    for tag in ("one", "other"):
        await service.set_async(tag, 1, tags=[tag])
    await ask(app, "/other", method="PUT")
    assert [await service.has_key_async(tag) for tag in ("one", "other")] == [True, False]


async def test_without_a_cache_it_says_so_before_it_writes():
    written = []

    @Evicts(tags=["a"])
    async def update(request):
        written.append(1)

    with pytest.raises(ConfigurationError, match="install"):
        await ask(Starlette(routes=[Route("/", update, methods=["PUT"])]), method="PUT")
    assert written == []
