"""A forked child waits for no lock that another thread of its parent had at that moment."""

import os

import pytest

from asynccache.backends.forsaken import Forsaken
from asynccache.backends.undone import Undone
from asynccache.backends.undone_replay import Replay
from asynccache.fence import LocalFence
from asynccache.loading.failures import Failures
from asynccache.loading.flights import Flights
from asynccache.loading.threads import LoadThreads
from asynccache.loading.turns import Lines
from asynccache.plan.forks import anew_in_child
from asynccache.plan.portal import Portal

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


class Counted:
    def __init__(self):
        self.begun = 0
        anew_in_child(self)

    def begin_anew(self):
        self.begun += 1


def in_child(work):
    child = os.fork()
    if child == 0:
        os._exit(0 if work() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_lives_begins_anew_once_in_the_child_only():
    one, gone = Counted(), Counted()
    del gone
    assert in_child(lambda: one.begun == 1)
    assert one.begun == 0


def journal():
    return Undone(can_clear=True)


def replay():
    return Replay(journal(), None)


@pytest.mark.parametrize("make", [LocalFence, Failures, Forsaken, Lines, LoadThreads, Portal, journal, replay])
def test_a_lock_that_was_held_is_free_in_the_child(make):
    made = make()
    with made._lock:
        assert in_child(lambda: made._lock.acquire(timeout=1))


def test_the_loads_of_the_parent_are_not_the_childs():
    flights = Flights()
    flights.join("key")
    assert in_child(lambda: not flights.under_way and flights.join("key")[1])
    assert list(flights.under_way) == ["key"]


def test_a_child_is_another_generation():
    fence = LocalFence()
    view = fence.view
    assert in_child(lambda: fence.view != view)
    assert fence.view == view
