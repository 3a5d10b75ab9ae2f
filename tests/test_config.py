"""What a configuration can say, and what it is told when it says something else."""

import pytest

from asynccache import CacheModule, ConfigurationError, ICacheService
from asynccache.backends.dummy_cache import DummyCacheBackend
from asynccache.backends.fallback_cache import FallbackCacheBackend
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.servers import redacted
from asynccache.config import backend_of, backends_of

CACHES = {"default": "local", "sessions": {"BACKEND": "dummy", "TIMEOUT": 60}}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    for name in ("ASYNCCACHE_URL", "REDIS_URL", "MEMCACHED_URL", "DATABASE_URL", "REPLIT_DB_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("local", LocalMemCacheBackend),
        ("locmem", LocalMemCacheBackend),
        ("memory", LocalMemCacheBackend),
        ("dummy", DummyCacheBackend),
        ("redis", RedisCacheBackend),
        ("memcache", MemcachedCacheBackend),
        ("memcached", MemcachedCacheBackend),
        ("local://?max_entries=10&ttl=60&copy=false", LocalMemCacheBackend),
        ("dummy://", DummyCacheBackend),
        ("redis://host:6379/0?key_prefix=shop&ttl=60", RedisCacheBackend),
        ("rediss://host:6379/0", RedisCacheBackend),
        ("unix:///run/redis.sock", RedisCacheBackend),
        ("memcached://a:11211,b:11211", MemcachedCacheBackend),
        ({"BACKEND": "asynccache.backends.dummy_cache.DummyCacheBackend", "VERSION": 2}, DummyCacheBackend),
    ],
)
def test_words_urls_and_mappings_become_backends(given, expected):
    assert type(backend_of(given)) is expected


def test_an_instance_is_itself():
    backend = DummyCacheBackend()
    assert backend_of(backend) is backend


def test_a_url_sets_options():
    backend = backend_of("local://?key_prefix=7&ttl=1.5&version=2&max_entries=10")
    assert backend.key_prefix == "7"
    assert backend.default_ttl == 1.5
    assert backend.stored_key("key") == "7:2:key"
    assert backend_of("local://?ttl=none").default_ttl == float("inf")


