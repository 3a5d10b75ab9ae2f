"""The service: names, backends and life; what backends do is the contract suite's."""

import asyncio
import inspect
from contextlib import ExitStack

import pytest

from asynccache import CacheService, ConfigurationError, ICacheService, UnknownBackendError
from asynccache.backends.dummy_cache import DummyCacheBackend
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.core.events import Hit, Loaded, Miss
from asynccache.model import BaseCacheBackend
from asynccache.testing import recorded_events

TWINS = sorted(name for name in dir(ICacheService) if hasattr(ICacheService, f"{name}_async"))
OPERATIONS = {
    *("get", "set", "add", "delete", "has_key", "touch", "incr", "decr"),
    *("get_many", "set_many", "delete_many", "get_or_set", "get_or_set_many", "invalidate_url"),
    *("invalidate_tags", "clear"),
}
BLOCKS = {"lock"}
"""What returns a context manager."""


def test_every_operation_has_a_twin():
    assert set(TWINS) == OPERATIONS | BLOCKS | {"ping"}


@pytest.mark.parametrize("owner", [ICacheService, CacheService])
@pytest.mark.parametrize("name", TWINS)
def test_twins_take_the_same_arguments(owner, name):
    plain, asynchronous = getattr(owner, name), getattr(owner, f"{name}_async")
    assert _arguments(plain) == _arguments(asynchronous)
    assert inspect.iscoroutinefunction(asynchronous) is (name not in BLOCKS)


@pytest.mark.parametrize("name", [name for twin in TWINS for name in (twin, f"{twin}_async")])
def test_the_service_takes_the_arguments_of_its_interface(name):
    assert _arguments(getattr(CacheService, name)) == _arguments(getattr(ICacheService, name))


@pytest.mark.parametrize("name", sorted(OPERATIONS - {"get_or_set", "get_or_set_many", "invalidate_url"}))
def test_the_service_passes_on_what_backends_take(name):
    ours = [(one, default) for one, default in _arguments(getattr(ICacheService, name)) if one != "backend"]
    assert ours == _arguments(getattr(BaseCacheBackend, name))


def _arguments(function):
    return [(parameter.name, parameter.default) for parameter in inspect.signature(function).parameters.values()]


async def test_each_name_is_a_cache_of_its_own():
    async with CacheService(default="local", sessions=LocalMemCacheBackend()) as cache:
        await cache.set_async("key", "default")
        cache.set("key", "sessions", backend="sessions")
        assert cache.get("key") == "default"
        assert await cache.get_async("key", backend="sessions") == "sessions"
        assert cache.get_backend() is cache.get_backend("default")


@pytest.mark.parametrize("name", ["nowhere", 7])
async def test_an_unknown_backend_is_named_with_those_that_exist(name):
    cache = CacheService(default="local", sessions="local")
    with pytest.raises(UnknownBackendError, match=r"default.*sessions"):
        cache.get("key", backend=name)
    with pytest.raises(UnknownBackendError, match=str(name)):
        await cache.get_or_set_async("key", lambda: 1, backend=name)


def test_a_url_in_the_place_of_a_name_shows_no_password():
    with pytest.raises(UnknownBackendError, match=r"no backend is called 'redis://user:\*\*\*@host'"):
        CacheService(default="local").get("key", backend="redis://user:hunter2@host")


def test_a_default_is_compulsory():
    with pytest.raises(ConfigurationError, match="default"):
        CacheService(sessions="local")


async def test_every_operation_works_in_both_flavours():
    with CacheService(default="local") as cache:
        assert cache.add("n", 1)
        assert not await cache.add_async("n", 2)
        assert cache.incr("n", 2) == 3
        assert await cache.incr_async("n") == 4
        assert cache.decr("n") == 3
        assert await cache.decr_async("n", 3) == 0
        assert cache.has_key("n")
        assert await cache.has_key_async("n")
        assert cache.touch("n", 60)
        assert await cache.touch_async("n", 60)
        assert cache.set_many({"a": 1, "b": 2}) == []
        assert await cache.set_many_async({"c": 3}) == []
        assert cache.get_many(["a", "b", "z"]) == {"a": 1, "b": 2}
        assert await cache.get_many_async(["c"]) == {"c": 3}
        assert cache.delete("n")
        assert not await cache.delete_async("n")
        assert cache.delete_many(["a", "b", "z"]) == 2
        assert await cache.delete_many_async(["c"]) == 1
        assert cache.stats()["default"]["entries"] == 0


async def test_it_lives_on_after_it_was_closed_and_on_another_loop():
    cache = CacheService(default="local")
    async with cache:
        await cache.set_async("key", 1)
    await asyncio.to_thread(asyncio.run, _set(cache))
    assert cache.get("other") == 2


async def _set(cache):
    async with cache:
        await cache.set_async("other", 2)


class Fragile(LocalMemCacheBackend):
    """Local memory that writes down its life, and fails when it is told to."""

    def __init__(self, diary, fails=()):
        super().__init__()
        self.diary, self.fails = diary, fails

    async def open(self, io):
        self.note("open")

    async def shut(self, io):
        self.note("shut")

    def note(self, what):
        self.diary.append(what)
        if what in self.fails:
            raise OSError(what)


