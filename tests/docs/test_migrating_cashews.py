"""Rows of docs/migrating/cashews.md that are more than another name: cashews beside ours."""

import asyncio

import cashews
import pytest

from asynccache import FOREVER, CachePolicy, cached


@pytest.fixture
async def theirs():
    cache = cashews.Cache("moving")
    cache.setup("mem://?check_interval=0")
    yield cache
    await cache.close()


async def test_arguments_of_different_types_have_entries_of_their_own(theirs, ours):
    there, here = [], []

    @theirs(ttl=60)
    async def found(given):
        there.append(given)

    @cached()
    async def mine(given):
        here.append(given)

    given = [1, "1", True, "true", None, ""]
    for value in given * 2:
        await found(value)
        await mine(value)
    assert (there, here) == ([1, True, None], given)


async def test_a_name_and_what_is_ignored_make_the_key(ours):
    @cached(name="user", ignore=["session"])
    async def by_name(user_id, session=None):
        """Nothing."""

    @cached(name="user", key=lambda user_id, **_: user_id)
    async def by_function(user_id, session=None):
        """Nothing."""

    for function in (by_name, by_function):
        assert function.key(7, session=object()) == function.key(7)
        assert function.key(7) != function.key(8)
        assert function.key(7).startswith("user")


async def test_nothing_is_no_expiry_there_and_the_default_or_the_end_here(theirs, ours, clock):
    for seconds in (None, 0):
        await theirs.set(f"{seconds}", 1, expire=seconds)
        await ours.set_async(f"{seconds}", 1, ttl=seconds)
    await ours.set_async("endless", 1, ttl=FOREVER)
    assert await theirs.get_many("None", "0") == (1, 1)
    assert await ours.get_many_async(["None", "0", "endless"]) == {"None": 1, "endless": 1}
    clock.advance(301)
    assert await ours.get_many_async(["None", "0", "endless"]) == {"endless": 1}


async def test_a_second_set_keeps_its_end_there_and_takes_the_default_here(theirs, ours, clock):
    for given in ({"ttl": 3600}, {}):
        await ours.set_async("key", 1, **given)
    for given in ({"expire": 3600}, {}):
        await theirs.set("key", 1, **given)
    clock.advance(301)
    assert 3500 < await theirs.get_expire("key") <= 3600
    assert not await ours.has_key_async("key")


async def test_many_are_a_tuple_there_and_a_dict_here(theirs, ours):
    await theirs.set_many({"a": 1, "b": None})
    assert await ours.set_many_async({"a": 1, "b": None}) == []
    assert await theirs.get_many("a", "b", "c", default=7) == (1, None, 7)
    assert await ours.get_many_async(["a", "b", "c"]) == {"a": 1, "b": None}


async def test_setting_what_is_not_there_is_adding(theirs, ours):
    assert [await theirs.set("key", number, exist=False) for number in range(2)] == [True, False]
    assert [await ours.add_async("key", number) for number in range(2)] == [True, False]


async def test_a_counter_with_a_ttl_of_its_own_is_added_before(ours, clock):
    await ours.add_async("visits", 0, ttl=60)
    assert await ours.incr_async("visits", 2) == 2
    clock.advance(59)
    assert await ours.incr_async("visits") == 3
    clock.advance(2)
    assert await ours.incr_async("visits") == 1


async def test_get_or_set_loads_for_each_caller_there_and_once_here(theirs, ours, calls):
    async def load():
        calls.append(1)
        await asyncio.sleep(0.01)
        return 1

    await asyncio.gather(*(theirs.get_or_set("key", load) for _ in range(3)))
    assert len(calls) == 3
    await asyncio.gather(*(ours.get_or_set_async("key", load) for _ in range(3)))
    assert len(calls) == 4


async def test_a_condition_sees_the_value(theirs, ours, calls):
    @theirs(ttl=60, condition=cashews.NOT_NONE)
    async def there():
        calls.append("there")

    @cached(ttl=60, policy=CachePolicy(condition=lambda value: value is not None))
    async def here():
        calls.append("here")

    for function in (there, here):
        await function()
        await function()
    assert calls == ["there", "there", "here", "here"]


async def test_plain_functions_are_cached_here(theirs, ours, calls):
    def found(number):
        calls.append(number)
        return number

    with pytest.raises(TypeError):
        await theirs(ttl=60)(found)(1)
    calls.clear()
    mine = cached(ttl=60)(found)
    assert [mine(1), mine(1), calls] == [1, 1, [1]]
