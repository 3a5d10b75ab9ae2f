"""For how long a page is worth keeping: what the policy of its `@Cache` says of an answer."""

from __future__ import annotations

import logging
import random
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.responses import Response

from asynccache.core.policy import lifetime
from asynccache.http.settings import NOTHING

if TYPE_CHECKING:
    from asynccache.core.policy import CachePolicy
    from asynccache.http.snapshot import Record

logger = logging.getLogger(__name__)


def worth(policy: CachePolicy, record: Record, default: float, *, is_none: bool) -> float | None:
    """Give the seconds for which a page is to be stored; None: not at all, as the condition of its policy says.

    `is_none`: the handler returned None.
    """
    if policy.condition is not None:
        if not _meets(policy, record):
            return None
        policy = replace(policy, condition=None)
    is_nothing = is_none or record.status in NOTHING
    return lifetime(policy, None if is_nothing else record, default=default, luck=random.random())


def _meets(policy: CachePolicy, record: Record) -> bool:
    """Ask the condition; the answer goes out whatever that does."""
    response = Response(record.body, record.status)
    response.raw_headers = list(record.headers)
    try:
        return policy.condition is None or bool(policy.condition(response))
    except Exception:
        logger.exception("the condition of a page's policy failed: the page is not stored")
        return False
