"""What `@Cache` decided about a request, for whoever explains it: `python -m asynccache explain`."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from asynccache.http.page_rules import Seen


class Testimony(msgspec.Struct, frozen=True):
    """What was decided about the answer of a handler.

    Args:
        handler: its name.
        key: under which its page lies, or would.
        seen: what was read of the request.
        refusal: why it is not stored; empty where it is.
        names: of the fields that the page is kept by.
        ttl: seconds for which it is stored.
        tags: with which it is.
    """

    handler: str
    key: str
    seen: Seen
    refusal: str = ""
    names: tuple[bytes, ...] = ()
    ttl: float = 0.0
    tags: tuple[str, ...] = ()


witness: ContextVar[list[Testimony] | None] = ContextVar("asynccache_witness", default=None)
"""Where to write it down, for the request of this context; None: nobody asks."""


def testify(told: Testimony) -> None:
    """Write it down, if somebody asks."""
    heard = witness.get()
    if heard is not None:
        heard.append(told)
