"""For tests: of your application, and of backends of your own.

`BackendContract` needs pytest, pytest-asyncio and Hypothesis and is loaded when it is asked for; all else needs none.
"""

from typing import TYPE_CHECKING, Any

from asynccache.testing.clock import FakeClock
from asynccache.testing.events import recorded_events
from asynccache.testing.overriding import override

if TYPE_CHECKING:
    from asynccache.testing.contract import BackendContract, ForgettingContract

__all__ = ["BackendContract", "FakeClock", "ForgettingContract", "override", "recorded_events"]


def __getattr__(name: str) -> Any:
    if name in {"BackendContract", "ForgettingContract"}:
        from asynccache.testing import contract

        return getattr(contract, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
