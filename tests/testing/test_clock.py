from __future__ import annotations

from asynccache.testing import FakeClock


def test_clock_stands_still_until_told_otherwise() -> None:
    clock = FakeClock(start=100.0)
    assert [clock(), clock()] == [100.0, 100.0]
    clock.advance(0.5)
    clock.advance(60)
    assert clock() == 160.5


def test_clock_can_be_set_back() -> None:
    clock = FakeClock(start=100.0)
    clock.advance(-3600)
    assert clock() == -3500.0


def test_clocks_are_apart() -> None:
    first, second = FakeClock(), FakeClock()
    first.advance(1)
    assert first() == second() + 1
