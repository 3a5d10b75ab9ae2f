"""What each caller of a load that went wrong is told."""

import asyncio

import pytest
from starlette.exceptions import HTTPException

from asynccache import CacheError, CacheService
from asynccache.loading.outcomes import Failed


def raised(error):
    """Give what a follower of a load with this error gets."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  # which one is the question
        Failed(error).for_follower()
    return caught.value


class OtherArguments(Exception):
    def __init__(self, first, second):
        super().__init__(first)
        self.second = second


class Rephrased(Exception):
    def __init__(self, what):
        super().__init__(f"{what} not found")


class Copied(Exception):
    def __copy__(self):
        return self


class Unmakeable(Exception):
    def __new__(cls, *args):
        if len(args) != 2:
            raise RuntimeError
        return super().__new__(cls, *args)

    def __init__(self, first, second):
        super().__init__(first)


class UnmakeableAndUnprintable(Unmakeable):
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    "error",
    [
        ValueError("broken", 7),
        KeyError("key"),
        OSError(2, "No such file"),
        UnicodeDecodeError("utf-8", b"x", 0, 1, "why"),
        ExceptionGroup("many", [ValueError(1)]),
        HTTPException(404, "no such product"),
        HTTPException(status_code=404, detail="no such product"),
        OtherArguments("first", "second"),
        Rephrased("product"),
        Copied("same"),
    ],
    ids=repr,
)
def test_a_follower_has_a_fresh_exception_that_says_the_same(error):
    fresh = raised(error)
    assert fresh is not error
    assert fresh.__cause__ is error
    assert (type(fresh), fresh.args, str(fresh), vars(fresh)) == (type(error), error.args, str(error), vars(error))


def test_notes_of_one_are_not_notes_of_all():
    error = ValueError("broken")
    error.add_note("first")
    raised(error).add_note("second")
    assert error.__notes__ == ["first"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Unmakeable("broken", 2), "the load failed: Unmakeable: broken"),
        (UnmakeableAndUnprintable("broken", 2), "the load failed: UnmakeableAndUnprintable"),
    ],
    ids=["unmakeable", "unprintable"],
)
def test_an_exception_without_twins_is_told_all_the_same(error, told):
    fresh = raised(error)
    assert (type(fresh), str(fresh)) == (CacheError, told)
    assert fresh.__cause__ is error


class Stop(BaseException):
    """As pytest's own, which no `except Exception` is to catch."""


async def test_whoever_led_a_load_that_was_broken_off_is_told_why_and_the_others_look_again():
    with CacheService(default="local") as cache:

        async def stopped():
            await asyncio.sleep(0.01)
            raise Stop

        leading = asyncio.create_task(cache.get_or_set_async("key", stopped))
        await asyncio.sleep(0)
        assert await cache.get_or_set_async("key", lambda: "again") == "again"
        with pytest.raises(Stop):
            await leading


@pytest.mark.parametrize("kind", [KeyboardInterrupt, GeneratorExit, Stop, StopIteration])
def test_whatever_breaks_off_a_load_in_a_thread_leaves_no_flight_behind(kind):
    def broken_off():
        raise kind

    with CacheService(default="local") as cache:
        with pytest.raises(kind):
            cache.get_or_set("key", broken_off)
        assert len(cache.flights) == 0
