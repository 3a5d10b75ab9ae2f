"""`@cached`: what functions return is stored by their names and their arguments, and loaded once however many ask."""

import asyncio
import inspect
import pickle
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated

import pytest
import trio
from fastapi import Depends, FastAPI
from injector import Inject
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from asynccache import CacheModule, CachePolicy, CacheService, ConfigurationError, UnknownBackendError, cached, install
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.core.events import Hit, Loaded
from asynccache.testing import FakeClock, recorded_events

runs = []


@pytest.fixture(autouse=True)
def clock():
    runs.clear()
    return FakeClock()


@pytest.fixture
def cache(clock):
    with CacheService(default=LocalMemCacheBackend(clock=clock), other="local") as service:
        yield service


@cached(ttl=60)
def plain(number, lang="en", *, deep=False):
    runs.append((number, lang, deep))
    return {"number": number}


@cached(ttl=60)
async def on_loop(number, *more, **options):
    runs.append((number, more, options))
    await asyncio.sleep(0)
    return [number]


# Hits and keys


def test_a_plain_function_runs_once_for_the_same_arguments(cache):
    calls = [plain(7), plain(7, "en"), plain(number=7), plain(lang="en", deep=False, number=7)]
    assert (calls, runs) == ([{"number": 7}] * 4, [(7, "en", False)])
    assert len({id(call) for call in calls}) == 4
    plain(7, "de")
    plain(7, deep=True)
    assert len(runs) == 3


async def test_a_coroutine_runs_once_for_the_same_arguments(cache):
    assert [await on_loop(1, 2, a=3, b=4), await on_loop(1, 2, b=4, a=3)] == [[1], [1]]
    assert runs == [(1, (2,), {"a": 3, "b": 4})]
    await on_loop(1, (2,), a=3, b=4)
    await on_loop(1, 2, a=3)
    assert len(runs) == 3


def test_arguments_are_told_apart_by_type(cache):
    for number in (1, "1", 1.0, True, None, "None", "", b"1", (1,), [1]):
        plain(number)
        plain(number)
    assert len(runs) == 10


def test_keys_are_readable_and_belong_to_the_service(cache):
    assert plain.key(7) == f"{__name__}.plain(number=7,lang='en',deep=False)"
    assert on_loop.key(7, 8, x="y") == f"{__name__}.on_loop(number=7,*more=(8),**options={{'x':'y'}})"
    plain(7)
    assert cache.get(plain.key(7)) == {"number": 7}
    assert cache.delete(plain.key(7))
    assert len(plain.key("x" * 1000)) <= 200


def test_functions_of_one_name_in_two_modules_share_nothing(cache):
    source = "def secret():\n    return __name__"
    found = []
    for name in ("shop.public", "shop.admin"):
        module = types.ModuleType(name)
        exec(source, vars(module))
        found.append(cached()(module.secret))
    assert [secret() for secret in found] == ["shop.public", "shop.admin"]


def test_a_name_a_key_and_a_version_of_ones_own(cache):
    @cached(name="prices", key=lambda article, **_: article["id"], version=2)
    def price(article, currency="EUR"):
        runs.append(article)
        return 1

    assert price.key({"id": 7, "stock": 3}) == "prices(7)"
    assert price({"id": 7, "stock": 3}) == price({"id": 7, "stock": 4}) == 1
    assert len(runs) == 1
    assert cache.get(price.key({"id": 7}), version=2) == 1
    assert not cache.has_key(price.key({"id": 7}))


def test_what_is_ignored_injected_or_a_dependency_is_no_part_of_the_key(cache):
    class Session:
        pass

    @cached(ignore=["trace"])
    def price(
        article,
        session: Inject[Session],
        user: Annotated[Session, Depends(Session)],
        late: "Inject[Unknown]" = None,  # noqa: F821
        db=Depends(Session),  # noqa: B008  # as FastAPI has it
        trace=None,
        **more,
    ):
        runs.append(article)
        return 1

    price(1, Session(), Session(), Session(), Session(), trace=object())
    price(article=1, session=Session(), user=Session(), trace=object())
    assert len(runs) == 1
    assert price.key(1, Session(), Session()) == f"{price.__module__}.{price.__qualname__}(article=1,**more={{}})"

    @cached(ignore=["trace"])
    def loose(**options):
        return 1

    assert loose.key(a=1, trace=object()) == loose.key(a=1)


