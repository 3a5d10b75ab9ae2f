"""One call for many keys: what it wants, what it has found, and for how long it waits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any

from asynccache.core.policy import SERVED
from asynccache.errors import CacheTimeoutError
from asynccache.loading.load import Load, check_lock
from asynccache.loading.outcomes import Failed, Landed

if TYPE_CHECKING:
    from collections.abc import Callable

    from asynccache.core.entry import Entry
    from asynccache.core.lifetime import Ttl
    from asynccache.core.policy import CachePolicy
    from asynccache.loading.parts import Part
    from asynccache.model import BaseCacheBackend, Version


@dataclass(frozen=True, slots=True)
class ManyLoads:
    """What is to be loaded: the arguments of one `get_or_set_many`."""

    backend: BaseCacheBackend
    keys: tuple[str, ...]
    factory: Callable[[list[str]], Any]
    ttl: Ttl
    policy: CachePolicy | None
    version: Version
    tags: tuple[str, ...] = ()

    def one(self, key: str) -> Load:
        """Give the load of one of the keys."""
        return Load(self.backend, key, partial(self.factory, [key]), self.ttl, self.policy, self.version, self.tags)


class Call:
    """One call, which begins now: what it has found, and how long it waits."""

    def __init__(self, wanted: ManyLoads, arrived: int) -> None:
        self.loads = {key: wanted.one(key) for key in wanted.keys}
        self.flight_keys = {key: load.flight_key for key, load in self.loads.items()}
        first = self.loads[wanted.keys[0]]
        self.policy: CachePolicy = first.merged_policy()
        check_lock(self.policy, first.backend)
        self.factory = wanted.factory
        self.arrived = arrived
        self.values: dict[str, Any] = {}
        self.due: list[Part] = []
        self._began = monotonic()

    def left(self, timeout: float | None) -> float:
        """Give the seconds for which to wait from now on."""
        return inf if timeout is None else max(0.0, self._began + timeout - monotonic())

    def lost(self) -> CacheTimeoutError:
        """Make what is raised where it took too long."""
        return CacheTimeoutError(f"loading {len(self.loads)} keys took more than {self.policy.hard_timeout} seconds")

    def take(self, part: Part) -> bool:
        """Take what a part of the own batch ended in, or what stands in; False where it is to be asked for again."""
        key, outcome = part.load.key, part.outcome
        if isinstance(outcome, Landed):
            self.values[key] = outcome.for_leader()
            if part.is_due:
                self.due.append(part)
        elif (part.is_absent or not self.stands_in(part)) and isinstance(outcome, Failed):
            outcome.for_leader()
        return key in self.values or part.is_absent

    def serves(self, part: Part, entry: Entry | None) -> bool:
        """Take what is stored if it is good enough; tell whether it is."""
        verdict = part.know(entry, self.policy)
        if entry is None or verdict not in SERVED:
            return False
        self.values[part.load.key] = entry.value
        part.tell_served()
        return True

    def stands_in(self, part: Part) -> bool:
        """Take what may stand in for a value; tell whether there is something."""
        if part.stand_in is None:
            return False
        self.values[part.load.key] = part.stand_in.value
        return True

    def patience(self, part: Part) -> float:
        """Give the seconds for which to wait for somebody else's load."""
        soft, hard = self.policy.soft_timeout, self.policy.hard_timeout
        return self.left(soft if soft is not None and part.stand_in is not None else hard)
