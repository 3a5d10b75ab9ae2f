"""What is said between a backend and the driver of a store that grants rights to load."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from asynccache.core.claims import Ticket
    from asynccache.core.fence import View
    from asynccache.errors import BackendUnavailableError

ANEW = -1


class Want(NamedTuple):
    """A right that is asked for: `seen` is the `at` of the copy that the caller holds (0: none, `ANEW`: all of them).

    With `stamped`, granting it takes a position of its own, later than all before.
    """

    key: str
    token: bytes
    seen: int = 0
    stamped: bool = False


class Found(NamedTuple):
    """These bytes are there and valid, and the caller has not seen them."""

    raw: bytes


class Granted(NamedTuple):
    """The right was granted at this position; `raw` is a valid entry that the caller knows, or that was kept."""

    born: int
    view: View
    raw: bytes | None = None


class Taken(NamedTuple):
    """The right is another's, for so many seconds unless it is renewed; `raw` as in `Granted`."""

    seconds: float
    raw: bytes | None = None


Answer = Found | Granted | Taken


class Unheard(NamedTuple):
    """The server of this key, one of several, does not answer; it may have granted the right all the same."""

    failure: BackendUnavailableError


class Landing(NamedTuple):
    """What was loaded: its bytes for `ttl` seconds, or None to store nothing and have the right checked, and ended.

    `cells` are those of its tags: even what is not stored is no good any more where one of them was invalidated.
    """

    ticket: Ticket
    raw: bytes | None
    ttl: float
    cells: tuple[int, ...] = ()