def test_what_cannot_be_part_of_a_key_names_the_argument_and_the_ways_out(cache):
    with pytest.raises(TypeError, match=r"'lang'.*object.*ignore=\['lang'\].*key=.*__cache_key__"):
        plain(1, object())
    with pytest.raises(TypeError, match="use @Cache"):
        plain(Request({"type": "http"}))
    with pytest.raises(TypeError, match=r"plain: missing a required argument: 'number'"):
        plain()
    with pytest.raises(TypeError, match="plain: got an unexpected keyword"):
        plain(1, wrong=2)
    with pytest.raises(TypeError, match="plain: too many positional"):
        plain(1, "en", 3)
    assert runs == []


# Lifetimes, policies, backends


def test_ttl_and_policy_decide_for_how_long(cache, clock):
    @cached(policy=CachePolicy(ttl=60, negative_ttl=5))
    def find(number):
        runs.append(number)
        return number or None

    @cached(30, policy=CachePolicy(ttl=60), backend="default")
    def sooner():
        runs.append("sooner")
        return 1

    find(0), find(1), sooner()
    clock.advance(6)
    find(0), find(1), sooner()
    assert runs == [0, 1, "sooner", 0]
    clock.advance(25)
    sooner(), find(1)
    assert runs[4:] == ["sooner"]


def test_a_backend_is_chosen_by_name(cache):
    @cached(backend="other")
    def there():
        return 1

    @cached(backend="nowhere")
    def nowhere():
        return 1

    there()
    assert cache.has_key(there.key(), backend="other")
    assert not cache.has_key(there.key())
    with pytest.raises(UnknownBackendError, match="nowhere"):
        nowhere()


def test_listeners_hear_of_hits_and_loads(cache):
    with recorded_events(cache) as events:
        plain(7)
        plain(7)
    assert [type(event) for event in events if isinstance(event, Hit | Loaded)] == [Loaded, Hit]


def test_falsy_values_are_values(cache):
    @cached()
    def falsy(value):
        runs.append(value)
        return value

    for value in (None, False, 0, "", []):
        assert falsy(value) == falsy(value) == value
    assert len(runs) == 5


# One load however many ask


async def test_a_crowd_shares_one_load_and_a_cancelled_caller_disturbs_nobody(cache):
    go = asyncio.Event()

    @cached()
    async def slow(number):
        runs.append(number)
        await go.wait()
        return [number]

    first, *others = [asyncio.create_task(slow(1)) for _ in range(20)]
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.sleep(0)
    go.set()
    assert await asyncio.gather(*others) == [[1]] * 19
    assert runs == [1]


def test_threads_share_one_load(cache):
    go = threading.Event()

    @cached()
    def slow(number):
        runs.append(number)
        go.wait(5)
        return number

    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(slow, 1) for _ in range(8)]
        while not runs:
            pass
        go.set()
        assert [each.result() for each in waiting] == [1] * 8
    assert runs == [1]


async def test_failures_are_not_stored_and_each_caller_gets_one_of_its_own(cache):
    @cached()
    async def failing(number):
        runs.append(number)
        await asyncio.sleep(0.01)
        raise LookupError(number)

    errors = await asyncio.gather(*[failing(1) for _ in range(3)], return_exceptions=True)
    assert [error.args for error in errors] == [(1,)] * 3
    assert len({id(error) for error in errors}) == 3
    with pytest.raises(LookupError):
        await failing(1)
    assert runs == [1, 1]


def test_functions_may_call_themselves_and_each_other(cache):
    @cached()
    def fibonacci(number):
        runs.append(number)
        return number if number < 2 else fibonacci(number - 1) + fibonacci(number - 2)

    assert fibonacci(30) == 832040
    assert len(runs) == 31


# Invalidation and renewal


async def test_what_is_invalidated_is_loaded_again(cache):
    plain(7)
    assert plain.invalidate(7, lang="en")
    assert not plain.invalidate(7)
    plain(7)
    assert await plain.invalidate_async(7)
    await on_loop(7)
    assert await on_loop.invalidate_async(7)
    await on_loop(7)
    assert len(runs) == 4


