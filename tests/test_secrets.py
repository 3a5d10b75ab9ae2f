"""Values, passwords and cookies are in no error, log or repr of configuration, calls, handlers and commands."""

import pickle
import sys
from types import SimpleNamespace

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from typer.testing import CliRunner

from asynccache import Cache, CacheModule, CachePolicy, CacheService, cached
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.cli.commands import app
from asynccache.config import app_backends, backend_of, backends_of
from asynccache.config_check import check_async
from asynccache.core.entry import Entry
from asynccache.core.events import EntryDamaged
from asynccache.serializers import PickleSerializer, Signed
from tests.canaries import PASSWORD, SONG, VALUE, expect_error, listening
from tests.http.serving import app_of

NOBODY = "127.0.0.1:1"
REPLIT = f"https://kv.replit.com/v0/{PASSWORD}"
BAD_TEXTS = [
    *(f"nonsense://u:{PASSWORD}@h", f"u:{PASSWORD}@h", f":{PASSWORD}@h:1", f"{PASSWORD}@h", f"redis:{PASSWORD}@h"),
    *(f"redis://:{PASSWORD}@", f"redis://:{PASSWORD}@h:port", f"redis://u:{SONG}/{SONG}#{SONG}?{SONG}@h"),
    *(f"redis://{PASSWORD}@h:port", f"redis://:{PASSWORD}@h/database", f"redis://:{PASSWORD}@[h", f"redis://h:{SONG}"),
    *(f"redis://h?passwort={PASSWORD}", f"redis://h?ttl=soon&password={PASSWORD}", f"redis://h?socket_timeout={SONG}"),
    *(f"redis://:{PASSWORD}@h h", f"redis://a:1,:{PASSWORD}@b:port", f"redis://:{PASSWORD}@a;nonsense://:{PASSWORD}@b"),
    *(f"redis+cluster://:{PASSWORD}@h/1", f"redis+sentinel://:{PASSWORD}@h", f"redis+cluster://:{PASSWORD}@h?db=1"),
    *(f"memcached://u:{PASSWORD}@h:port", f"memcached://h?password={PASSWORD}", f"local://u:{PASSWORD}@h"),
    *(f"postgresql://u:{PASSWORD}@h:port/b", f"postgresql://u:{PASSWORD}@h", f"mysql://u:{SONG}/{SONG}@h/b?x=y"),
    *(
        f"postgresql://u@h/b?password={PASSWORD}&nonsense=1",
        f"sqlite://u:{PASSWORD}@h/f.db",
        f"sqlite:///f?k={PASSWORD}",
    ),
    *(f"redis://:{PASSWORD}@h?pool_size=0", f"postgresql://u:{PASSWORD}@h/b?deadline=-1", f"postgres:{PASSWORD}@h/b"),
    *(REPLIT, f"http://kv/{PASSWORD}", f"replit://{PASSWORD}", f"redis://:{PASSWORD}@h | nonsense://:{PASSWORD}@h"),
]
BAD_MAPPINGS = [
    *({"BACKEND": text} for text in BAD_TEXTS),
    *({"BACKEND": "redis", "LOCATION": text} for text in (f"redis://:{PASSWORD}@h:port", f"nonsense://:{PASSWORD}@h")),
    {"BACKEND": "redis", "LOCATION": [f"redis://:{PASSWORD}@h:port"]},
    {"BACKEND": "redis", "LOCATION": {"password": PASSWORD}},
    {"BACKEND": "redis", "LOCATION": ("h", 1, PASSWORD)},
    {"BACKEND": "redis", "PASSWORD": PASSWORD},
    {"BACKEND": "redis", "OPTIONS": PASSWORD},
    {"BACKEND": "redis", "OPTIONS": [PASSWORD]},
    {"BACKEND": "redis", "OPTIONS": {"password": PASSWORD}},
    {"BACKEND": "redis", "OPTIONS": {"options": {"passwort": PASSWORD}}},
    {"BACKEND": "redis", "OPTIONS": {"options": {"password": PASSWORD, "socket_timeout": 1}}},
    {"BACKEND": "redis", "OPTIONS": {"options": PASSWORD}},
    {"BACKEND": "redis", "LOCATION": f"redis://:{PASSWORD}@h", "OPTIONS": {"host": "h"}},
    {"BACKEND": "database", "LOCATION": f"postgresql://u:{PASSWORD}@h/b", "OPTIONS": {"options": {"x": PASSWORD}}},
    {"BACKEND": "database", "LOCATION": f"mysql://u:{PASSWORD}@h/b", "OPTIONS": {"options": {"password": PASSWORD}}},
    {"BACKEND": "replit", "LOCATION": f"ftp://kv/{PASSWORD}"},
    {"BACKEND": "replit", "OPTIONS": {"url": f"https://u:{PASSWORD}@kv"}},
    {"BACKEND": "local", "LOCATION": f"redis://:{PASSWORD}@h"},
    {"BACKEND": f"{__name__}.NOT_A_BACKEND"},
    {"BACKEND": "local", "OPTIONS": {"serializer": {"secret": PASSWORD}}},
]
BAD_APPS = [
    {"CACHE_TYPE": "redis", "CACHE_REDIS_URL": f"redis://:{PASSWORD}@h:port"},
    {"CACHE_TYPE": "redis", "CACHE_REDIS_PASSWORD": PASSWORD, "CACHE_OPTIONS": {"passwort": PASSWORD}},
    {"CACHE_TYPE": "rediscluster", "CACHE_REDIS_PASSWORD": PASSWORD},
    {"CACHE_TYPE": f"nonsense://:{PASSWORD}@h"},
    {"CACHES": f"redis://:{PASSWORD}@h"},
    {"CACHES": {"other": f"redis://:{PASSWORD}@h"}},
    {"CACHES": {"default": [f"redis://:{PASSWORD}@h:port", "local"]}},
    {"CACHES": {"default": {PASSWORD}}},
    {"CACHES": {"default": PASSWORD.encode()}},
]
NOT_A_BACKEND = {"password": PASSWORD}


