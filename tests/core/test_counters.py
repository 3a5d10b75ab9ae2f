import pytest

from asynccache.core.counters import checked_delta, counted
from asynccache.errors import NotAnIntegerError


def test_numbers_are_added():
    assert counted(40, 2) == 42
    assert counted(2**63 - 2, 1) == 2**63 - 1
    assert counted(-(2**63) + 1, -1) == -(2**63)


@pytest.mark.parametrize("value", [True, 1.0, "1", b"1", None, 2**63, -(2**63) - 1, [1]], ids=repr)
def test_what_is_no_integer_of_64_bits_is_no_counter(value):
    with pytest.raises(NotAnIntegerError):
        counted(value, 0)


@pytest.mark.parametrize(("value", "delta"), [(2**63 - 1, 1), (-(2**63), -1), (0, 2**63), (5, 10**30)])
def test_sum_that_leaves_64_bits_is_refused(value, delta):
    with pytest.raises(NotAnIntegerError):
        counted(value, delta)


def test_delta_is_an_int():
    assert checked_delta(-3) == -3
    for delta in (True, 1.0, "1", None):
        with pytest.raises(TypeError):
            checked_delta(delta)