def test_a_mapping_sets_options():
    backend = backend_of(
        {"BACKEND": "local", "TIMEOUT": None, "KEY_PREFIX": "shop", "VERSION": "a", "OPTIONS": {"max_entries": 10}}
    )
    assert backend.default_ttl == float("inf")
    assert backend.stored_key("key") == "shop:a:key"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("lokal", r"'lokal' is no backend \(did you mean 'local'\?\): give a word of"),
        (" Redis", "did you mean 'redis'"),
        ("redis:/host", "did you mean 'redis://'"),
        ("postgre://host/base", "did you mean 'postgres://'"),
        ("localhost", "'localhost' is no backend: give a word of"),
        ("http://host", "'http://host/...' is no backend: give .*redis"),
        (7, "7.*instance"),
        (None, "None.*instance"),
        ([], "no backends"),
        (["redis", "rdis://:hunter2@host"], "rdis.*redis"),
        (["local", 7], "7.*instance"),
        ({"redis", "local"}, "a set.*instance"),
        (b"redis://host", "a bytes.*instance"),
        ("local://?max_entrys=10", "max_entrys.*max_entries"),
        ("localhost:6379", "localhost:6379.*redis://localhost:6379/0"),
        ("redis://[host", "no URL"),
        ("redis://", "names no host"),
        ("redis://localhost|lokal", "lokal.*'local'"),
        ("https://kv.replit.com/v0/hidden?a=b", r"'https://kv\.replit\.com/\.\.\.' is no backend"),
        ("oracle://host/base", "oracle.*postgresql"),
        ("sqlite://host/cache.db", "names a host"),
        ("local://?max_entries=many", "max_entries='many': give a whole number"),
        ("local://?ttl=5m", "ttl='5m': give seconds"),
        ("local://?copy=perhaps", "copy='perhaps': give true or false"),
        ("local://host/0", "no servers"),
        ("local://?serializer=json", "in a URL .* no option .*serializer"),
        ("redis://host?key_prefx=a", r"key_prefx.*RedisCacheBackend itself has .*'key_prefix'"),
        (
            "redis://host?host=other",
            r"no option \['host'\]; it has \['deadline', 'key_prefix', 'on_error', 'on_failover', 'partitions'",
        ),
        ("memcached://host?weight=1", "MemcachedCacheBackend itself has .*'key_prefix'"),
        ("local://?ttl=nan", "NaN"),
        ("local://?max_entries=0", "max_entries"),
        ({"LOCATION": "host"}, "BACKEND"),
        ({"BACKEND": "local", "TIMOUT": 3}, "TIMOUT.*TIMEOUT"),
        ({"BACKEND": "nowhere.Backend"}, "nowhere"),
        ({"BACKEND": "lokal"}, "BACKEND='lokal'.*'local'"),
        ({"BACKEND": "redis://host"}, "LOCATION"),
        ({"BACKEND": "os.path.join"}, "no class of backends"),
        ({"BACKEND": LocalMemCacheBackend}, "dotted path"),
        ({"BACKEND": "local", "LOCATION": "a"}, "leave LOCATION out"),
        ({"BACKEND": "redis", "LOCATION": "a", "OPTIONS": {"host": "b"}}, r"LOCATION, and \['host'\] in OPTIONS"),
        ({"BACKEND": "asynccache.backends.fallback_cache.FallbackCacheBackend"}, "a chain is a list"),
        ({"BACKEND": "django.core.cache.backends.redis.RedisCache"}, "Django's; in its place take 'redis' with"),
        ({"BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache"}, "take 'memcached' with the same LOC"),
        ({"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}, "take 'local' without a LOCATION"),
        ({"BACKEND": "django.core.cache.backends.db.DatabaseCache"}, "take 'database'.*DjangoCacheBackend"),
        ({"BACKEND": "django_redis.cache.RedisCache"}, "django_redis"),
        ({"BACKEND": "local", "OPTIONS": "copy"}, "OPTIONS is a mapping"),
        ({"BACKEND": "asynccache.backends.dummy_cache.Nothing"}, "Nothing"),
    ],
)
def test_what_cannot_be_a_backend_says_what_would_do(given, said):
    with pytest.raises(ConfigurationError, match=said):
        backend_of(given)


@pytest.mark.parametrize(
    "given",
    [
        "redis://user:hunter2@host:6379/0?nonsense=1",
        "redis://user:hunter2#@host",
        "redis://user:?hunter2@host",
        "redis://host?password=hunter2&nonsense=1",
        "redis://user:hunter2@a,redis://user:hunter2@b?nonsense=1",
        ["redis://user:hunter2@host?nonsense=1", "local"],
        "redis://user:hunter2|x@host?nonsense=1|local",
        "https://kv.replit.com/v0/hunter2",
        ["local", "https://kv.replit.com/v0/hunter2"],
        {"BACKEND": "database", "LOCATION": "postgresql://me:hunter2@host"},
        "mysql://me:hunter2@host",
        {"BACKEND": "redis", "LOCATION": [("user:hunter2@host", 1, 2)]},
        "rdis://user:/hunter2@host",
        "user:hunter2@host:6379",
        {"BACKEND": "redis://user:hunter2@host"},
        {"BACKEND": "redis", "LOCATION": "http://user:hunter2@host"},
    ],
)
def test_no_message_shows_a_password(given):
    with pytest.raises(ConfigurationError) as caught:
        backend_of(given)
    assert "hunter2" not in str(caught.value)


def test_a_message_tells_where_the_wrong_words_are(monkeypatch):
    with pytest.raises(ConfigurationError, match=r"^backend 'ttl': 60 is no backend"):
        CacheModule.setup(default="local", ttl=60)
    monkeypatch.setenv("REDIS_URL", "localhost:6379")
    with pytest.raises(ConfigurationError, match="REDIS_URL in the environment: 'localhost:6379'"):
        CacheModule.setup(default="redis")
    with pytest.raises(ConfigurationError, match="REDIS_URL in the environment"):
        CacheModule.register_setup()


@pytest.mark.parametrize("url", ["redis://user:hunter2@host:6379/0", "redis://host?password=hunter2"])
def test_a_backend_shows_no_password(url):
    backend = backend_of(url)
    assert "hunter2" not in f"{backend!r} {backend.servers!r}"


