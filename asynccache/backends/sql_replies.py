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


class LateError(RefusedError):
    """The time until which this was to be done is over; nothing was done."""


def are_entries(asked: set[bytes], nonce: int, *, some: bool) -> Callable[[Rows], bool]:
    """Make the test for rows that prove whose answer they are, of keys that were asked for, or of none."""

    def fits(rows: Rows) -> bool:
        return bool(rows or not some) and all(
            len(row) == 7 and row[0] == nonce and (row[3] is None or (row[3] in asked and type(row[4]) is bytes))
            for row in rows
        )

    return fits


def are_rights(asked: set[bytes], nonce: int) -> Callable[[Rows], bool]:
    """Make the test for rows that prove whose answer they are, of keys that were asked for."""
    return lambda rows: all(row[0] == nonce and row[1] in asked for row in rows)


def are_changes(nonce: int) -> Callable[[Rows], bool]:
    """Make the test for rows of a log that prove whose answer they are."""
    return lambda rows: all(len(row) == 6 and row[0] == nonce for row in rows)


def begin_with(nonce: int) -> Callable[[Rows], bool]:
    """Make the test for one row that proves whose answer it is."""
    return lambda rows: len(rows) == 1 and rows[0][0] == nonce


def is_sample(rows: Rows) -> bool:
    """Tell whether this is a count and a place."""
    return len(rows) == 1 and type(rows[0][0]) is int
