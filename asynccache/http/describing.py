"""What is kept of a response that is stored, and on what its reuse depends (RFC 9111 3.1, 4.2)."""

from __future__ import annotations

from asynccache.http.conditions import entity_tag
from asynccache.http.dates import missing_date, single_date
from asynccache.http.freshness import initial_age
from asynccache.http.headers import Pair, end_to_end, lines_of, strong_etag
from asynccache.http.heads import SETS_COOKIES, Head
from asynccache.http.ranges import content_range
from asynccache.http.stored import (
    ANONYMOUS,
    COOKIELESS,
    IMMUTABLE,
    NAMELESS_ONLY,
    NEVER_STALE,
    VALIDATE,
    Stored,
)
from asynccache.http.structured import groups
from asynccache.http.vary import vary_values

NEVER_STALE_BY = (b"must-revalidate", b"proxy-revalidate", b"s-maxage")  # RFC 9111 4.2.4, 5.2.2.2, .8, .10


def described(head: Head, now: float, requested_at: float) -> Stored:
    """Give everything but the body of a response that may be stored, and came at `now`."""
    control = head.policy.control
    lifetime = head.own_lifetime(now)
    by_default = head.is_default(now)
    if by_default:
        lifetime = head.rules.default_ttl
    names = head.names or ()
    return Stored(
        status=head.status,
        headers=_kept(head, now),
        body=b"",
        generated_at=now - initial_age(head.headers, head.lines, now, requested_at),
        received_at=now,
        lifetime=lifetime or 0.0,
        revalidate_for=control.seconds(b"stale-while-revalidate") or 0.0,
        error_for=control.seconds(b"stale-if-error"),
        terms=_terms(head, by_default=by_default),
        names=names,
        values=vary_values(head.request.headers, names),
        unvalidated=tuple(sorted(control.fields(b"no-cache") or ())),
        groups=groups(head.lines.get(b"cache-groups", ())),
        span=content_range(head.lines[b"content-range"][0]) if head.status == 206 else None,
    )


def has_validator(stored: Stored) -> bool:
    """Tell whether the app can be asked if it is still what it has (RFC 9111 4.3.1)."""
    return bool(conditions(stored))


def conditions(stored: Stored) -> tuple[Pair, ...]:
    """Give the fields that ask for it, with the validators as they came (RFC 9111 4.3.1); none where it has none.

    A tag that the cache itself has made means nothing to the app, which would ignore the date for it (RFC 9110 13.1.3).
    """
    tags, dates = lines_of(b"etag", stored.headers), lines_of(b"last-modified", stored.headers)
    asked = []
    if entity_tag(tags) is not None and tags[0] != strong_etag(stored.body):
        asked.append((b"if-none-match", tags[0]))
    if single_date(dates, stored.received_at) is not None:
        asked.append((b"if-modified-since", dates[0]))
    return tuple(asked)


def _kept(head: Head, now: float) -> tuple[Pair, ...]:
    """Give the fields that are end to end, less those of one user, with Date and without Age (RFC 9111 3.1, 5.1)."""
    left_out = {b"age", *(head.policy.control.fields(b"private") or ())}
    if not head.rules.profile.stores_cookies:
        left_out |= SETS_COOKIES
    kept = tuple(pair for pair in end_to_end(head.headers) if pair[0] not in left_out)
    return (*kept, *missing_date(kept, now))


def _terms(head: Head, *, by_default: bool) -> int:
    policy, control = head.policy, head.policy.control
    terms = 0
    if control.is_bare(b"no-cache"):
        terms |= VALIDATE | NEVER_STALE
    if any(map(control.has, NEVER_STALE_BY)):
        terms |= NEVER_STALE
    if control.says(b"immutable"):
        terms |= IMMUTABLE
    silent = by_default and not policy.is_shared
    if silent:
        terms |= NAMELESS_ONLY
    if silent or not control.is_for_others:
        terms |= ANONYMOUS
    trusted = policy.is_shared or head.rules.profile.trusts_cookies or b"cookie" in (head.names or ())
    return terms | COOKIELESS if silent or not trusted else terms
