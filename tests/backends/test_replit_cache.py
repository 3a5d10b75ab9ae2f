"""ReplitCacheBackend keeps the contract, the store's limits and its secret."""

import asyncio
import logging
import os
import subprocess
import sys
from functools import partial
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urlencode
from urllib.request import Request, urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache import BackendUnavailableError, ConfigurationError
from asynccache.backends import replit_client
from asynccache.backends.replit_cache import SWEEP_PAUSE, ReplitCacheBackend
from asynccache.backends.replit_wire import LARGEST_VALUE, LONGEST_KEY, of_text, stored_key_of, to_text, wire_key
from asynccache.testing import BackendContract, FakeClock
from tests.servers import ReplitDB
from tests.servers.replitdb import SECRET

# The machine that runs the tests is busy; what a deadline does is shown in the tests of faults.
PATIENT = 5.0
HOSTILE = ["", "..", ".", "/", "a/../b", "%2e%2e", "a b", "\r\n", "?encode=true", "#", "é", "\ud83d", "_", "__", "_5F"]


@pytest.fixture
def store(replitdb_server):
    replitdb_server.clear()
    return replitdb_server


@pytest.fixture
def no_replit(monkeypatch, tmp_path):
    """Neither file nor variable; gives the path of the file."""
    monkeypatch.delenv("REPLIT_DB_URL", raising=False)
    monkeypatch.setattr(replit_client, "FILE", tmp_path / "replitdb")
    return tmp_path / "replitdb"


def names(server):
    with urlopen(f"{server.url}?prefix=&encode=true") as reply:
        return [unquote(name) for name in reply.read().decode().split("\n") if name]


def post(server, key, text):
    with urlopen(server.url, urlencode({key: text}).encode()):
        pass


class TestReplitCacheBackend(BackendContract):
    secrets = (SECRET,)

    @pytest.fixture
    def backend_factory(self, store):
        return partial(ReplitCacheBackend, store.url, deadline=PATIENT)


# Keys and values


@given(st.text(st.characters(exclude_categories=()), max_size=1200))
def test_key_is_safe_in_a_path_and_comes_back(key):
    wire = wire_key(key)
    assert len(wire) <= LONGEST_KEY
    assert set(wire) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_:-")
    assert stored_key_of(wire) == (key if "__" not in wire else None)


def test_hostile_and_long_keys_never_meet():
    keys = [*HOSTILE, *(f"{'k' * length}{end}" for length in (998, 999, 1000, 1001, 5000) for end in ("", "e", "_"))]
    assert len({wire_key(key) for key in keys}) == len(keys)
    assert [stored_key_of(wire_key(key)) for key in HOSTILE] == HOSTILE


@given(st.binary())
def test_bytes_are_text_that_no_form_changes(raw):
    assert urlencode({"k": to_text(raw)}) == f"k={to_text(raw)}"
    assert of_text(to_text(raw).encode()) == raw


def test_keys_are_readable_in_the_store(store):
    cache = ReplitCacheBackend(store.url, key_prefix="shop", deadline=PATIENT)
    cache.set("product:7", "x")
    cache.close()
    assert names(store) == ["shop:1:product:7"]


async def test_what_others_wrote_is_a_miss_and_goes(store):
    cache = ReplitCacheBackend(store.url, deadline=PATIENT)
    for text in ("", "{}", "not ours", "AAAA"):
        await asyncio.to_thread(post, store, ":1:k", text)
        assert await cache.get_async("k", default="a miss") == "a miss"
        assert await cache.incr_async("k") == 1
        await cache.delete_async("k")
    assert cache.stats()["damaged"] == 3
    await cache.aclose()


# Where the store is


def test_url_is_that_of_the_file_else_of_the_environment(no_replit, monkeypatch):
    monkeypatch.setenv("REPLIT_DB_URL", "https://from.environment/v0/x")
    assert "from.environment" in repr(ReplitCacheBackend())
    no_replit.write_text("https://from.file/v0/x\n")
    assert "from.file" in repr(ReplitCacheBackend())
    assert "given" in repr(ReplitCacheBackend("https://given/v0/x"))


async def test_url_that_replit_renews_is_used_at_once(no_replit, store):
    no_replit.write_text(f"{store.url}/")
    cache = ReplitCacheBackend(deadline=PATIENT, on_error="raise")
    assert await cache.set_async("k", 1) is True
    no_replit.write_text(store.url.replace("kept", "stolen"))
    os.utime(no_replit, ns=(1, 1))
    with pytest.raises(BackendUnavailableError, match="401"):
        await cache.get_async("k")
    no_replit.write_text(store.url)
    assert await cache.get_async("k") == 1
    await cache.aclose()


@pytest.mark.parametrize(
    "url",
    [
        *("", "secret", "ftp://kv/secret", "https:///secret", "https://kv:port/secret", "https://me:secret@kv/v0", 5),
        *("https://kv/v0/secret?a=b", "https://kv/v0/secret#a", "https://kv/v0/se cret", "https://kv/v0/secr\xe9t"),
    ],
)
def test_url_that_cannot_work_is_an_error_that_does_not_show_it(url):
    with pytest.raises(ConfigurationError, match=r"url holds no URL such as .*set REPLIT_DB_URL") as raised:
        ReplitCacheBackend(url)
    assert "secr" not in str(raised.value).replace("a secret)", "")


