from __future__ import annotations

import pytest

from asynccache.core.events import BackendDown, BackendUp, Event
from asynccache.testing import recorded_events

DOWN, UP = BackendDown("redis", "refused"), BackendUp("redis", 1.5)


class Teller:
    def __init__(self) -> None:
        self.listeners: list[object] = []

    def tell(self, event: Event) -> None:
        for listener in self.listeners:
            listener(event)


def test_events_of_the_block_are_collected_in_order() -> None:
    teller = Teller()
    teller.tell(UP)
    with recorded_events(teller) as events:
        teller.tell(DOWN)
        teller.tell(UP)
    teller.tell(DOWN)
    assert events == [DOWN, UP]


def test_listener_leaves_even_when_the_block_fails() -> None:
    teller = Teller()
    with pytest.raises(ZeroDivisionError), recorded_events(teller):
        raise ZeroDivisionError
    assert teller.listeners == []


def test_recorders_within_each_other_hear_alike_and_leave_in_any_order() -> None:
    teller = Teller()
    outer, inner = recorded_events(teller), recorded_events(teller)
    first, second = outer.__enter__(), inner.__enter__()
    teller.tell(DOWN)
    outer.__exit__(None, None, None)
    teller.tell(UP)
    inner.__exit__(None, None, None)
    assert (first, second, teller.listeners) == ([DOWN], [DOWN, UP], [])
