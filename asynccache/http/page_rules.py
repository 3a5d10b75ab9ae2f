"""What may be stored, and for whom. Pure: RFC 9111 as a shared cache, and rules of our own."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from asynccache.http.cache_control import CacheControl
from asynccache.http.headers import Pair, content_length, grouped, vary_names
from asynccache.http.settings import MAX_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asynccache.http.settings import CacheSettings

_FORBIDDING = (b"no-cache", b"no-store", b"private")
_PASSING_STATUSES = frozenset({206, 304, 412, 416})
_MOMENTARY_STATUSES = frozenset({408, 421, 425, 429})  # the same request may fare better at once, or from another
GUARDS = frozenset({"auth", "user", "authorization"})


class Then(Enum):
    """What the refusal of one answer means for the requests that waited for it, and for later ones."""

    MARK = 0  # each runs its own, and so do those of the next minute
    RUN = 1  # those who waited run their own
    RETRY = 2  # it was about this request alone: one of those who waited takes over


class Refusal(msgspec.Struct, frozen=True):
    """Why an answer is not stored; `telling` where a line in the log would help; `of_reads`: for what was read."""

    why: str
    then: Then = Then.MARK
    telling: bool = True
    of_reads: bool = False


class Allowed(msgspec.Struct, frozen=True):
    """An answer may be stored: the names in its own Vary, and whether requests with Authorization may share it."""

    vary: frozenset[bytes] = frozenset()
    shared: bool = False


class Seen(msgspec.Struct, frozen=True):
    """What was seen to be read for an answer: header names, all of them at once, and whose identity.

    `above` is the identity that only guards and dependencies above the wrapper read.
    """

    names: frozenset[bytes] = frozenset()
    everything: bool = False
    identity: frozenset[str] = frozenset()
    conditional: frozenset[bytes] = frozenset()
    above: frozenset[str] = frozenset()


def judge(status: int, headers: Sequence[Pair], settings: CacheSettings) -> Refusal | Allowed:
    """Judge the head of a response, with lower-case names."""
    if status not in settings.statuses:
        return _of_status(status)
    lines = grouped(headers)
    if b"set-cookie" in lines:
        return Refusal("it sets a cookie")
    control = CacheControl.of(lines.get(b"cache-control", []))
    forbidden = next(filter(control.has, _FORBIDDING), None)
    if forbidden is not None:
        return Refusal(f"its Cache-Control says {forbidden.decode()}")
    names = vary_names(lines.get(b"vary", []))
    if names is None:
        return Refusal("its Vary is *")
    if lines.get(b"content-type", [b""])[0].strip().lower().startswith(b"text/event-stream"):
        return Refusal("it is an event stream")
    return _of_length(lines.get(b"content-length", []), settings) or Allowed(names - {b"host"}, control.is_for_others)


def _of_status(status: int) -> Refusal:
    if status in _PASSING_STATUSES:
        return Refusal(f"its status is {status}", Then.RETRY, telling=False)
    passing = status >= 500 or status in _MOMENTARY_STATUSES
    return Refusal(f"its status is {status}", Then.RUN if passing else Then.MARK, telling=False)


def _of_length(lines: Sequence[bytes], settings: CacheSettings) -> Refusal | None:
    if not lines:
        return None
    length = content_length(lines)
    if length is None:
        return Refusal("its Content-Length is no number")
    return too_long(settings) if length > settings.max_body else None


def too_long(settings: CacheSettings) -> Refusal:
    """Refuse a body beyond `max_body`."""
    return Refusal(f"its body is longer than max_body={settings.max_body}")


def judge_reads(seen: Seen, allowed: Allowed, settings: CacheSettings, spoken: frozenset[str]) -> Refusal | None:
    """Judge what was read on the way to a response; `spoken` is the identity that the key holds already."""
    if seen.conditional:
        return Refusal("it answered a condition of this request", Then.RETRY, telling=False)
    if seen.everything and not settings.vary:
        return Refusal(
            "the handler read all headers, and so the cookies: read by name those that matter; "
            "or, if the answer is nobody's own, name them in vary=(...) and say public=True",
            of_reads=True,
        )
    private = seen.identity - spoken
    if allowed.shared:
        private -= {"authorization"}
    if settings.public:
        private &= GUARDS - seen.above
    if private:
        return Refusal(_advice(private, settings), of_reads=True)
    names = len(seen.names | allowed.vary | settings.vary)
    if names > MAX_NAMES:
        return Refusal(f"it depends on {names} headers; {MAX_NAMES} is the most", of_reads=True)
    return None


def _advice(private: frozenset[str], settings: CacheSettings) -> str:
    read = " and ".join(sorted("client address" if what == "client" else what for what in private))
    if settings.public:
        return f"{read} was read below @Cache, where a hit would skip the guard: move @Cache below the guard"
    same_for_all = "move @Cache below the guard that did" if private & GUARDS else "say public=True"
    return (
        f"the handler read {read}, so its answer may be one visitor's own; if it is the same for all, {same_for_all}; "
        "else put what it depends on into the key, by vary= or make_key_callback="
    )
