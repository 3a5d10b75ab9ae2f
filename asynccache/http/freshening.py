"""What an answer to a validation, a HEAD or a part makes of what is stored (RFC 9111 3.2, 3.4, 4.3.4, 4.3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from asynccache.http.conditions import entity_tag, is_same, is_strong
from asynccache.http.dates import missing_date, single_date
from asynccache.http.freshness import initial_age
from asynccache.http.headers import Pair, end_to_end, lines_of
from asynccache.http.heads import Head
from asynccache.http.ranges import written
from asynccache.http.refusing import Refusal
from asynccache.http.stored import NEVER_STALE, UNKEPT, Span, Stored
from asynccache.http.storing import judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asynccache.http.profile import Rules
    from asynccache.http.requests import Request

_OF_THE_BODY = frozenset({b"content-length", b"content-encoding", b"content-range"})  # RFC 9111 3.2


def freshen(
    stored: Stored, request: Request, headers: Sequence[Pair], now: float, requested_at: float, rules: Rules
) -> Stored | None:
    """Update what is stored by a 304 to its validation (RFC 9111 4.3.4).

    Args:
        stored: what was validated.
        request: of the client; what is compared for Vary is what it sent.
        headers: of the 304, names in lower case.
        now: when that came.
        requested_at: when the app was asked.
        rules: what the cache was told.

    Returns:
        What answers the request, with its age anew: it is stored where `keep_for` says so. None where the 304 is about
        another representation: the request has to go on without conditions.
    """
    if not _is_about(stored, headers, now):
        return None
    return _updated(stored, request, headers, now, requested_at, rules)


def freshen_by_head(
    stored: Stored, request: Request, headers: Sequence[Pair], now: float, requested_at: float, rules: Rules
) -> Stored | None:
    """Update what is stored of a GET by a 200 to a HEAD (RFC 9111 4.3.5); None: leave it as it is.

    Where a validator or the length tells that the resource has changed, what is given is stale, and stays so until it
    is validated. Where nothing can be compared, nothing is told.
    """
    if stored.status != 200 or stored.span is not None:
        return None
    compared = [_agrees(stored, headers, name) for name in (b"etag", b"last-modified")]
    compared.append(_has_length(stored, headers))
    if False in compared:
        return replace(stored, lifetime=0.0, terms=stored.terms | NEVER_STALE)
    if True not in compared:
        return None
    updated = _updated(stored, request, headers, now, requested_at, rules)
    return None if updated.terms & UNKEPT else updated


def combined(stored: Stored, new: Stored) -> Stored | None:
    """Join a part that came to what is stored, which has the same strong entity tag (RFC 9111 3.4).

    None where the tags differ, or bytes are missing in between. What has all bytes then is a 200.
    """
    one, other = _part_of(stored), new.span
    if one is None or other is None or not _is_same_state(stored, new, one, other):
        return None
    joined = _joined(stored.body, one, new.body, other)
    return None if joined is None else _whole_or_part(stored, new, *joined)


def _is_about(stored: Stored, headers: Sequence[Pair], now: float) -> bool:
    """Tell whether a 304 means what is stored: by its strong tag alone, else by any validator that it has.

    One without any answers the conditions that were sent, and these named nothing else (RFC 9110 15.4.5).
    """
    tags = lines_of(b"etag", headers)
    if tags:
        tag, own = entity_tag(tags), entity_tag(lines_of(b"etag", stored.headers))
        return tag is not None and own is not None and is_same(tag, own, strongly=is_strong(tag))
    dates = lines_of(b"last-modified", headers)
    own_dates = lines_of(b"last-modified", stored.headers)
    return not dates or dates == own_dates or single_date(dates, now) == (single_date(own_dates, now) or -1)


def _updated(
    stored: Stored, request: Request, headers: Sequence[Pair], now: float, requested_at: float, rules: Rules
) -> Stored:
    """Replace every line of the fields that came, and judge the whole anew (RFC 9111 3.2).

    Where it may not be stored any more, it is good for this request only, with a cookie that came along as well.
    """
    fields = _merged(stored.headers, headers, now)
    head = Head.of(request, stored.status, fields, rules)
    judged = judge(head, now, requested_at)
    gives_cookies = not rules.profile.stores_cookies and any(name == b"set-cookie" for name, _ in headers)
    if isinstance(judged, Refusal) or gives_cookies or request.control.has(b"no-store"):
        kept = tuple(pair for pair in fields if pair[0] != b"age")
        made = now - initial_age(headers, head.lines, now, requested_at)
        return replace(stored, headers=kept, received_at=now, generated_at=made, terms=stored.terms | UNKEPT)
    index_id = stored.index_id if judged.names == stored.names else b""
    return replace(judged, body=stored.body, span=stored.span, index_id=index_id, tags=stored.tags)


def _merged(old: Sequence[Pair], new: Sequence[Pair], now: float) -> tuple[Pair, ...]:
    """Give the old fields, those replaced that came anew, in the place of the first line; a new Date, always."""
    came = [pair for pair in end_to_end(new) if pair[0] not in _OF_THE_BODY]
    came += missing_date(came, now)
    names = {name for name, _ in came}
    return (*(pair for pair in old if pair[0] not in names), *came)


def _agrees(stored: Stored, headers: Sequence[Pair], name: bytes) -> bool | None:
    """Compare a field that came; None where it did not."""
    lines = lines_of(name, headers)
    return lines == lines_of(name, stored.headers) if lines else None


def _has_length(stored: Stored, headers: Sequence[Pair]) -> bool | None:
    lines = lines_of(b"content-length", headers)
    return lines == [b"%d" % len(stored.body)] if lines else None


def _part_of(stored: Stored) -> Span | None:
    size = len(stored.body)
    return stored.span or (Span(0, size - 1, size) if size and stored.status == 200 else None)


def _is_same_state(stored: Stored, new: Stored, one: Span, other: Span) -> bool:
    tag, came = (entity_tag(lines_of(b"etag", each.headers)) for each in (stored, new))
    if tag is None or came is None or not is_same(tag, came, strongly=True) or stored.names != new.names:
        return False
    return stored.values == new.values and (None in (one.size, other.size) or one.size == other.size)


def _joined(body: bytes, one: Span, came: bytes, other: Span) -> tuple[bytes, Span] | None:
    """Lay the new bytes over the old; None where there is a gap between them."""
    if other.first > one.last + 1 or one.first > other.last + 1:
        return None
    before, after = body[: max(0, other.first - one.first)], body[max(0, other.last + 1 - one.first) :]
    span = Span(min(one.first, other.first), max(one.last, other.last), other.size or one.size)
    return before + came + after, span


def _whole_or_part(stored: Stored, new: Stored, body: bytes, span: Span) -> Stored:
    names = {name for name, _ in new.headers}
    fields = [*(pair for pair in stored.headers if pair[0] not in names), *new.headers]
    fields = [pair for pair in fields if pair[0] not in (b"content-length", b"content-range")]
    fields.append((b"content-length", b"%d" % len(body)))
    is_whole = len(body) == span.size
    if not is_whole:
        fields.append((b"content-range", written(span)))
    return replace(
        new,
        status=200 if is_whole else 206,
        headers=tuple(fields),
        body=body,
        groups=tuple(dict.fromkeys((*stored.groups, *new.groups))),
        span=None if is_whole else span,
        index_id=stored.index_id,
        tags=tuple(dict.fromkeys((*stored.tags, *new.tags))),
    )
