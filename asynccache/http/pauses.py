"""Pages that could not be made a moment ago: while an older one stands in, that is not tried again at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynccache.loading.load import Load
from asynccache.loading.outcomes import Failed

if TYPE_CHECKING:
    from asynccache.core.policy import CachePolicy
    from asynccache.loading.failures import Failures
    from asynccache.model import BaseCacheBackend, Version


class Pauses:
    """The failures of one page, among those of all loads.

    Args:
        failures: where they are noted.
        backend: where the page is.
        key: of the page.
        version: of the page.
        policy: says for how long.
    """

    __slots__ = ("_failures", "_load", "policy")

    def __init__(
        self, failures: Failures, backend: BaseCacheBackend, key: str, version: Version, policy: CachePolicy
    ) -> None:
        self.policy = policy
        self._failures = failures
        self._load = Load(backend, key, _nothing, None, policy, version)

    def begin(self, error: Exception) -> None:
        """Note a failure, and tell who listens."""
        self._failures.conclude(self._load, Failed(error), 0.0)

    def end(self) -> None:
        """Note that the page was made."""
        self._failures.forget(self._load)

    @property
    def is_on(self) -> bool:
        """Whether it is not to be tried again yet."""
        return self._failures.pausing(self._load, has_value=True) is not None


def _nothing() -> None:
    """Stand for a factory: the request itself is the load."""
