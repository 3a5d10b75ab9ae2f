"""What an honest shared cache may do, in few words: a model of RFC 9111 that reads no field.

What a response says is known from how it was made: a set of directives with their seconds, and of names in Vary.
"""

from dataclasses import dataclass, field
from math import inf

HEURISTIC = {200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501}
UNDERSTOOD = HEURISTIC | {206, 302, 303, 307, 400, 403, 500, 503}
SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}


@dataclass(frozen=True)
class Wanted:
    """A request, as far as it matters: its fields, and what its Cache-Control says."""

    method: str
    fields: dict[str, str]
    directives: dict[str, int | None] = field(default_factory=dict)

    def has(self, name):
        return name in self.fields


@dataclass
class Given:
    """A response, the request that it was made for, and when; each 304 gives it another of both."""

    status: int
    directives: dict[str, int | None]
    vary: frozenset[str]
    cookies: int
    modified_ago: int | None
    grants: list[tuple[Wanted, float, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Reference:
    """An honest cache, which is more careful in the `safe` profile."""

    is_safe: bool

    def may_reuse(self, given, wanted, now, invalidated, *, failed):
        """Tell whether a response may answer another request.

        `invalidated` is the number of the last request that invalidated; `failed`: the application answers by errors.
        """
        if wanted.method not in {"GET", "HEAD"} or not self.may_store(given):
            return False
        return any(
            asked.method in {"GET", "HEAD"}  # which may renew what a GET got (RFC 9111 4.3.5)
            and "no-store" not in asked.directives
            and number >= invalidated
            and self.is_same(given, asked, wanted)
            and self.is_for(given, asked)
            and self.is_for(given, wanted)
            and self.is_new_enough(given, wanted, now - when, failed=failed)
            for asked, when, number in given.grants
        )

    def may_store(self, given):
        """RFC 9111 3 and 5.2.2."""
        said = given.directives
        if "must-understand" in said and given.status not in UNDERSTOOD:
            return False
        if "no-store" in said and "must-understand" not in said:
            return False
        if "private" in said or given.status in {206, 304} or "*" in given.vary:
            return False
        return not (self.is_safe and given.cookies and not self.is_shared(given))

    def is_shared(self, given):
        return "public" in given.directives or given.directives.get("s-maxage", 0) > 0

    def is_same(self, given, asked, wanted):
        """RFC 9111 4.1."""
        return all(asked.fields.get(name) == wanted.fields.get(name) for name in given.vary)

    def is_for(self, given, asked):
        """RFC 9111 3.5, and the care of the safe profile for cookies."""
        for_all = "public" in given.directives or "s-maxage" in given.directives
        if asked.has("authorization") and not (for_all or "must-revalidate" in given.directives):
            return False
        cookie = self.is_safe and asked.has("cookie") and "cookie" not in given.vary
        return not (cookie and not for_all)

    def lifetime(self, given):
        """RFC 9111 4.2.1 and 4.2.2."""
        said = given.directives
        for name in ("s-maxage", "max-age"):
            if name in said:
                return said[name]
        if self.is_safe or given.modified_ago is None or not ({given.status, "public"} & (HEURISTIC | said.keys())):
            return 0
        return given.modified_ago / 10

    def is_new_enough(self, given, wanted, age, *, failed):
        """RFC 9111 4.2 and 5.2.1, RFC 5861 3."""
        said = given.directives
        if "no-cache" in said:
            return False
        over = age - self.lifetime(given)
        never_stale = {"must-revalidate", "proxy-revalidate", "s-maxage"} & said.keys()
        stale_for = 0 if never_stale else said.get("stale-while-revalidate", 0)
        if failed and not never_stale and over <= said.get("stale-if-error", -inf):
            return True  # RFC 5861 4
        asked = {} if self.is_safe else wanted.directives
        if "no-cache" in asked:
            return False
        if "max-stale" in asked and not never_stale:
            stale_for = max(stale_for, asked["max-stale"])
        immutable = "immutable" in said and over < 0
        if age > asked.get("max-age", age) and not immutable:
            return False
        return over < 0 or (stale_for > 0 and over <= stale_for)
