"""What `@Cache` decided about a request, for whoever explains it: `python -m asynccache explain`."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asynccache.http.page_rules import Seen


@dataclass(slots=True)
class Witness:
    """What was decided about the answer of one handler; empty where none with `@Cache` made one that could be stored.

    Args:
        handler: its name.
        key: under which its page lies, or would.
        seen: what was read of the request.
        names: of the fields that the page is kept by.
        ttl: seconds for which it is stored.
        tags: with which it is.
        refusal: why it is not stored.
    """

    handler: str = ""
    key: str = ""
    seen: Seen | None = None
    names: tuple[bytes, ...] = ()
    ttl: float = 0.0
    tags: tuple[str, ...] = ()
    refusal: str = ""


witness: ContextVar[Witness | None] = ContextVar("asynccache_witness", default=None)
