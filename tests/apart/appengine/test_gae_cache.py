"""AppEngineCacheBackend keeps the contract on App Engine's own stub of memcache."""

import asyncio
import subprocess
import sys
import time
from functools import partial

import pytest
from google.appengine.api import memcache, namespace_manager
from google.appengine.runtime import apiproxy_errors

from asynccache import BackendUnavailableError, ConfigurationError
from asynccache.backends.gae_cache import AppEngineCacheBackend
from asynccache.core.entry import Kind
from asynccache.testing import BackendContract

PATIENT = 5.0


class Planted:
    """Something that runs code where it is unpickled."""

    def __reduce__(self):
        return time.sleep, (60,)


@pytest.fixture
def cache(app_engine):
    return AppEngineCacheBackend(deadline=PATIENT)


class TestAppEngineCacheBackend(BackendContract):
    # The SDK makes its calls in threads of its own, which a forked child does not have; on App Engine nobody forks
    # after the first call.
    test_forked_child_and_its_parent_both_go_on = None

    @pytest.fixture
    def backend_factory(self, app_engine):
        return partial(AppEngineCacheBackend, deadline=PATIENT)


async def test_largest_value_fits_and_one_more_byte_is_refused(cache):
    key = "k" * 200
    stored_key, sample = cache.stored_key(key), b"x" * 100_000
    around = len(cache._encoded(stored_key, sample, 60, Kind.VALUE)) - len(sample) + len(stored_key) + 73
    largest = b"x" * (10**6 - around)
    assert await cache.set_async(key, largest) is True
    assert await cache.get_async(key) == largest
    assert await cache.set_async(key, largest + b"x") is False
    assert await cache.get_async(key) is None
    assert await cache.add_async(key, b"x" * 10**6) is False


async def test_many_large_values_travel_in_several_requests(cache):
    values = {f"k{number}": bytes([number]) * 900_000 for number in range(40)}
    assert await cache.set_many_async({**values, "too large": b"x" * 10**6}) == ["too large"]
    assert await cache.get_many_async(values) == values
    assert await cache.delete_many_async(values) == 40


def test_lifetime_beyond_30_days_is_a_moment(cache, memcache_stub):
    month = 30 * 24 * 3600
    for ttl in (1.2, month, month + 1, 10 * month, float("inf")):
        cache.set("k", 1, ttl)
        entry = memcache_stub._GetKey("", b":1:k")
        if ttl == float("inf"):
            assert not entry.will_expire
        else:
            assert ttl - 1 < entry.expiration_time - time.time() <= ttl + 1


async def test_entries_belong_to_the_namespace_of_the_request(cache):
    await cache.set_async("k", "none")
    namespace_manager.set_namespace("tenant")
    try:
        assert await cache.get_async("k") is None
        await cache.set_async("k", "tenant")
        assert await cache.incr_async("n") == 1
    finally:
        namespace_manager.set_namespace("")
    assert await cache.get_async("k") == "none"
    assert memcache.get(":1:n") is None
    assert memcache.get(":1:n", namespace="tenant") is not None


async def test_planted_values_are_misses_and_run_nothing(cache):
    for planted in (Planted(), [1], 5, True, "text", b"bytes", b""):
        memcache.set_multi({":1:k": planted, ":1:l": planted})
        await cache.set_async("mine", 1)
        assert await cache.get_many_async(["k", "mine"]) == {"mine": 1}
        assert await cache.get_async("k", default="a miss") == "a miss"
        assert memcache.get(":1:k") is None
        assert await cache.incr_async("l") == 1
        assert await cache.delete_async("l") is True


# Failures, which the SDK's own functions hide


@pytest.mark.parametrize("error", [apiproxy_errors.RPCFailedError("gone"), apiproxy_errors.OverQuotaError("too much")])
async def test_call_that_failed_is_no_miss(cache, memcache_stub, error, caplog):
    strict = AppEngineCacheBackend(deadline=PATIENT, on_error="raise")
    await cache.set_async("k", 1)
    memcache_stub.SetError(error)
    assert memcache.get(":1:k") is None
    for operation in (cache.delete_async("k"), cache.incr_async("k"), cache.touch_async("k"), cache.add_async("k", 1)):
        with pytest.raises(BackendUnavailableError, match="App Engine's memcache"):
            await operation
    for operation in (strict.get_async("k"), strict.set_async("k", 1), strict.get_many_async(["k"])):
        with pytest.raises(BackendUnavailableError, match=type(error).__name__):
            await operation
    assert await cache.get_async("k", default="a miss") == "a miss"
    assert await cache.set_many_async({"k": 1}) == ["k"]
    assert caplog.text.count(f"down, asked again every 0.25 s: App Engine's memcache: {type(error).__name__}") == 2
    memcache_stub.SetError(None)
    await asyncio.sleep(0.3)
    assert await cache.get_async("k") == 1


async def test_status_of_failure_is_a_failure(cache, memcache_stub, monkeypatch):
    def set_nothing(request, response):
        response.set_status.extend([memcache.MemcacheSetResponse.UNREACHABLE] * len(request.item))

    def delete_nothing(request, response):
        response.delete_status.extend([memcache.MemcacheDeleteResponse.UNREACHABLE] * len(request.item))

    monkeypatch.setattr(memcache_stub, "_Dynamic_Set", set_nothing)
    monkeypatch.setattr(memcache_stub, "_Dynamic_Delete", delete_nothing)
    for operation in (cache.add_async("k", 1), cache.delete_async("k"), cache.delete_many_async(["k", "l"])):
        with pytest.raises(BackendUnavailableError, match="UnreachableError: some entries could not"):
            await operation


async def test_call_that_takes_too_long_is_left_alone(app_engine, memcache_stub, monkeypatch):
    cache = AppEngineCacheBackend(deadline=0.1)
    await cache.set_async("k", 1)
    answer = memcache_stub._Dynamic_Get

    def late(request, response):
        time.sleep(1)
        answer(request, response)

    monkeypatch.setattr(memcache_stub, "_Dynamic_Get", late)
    began = time.monotonic()
    assert await cache.get_async("k") is None
    assert time.monotonic() - began < 0.9
    with pytest.raises(BackendUnavailableError, match=r"no answer within 0\.1 s"):
        await asyncio.to_thread(cache.touch, "k")


async def test_elsewhere_it_is_an_outage_that_says_what_is_missing(caplog):
    cache = AppEngineCacheBackend()
    assert await cache.get_async("k") is None
    with pytest.raises(BackendUnavailableError, match="app_engine_apis: true"):
        await cache.incr_async("k")


def test_deadline_that_cannot_work_is_an_error():
    with pytest.raises(ConfigurationError, match="deadline"):
        AppEngineCacheBackend(deadline=0)


def test_missing_sdk_is_named_where_the_backend_is_made():
    code = """
import sys
sys.modules["google.appengine"] = None
from asynccache import MissingDependencyError
from asynccache.backends.gae_cache import AppEngineCacheBackend
try:
    AppEngineCacheBackend()
except MissingDependencyError as error:
    print(error)
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.decode()
    assert "AppEngineCacheBackend" in printed
    assert "pip install 'asynccache[appengine]'" in printed