def test_nothing_of_replit_is_an_error_that_says_what_would_do(no_replit):
    with pytest.raises(ConfigurationError, match="REPLIT_DB_URL holds no URL"):
        ReplitCacheBackend()


@pytest.mark.parametrize("options", [{"pool_size": 0}, {"pool_size": True}, {"deadline": 0}])
def test_option_that_cannot_work_is_an_error(options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        ReplitCacheBackend("https://kv/v0/x", **options)


def test_missing_client_is_named_where_the_backend_is_made():
    code = """
import sys
sys.modules["httpcore2"] = None
from asynccache import MissingDependencyError
from asynccache.backends.replit_cache import ReplitCacheBackend
try:
    ReplitCacheBackend("https://kv/v0/x")
except MissingDependencyError as error:
    print(error)
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.decode()
    assert "ReplitCacheBackend" in printed
    assert "pip install 'asynccache[replit]'" in printed


# Limits


async def test_value_beyond_the_limit_is_refused_and_told_once(store, caplog):
    cache = ReplitCacheBackend(store.url, deadline=PATIENT)
    largest = b"x" * (LARGEST_VALUE * 3 // 4 - 100)
    assert await cache.set_async("k", largest) is True
    assert await cache.get_async("k") == largest
    for _ in range(2):
        assert await cache.set_async("k", largest + b"x" * 100) is False
        assert await cache.has_key_async("k") is False
    told = [record.message for record in caplog.records if "refused" in record.message]
    assert len(told) == 1
    assert f"a value takes {LARGEST_VALUE}" in told[0]
    await cache.aclose()


async def test_full_store_refuses_and_says_why(launch, caplog):
    store = launch(ReplitDB(most_keys=10))
    cache = ReplitCacheBackend(store.url, deadline=PATIENT)
    assert await cache.set_many_async({f"k{number}": number for number in range(10)}) == []
    assert await cache.set_async("one more", 1) is False
    assert await cache.set_async("k0", "new") is True
    assert cache.stats()["errors"] == 0
    assert "more than 10 keys" in caplog.text
    await cache.aclose()


async def test_full_store_is_rid_of_what_is_over(launch):
    store = launch(ReplitDB(most_keys=10))
    clock = FakeClock()
    cache = ReplitCacheBackend(store.url, deadline=PATIENT, clock=clock)
    another = ReplitCacheBackend(store.url, deadline=PATIENT, clock=clock, key_prefix="another's")
    await another.set_async("k", 1, ttl=5)
    assert await cache.set_many_async({f"brief {number}": number for number in range(8)}, ttl=5) == []
    await cache.set_async("lasting", 1, ttl=60)
    clock.advance(6)
    assert await cache.set_async("one more", 1) is True
    assert sorted(names(store)) == [":1:lasting", ":1:one_20more", "another_27s:1:k"]
    await cache.aclose()
    await another.aclose()


async def test_searches_for_what_is_over_are_rare(launch):
    store = launch(ReplitDB(most_keys=1))
    clock = FakeClock()
    cache = ReplitCacheBackend(store.url, deadline=PATIENT, clock=clock)
    assert await cache.set_async("a", 1, ttl=1) is True
    assert await cache.set_async("b", 1) is False
    clock.advance(2)
    assert await cache.set_async("c", 1) is False
    cache._swept_at -= SWEEP_PAUSE
    assert await cache.set_async("d", 1) is True
    await cache.aclose()


async def test_what_is_over_goes_when_it_is_met(store):
    clock = FakeClock()
    cache = ReplitCacheBackend(store.url, deadline=PATIENT, clock=clock)
    await cache.set_many_async({"a": 1, "b": 2, "c": 3}, ttl=5)
    clock.advance(6)
    assert await cache.get_async("a") is None
    assert await cache.has_key_async("b") is False
    assert names(store) == [":1:c"]
    await cache.aclose()


# The secret


async def test_secret_is_in_no_log_and_no_repr(store, caplog):
    with caplog.at_level(logging.DEBUG):
        cache = ReplitCacheBackend(store.url, deadline=PATIENT)
        for operation in (
            cache.set_async("k", 1),
            cache.get_async("k"),
            cache.incr_async("k"),
            cache.delete_async("k"),
        ):
            await operation
        await asyncio.to_thread(cache.get, "k")
        await cache.aclose()
    assert "httpcore2" in {record.name.partition(".")[0] for record in caplog.records}
    assert SECRET not in f"{caplog.text}{cache!r}{cache._guard!r}{vars(cache)}"


# The double itself


def test_double_answers_as_the_store_does(store):
    def ask(path="", data=None, method=None):
        try:
            with urlopen(Request(store.url + path, data, method=method)) as reply:
                return reply.status, reply.read().decode()
        except HTTPError as error:
            with error:
                return error.code, ""

    assert ask("", urlencode({"a b/c": "1", "a": "é"}).encode()) == (200, "")
    assert ask(f"/{quote('a b/c', safe='')}") == (200, "1")
    assert ask("/a") == (200, "é")
    assert ask("?prefix=a&encode=true") == (200, "a\na%20b/c")
    assert ask("?prefix=a%20") == (200, "a b/c")
    assert ask("/a", method="DELETE") == (204, "")
    assert ask("/a", method="DELETE") == ask("/a") == (404, "")
    assert ask("", urlencode({"k" * 1001: ""}).encode())[0] == 413
    assert ask("x")[0] == 401
