"""A statement, what its reply looks like, and what a database may say instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from asynccache.backends.outage import RefusedError

Rows = list[Any]
Reply = tuple[Rows, int]
"""The rows of a statement, and how many it changed."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A text with `:name` for each of its parameters; rows that do not fit answer somebody else's."""

    text: str
    parameters: dict[str, Any] = field(default_factory=dict, repr=False)
    fits: Callable[[Rows], bool] = lambda rows: not rows

    @property
    def gives_rows(self) -> bool:
        """Tell whether the reply is a table, if an empty one."""
        return self.text.startswith("SELECT") or "RETURNING" in self.text


class NoTableError(Exception):
    """The table is not there yet."""


class TryAgainError(Exception):
    """A deadlock, or whatever else is over when one asks again; nothing was done."""


class FullError(RefusedError):
    """The database has no room for this."""


def are_entries(asked: set[bytes]) -> Callable[[Rows], bool]:
    """Make the test for rows of a key that was asked for, its entry and its number."""

    def fits(rows: Rows) -> bool:
        return all(len(row) == 3 and row[0] in asked and type(row[1]) is bytes for row in rows)

    return fits


def begin_with(nonce: int) -> Callable[[Rows], bool]:
    """Make the test for no row, or one that proves whose answer it is."""
    return lambda rows: not rows or (len(rows) == 1 and rows[0][0] == nonce)


def is_sample(rows: Rows) -> bool:
    """Tell whether this is a count and a place."""
    return len(rows) == 1 and type(rows[0][0]) is int
