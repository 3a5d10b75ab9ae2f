"""What is stored of the answers that an app gives, and for how long it is kept (RFC 9111 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from asynccache.http.describing import described, has_validator
from asynccache.http.headers import content_length, lines_of
from asynccache.http.heads import Head
from asynccache.http.refusing import Refusal, refused, refused_for_request
from asynccache.http.stored import NEVER_STALE, UNKEPT, VALIDATE, Stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asynccache.http.headers import Pair
    from asynccache.http.profile import Rules
    from asynccache.http.requests import Request


BODILESS = frozenset({204, 205})  # RFC 9110 15.3.5, 15.3.6


def may_store(
    request: Request, status: int, headers: Sequence[Pair], rules: Rules, now: float, requested_at: float
) -> Stored | Refusal:
    """Judge the head of an answer (RFC 9111 3): give all that is stored of it but the body, or why nothing is.

    Args:
        request: as the app got it.
        status: of the answer; an interim one is refused.
        headers: its fields, with lower-case names.
        rules: what the cache was told.
        now: when the head came, in seconds since 1970.
        requested_at: when the app was asked, likewise.
    """
    head = Head.of(request, status, headers, rules)
    return refused_for_request(head) or judge(head, now, requested_at)


def judge(head: Head, now: float, requested_at: float) -> Stored | Refusal:
    """Judge a head, whatever the request for it was like, but for whose it was."""
    refusal = refused(head, now)
    if refusal is not None:
        return refusal
    stored = described(head, now, requested_at)
    return stored if _is_useful(stored, now) else Refusal("it can neither be reused nor validated", "RFC 9111 3")


def completed(stored: Stored, body: bytes) -> Stored | None:
    """Put in the body, once the app has sent all of it; None where it is not as long as was said (RFC 9111 3.3)."""
    if body and stored.status in BODILESS:
        return None
    length, part = content_length(lines_of(b"content-length", stored.headers)), stored.span
    if length not in (None, len(body)) or (part is not None and part.last - part.first + 1 != len(body)):
        return None
    return replace(stored, body=body)


def keep_for(stored: Stored, rules: Rules) -> float:
    """Give the seconds from its receipt, or its last validation, for which it is kept; 0: it is not stored.

    As long as it is fresh, or may be used after: to be validated, or where it may be stale, by the longest time that
    it, or `keep_stale`, allows.
    """
    if stored.terms & UNKEPT:
        return 0.0
    left = max(0.0, stored.lifetime - stored.age(stored.received_at))
    after = rules.keep_stale if has_validator(stored) or not stored.terms & NEVER_STALE else 0.0
    return left + max(after, stored.revalidate_for, stored.error_for or 0.0)


def _is_useful(stored: Stored, now: float) -> bool:
    """Tell whether it may answer a later request: fresh, stale, or validated."""
    if has_validator(stored):
        return True
    if stored.terms & VALIDATE:
        return False
    if stored.is_fresh(now):
        return True
    over = stored.age(now) - stored.lifetime
    return not stored.terms & NEVER_STALE and over < max(stored.revalidate_for, stored.error_for or 0.0)
