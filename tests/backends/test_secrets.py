"""Values, passwords and tokens are in no log, no error, no repr and no number, whatever goes wrong with a store."""

import asyncio

import pytest
from django.core.cache import caches

from asynccache import CacheService
from asynccache.backends.aio_cache import AioMemCacheBackend
from asynccache.backends.callable_cache import CallableCacheBackend
from asynccache.backends.fallback_cache import FallbackCacheBackend
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.backends.pylib_cache import PyLibMCCacheBackend
from asynccache.backends.pymem_cache import PyMemcacheCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.replit_cache import ReplitCacheBackend
from asynccache.backends.sql_cache import SQLCacheBackend
from asynccache.backends.sql_replies import Statement
from asynccache.config import backend_of
from asynccache.core import codec
from asynccache.core.entry import Kind
from asynccache.core.keys import key_hash
from asynccache.plan.io import LOOP
from asynccache.serializers import Compressed, JSONSerializer, MsgpackSerializer, PickleSerializer, Signed
from examples.own_backend import FileCacheBackend
from tests.backends.test_django_cache import BACKENDS, alias
from tests.canaries import PASSWORD, SONG, VALUE, expect_error, listening, use
from tests.servers import Memcached, Redis

HURRY = 0.3
PATIENT = 5.0
NOBODY = "127.0.0.1:1"
MEBI = 1024 * 1024
ODD = f"{SONG}%2F{SONG}%3F{SONG}%23{SONG}%40{SONG}"
DEAD_URLS = [
    *(
        f"redis://{PASSWORD}:{PASSWORD}@{NOBODY}/0",
        f"rediss://:{ODD}@{NOBODY}",
        f"redis://{NOBODY}?password={PASSWORD}",
    ),
    *(f"unix://:{PASSWORD}@/nowhere/redis.sock", f"redis+cluster://:{PASSWORD}@{NOBODY},127.0.0.1:2"),
    f"redis+sentinel://u:{ODD}@{NOBODY}/service/0?sentinel_password={PASSWORD}",
    *(f"postgresql://u:{ODD}@{NOBODY}/shop", f"mysql://u:{PASSWORD}@{NOBODY}/shop"),
    *(f"mariadb://u:{PASSWORD}@{NOBODY}/shop", f"memcached://{NOBODY}"),
    *(f"memcached://u:{ODD}@{NOBODY}", f"memcacheds://u:{PASSWORD}@{NOBODY}"),
]
DEAD = {
    "pymemcache": lambda: PyMemcacheCacheBackend(servers=NOBODY, deadline=HURRY),
    "pylibmc": lambda: PyLibMCCacheBackend(servers=NOBODY, deadline=HURRY),
    "replit": lambda: ReplitCacheBackend(f"http://{NOBODY}/v0/{PASSWORD}", deadline=HURRY),
    "pair": lambda: CallableCacheBackend(failing, failing, failing),
    "chain": lambda: FallbackCacheBackend(
        [RedisCacheBackend(f"redis://:{PASSWORD}@{NOBODY}"), ReplitCacheBackend(f"http://{NOBODY}/v0/{PASSWORD}")]
    ),
}


def failing(key, raw=b""):
    raise OSError("the store of this pair is away")


@pytest.fixture
def listener(caplog):
    with listening(caplog) as heard:
        yield heard


async def go_through(listener, backend):
    """Use a backend alone and in a service, as it is and strict."""
    events = []
    async with CacheService(default=backend) as service:
        service.listeners.append(events.append)
        for on_error in ("miss", "raise"):
            backend.on_error = on_error
            await use(listener, backend)
            with listener.whatever_is_raised():
                await service.get_or_set_async("k", lambda: VALUE)
            with listener.whatever_is_raised():
                await service.ping_async()
        listener.hear(service, service.stats(), *events)


@pytest.mark.parametrize("url", DEAD_URLS, ids=lambda url: url.partition("@")[0].replace(SONG, "*"))
async def test_servers_that_nobody_reaches(listener, url):
    backend = backend_of(f"{url}{'&' if '?' in url else '?'}deadline={HURRY}")
    listener.hear(backend)
    await go_through(listener, backend)
    assert listener.errors > 5


@pytest.mark.parametrize("make", DEAD.values(), ids=DEAD)
async def test_stores_that_are_away(listener, make):
    await go_through(listener, make())
    assert listener.errors > 5


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("user", ["", "somebody"])
async def test_wrong_password_of_redis(listener, launch, user, protocol):
    server = launch(Redis(password="right"))
    url = f"redis://{user}:{PASSWORD}@{server.address}"
    await go_through(listener, RedisCacheBackend(url, options={"protocol": protocol}, deadline=PATIENT))
    assert listener.errors > 5


