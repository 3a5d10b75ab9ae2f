"""What scripts are told by the exit code."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from asynccache.cli.output import complain
from asynccache.errors import BackendUnavailableError, CacheError

if TYPE_CHECKING:
    from collections.abc import Iterator

NO = 1
USAGE = 2
UNAVAILABLE = 3
FAILED = 4
EXPLAINED = (
    "Exit codes: 0 done; 1 there was nothing (a miss, nothing removed or stored); 2 the command or the configuration "
    "is wrong; 3 a store does not answer; 4 the called function failed."
)


@contextmanager
def telling() -> Iterator[None]:
    """Turn errors of the cache into one line and an exit code."""
    try:
        yield
    except BackendUnavailableError as away:
        complain(str(away))
        raise typer.Exit(UNAVAILABLE) from away
    except (CacheError, LookupError, TypeError, ValueError) as wrong:
        complain(str(wrong))
        raise typer.Exit(USAGE) from wrong
