"""`@cached(tags=...)`: what is stored for some arguments goes with the tags that are made of them."""

import asyncio

import pytest
from injector import Inject

from asynccache import CacheService, ConfigurationError, cached, current_load
from asynccache.backends.base import StoreBackend

runs = []


class Dict(StoreBackend):
    """A store without an order of its own."""

    def __init__(self, **options):
        super().__init__(**options)
        self.kept = {}

    async def _fetch(self, io, key):
        return self.kept.get(key)

    async def _store(self, io, key, raw, ttl):
        self.kept[key] = raw
        return True

    async def _drop(self, io, key):
        return self.kept.pop(key, None) is not None


@pytest.fixture
def cache():
    runs.clear()
    with CacheService(default=Dict()) as service:
        yield service


@cached(tags=["users", "user:{user_id}", "{lang}/{deep}"])
def plain(user_id, lang="en", *, deep=False):
    runs.append(user_id)
    return user_id


@cached(tags=["user:{user_id}"])
async def coroutine(user_id):
    runs.append(user_id)
    current_load().tags = [f"shop:{user_id % 2}"]
    return user_id


@pytest.mark.parametrize("tag", ["users", "user:7", "en/False"])
def test_one_of_its_tags_is_enough(cache, tag):
    plain(7)
    cache.invalidate_tags(tag)
    plain(7)
    assert runs == [7, 7]


@pytest.mark.parametrize("tag", ["user:8", "user:{user_id}", "de/False", "en/True", "user"])
def test_tags_of_other_arguments_concern_others(cache, tag):
    plain(7)
    cache.invalidate_tags(tag)
    plain(7)
    assert runs == [7]


def test_arguments_count_however_they_are_given(cache):
    for call in (lambda: plain(7, "de"), lambda: plain(user_id=7, lang="de")):
        runs.clear()
        call()
        cache.invalidate_tags("de/False")
        call()
        assert runs == [7, 7]
        plain.invalidate(7, "de")


async def test_tags_from_inside_join_those_of_the_arguments(cache):
    for tag in ("user:7", "shop:1"):
        assert await coroutine(7) == 7
        await cache.invalidate_tags_async(tag)
    assert await coroutine(7) == 7
    await cache.invalidate_tags_async("user:8", "shop:0")
    assert await coroutine(7) == 7
    assert runs == [7, 7, 7]


async def test_what_was_loading_when_its_tag_was_invalidated_is_not_stored(cache):
    @cached(tags=["user:{user_id}"])
    async def slow(user_id):
        runs.append(user_id)
        await asyncio.sleep(0.01)
        return user_id

    loading = asyncio.create_task(slow(7))
    await asyncio.sleep(0.001)
    await cache.invalidate_tags_async("user:7")
    assert await loading == 7
    assert await slow(7) == 7
    assert runs == [7, 7]


def test_a_methods_arguments_make_tags(cache):
    class Users:
        def __cache_key__(self):
            return 1

        @cached(tags=["user:{user_id}"])
        def one(self, user_id):
            runs.append(user_id)

    users = Users()
    users.one(7)
    cache.invalidate_tags("user:7")
    users.one(7)
    assert runs == [7, 7]


@pytest.mark.parametrize(
    ("tag", "why"),
    [
        ("user:{id}", "it does not take"),
        ("user:{session}", "left out"),
        ("user:{trace}", "left out"),
        ("user:{more}", "it does not take"),
        ("user:{options}", "it does not take"),
    ],
)
def test_names_that_are_no_argument_of_the_key_are_refused_at_once(tag, why):
    with pytest.raises(ConfigurationError, match=why):

        @cached(tags=[tag], ignore=["trace"])
        def function(user_id, trace, session: Inject[Dict], *more, **options):
            return user_id


def test_a_bare_text_is_refused_at_once():
    with pytest.raises(TypeError, match="one tag"):
        cached(tags="user:{user_id}")


def test_an_argument_that_has_no_one_text_is_the_callers_mistake(cache):
    @cached(tags=["user:{user_id}"])
    def function(user_id):
        return user_id

    with pytest.raises(TypeError, match="'user_id' is a list"):
        function([1])