@pytest.fixture
def listener(caplog):
    with listening(caplog) as heard:
        yield heard


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, __name__, SimpleNamespace(NOT_A_BACKEND=NOT_A_BACKEND))


# Configuration and commands


def test_configurations_that_cannot_work(listener):
    for given in [*BAD_TEXTS, *BAD_MAPPINGS]:
        listener.hear_result_of(lambda given=given: backend_of(given))
        listener.hear_result_of(lambda given=given: CacheService(default="local", other=given))
        listener.hear_result_of(lambda given=given: CacheModule.setup(default=given).service)
    for given in BAD_APPS:
        listener.hear_result_of(lambda given=given: CacheModule(app_backends(given)).service)
    assert listener.errors > 3 * (len(BAD_TEXTS) + len(BAD_MAPPINGS)) - 10


def test_environments_that_cannot_work(listener, monkeypatch):
    for text in BAD_TEXTS:
        for variable, word in (("ASYNCCACHE_URL", None), ("REDIS_URL", "redis"), ("DATABASE_URL", "database")):
            with monkeypatch.context() as patch:
                patch.setenv(variable, text)
                given = app_backends({"CACHES": {"default": word}} if word else {}) if word else None
                listener.hear_result_of(lambda given=given: CacheModule(given or app_backends({})).service)
    for text in (f"kv/{PASSWORD}", f"https://u:{PASSWORD}@kv/v0", f"https://kv/v0/{PASSWORD}?a=b"):
        with monkeypatch.context() as patch:
            patch.setenv("REPLIT_DB_URL", text)
            listener.hear_result_of(lambda: backend_of("replit"))


async def test_urls_in_the_wrong_places(listener):
    service = CacheService(default="local")
    for text in BAD_TEXTS:
        await expect_error(listener, lambda text=text: service.get("k", backend=text))
        if "://" in text or ":" in text:
            await expect_error(listener, lambda text=text: backends_of(text))


async def test_what_is_checked_and_shown(listener, monkeypatch):
    monkeypatch.setenv("REPLIT_DB_URL", f"http://{NOBODY}/v0/{PASSWORD}")
    caches = {
        "default": [f"redis://{PASSWORD}@{NOBODY}", "replit", "local"],
        "cluster": f"redis+cluster://u:{PASSWORD}@{NOBODY}",
        "database": f"postgresql://u:{PASSWORD}@{NOBODY}/b",
        "mysql": f"mysql://u:{PASSWORD}@{NOBODY}/b",
    }
    found = await check_async(caches)
    assert sum(one.error is not None for one in found) == 5
    module = CacheModule.setup(**caches)
    listener.hear(*found, module, vars(module), module.service, module.service.stats(), module.backends)