async def test_a_load_that_began_before_an_invalidation_never_lands(cache):
    source, go = ["old"], asyncio.Event()

    @cached()
    async def slow():
        value = source[0]
        await go.wait()
        return value

    loading = asyncio.create_task(slow())
    await asyncio.sleep(0.01)
    source[0] = "new"
    assert not await slow.invalidate_async()
    go.set()
    assert await loading == "old"
    assert await slow() == "new"


async def test_a_refresh_loads_anew_and_stores(cache):
    assert plain(7) == plain.refresh(7) == await plain.refresh_async(7) == {"number": 7}
    plain(7)
    assert len(runs) == 3
    assert await on_loop(8) == await on_loop.refresh_async(8) == await on_loop(8)
    assert len(runs) == 5
    with pytest.raises(TypeError, match="refresh_async"):
        on_loop.refresh(8)


async def test_a_refresh_is_shared_with_those_who_call_meanwhile_and_beats_older_loads(cache):
    source, gates = ["old"], []

    @cached()
    async def slow():
        value = source[0]
        gates.append(asyncio.Event())
        await gates[-1].wait()
        return value

    older = asyncio.create_task(slow())
    await asyncio.sleep(0.01)
    source[0] = "new"
    refreshing = asyncio.create_task(slow.refresh_async())
    await asyncio.sleep(0.01)
    meanwhile = asyncio.create_task(slow())
    await asyncio.sleep(0.01)
    assert len(gates) == 2
    gates[1].set()
    assert await asyncio.gather(refreshing, meanwhile) == ["new", "new"]
    gates[0].set()
    assert await older == "old"
    assert await slow() == "new"


async def test_a_refresh_that_fails_leaves_what_is_stored_and_one_of_no_worth_removes_it(cache):
    source = [1]

    @cached(policy=CachePolicy(condition=lambda value: value > 0))
    async def fickle():
        runs.append(source[0])
        return 10 // source[0]

    assert await fickle() == 10
    source[0] = 0
    with pytest.raises(ZeroDivisionError):
        await fickle.refresh_async()
    assert await fickle() == 10
    source[0] = -1
    assert await fickle.refresh_async() == -10
    assert not cache.has_key(fickle.key())


# Methods


class Repository:
    def __init__(self, name):
        self.name = name

    def __cache_key__(self):
        return self.name

    @cached()
    async def find(self, number):
        runs.append((self.name, number))
        return number

    @cached()
    @classmethod
    def kind(cls, number=0):
        runs.append(cls)
        return number

    @classmethod
    @cached()
    def late_kind(cls, number=0):
        runs.append(cls)
        return number

    @cached()
    @staticmethod
    def twice(number):
        runs.append(number)
        return 2 * number

    @staticmethod
    @cached()
    def thrice(number):
        runs.append(number)
        return 3 * number


class Archive(Repository):
    pass


async def test_methods_are_keyed_by_their_objects(cache):
    shop, twin, other = Repository("shop"), Repository("shop"), Repository("other")
    assert [await each.find(1) for each in (shop, twin, other, Archive("shop"))] == [1] * 4
    assert runs == [("shop", 1), ("other", 1), ("shop", 1)]
    assert shop.find.key(1) == Repository.find.key(twin, 1) != other.find.key(1)
    assert await twin.find.invalidate_async(1)
    assert await shop.find.refresh_async(1) == await Repository.find(shop, number=1) == 1
    assert len(runs) == 4


@pytest.mark.parametrize("name", ["kind", "late_kind"])
def test_class_methods_are_keyed_by_their_classes(cache, name):
    assert [getattr(each, name)(1) for each in (Repository, Repository("x"), Archive, Archive("y"))] == [1] * 4
    assert runs == [Repository, Archive]


def test_class_methods_have_keys(cache):
    assert Repository.kind.key() == Repository("x").kind.key() != Archive.kind.key()
    Archive.kind()
    assert (Repository.kind.invalidate(), Archive.kind.invalidate()) == (False, True)


def test_a_class_method_that_is_not_told_its_class_has_no_keys_that_are_wrong():
    below = vars(Repository)["late_kind"].__func__  # what Python 3.13 makes of Repository.late_kind.key
    with pytest.raises(TypeError, match="above @classmethod"):
        below.key(7)