def test_a_url_has_options_for_redis_too():
    backend = backend_of("rediss://:p%40ss%2F%3F@host?ssl_cert_reqs=none&db=3&ttl=60")
    assert backend.default_ttl == 60
    assert backend.servers[0].password == "p@ss/?"
    assert backend.servers[0].query == {"ssl_cert_reqs": "none", "db": "3"}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://host:1/0", "redis://host:1/0"),
        ("redis://:secret@host", "redis://:***@host"),
        ("redis://me:se@cret@host/0?ttl=1", "redis://me:***@host/0"),
        ("redis://:se#cr/et?@host", "redis://:***@host"),
        ("redis://me:secret@a,redis://you:secret@b", "redis://me:***@b"),
        ("me:secret@host:6379", "me:***@host:6379"),
        ("redis://host?password=secret", "redis://host"),
    ],
)
def test_redacted(url, shown):
    assert redacted(url) == shown


class Settings:
    CACHES = CACHES


@pytest.mark.parametrize("config", [{"CACHES": CACHES}, CACHES, Settings, Settings(), f"{__name__}.Settings"])
def test_caches_are_found_in_mappings_objects_and_dotted_paths(config, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, __name__, __import__("types").SimpleNamespace(Settings=Settings))
    backends = CacheModule.register_setup(config).backends
    assert sorted(backends) == ["default", "sessions"]
    assert backends["sessions"].default_ttl == 60


def test_a_configuration_without_caches_is_told_so():
    with pytest.raises(ConfigurationError, match=r"no CACHES, nor a 'default', only \['DEBUG'\]"):
        backends_of({"DEBUG": True})


@pytest.mark.parametrize("config", [{}, {"CACHES": {"other": "local"}}, object(), {"CACHES": "local"}])
def test_caches_without_a_default_are_refused(config):
    with pytest.raises(ConfigurationError):
        backends_of(config)


class Secretive:
    def __repr__(self):
        return "Secretive(password='hunter2')"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("redis://user:hunter2@host.com/0", r"dotted path: give a URL to CacheModule\.setup"),
        ("", "no dotted path"),
        ("..settings", "no dotted path"),
        ("os:environ", "no dotted path"),
        ("nowhere.settings", "nowhere"),
        ("os.nothing", "'os' has no 'nothing'"),
        (Secretive(), "this Secretive has no mapping CACHES"),
        ({"default": "local", 3: "local"}, "a backend's name is a str, not 3"),
    ],
)
def test_a_configuration_that_is_none_says_what_would_do(config, said):
    with pytest.raises(ConfigurationError, match=said) as caught:
        CacheModule.register_setup(config)
    assert "hunter2" not in str(caught.value)


def test_what_fails_within_the_users_module_is_not_hidden(tmp_path, monkeypatch):
    (tmp_path / "broken_settings.py").write_text("import os\nos.nothing\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AttributeError, match="nothing"):
        CacheModule.register_setup("broken_settings.CACHES")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, LocalMemCacheBackend),
        ({"REDIS_URL": "redis://host"}, FallbackCacheBackend),
        ({"REDIS_URL": "redis://host", "ASYNCCACHE_URL": "dummy://"}, DummyCacheBackend),
        ({"ASYNCCACHE_URL": "memcached"}, MemcachedCacheBackend),
        ({"ASYNCCACHE_URL": "memcached|local"}, FallbackCacheBackend),
    ],
)
def test_without_a_configuration_the_environment_decides(environment, expected, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert type(CacheModule.register_setup().backends["default"]) is expected


def test_a_word_takes_its_address_from_the_environment(monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere:7/3")
    assert "elsewhere:7" in repr(backend_of("redis"))


def test_a_wrong_word_is_found_at_setup():
    with pytest.raises(ConfigurationError, match="lokal"):
        CacheModule.setup(default="lokal")
    with pytest.raises(ConfigurationError, match="default"):
        CacheModule.setup(other="local")


def test_the_module_binds_one_service():
    from injector import Injector

    from asynccache import CacheService

    module = CacheModule.setup(default="local")
    injector = Injector(module)
    assert injector.get(ICacheService) is injector.get(CacheService) is module.service
