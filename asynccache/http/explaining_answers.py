"""The head of an answer in rows: what it says about its reuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynccache.http.describing import NEVER_STALE_BY
from asynccache.http.explaining import ABSENT, SECRET, Row, named, shown
from asynccache.http.freshness import heuristic_lifetime, initial_age
from asynccache.http.heads import Head
from asynccache.http.profile import HEURISTIC_STATUSES, STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asynccache.http.explaining import Answered
    from asynccache.http.profile import Rules
    from asynccache.http.requests import Request


def of_answer(request: Request, answered: Answered, rules: Rules) -> Iterator[Row]:
    """Tell what of an answer matters to a cache, as these rules read it."""
    head = Head.of(request, answered.status, answered.headers, rules)
    yield _status(head)
    yield _field(head)
    yield _lifetime(head, answered)
    yield from _stale(head)
    yield _vary(head)
    yield _validators(head)
    if head.sets_cookies:
        means = "@Cache: never stored; safe: only with public or s-maxage, without the cookie; rfc9111: stored with it"
        yield Row("answer", "Set-Cookie", SECRET, means, "RFC 9111 7.3", False)


def _status(head: Head) -> Row:
    known = head.status in STATUSES
    means = "@Cache only by statuses=; CacheMiddleware with a lifetime"
    if known:
        means = "@Cache stores it; CacheMiddleware with a lifetime"
    elif head.status in HEURISTIC_STATUSES:
        means += ", which rfc9111 may guess"
    return Row("answer", "status", f"{head.status}", means, "RFC 9110 15.1", known or None)


def _field(head: Head) -> Row:
    source = head.policy.source
    if source in head.lines:
        targeted = source != b"cache-control"
        means = "counts in place of Cache-Control and Expires" if targeted else "what caches go by"
        return Row(
            "answer", named(source), shown(head.lines[source]), means, "RFC 9213 2.2" if targeted else "RFC 9111 5.2"
        )
    return Row("answer", "Cache-Control", ABSENT, "nothing is said but by Expires", "RFC 9111 5.2")


def _lifetime(head: Head, answered: Answered) -> Row:
    seconds, source, rule = head.own_lifetime(answered.came_at), _source(head), "RFC 9111 4.2.1"
    if seconds is None:
        means = "@Cache goes by its own ttl; CacheMiddleware stores it with default_ttl= only"
        if (guess := heuristic_lifetime(head.lines, answered.came_at)) is not None:
            means, rule = (
                f"@Cache goes by its own ttl; rfc9111 guesses {guess:.0f} s by Last-Modified",
                "RFC 9111 4.2.2",
            )
        return Row("answer", "lifetime", ABSENT, means, rule)
    age = initial_age(answered.headers, head.lines, answered.came_at, answered.asked_at)
    means = f"by {source}" + (f", of which {age:.0f} s were over when it came" if age >= 1 else "")
    return Row("answer", "lifetime", f"{seconds:.0f} s", means, rule, seconds > age)


def _source(head: Head) -> str:
    stated = (directive for directive in (b"s-maxage", b"max-age") if head.policy.control.has(directive))
    return next(stated, b"Expires").decode()


def _stale(head: Head) -> Iterator[Row]:
    control = head.policy.control
    forbidding = [name for name in NEVER_STALE_BY if control.has(name)]
    if control.is_bare(b"no-cache"):
        forbidding.insert(0, b"no-cache")
    if forbidding:
        yield Row("answer", "stale use", "never", f"it says {forbidding[0].decode()}", "RFC 9111 4.2.4")
        return
    for name, rule, means in (
        (b"stale-while-revalidate", "RFC 5861 3", "sent while it is renewed behind the back"),
        (b"stale-if-error", "RFC 5861 4", "sent where the app fails"),
    ):
        seconds = control.seconds(name)
        if seconds is not None:
            yield Row("answer", name.decode(), f"{seconds:.0f} s", means, rule, True)


def _vary(head: Head) -> Row:
    if b"vary" not in head.lines:
        return Row("answer", "Vary", ABSENT, "one answer for all who may have it", "RFC 9111 4.1")
    found = shown(head.lines[b"vary"])
    if head.names is None:
        return Row("answer", "Vary", found, "fits no other request", "RFC 9111 4.1", False)
    return Row("answer", "Vary", found, "one answer for each of the values that clients send", "RFC 9111 4.1")


def _validators(head: Head) -> Row:
    found = [f"{named(name)}: {shown(head.lines[name])}" for name in (b"etag", b"last-modified") if name in head.lines]
    if found:
        return Row(
            "answer", "validators", ", ".join(found), "304 for who has it; asked for when it is over", "RFC 9111 4.3"
        )
    return Row("answer", "validators", ABSENT, "made anew when it is over; @Cache adds a weak ETag", "RFC 9111 4.3")
