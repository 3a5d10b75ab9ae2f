"""Backends whose changes can be followed: what they write down in a log is read by whoever holds copies or waits.

The order of a store may consist of several, one for each part of its keys; positions compare within one part and view.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

from asynccache.backends.fenced import FencedBackend
from asynccache.core.fence import Change, View

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asynccache.backends.follower import Follower
    from asynccache.plan.io import IO


class At(NamedTuple):
    """A place in the log of one part: all changes up to this position of this view are known."""

    view: View
    position: int


class Batch(NamedTuple):
    """The changes that came next, and the place after them; none: nothing has happened.

    Unless `is_all`, there are more of them already.
    """

    changes: tuple[Change, ...]
    at: At
    is_all: bool = True


class Hole(NamedTuple):
    """Something was lost, or the view is another: what was remembered is not to be used; go on from this place."""

    at: At


class Seen(NamedTuple):
    """Bytes that were valid at this place."""

    raw: bytes | None
    at: At


class FollowedBackend(FencedBackend, ABC):
    """A backend whose store keeps a log of its changes.

    `changed` are called with the part, the view and the change as soon as a write of this process has its stamp, and
    before the call that wrote returns; from any thread.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.changed: list[Callable[[str, View, Change], None]] = []
        self._follower: Follower | None = None

    @property
    def follower(self) -> Follower:
        """The one reader of its log in this process."""
        if self._follower is None:
            from asynccache.backends.follower import Follower

            self._follower = Follower(self)
        return self._follower

    def namespace_of(self, stored_key: str) -> str:
        """Give the head of a stored key, up to its second colon: what precedes the user's key."""
        prefix, version, _ = stored_key.split(":", 2)
        return f"{prefix}:{version}:"

    @abstractmethod
    def _parts(self, namespace: str) -> tuple[str, ...]:
        """Give the names of the parts of a namespace."""

    @abstractmethod
    def _part_of(self, stored_key: str) -> str:
        """Give the name of the part that a key is in."""

    @abstractmethod
    async def _fetch_at(self, io: IO, stored_keys: list[str]) -> dict[str, Seen]:
        """Get the valid bytes, from the leader, and where that was."""

    @abstractmethod
    async def _follow(self, io: IO, places: Mapping[str, At | None], wait: float) -> dict[str, Batch | Hole]:
        """Read what came after these places of these parts, and wait for something at most so many seconds.

        One step: no loop, no task. A place of None begins now, as a `Hole`. `BackendUnavailableError` where nobody
        answers.
        """