@pytest.mark.parametrize("options", [{"protocol": 2}, {"protocol": 3}, {"client_name": PASSWORD}])
async def test_redis_that_quotes_the_arguments_of_what_it_does_not_know(listener, launch, options):
    renamed = ("SET", "MGET", "AUTH", "HELLO", "EVAL", "EVALSHA", "UNLINK", "CLIENT")
    server = launch(Redis(*(word for name in renamed for word in ("--rename-command", name, ""))))
    for credentials in ("", f":{PASSWORD}@", f"me:{PASSWORD}@"):
        cache = RedisCacheBackend(f"redis://{credentials}{server.address}", options=options, deadline=PATIENT)
        await go_through(listener, cache)
    assert any("unknown command" in text for text in listener.heard)


async def test_commands_that_redis_refuses(listener, launch):
    acl = [f"user app on >{PASSWORD} ~* &* -@all +get +auth +hello +select +ping", "user default off"]
    server = launch(Redis(acl=acl))
    await go_through(listener, RedisCacheBackend(f"redis://app:{PASSWORD}@{server.address}", deadline=PATIENT))
    assert any("NOPERM" in text for text in listener.heard)


async def test_redis_that_is_full(listener, launch):
    server = launch(Redis("--maxmemory", "1", password=PASSWORD))
    await go_through(listener, RedisCacheBackend(server.url, deadline=PATIENT))
    assert any("OOM" in text for text in listener.heard)


@pytest.mark.parametrize("server", ["postgresql_server", "mariadb_server"])
async def test_wrong_password_of_a_database(listener, request, server):
    running = request.getfixturevalue(server)
    url = running.url.replace(":secret@", f":{PASSWORD}@")
    assert PASSWORD in url
    await go_through(listener, SQLCacheBackend(url, deadline=PATIENT))


@pytest.mark.parametrize("server", ["postgresql_server", "mariadb_server"])
async def test_database_whose_table_is_another(listener, request, server):
    running = request.getfixturevalue(server)
    cache = SQLCacheBackend(running.url, table="of_others", deadline=PATIENT, on_error="raise")
    first = cache.ddl().split(";")[0]
    wrong = first[: first.index("(")] + "(cache_key INTEGER NOT NULL PRIMARY KEY, entry INTEGER NOT NULL)"
    await cache._database.ask(LOOP, "spoil", [Statement(wrong)])
    await go_through(listener, cache)
    assert listener.errors > 5


async def test_wrong_token_of_replits_store(listener, replitdb_server):
    url = f"http://{replitdb_server.address}/v0/{PASSWORD}"
    await go_through(listener, ReplitCacheBackend(url, deadline=PATIENT))
    assert any("401" in text for text in listener.heard)


# Values that a store cannot take, or gives back in another shape


def on_memcached(server, **options):
    return {
        "memcached": MemcachedCacheBackend(server.url, deadline=PATIENT, **options),
        "aiomcache": AioMemCacheBackend(servers=server.url, deadline=PATIENT, **options),
        "pymemcache": PyMemcacheCacheBackend(servers=server.url, deadline=PATIENT, **options),
        "pylibmc": PyLibMCCacheBackend(servers=server.url, deadline=PATIENT, **options),
    }


