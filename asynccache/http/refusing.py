"""Why an answer is not stored (RFC 9111 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from asynccache.http.headers import content_length
from asynccache.http.heads import Head
from asynccache.http.invalidation import is_target
from asynccache.http.nameless import are_nameless
from asynccache.http.profile import HEURISTIC_STATUSES, STATUSES, UNDERSTOOD_STATUSES
from asynccache.http.ranges import content_range
from asynccache.http.stored import MAX_VARY_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

_UNSTORABLE_STATUSES = frozenset({428, 429, 431, 511})  # RFC 6585 3-6
_OWN_STATUSES = {  # they answer a field of one request; others of the same URL have other answers
    412: frozenset({b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since"}),
    416: frozenset({b"range"}),
    417: frozenset({b"expect"}),
}
_LAST_STATUS = 599  # RFC 9110 15
_EVENTS = b"text/event-stream"


class Refusal(msgspec.Struct, frozen=True):
    """An answer is not stored.

    Args:
        why: in words that follow "it is not stored: ".
        section: of the RFC that says so; empty where it is our own choice.
        of_request: it was about this request alone: others of the URL may have an answer that is stored.
    """

    why: str
    section: str = ""
    of_request: bool = False


def refused_for_request(head: Head) -> Refusal | None:
    """Tell why a request is none whose answer is stored, if so."""
    request = head.request
    if request.method == "POST":
        return _of_post(head)
    if request.method != "GET":
        return Refusal(f"the method is {request.method}", "RFC 9111 3", of_request=True)
    if request.control.has(b"no-store"):
        return Refusal("the request said no-store", "RFC 9111 5.2.1.5", of_request=True)
    if request.has_content:
        return Refusal("the request had content", of_request=True)
    return None


def _of_post(head: Head) -> Refusal | None:
    """Let the answer pass that a later GET would get: a 200 that says of what it is, and for how long it is fresh."""
    located = head.lines.get(b"content-location", ())
    fits = head.status == 200 and head.policy.is_explicit and not head.request.control.has(b"no-store")
    if fits and len(located) == 1 and is_target(located[0], head.request.url):
        return None
    return Refusal("the method is POST", "RFC 9110 9.3.3", of_request=True)


def _of_status(head: Head) -> Refusal | None:
    status = head.status
    if not 200 <= status <= _LAST_STATUS or status == 304:
        return Refusal(f"the status is {status}", "RFC 9111 3", of_request=True)
    if status in _UNSTORABLE_STATUSES:
        return Refusal(f"the status is {status}", "RFC 6585")
    if status in _OWN_STATUSES and head.request.has_any(_OWN_STATUSES[status]):
        return Refusal(f"the status is {status}, about this request alone", of_request=True)
    if head.policy.control.has(b"must-understand") and status not in UNDERSTOOD_STATUSES:
        return Refusal(f"it says must-understand, of status {status}", "RFC 9111 5.2.2.3")
    return _of_part(head) if status == 206 else None


def _of_part(head: Head) -> Refusal | None:
    """Let single ranges pass, but for If-Range: those lack the fields that the client has (RFC 9110 15.3.7)."""
    ranges = head.lines.get(b"content-range", ())
    if len(ranges) != 1 or content_range(ranges[0]) is None:
        return Refusal("it is no single range", "RFC 9111 3.3", of_request=True)
    if head.request.has(b"if-range"):
        return Refusal("it is a part without all fields", "RFC 9110 15.3.7", of_request=True)
    return None


def _of_control(head: Head) -> Refusal | None:
    control = head.policy.control
    if control.has(b"no-store") and not control.says(b"must-understand"):
        return Refusal("it says no-store", "RFC 9111 5.2.2.5")
    if control.is_bare(b"private"):
        return Refusal("it says private", "RFC 9111 5.2.2.7")
    return None


def _of_vary(head: Head) -> Refusal | None:
    if head.names is None:
        return Refusal("its Vary names no fields, but all or none", "RFC 9111 4.1")
    if len(head.names) > MAX_VARY_NAMES:
        return Refusal(f"its Vary names more than {MAX_VARY_NAMES} fields")
    return None


def _of_identity(head: Head) -> Refusal | None:
    """RFC 9111 3.5 for Authorization; for Cookie, and for Set-Cookie, what the profile chose (RFC 9111 7.3)."""
    request, policy, profile = head.request, head.policy, head.rules.profile
    if request.has(b"authorization") and not policy.control.is_for_others:
        return Refusal("the request had Authorization", "RFC 9111 3.5", of_request=True)
    if policy.is_shared:
        return None
    if head.sets_cookies and not profile.stores_cookies:
        return Refusal("it sets a cookie, and says neither public nor s-maxage")
    if request.has(b"cookie") and not profile.trusts_cookies and b"cookie" not in (head.names or ()):
        return Refusal("the request had Cookie", of_request=True)
    return None


def _of_length(head: Head) -> Refusal | None:
    lines = head.lines.get(b"content-length", ())
    if not lines:
        return None
    length = content_length(lines)
    if length is None:
        return Refusal("its Content-Length is no number")
    most = head.rules.max_body
    return Refusal(f"its body is longer than max_body={most}") if length > most else None


def _of_events(head: Head) -> Refusal | None:
    kinds = head.lines.get(b"content-type", ())
    return Refusal("it is an event stream") if any(kind.strip().lower().startswith(_EVENTS) for kind in kinds) else None


def _of_silence(head: Head, now: float) -> Refusal | None:
    """Ask of what does not say how long it is fresh for a status for which that may be guessed (RFC 9111 4.2.2)."""
    if head.policy.is_explicit:
        return None
    heuristic = head.rules.profile.heuristic
    known = head.status in (HEURISTIC_STATUSES if heuristic else STATUSES)
    if not known and not (heuristic and head.policy.control.says(b"public")):
        return Refusal(f"the status is {head.status}, without a lifetime", "RFC 9111 3")
    silent = head.is_default(now) and not head.policy.is_shared
    if silent and not are_nameless(head.request.headers, head.names or ()):
        why = "the request had fields that may tell who asks, and the answer has no lifetime of its own"
        return Refusal(why, of_request=True)
    return None


_REFUSING: tuple[Callable[[Head], Refusal | None], ...] = (
    _of_status,
    _of_control,
    _of_vary,
    _of_identity,
    _of_length,
    _of_events,
)


def refused(head: Head, now: float) -> Refusal | None:
    """Tell why the head of a response forbids to store it, if it does (RFC 9111 3)."""
    for refusing in _REFUSING:
        refusal = refusing(head)
        if refusal is not None:
            return refusal
    return _of_silence(head, now)
