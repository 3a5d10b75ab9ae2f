"""How a request is answered by what is stored (RFC 9111 4, 5.2.1; RFC 5861, 8246)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from asynccache.http.cache_control import CacheControl
from asynccache.http.describing import conditions
from asynccache.http.requests import READING
from asynccache.http.selecting import covers
from asynccache.http.stored import IMMUTABLE, NEVER_STALE, UNKEPT, VALIDATE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asynccache.http.headers import Pair
    from asynccache.http.profile import Rules
    from asynccache.http.requests import Request
    from asynccache.http.stored import Stored

_OWN_CONDITIONS = frozenset({b"if-none-match", b"if-modified-since"})
_FAILURES = frozenset({500, 502, 503, 504})  # RFC 5861 4
_NOTHING = CacheControl(())


class Serve(msgspec.Struct, frozen=True):
    """Answer from the store.

    Args:
        stale: it is over.
        renew: ask the app in the background (RFC 5861 3).
    """

    stale: bool = False
    renew: bool = False


class Validate(msgspec.Struct, frozen=True):
    """Ask the app whether what is stored still holds (RFC 9111 4.3.1).

    Args:
        why: as Cache-Status has it: `stale` or `request` (RFC 9211 2.2).
        added: the fields that ask.
    """

    why: str
    added: tuple[Pair, ...]

    def over(self, headers: Sequence[Pair]) -> list[Pair]:
        """Give a request's fields with these in place of its own If-None-Match and If-Modified-Since."""
        return [*(pair for pair in headers if pair[0] not in _OWN_CONDITIONS), *self.added]


class Forward(msgspec.Struct, frozen=True):
    """Pass the request on as it is.

    Args:
        why: as Cache-Status has it: `uri-miss`, `vary-miss`, `stale`, `request`, `method`, `bypass` or `partial`
            (RFC 9211 2.2).
    """

    why: str


class GatewayTimeout(msgspec.Struct, frozen=True):
    """Answer 504: the client wants something stored or nothing, and there is nothing (RFC 9111 5.2.1.7)."""


Decision = Serve | Validate | Forward | GatewayTimeout
FRESH = Serve()


def answer(request: Request, stored: Stored | None, now: float, rules: Rules, *, others: bool = False) -> Decision:
    """Decide how a request is answered.

    What a client asks for by Cache-Control or Pragma counts where the profile obeys clients. Two directives count in
    any profile, since they take nothing from anyone else: only-if-cached spares the app, and nothing of the answer to a
    request that says no-store is stored, so it neither validates nor renews.

    Args:
        request: of the client.
        stored: what `select` gave.
        now: seconds since 1970.
        rules: what the cache was told.
        others: something that does not fit this request is stored for its URL.
    """
    if request.method not in READING:
        return Forward("method")
    decision = _decide(request, stored, now, rules, others=others)
    if not isinstance(decision, Serve) and request.control.has(b"only-if-cached"):
        return GatewayTimeout()
    return decision


def stands_in(request: Request, stored: Stored, now: float, rules: Rules, status: int | None = None) -> bool:
    """Tell whether something stored is sent in place of a failure (RFC 9111 4.2.4, RFC 5861 4).

    Where the app did not answer, what is stale is, unless something forbids it. Where it answered 500, 502, 503 or 504,
    only what allows that by stale-if-error, or whose request does.

    Args:
        request: of the client.
        stored: what `select` gave.
        now: seconds since 1970.
        rules: what the cache was told.
        status: of the app's answer; None: it raised, or took too long.
    """
    if stored.terms & (NEVER_STALE | VALIDATE | UNKEPT) or not covers(request, stored):
        return False
    if status is not None and status not in _FAILURES:
        return False
    asked = _asked(request, rules)
    limits = [limit for limit in (stored.error_for, asked.seconds(b"stale-if-error")) if limit is not None]
    if limits:
        return stored.age(now) - stored.lifetime <= min(limits)
    return status is None and not _insists(request, rules) and _accepts_stale(asked, stored, now)


def _decide(request: Request, stored: Stored | None, now: float, rules: Rules, *, others: bool) -> Decision:
    if request.has_content:
        return Forward("bypass")
    if stored is None:
        return Forward("vary-miss" if others else "uri-miss")
    if not covers(request, stored):
        return Forward("partial")
    asked = _asked(request, rules)
    if asked.has(b"no-store"):
        return Forward("request")
    if _insists(request, rules):
        return _validation(request, stored, "request")
    fresh = stored.is_fresh(now)
    if not stored.terms & VALIDATE:
        if fresh and _is_new_enough(asked, stored, now):
            return FRESH
        if not fresh and not stored.terms & NEVER_STALE and (served := _stale(request, asked, stored, now)):
            return served
    return _validation(request, stored, "request" if fresh and not stored.terms & VALIDATE else "stale")


def _stale(request: Request, asked: CacheControl, stored: Stored, now: float) -> Serve | None:
    over = stored.age(now) - stored.lifetime
    if over < stored.revalidate_for and _accepts_stale(asked, stored, now):
        return Serve(stale=True, renew=not request.control.has(b"no-store"))
    if _allows_stale(asked, over) and _is_new_enough(asked, stored, now):
        return Serve(stale=True)
    return None


def _validation(request: Request, stored: Stored, why: str) -> Validate | Forward:
    """Ask by the stored validators; a HEAD goes on as it came, and its answer is compared (RFC 9111 4.3.5)."""
    asked = conditions(stored)
    if request.method != "GET" or not asked or request.control.has(b"no-store"):
        return Forward(why)
    return Validate(why, asked)


def _asked(request: Request, rules: Rules) -> CacheControl:
    return request.control if rules.profile.obeys_clients else _NOTHING


def _insists(request: Request, rules: Rules) -> bool:
    return rules.profile.obeys_clients and request.insists


def _is_new_enough(asked: CacheControl, stored: Stored, now: float) -> bool:
    """Tell whether max-age and min-fresh allow it (RFC 9111 5.2.1.1, .3); immutable outlives a reload (RFC 8246 2)."""
    if not asked:
        return True
    age, oldest, left = stored.age(now), asked.seconds(b"max-age"), asked.seconds(b"min-fresh")
    immutable = stored.terms & IMMUTABLE and stored.is_fresh(now)
    if oldest is not None and age > oldest and not immutable:
        return False
    return left is None or stored.lifetime - age >= left


def _accepts_stale(asked: CacheControl, stored: Stored, now: float) -> bool:
    """Tell whether the client did not rule out what the app allows to be stale (RFC 9111 5.2.1.1)."""
    if asked.has(b"max-stale"):
        return _allows_stale(asked, stored.age(now) - stored.lifetime) and _is_new_enough(asked, stored, now)
    return not asked.has(b"max-age") and not asked.has(b"min-fresh")


def _allows_stale(asked: CacheControl, over: float) -> bool:
    """Tell whether max-stale allows it (RFC 9111 5.2.1.2)."""
    seconds = asked.seconds(b"max-stale")
    return seconds is not None and (asked.says(b"max-stale") or over <= seconds)