async def test_values_that_are_too_large(listener, memcached_server, replitdb_server, unique_prefix):
    named = {"key_prefix": unique_prefix}
    stores = [
        *on_memcached(memcached_server, **named).values(),
        ReplitCacheBackend(replitdb_server.url, deadline=PATIENT, **named),
        LocalMemCacheBackend(max_bytes=MEBI),
    ]
    for cache in stores:
        assert await cache.set_async("k", VALUE * (5 * MEBI // len(VALUE))) is False
        assert await cache.get_async("k") is None
        listener.hear(cache.stats())
        await cache.aclose()


SECRET = f"{SONG} secret of the serializer"
SERIALIZERS = [
    MsgpackSerializer(),
    JSONSerializer(),
    PickleSerializer(secret=SECRET),
    Signed(Compressed(MsgpackSerializer(), min_size=0), secret=[SECRET, SECRET * 2]),
    Compressed(JSONSerializer(), algorithm="zstd", min_size=0),
]


class Unstorable:
    """Shows what it holds wherever it can."""

    def __init__(self):
        self.held = VALUE

    def __repr__(self):
        return f"Unstorable({self.held})"

    def __reduce__(self):
        raise RuntimeError("it will not be pickled")


@pytest.mark.parametrize("serializer", SERIALIZERS, ids=lambda one: type(one).__name__)
async def test_values_that_cannot_be_stored(listener, serializer, tmp_path):
    values = [
        Unstorable(),
        [VALUE, Unstorable()],
        {VALUE: Unstorable()},
        [VALUE, lambda: VALUE],
        {VALUE: {VALUE: (lambda: VALUE)}},
    ]
    stores = [
        SQLCacheBackend(f"sqlite:///{tmp_path}/cache.db", serializer=serializer, deadline=PATIENT),
        LocalMemCacheBackend(serializer=serializer),
    ]
    for cache in stores:
        for value in values:
            for call in (cache.set_async, cache.add_async):
                await expect_error(listener, lambda call=call, value=value: call("k", value))
            await expect_error(listener, lambda value=value, cache=cache: cache.set_many({"k": value}))
        listener.hear(cache, serializer)
        await cache.aclose()


@pytest.mark.parametrize("serializer", SERIALIZERS, ids=lambda one: type(one).__name__)
async def test_damaged_entries(listener, serializer, tmp_path):
    cache = FileCacheBackend(str(tmp_path), serializer=serializer)
    stored_key = cache.stored_key("k")
    damaged = 0
    for kind, value in ((Kind.VALUE, [VALUE]), (Kind.PAGE, VALUE.encode()), (Kind.VALUE, {VALUE: VALUE})):
        await cache.write(LOOP, "k", value, 60, kind=kind)
        raw = await cache._fetch(LOOP, stored_key)
        for damage in (raw[:-1], raw[:70], raw + raw, raw[:68] + VALUE.encode() + raw[68:], VALUE.encode() * 9):
            await cache._store(LOOP, stored_key, damage, 60)
            assert await cache.read(LOOP, "k", kind=kind) is None
            damaged += 1
        payload = MsgpackSerializer().dumps([VALUE])
        for text in (payload, VALUE.encode(), b"-" + payload, b"z" + payload, b"m\xa9" + VALUE.encode()):
            frame = codec.Frame(text, kind)
            listener.hear(frame)
            await cache._store(LOOP, stored_key, codec.encode(frame, key_hash(stored_key)), 60)
            listener.hear(await cache.read(LOOP, "k", kind=kind) is None)
    assert cache.stats()["damaged"] >= damaged
    await cache.aclose()


async def test_what_a_pair_or_django_says_of_values(listener, redis_server, unique_prefix):
    taken = CallableCacheBackend(lambda key: VALUE, lambda key, raw: False, lambda key: None)
    await go_through(listener, taken)
    with alias(BACKEND=f"{BACKENDS}.redis.RedisCache", LOCATION=f"redis://:{PASSWORD}@{redis_server.address}") as make:
        cache = make(key_prefix=unique_prefix)
        await go_through(listener, cache)
        listener.hear(caches[cache.alias])
        del caches[cache.alias]


async def test_loops_that_tell_of_every_step(caplog, listener, redis_server, unique_prefix, tmp_path):
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0
    stores = [
        LocalMemCacheBackend(key_prefix=unique_prefix),
        RedisCacheBackend(redis_server.url, key_prefix=unique_prefix, deadline=PATIENT),
        SQLCacheBackend(f"sqlite:///{tmp_path}/cache.db", key_prefix=unique_prefix, deadline=PATIENT),
    ]
    for store in stores:
        async with CacheService(default=store) as service:
            for key in ("a", "b"):
                await asyncio.gather(*[use_in_silence(service, key) for _ in range(3)])
    loop.set_debug(False)
    assert "Executing <" in caplog.text


async def use_in_silence(service, key):
    """Load and read, and return nothing: a task of ours would show what it returns."""

    async def load():
        await asyncio.sleep(0)
        return VALUE

    await service.get_or_set_async(key, load)
    await service.set_async(key, VALUE)
    await service.get_async(key)
    await service.get_many_async([key])


async def test_passwords_are_not_in_what_servers_are_made_of(listener):
    for url in DEAD_URLS:
        backend = backend_of(url)
        listener.hear(backend, getattr(backend, "servers", ""), getattr(backend, "_place", ""))


async def test_a_server_that_dies_in_the_middle(listener, launch):
    redis, memcached = launch(Redis(password=PASSWORD)), launch(Memcached())
    stores = [RedisCacheBackend(redis.url, deadline=HURRY), *on_memcached(memcached).values()]
    for store in stores:
        await store.set_async("k", VALUE)
    redis.kill()
    memcached.kill()
    for store in stores:
        await go_through(listener, store)
