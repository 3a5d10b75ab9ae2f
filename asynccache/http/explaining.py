"""A request and its answer in rows: what is there, what a shared cache makes of it, and by which rule.

Nothing is decided here: `may_store` and `answer` are asked, the readers that they ask themselves, and what `@Cache` has
told of its decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asynccache.http.heads import IDENTITY
from asynccache.http.requests import READING
from asynccache.http.rules import (
    Forward,
    GatewayTimeout,
    Refusal,
    Serve,
    Validate,
    answer,
    keep_for,
    matches,
    may_store,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asynccache.http.headers import Pair
    from asynccache.http.profile import Rules
    from asynccache.http.requests import Request
    from asynccache.http.rules import Decision
    from asynccache.http.stored import Stored
    from asynccache.http.witness import Testimony

ABSENT = "-"
SECRET = "there, not shown"  # noqa: S105  # the very opposite
_UNUSUAL = {"etag": "ETag", "cdn": "CDN"}
_CONDITIONAL = "304 from what is stored, where that has not changed"
_OBEYED = "@Cache and safe pay no attention, rfc9111 obeys"
_REQUEST_FIELDS = (
    (b"authorization", "only what says public, s-maxage or must-revalidate is shared", "RFC 9111 3.5"),
    (b"cookie", "safe: only what says public or s-maxage, or has Vary: Cookie; rfc9111: no matter", "RFC 9111 7.3"),
    (b"cache-control", _OBEYED, "RFC 9111 5.2.1"),
    (b"pragma", _OBEYED, "RFC 9111 5.4"),
    (b"if-none-match", _CONDITIONAL, "RFC 9110 13.1.2"),
    (b"if-modified-since", _CONDITIONAL, "RFC 9110 13.1.3"),
    (b"range", "cut out of what is stored whole", "RFC 9110 14.2"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One fact.

    Args:
        about: whose: `request`, `answer`, `@Cache`, or a profile of `CacheMiddleware`.
        what: its name.
        found: what is there.
        means: what follows.
        rule: the section of the RFC that says so, or ours.
        speaks: True: for storing; False: against; None: neither.
    """

    about: str
    what: str
    found: str
    means: str
    rule: str
    speaks: bool | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The head of an answer, in lower-case names, and when it came and was asked for, in seconds since 1970."""

    status: int
    headers: Sequence[Pair]
    came_at: float
    asked_at: float


def of_request(request: Request) -> Iterator[Row]:
    """Tell what of a request matters to a cache."""
    if request.method in READING:
        yield Row("request", "method", request.method, "a stored answer will do", "RFC 9111 4", speaks=True)
    else:
        means = "goes to the app; what succeeds ends what is stored for the URL"
        yield Row("request", "method", request.method, means, "RFC 9111 4.4", speaks=False)
    for name, means, rule in _REQUEST_FIELDS:
        if not request.has(name):
            continue
        if name in IDENTITY:
            yield Row("request", named(name), SECRET, means, rule, speaks=False)
        else:
            yield Row("request", named(name), shown(request.lines(name)), means, rule)
    if request.has_content:
        yield Row("request", "content", "announced", "goes to the app", "asynccache: bodies of GET", speaks=False)


def of_rules(request: Request, answered: Answered, rules: Rules) -> Iterator[Row]:
    """Tell what `CacheMiddleware` does with an answer, and then with the same request a moment later."""
    about = f"CacheMiddleware, {rules.profile.name}"
    stored = may_store(request, answered.status, answered.headers, rules, answered.came_at, answered.asked_at)
    if isinstance(stored, Refusal):
        yield Row(about, "stored", "no", stored.why, stored.section or f"asynccache: {rules.profile.name}", False)
        return
    kept = keep_for(stored, rules)
    yield Row(about, "stored", "yes", f"kept for {kept:.0f} s at most", "RFC 9111 3", True)
    decision = answer(request, stored if matches(request, stored) else None, answered.came_at, rules)
    found, means, rule = _decided(decision, stored, answered.came_at)
    yield Row(about, "the same again", found, means, rule, isinstance(decision, Serve))


def of_testimony(told: Testimony) -> Iterator[Row]:
    """Tell what `@Cache` decided."""

    def row(what: str, found: str, means: str, rule: str, speaks: bool | None = None) -> Row:  # noqa: FBT001
        return Row("@Cache", what, found, means, f"asynccache: {rule}", speaks)

    yield row("handler", told.handler, "whose answer it is", "reads")
    yield row("key", told.key, "of its page, as delete() takes it", "keys")
    seen = told.seen
    names = "all" if seen.everything else ", ".join(sorted(name.decode("latin-1") for name in seen.names))
    yield row("headers read", names or ABSENT, "each value has a page of its own; Vary names them", "reads")
    identity = ", ".join(sorted(seen.identity)) or ABSENT
    yield row(
        "identity read", identity, "what knows it may be one visitor's", "identity", False if seen.identity else None
    )
    if told.refusal:
        yield row("stored", "no", told.refusal, "what is stored", False)
    elif told.ttl <= 0:
        yield row("stored", "no", "its ttl is 0", "ttl", False)
    else:
        tags = f", with the tags {', '.join(told.tags)}" if told.tags else ""
        yield row("stored", "yes", f"for {told.ttl:.0f} s{tags}", "what is stored", True)


def _decided(decision: Decision, stored: Stored, now: float) -> tuple[str, str, str]:
    match decision:
        case Serve(stale=False):
            return "hit", f"fresh for another {stored.lifetime - stored.age(now):.0f} s", "RFC 9111 4.2"
        case Serve():
            return "hit, stale", "sent while it is renewed behind the back", "RFC 5861 3"
        case Validate(added=added):
            fields = " and ".join(named(name) for name, _ in added)
            return "asks the app", f"by {fields}, and sends what is stored where that is 304", "RFC 9111 4.3"
        case GatewayTimeout():
            return "504", "only-if-cached, and nothing may be used", "RFC 9111 5.2.1.7"
        case Forward(why=why):
            return "asks the app", f"fwd={why}", "RFC 9111 4"


def named(name: bytes) -> str:
    """Write a field's name as documents do."""
    return "-".join(_UNUSUAL.get(part) or part.capitalize() for part in name.decode("latin-1").split("-"))


def shown(lines: Sequence[bytes]) -> str:
    """Write a field's lines."""
    return b", ".join(lines).decode("latin-1")
