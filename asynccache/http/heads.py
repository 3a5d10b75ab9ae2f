"""The head of a response to a request, and what is told by it before anything is decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from asynccache.http.freshness import explicit_lifetime, heuristic_lifetime, policy_of
from asynccache.http.headers import Pair, grouped, vary_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asynccache.http.freshness import Policy
    from asynccache.http.profile import Rules
    from asynccache.http.requests import Request

SETS_COOKIES = frozenset({b"set-cookie", b"set-cookie2"})
IDENTITY = frozenset({b"authorization", b"cookie"})


class Head(msgspec.Struct, frozen=True):
    """A response's status and fields, by name as well; what it says about its reuse, and for which requests.

    Args:
        names: of its Vary, sorted; None where no request matches that.
    """

    request: Request
    status: int
    headers: Sequence[Pair]
    rules: Rules
    lines: dict[bytes, list[bytes]]
    policy: Policy
    names: tuple[bytes, ...] | None

    @classmethod
    def of(cls, request: Request, status: int, headers: Sequence[Pair], rules: Rules) -> Head:
        """Read the head of a response, with lower-case names."""
        lines = grouped(headers)
        names = vary_names(lines.get(b"vary", ()))
        sorted_names = None if names is None else tuple(sorted(names))
        return cls(request, status, headers, rules, lines, policy_of(lines, rules.targets), sorted_names)

    @property
    def sets_cookies(self) -> bool:
        """Tell whether it gives its visitor a cookie."""
        return not SETS_COOKIES.isdisjoint(self.lines)

    def own_lifetime(self, now: float) -> float | None:
        """Give the seconds for which it is fresh by what it says, or by a guess that RFC 9111 4.2.2 allows."""
        seconds = explicit_lifetime(self.policy, self.lines, now)
        if seconds is None and self.rules.profile.heuristic:
            return heuristic_lifetime(self.lines, now)
        return seconds

    def is_default(self, now: float) -> bool:
        """Tell whether it lives by `default_ttl`: it is silent about its reuse, and shows nobody's identity."""
        if self.rules.default_ttl is None or self.sets_cookies or b"pragma" in self.lines:
            return False
        return not self.policy.control.has(b"no-cache") and self.own_lifetime(now) is None
