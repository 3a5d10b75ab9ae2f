"""What a forked child begins anew: locks, waiters and connections are its parent's, and of no use to it."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class BeginsAnew(Protocol):
    """What has a lock or a connection of its process."""

    def begin_anew(self) -> None:
        """Leave what is the parent's, in a forked child; it must not wait for anything."""


_known: WeakSet[BeginsAnew] = WeakSet()


def anew_in_child(one: BeginsAnew) -> None:
    """Have this begin anew in each forked child, for as long as it lives."""
    _known.add(one)


def _begin_anew_in_child() -> None:
    for one in list(_known):
        one.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew_in_child)