@pytest.mark.parametrize(("name", "times"), [("twice", 2), ("thrice", 3)])
def test_static_methods_are_functions(cache, name, times):
    assert getattr(Repository, name)(2) == getattr(Repository("x"), name)(2) == 2 * times
    assert runs == [2]
    assert getattr(Archive, name).invalidate(2)


def test_a_frozen_dataclass_is_keyed_by_its_fields(cache):
    @dataclass(frozen=True)
    class Tenant:
        name: str

        @cached()
        def plan(self):
            runs.append(self.name)
            return self.name.upper()

    assert [Tenant("a").plan(), Tenant("a").plan(), Tenant("b").plan()] == ["A", "A", "B"]
    assert runs == ["a", "b"]


def test_a_method_of_objects_that_nothing_tells_apart_is_an_error_when_its_class_is_made():
    with pytest.raises((ConfigurationError, RuntimeError)) as caught:  # Python 3.11 wraps it

        class Service:
            @cached()
            def find(self, number):
                return number

    error = caught.value if isinstance(caught.value, ConfigurationError) else caught.value.__cause__
    assert "Service.find: nothing tells one" in str(error)
    assert "__cache_key__, make it a frozen dataclass, or leave it out with ignore=['self']" in str(error)


def test_a_class_that_might_still_become_a_frozen_dataclass_is_an_error_at_the_first_call(cache):
    @dataclass
    class Tenant:
        name: str

        @cached()
        def plan(self):
            return 1

    with pytest.raises(ConfigurationError, match="frozen dataclass"):
        Tenant("a").plan()


def test_an_object_can_be_left_out_of_the_key_or_be_part_of_ones_own(cache):
    class Service:
        @cached(ignore=["self"])
        def shared(self, number):
            runs.append(number)
            return number

        @cached(key=lambda self, number: (id(self), number))
        def own(self, number):
            runs.append(number)
            return number

    one, other = Service(), Service()
    assert [one.shared(1), other.shared(1), one.own(2), one.own(2), other.own(2)] == [1, 1, 2, 2, 2]
    assert runs == [1, 2, 2]


# What cannot be cached


def generator():
    yield 1


async def async_generator():
    yield 1


def takes_request(number, request: Request):
    return number


def takes_perhaps_request(request: Request | None = None):
    return 1


def returns_response(number) -> JSONResponse:
    return JSONResponse(number)


def returns_perhaps_response(number) -> "dict | Response":
    return {}


def takes_number(number):
    return number


async def takes_later(number):
    return number


class Klass:
    pass


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (generator, "list"),
        (async_generator, "list"),
        (takes_request, "use @Cache"),
        (takes_perhaps_request, "use @Cache"),
        (returns_response, "use @Cache"),
        (returns_perhaps_response, "use @Cache"),
        (Klass, "functions and methods"),
        (Klass(), "functions and methods"),
        (len, "functions and methods"),
        (property(generator), "functions and methods"),
        (plain, "twice"),
    ],
)
def test_what_cannot_be_cached_is_an_error_at_decoration(function, says):
    with pytest.raises(ConfigurationError, match=says):
        cached()(function)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"ttl": "60"}, TypeError),
        ({"ttl": float("nan")}, ValueError),
        ({"ignore": "number"}, TypeError),
        ({"ignore": ["numer"]}, ConfigurationError),
        ({"key": "number"}, TypeError),
        pytest.param({"key": takes_later}, TypeError, id="key that would be awaited"),
        ({"name": ""}, ConfigurationError),
        ({"name": "f(x"}, ConfigurationError),
        ({"version": 1.5}, TypeError),
        ({"policy": 60}, TypeError),
        ({"enabled": 1}, TypeError),
    ],
    ids=str,
)
def test_wrong_options_are_errors_at_decoration(options, error):
    with pytest.raises(error):
        cached(**options)(takes_number)


def test_without_parentheses_it_says_how_to_write_it():
    with pytest.raises(ConfigurationError, match=r"@cached\(\)"):
        cached(plain)


def test_lambdas_have_no_names_of_their_own(cache):
    with pytest.raises(ConfigurationError, match="name="):
        cached()(lambda: 1)
    assert [cached(name="one")(lambda: 1)(), cached(name="two")(lambda: 2)()] == [1, 2]


