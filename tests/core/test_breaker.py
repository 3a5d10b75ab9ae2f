from __future__ import annotations

from asynccache.core.breaker import Breaker, Change


def opened_at(now: float) -> Breaker:
    breaker = Breaker(threshold=3, pause=0.25)
    for _ in range(3):
        breaker.failed(now)
    return breaker


def test_closed_breaker_asks_the_server() -> None:
    breaker = Breaker()
    assert all(breaker.allows(now) for now in range(10))


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    breaker = Breaker(threshold=3)
    assert [breaker.failed(1.0), breaker.failed(1.0), breaker.failed(1.0)] == [Change.NONE, Change.NONE, Change.OPENED]
    assert not breaker.allows(1.1)


def test_an_answer_between_failures_starts_the_count_anew() -> None:
    breaker = Breaker(threshold=2)
    assert [breaker.failed(1.0), breaker.succeeded(), breaker.failed(2.0)] == [Change.NONE] * 3
    assert breaker.allows(2.0)


def test_open_breaker_lets_one_probe_through_per_pause() -> None:
    breaker = opened_at(10.0)
    assert [breaker.allows(now) for now in (10.0, 10.2, 10.25, 10.26, 10.49, 10.5, 10.6)] == [
        False,
        False,
        True,
        False,
        False,
        True,
        False,
    ]


def test_failed_probe_waits_another_pause_and_says_nothing() -> None:
    breaker = opened_at(10.0)
    assert breaker.allows(10.3)
    assert breaker.failed(10.4) is Change.NONE
    assert not breaker.allows(10.6)
    assert breaker.allows(10.65)


def test_answered_probe_closes_once() -> None:
    breaker = opened_at(10.0)
    assert breaker.allows(10.3)
    assert [breaker.succeeded(), breaker.succeeded()] == [Change.CLOSED, Change.NONE]
    assert breaker.allows(10.3)
    assert breaker.failed(10.4) is Change.NONE
