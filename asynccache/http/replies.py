"""What a client gets of a stored response that may be used: all of it, a part, its head, or the word that it has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from asynccache.http.conditions import CONDITIONAL_STATUSES, NOT_MODIFIED_FIELDS, if_range_holds, is_not_modified
from asynccache.http.ranges import Unsatisfiable, requested, written, written_unsatisfied
from asynccache.http.stored import UNKEPT

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from asynccache.http.headers import Pair
    from asynccache.http.requests import Request
    from asynccache.http.stored import Span, Stored

ASKING = frozenset({b"if-none-match", b"if-modified-since", b"range"})
"""The fields by which a GET may ask for less than all."""
_OF_ALL = frozenset({
    b"date", b"age", b"cache-status",
    b"access-control-allow-origin", b"access-control-allow-credentials", b"access-control-expose-headers",
})  # fmt: skip  # without the last three a script of another origin would not get the answer at all
_BY_TAG = NOT_MODIFIED_FIELDS | _OF_ALL
_BY_DATE = _BY_TAG | {b"last-modified"}
_NOT_MODIFIED = 304
_OF_THE_WHOLE = frozenset({b"content-length", b"content-range"})


class Reply(NamedTuple):
    """An answer, with whatever its framing needs."""

    status: int
    headers: list[Pair]
    body: bytes


def reply(request: Request, stored: Stored, now: float, label: bytes, *, validated: bool = False) -> Reply:
    """Answer a GET or HEAD by a stored response, with its age (RFC 9111 5.1).

    Args:
        request: what was asked.
        stored: what may be used.
        now: seconds since 1970.
        label: one more line of Cache-Status.
        validated: the app has just confirmed it; else the fields are left out that the response keeps from reuse
            without that (RFC 9111 5.2.2.4, 5.2.2.7). A cookie that it gave this client comes with 304 as well.
    """
    fields = stored.headers if validated else _without(stored.headers, stored.unvalidated)
    headers = [*fields, (b"age", b"%d" % int(stored.age(now))), (b"cache-status", label)]
    whole = Reply(stored.status, headers, stored.body)
    given = answered(request, whole, stored.received_at, stored.headers, stored.span)
    if validated and given.status == _NOT_MODIFIED and stored.terms & UNKEPT:  # else it is somebody else's
        given.headers.extend(pair for pair in stored.headers if pair[0] == b"set-cookie")
    return given


def answered(
    request: Request, whole: Reply, received_at: float, stored: Sequence[Pair], span: Span | None = None
) -> Reply:
    """Give of an answer what the request asks for, in the order of RFC 9110 13.2.2.

    Args:
        request: what was asked.
        whole: the answer, as any GET gets it.
        received_at: when what is stored came, in seconds since 1970.
        stored: its fields.
        span: which part of the representation `whole` has; None for all of it.
    """
    if request.method not in {"GET", "HEAD"}:
        return whole
    none_match, modified_since = request.lines(b"if-none-match"), request.lines(b"if-modified-since")
    if whole.status in CONDITIONAL_STATUSES and is_not_modified(stored, received_at, none_match, modified_since):
        return _not_modified(whole)
    if request.method == "HEAD":
        return Reply(whole.status, whole.headers, b"")
    asked = request.lines(b"range")
    if not asked or not (span or whole.status == 200):
        return whole
    part = requested(asked, span.size if span else len(whole.body))
    if part is None or not if_range_holds(stored, received_at, request.lines(b"if-range")):
        return whole
    return _unsatisfied(whole, span) if isinstance(part, Unsatisfiable) else _part(whole, part, span)


def _not_modified(whole: Reply) -> Reply:
    """Answer that the client has it (RFC 9110 15.4.5); where it has no entity tag, by its Last-Modified."""
    kept = _BY_TAG if b"etag" in dict(whole.headers) else _BY_DATE
    return Reply(_NOT_MODIFIED, [pair for pair in whole.headers if pair[0] in kept], b"")


def _part(whole: Reply, part: Span, span: Span | None) -> Reply:
    """Answer with a part (RFC 9110 15.3.7); where only another one is stored, with that."""
    start = span.first if span else 0
    body = whole.body[part.first - start : part.last + 1 - start] if part.first >= start else b""
    if len(body) != part.last + 1 - part.first:
        return whole
    framing = [(b"content-range", written(part)), (b"content-length", b"%d" % len(body))]
    return Reply(206, [*_without(whole.headers, _OF_THE_WHOLE), *framing], body)


def _unsatisfied(whole: Reply, span: Span | None) -> Reply:
    """Answer that there is no such part (RFC 9110 15.5.17); what is said of the whole does not go for this."""
    size = span.size if span and span.size is not None else len(whole.body)
    framing = [(b"content-range", written_unsatisfied(size)), (b"content-length", b"0")]
    return Reply(416, [*framing, *(pair for pair in whole.headers if pair[0] in _OF_ALL)], b"")


def _without(headers: Sequence[Pair], names: Collection[bytes]) -> list[Pair]:
    return [pair for pair in headers if pair[0] not in names]