def test_a_function_that_a_class_has_too_stays_one(cache):
    found = cached()(takes_number)

    class Settings:
        verbose: bool = True
        number = found

    assert found(7) == 7
    assert Settings.number(7) == 7


def test_parameters_may_have_any_name(cache):
    @cached()
    def odd(self, args, kwargs, key):
        return [self, args, kwargs, key]

    assert odd(self=1, args=2, kwargs=3, key=4) == odd.refresh(1, 2, 3, key=4) == [1, 2, 3, 4]
    assert odd.invalidate(self=1, args=2, kwargs=3, key=4)


def test_a_response_or_an_awaitable_as_a_value_is_an_error(cache):
    @cached()
    def page():
        return PlainTextResponse("")

    async def later():
        return 1

    with pytest.raises(ConfigurationError, match="use @Cache"):
        page()
    with pytest.raises(TypeError, match="async def"):
        cached(name="later")(lambda: later())()


# Switched off


async def test_switched_off_it_calls_the_function_and_touches_no_store():
    @cached(enabled=False)
    def off(number):
        runs.append(number)
        return number

    @cached(enabled=False)
    async def off_async(number):
        runs.append(number)
        return number

    assert [off(1), off(1), off.refresh(1), await off.refresh_async(1), await off_async(1)] == [1] * 5
    assert await off_async.refresh_async(1) == 1
    assert len(runs) == 6
    assert off.key(1).endswith("off(number=1)")
    assert not off.invalidate(1)
    assert not await off_async.invalidate_async(1)


# The service at hand


def test_without_a_service_it_says_what_to_do():
    with pytest.raises(ConfigurationError, match=r"with CacheService"):
        plain(1)


async def test_the_apps_service_is_used_in_its_requests_and_the_innermost_elsewhere():
    async def on_loop_handler(request):
        return JSONResponse(await on_loop(1))

    def in_thread_handler(request):
        return JSONResponse(plain(1))

    app = Starlette(routes=[Route("/loop", on_loop_handler), Route("/thread", in_thread_handler)])
    install(app, CacheModule.setup(default="local"))
    with TestClient(app) as client:
        for path in ("/loop", "/loop", "/thread", "/thread"):
            assert client.get(path).status_code == 200
        assert len(runs) == 2
        async with CacheService(default="local"):
            await on_loop(1)
            async with CacheService(default="local"):
                await on_loop(1)
            await on_loop(1)
    assert len(runs) == 4


def test_it_is_a_dependency_and_a_service_of_fastapi_handlers():
    @cached()
    async def tenant(name: str) -> str:
        runs.append(name)
        return name.upper()

    app = FastAPI()
    install(app, CacheModule.setup(default="local"))

    @app.get("/{name}")
    async def handler(found: Annotated[str, Depends(tenant)]):
        return found

    with TestClient(app) as client:
        assert [client.get("/a").json(), client.get("/a").json()] == ["A", "A"]
    assert runs == ["a"]


# Under other names


def test_it_looks_like_the_function_that_it_is():
    assert inspect.iscoroutinefunction(on_loop)
    assert not inspect.iscoroutinefunction(plain)
    assert inspect.iscoroutinefunction(Repository("x").find)
    assert list(inspect.signature(plain).parameters) == ["number", "lang", "deep"]
    assert list(inspect.signature(Repository("x").find).parameters) == ["number"]
    assert (plain.__name__, plain.__qualname__, plain.__module__) == ("plain", "plain", __name__)


def test_it_pickles_by_name(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, __name__, types.SimpleNamespace(**globals()))
    assert pickle.loads(pickle.dumps(plain)) is plain
    assert pickle.loads(pickle.dumps(Repository.find)) is Repository.find
    assert pickle.loads(pickle.dumps(Repository("x").find)).key(1) == Repository("x").find.key(1)


def test_under_trio_a_crowd_shares_one_load():
    @cached()
    async def slow(number):
        runs.append(number)
        await trio.sleep(0.01)
        return [number]

    async def main():
        answers = []

        async def ask():
            answers.append(await slow(1))

        async with CacheService(default="local"):
            async with trio.open_nursery() as nursery:
                for _ in range(10):
                    nursery.start_soon(ask)
            assert answers == [[1]] * 10
            assert await slow.refresh_async(1) == await slow(1)
            assert await slow.invalidate_async(1)

    trio.run(main)
    assert runs == [1, 1]