COMMANDS = {
    "config check": ["--url", "--config"],
    "ping --json": ["--url"],
    "get k": ["--url"],
    "set k v": ["--config"],
    "db create": ["--url"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(listener, command):
    dead = [f"redis://:{PASSWORD}@{NOBODY}", f"postgresql://u:{PASSWORD}@{NOBODY}/b"]
    for url in [*BAD_TEXTS, *dead]:
        for option in COMMANDS[command]:
            result = CliRunner().invoke(app, [*command.split(), option, url])
            listener.hear(result.stdout, result.stderr, result.exception)
            assert result.exit_code != 0


# Calls


async def test_calls_whose_arguments_are_in_the_wrong_order(listener):
    service = CacheService(default="local")
    calls = [
        *(lambda: service.set("k", 60, VALUE), lambda: service.set("k", 60, None, {VALUE: VALUE})),
        *(lambda: service.get("k", [VALUE]), lambda: service.get_or_set("k", VALUE), lambda: service.incr("k", VALUE)),
        *(lambda: service.get_or_set_async("k", {VALUE: 1}), lambda: service.set_many([("k", VALUE)])),
        *(
            lambda: service.set_many(f"k={VALUE}"),
            lambda: service.touch("k", VALUE),
            lambda: service.add("k", 1, VALUE),
        ),
        *(lambda: Signed(None, secret=SONG), lambda: PickleSerializer(secret={SONG: SONG})),
        *(lambda: PickleSerializer(secret=SONG), lambda: PickleSerializer(secret=[SONG, 5])),
        *(
            lambda: LocalMemCacheBackend(serializer=PickleSerializer),
            lambda: RedisCacheBackend(f":{PASSWORD}@h", port=1),
        ),
    ]
    service.set("k", VALUE)
    calls += [lambda: service.incr("k"), lambda: service.decr("k")]
    for call in calls:
        await expect_error(listener, call)


async def test_loads_and_listeners_that_fail(listener):
    async with CacheService(default="local") as service:
        service.listeners.append(lambda event: 1 / 0)

        async def load():
            raise LookupError("there is none")

        await expect_error(listener, lambda: service.get_or_set_async("k", load))
        assert await service.get_or_set_async("l", lambda: VALUE) == VALUE
        assert await service.get_or_set_async("l", lambda: VALUE) == VALUE
        listener.hear(service.flights, service.loader, service, Entry(VALUE), EntryDamaged("b", "k", "cut"))


async def test_cached_functions(listener):
    class Unknown:
        def __repr__(self):
            return VALUE

    @cached()
    def made(number, *, given=None):
        return Unknown()

    @cached(ignore=["token"])
    async def fails(token):
        raise LookupError("there is none")

    with listener.whatever_is_raised():
        made(1)
    await expect_error(listener, lambda: made(Unknown()))
    await expect_error(listener, lambda: made([Unknown()], given={1: Unknown()}))
    await expect_error(listener, lambda: fails(VALUE))
    listener.hear(made, fails, fails.key(VALUE))


def test_policies_and_backends_as_they_are_shown_and_pickled(listener):
    policy = CachePolicy(ttl=60)
    listener.hear(policy, pickle.dumps(policy), pickle.loads(pickle.dumps(policy)))
    for serializer in (
        PickleSerializer(secret=PASSWORD),
        Signed(PickleSerializer(secret=PASSWORD), secret=[PASSWORD, PASSWORD * 2]),
    ):
        backend = LocalMemCacheBackend(serializer=serializer)
        backend.set("k", [VALUE])
        listener.hear(serializer, serializer.bound(b"0" * 16), backend, backend.stats(), CacheService(default=backend))


# Requests


COOKIE = {"cookie": f"session={PASSWORD}", "authorization": f"Bearer {PASSWORD}", "x-api-key": PASSWORD}


def raising(context, key_prefix):
    raise LookupError("no key")


CALLBACKS = {
    "raising": raising,
    "of headers": lambda context, key_prefix: dict(context.request.headers),
    "of the request": lambda context, key_prefix: context.request.headers,
    "of bytes": lambda context, key_prefix: context.request.headers["cookie"].encode(),
}


async def fails(request):
    request.headers["x-api-key"]
    raise LookupError("the handler failed")


async def sets_a_cookie(request):
    response = PlainTextResponse(VALUE)
    response.set_cookie("session", PASSWORD)
    return response


async def depends(request):
    return PlainTextResponse(VALUE + request.headers["x-api-key"], headers={"x-secret": PASSWORD})


async def returns_nonsense(request):
    request.headers["cookie"]
    return {"password": PASSWORD}


@pytest.mark.parametrize("backend", ["local", f"redis://:{PASSWORD}@{NOBODY}", "sqlite:///pages.db?deadline=5"])
@pytest.mark.parametrize("handler", [fails, sets_a_cookie, depends], ids=lambda handler: handler.__name__)
def test_handlers(listener, handler, backend):
    with TestClient(app_of(Cache(ttl=60)(handler), backend=backend_of(backend))) as client:
        for headers in (COOKIE, COOKIE, {}):
            with listener.whatever_is_raised():
                client.get("/", headers=headers)


@pytest.mark.parametrize("callback", CALLBACKS.values(), ids=CALLBACKS)
def test_key_callbacks(listener, callback):
    with TestClient(app_of(Cache(make_key_callback=callback)(depends))) as client:
        for _ in range(2):
            with listener.whatever_is_raised():
                client.get("/", headers=COOKIE)
    assert listener.errors == 2


def test_answers_that_are_none(listener):
    with TestClient(app_of(Cache()(returns_nonsense))) as client, listener.whatever_is_raised():
        client.get("/", headers=COOKIE)
    assert listener.errors == 1