async def test_where_one_backend_cannot_start_all_are_closed():
    diary = []
    cache = CacheService(default=Fragile(diary), other=Fragile([], {"open"}))
    with pytest.raises(OSError, match="open"):
        await cache.start()
    with pytest.raises(OSError, match="open"), cache:
        pass
    assert diary == ["open", "shut"] * 2


async def test_all_are_closed_where_one_cannot_be():
    diary = []
    cache = CacheService(default=Fragile(diary), second=Fragile([], {"shut"}), third=Fragile(diary))
    with pytest.raises(OSError, match="shut"):
        await cache.aclose()
    with pytest.raises(OSError, match="shut"):
        cache.close()
    assert diary == ["shut"] * 4


async def test_a_listener_that_fails_harms_nobody(caplog):
    def fails(event):
        raise RuntimeError("this listener is broken")

    cache = CacheService(default="local")
    cache.listeners.append(fails)
    with recorded_events(cache) as events:
        assert await cache.get_or_set_async("key", lambda: 1) == 1
        assert cache.get_or_set("key", lambda: 2) == 1
    assert [type(event) for event in events] == [Miss, Loaded, Hit]
    assert "this listener is broken" in caplog.text


class Gated(LocalMemCacheBackend):
    """Local memory whose removals wait."""

    def __init__(self):
        super().__init__()
        self.go = asyncio.Event()

    async def delete_async(self, key, version=None):
        found = self.delete(key, version)
        await self.go.wait()
        return found


async def test_a_load_under_way_does_not_land_while_its_key_is_changed():
    backend = Gated()
    async with CacheService(default=backend) as cache:
        go = asyncio.Event()

        async def load():
            await go.wait()
            return "stale"

        loading = asyncio.create_task(cache.get_or_set_async("key", load))
        await asyncio.sleep(0.01)
        deleting = asyncio.create_task(cache.delete_async("key"))
        await asyncio.sleep(0)
        go.set()
        assert await loading == "stale"
        backend.go.set()
        await deleting
        assert not cache.has_key("key")


async def test_a_load_that_begins_while_its_key_is_changed_does_not_land_afterwards():
    backend = Gated()
    async with CacheService(default=backend) as cache:
        deleting = asyncio.create_task(cache.delete_async("key"))
        await asyncio.sleep(0)
        go = asyncio.Event()

        async def load():
            await go.wait()
            return "stale"

        loading = asyncio.create_task(cache.get_or_set_async("key", load))
        await asyncio.sleep(0.01)
        backend.go.set()
        await deleting
        go.set()
        assert await loading == "stale"
        assert not cache.has_key("key")


def test_backends_can_be_replaced_for_a_while():
    with CacheService(default="local", other="dummy") as cache:
        cache.set("key", 1)
        with cache.replaced(default=DummyCacheBackend()) as replaced:
            assert replaced is cache
            assert cache.get("key") is None
        assert cache.get("key") == 1
        with pytest.raises(UnknownBackendError, match="nowhere"), cache.replaced(nowhere="dummy"):
            pass
        with pytest.raises(RuntimeError), cache.replaced(default="dummy"):
            raise RuntimeError
        assert cache.get("key") == 1


def test_replacements_may_overlap_and_end_in_any_order():
    with CacheService(default=LocalMemCacheBackend(), other="local") as cache:
        own = cache.get_backend()
        first, second = DummyCacheBackend(), DummyCacheBackend()
        with ExitStack() as one, ExitStack() as two:
            one.enter_context(cache.replaced(default=first))
            two.enter_context(cache.replaced(default=second))
            assert cache.get_backend() is second
            one.close()
            assert cache.get_backend() is second
            two.close()
        assert cache.get_backend() is own


def test_what_was_a_replacement_keeps_no_listener_and_is_closed_where_it_is_not_in_use():
    diary = []
    used = Fragile(diary)
    cache = CacheService(default="local", other=used)
    replacement = Fragile(diary)
    with cache.replaced(default=replacement):
        pass
    assert replacement.listeners == []
    assert diary == ["shut"]
    with cache.replaced(default=used):
        pass
    assert len(used.listeners) == 1
    assert diary == ["shut"]


async def test_a_bare_key_where_several_are_wanted_is_refused():
    cache = CacheService(default="local")
    for operation in (cache.get_many, cache.delete_many):
        with pytest.raises(TypeError, match="'user:7' is one key"):
            operation("user:7")
    for operation in (cache.get_many_async, cache.delete_many_async):
        with pytest.raises(TypeError, match="'user:7' is one key"):
            await operation("user:7")


def test_a_wrong_backend_is_named():
    with pytest.raises(ConfigurationError, match=r"^backend 'pages': 'lokal' is no backend"):
        CacheService(default="local", pages="lokal")


async def test_it_can_be_started_and_closed_by_hand():
    cache = await CacheService(default="local").start()
    assert await cache.set_async("key", 1)
    await cache.aclose()
    cache.close()
    assert cache.get("key") == 1


@pytest.mark.parametrize("values", [["key"], "key", {"key"}, 7])
async def test_set_many_takes_a_mapping(values):
    cache = CacheService(default="local")
    with pytest.raises(TypeError, match=r"mapping|iterable"):
        cache.set_many(values)
    with pytest.raises(TypeError, match=r"mapping|iterable"):
        await cache.set_many_async(values)
