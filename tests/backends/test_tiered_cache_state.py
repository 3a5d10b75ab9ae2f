"""What a node may hold and serve, by positions alone: batches and holes made by hand."""

import pytest

from asynccache.backends import tiered_state
from asynccache.backends.followed import At, Batch
from asynccache.backends.tiered_state import Known, OwnOrder
from asynccache.core.fence import CLEAR, KEYS, NOTHING, TAGS, WAKE, Change, View

VIEW = View(b"generat1", b"keeper 1")


def known(position=100, reached=0):
    return Known(At(VIEW, position), 0.0, reached)


def batch(*changes, at=None, view=VIEW):
    return Batch(changes, At(view, changes[-1].stamp if at is None else at))


def test_what_was_confirmed_before_the_first_place_is_not_held():
    assert not known(100).admits("k", 99, -1)
    assert known(100).admits("k", 100, -1)


def test_a_reply_that_was_under_way_while_its_key_changed_is_not_held():
    state = known()
    assert state.hear(batch(Change(105, 100, KEYS, ("k", "l"))))
    assert not state.admits("k", 104, -1)
    assert not state.admits("l", 104, -1)
    assert state.admits("k", 105, -1)
    assert state.admits("other", 104, -1)


def test_nothing_replaces_what_is_newer():
    assert not known().admits("k", 104, 105)
    assert known().admits("k", 105, 105)


def test_what_was_tagged_before_its_tag_was_invalidated_is_not_served():
    state = known()
    assert state.hear(batch(Change(105, 100, TAGS, (7, 8))))
    assert not state.serves(104, (3, 7))
    assert state.serves(105, (7,))
    assert state.serves(104, (3,))
    assert state.serves(104, ())


def test_nothing_from_before_a_clear_is_served():
    state = known()
    assert state.hear(batch(Change(105, 100, CLEAR)))
    assert not state.serves(104, ())
    assert state.serves(105, ())


@pytest.mark.parametrize("kind", [WAKE, NOTHING])
def test_what_concerns_no_value_is_passed_over(kind):
    state = known()
    assert state.hear(batch(Change(105, 100, kind, ("k",) if kind == WAKE else ())))
    assert state.admits("k", 100, -1)
    assert state.position == 105


def test_a_change_that_does_not_follow_on_what_is_known_is_a_hole():
    assert not known().hear(batch(Change(107, 105, KEYS, ("k",))))
    assert not known().hear(batch(Change(105, 100, KEYS, ("k",)), Change(108, 106, KEYS, ("k",))))


def test_a_position_without_its_changes_is_a_hole():
    assert not known().hear(Batch((), At(VIEW, 105)))
    assert known().hear(Batch((), At(VIEW, 100)))


def test_another_view_is_a_hole():
    assert not known().hear(Batch((), At(View(b"generat2", b"keeper 1"), 100)))
    assert not known().hear(Batch((), At(View(b"generat1", b"keeper 2"), 100)))


def test_an_own_change_counts_before_the_log_tells_of_it_and_harmlessly_again():
    state = known()
    change = Change(105, 103, KEYS, ("k",))
    state.apply(change)
    assert not state.admits("k", 104, -1)
    assert state.admits("k", 105, -1)
    assert state.reached == 105
    assert state.hear(batch(Change(103, 100, KEYS, ("other",)), change))
    assert state.admits("k", 105, -1)
    assert state.position == 105


def test_an_own_change_that_is_later_than_the_first_place_counts():
    state = known(100, reached=105)
    assert not state.admits("k", 104, -1)
    assert state.admits("k", 105, -1)


def test_of_changed_keys_the_last_are_remembered_and_the_others_count_as_changed_then(monkeypatch):
    monkeypatch.setattr(tiered_state, "MOST_RECENT", 3)
    state = known()
    changes = [Change(101 + number, 100 + number, KEYS, (f"k{number}",)) for number in range(5)]
    assert state.hear(batch(*changes))
    assert len(state.recent) == 3
    assert state.recent_floor == 102
    assert not state.admits("unknown", 101, -1)
    assert state.admits("unknown", 102, -1)
    assert not state.admits("k4", 104, -1)


def test_a_key_that_changes_often_is_not_forgotten_for_that(monkeypatch):
    monkeypatch.setattr(tiered_state, "MOST_RECENT", 2)
    state = known()
    for number, key in enumerate(["often", "a", "often", "b", "often"]):
        state.apply(Change(101 + number, 100 + number, KEYS, (key,)))
    assert state.recent == {"b": 104, "often": 105}
    assert state.recent_floor == 102


def test_what_is_over_is_of_no_use():
    state = known()
    assert not state.is_over
    state.end()
    assert state.is_over


def test_changes_of_our_own_are_numbered_where_nobody_else_does():
    order = OwnOrder()
    before = order.reached
    order.note(KEYS, ("k",))
    assert not order.admits("k", before, -1)
    assert order.admits("k", order.reached, -1)
    assert order.admits("other", before, -1)
    order.note(TAGS, (7,))
    assert not order.serves(before, (7,))
    order.note(CLEAR)
    assert not order.serves(order.reached - 1, ())
