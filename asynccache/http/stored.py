"""A response as `CacheMiddleware` stores it, and the index of a URL's variants."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from asynccache.http.headers import Pair

MAX_VARIES = 8
MAX_VARY_NAMES = 32
VaryNames = Annotated[tuple[bytes, ...], Meta(max_length=MAX_VARY_NAMES)]
VaryValues = Annotated[tuple[bytes | None, ...], Meta(max_length=MAX_VARY_NAMES)]

# What else must hold for a stored response to be reused: `Stored.terms`
VALIDATE = 1  # it said no-cache: never without asking the app (RFC 9111 5.2.2.4)
NEVER_STALE = 2  # must-revalidate, proxy-revalidate, s-maxage or no-cache (RFC 9111 4.2.4)
IMMUTABLE = 4  # RFC 8246
ANONYMOUS = 8  # for requests without Authorization (RFC 9111 3.5)
COOKIELESS = 16  # for requests without Cookie: ours, where nobody said that it is the same for all
NAMELESS_ONLY = 64  # for requests none of whose fields can tell who asks: ours, where nobody spoke of reuse at all
UNKEPT = 32  # it answers the request for which it was validated, and is not stored


class Span(msgspec.Struct, frozen=True, array_like=True):
    """Which bytes of a representation a partial response has: both ends included; `size` is None where unknown."""

    first: int
    last: int
    size: int | None


class Stored(msgspec.Struct, frozen=True, array_like=True, tag="response"):
    """A final response, and what its reuse depends on. Times are seconds since 1970.

    Args:
        status: any final one.
        headers: those that are end to end, in order, names in lower case, without Age; Date is always there.
        body: all of it, or the part that `span` says.
        generated_at: when the origin made or last confirmed it: the receipt less its age then (RFC 9111 4.2.3).
        received_at: when it came, or was last confirmed.
        lifetime: seconds from `generated_at` for which it is fresh.
        revalidate_for: seconds after its end in which it is served while it is renewed (RFC 5861 3).
        error_for: seconds after its end in which it stands in where the app fails (RFC 5861 4); None: it did not say.
        terms: what else must hold.
        names: of its own Vary, sorted; `values` are those of the request that it answered, in the form in which they
            are compared; None for an absent field.
        unvalidated: fields that are left out of reuse without validation (`no-cache="..."`, `private="..."`).
        groups: of its Cache-Groups (RFC 9875), in the order given.
        span: which part it is; None: the whole.
        index_id: of the index that it was stored under; empty where it lies under the URL's key itself.
        tags: those that it was given here, beside its groups.
    """

    status: Annotated[int, Meta(ge=200, le=599)]
    headers: tuple[Pair, ...]
    body: bytes
    generated_at: float
    received_at: float
    lifetime: float = 0.0
    revalidate_for: float = 0.0
    error_for: float | None = None
    terms: int = 0
    names: VaryNames = ()
    values: VaryValues = ()
    unvalidated: tuple[bytes, ...] = ()
    groups: tuple[str, ...] = ()
    span: Span | None = None
    index_id: bytes = b""
    tags: tuple[str, ...] = ()

    def __bytes__(self) -> bytes:
        return _encoder.encode(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status}, {len(self.body)} bytes>"

    def age(self, now: float) -> float:
        """Give its current age in seconds (RFC 9111 4.2.3)."""
        return max(0.0, now - self.generated_at)

    def is_fresh(self, now: float) -> bool:
        """Tell whether it may be reused without asking, as far as time is concerned (RFC 9111 4.2)."""
        return self.lifetime > self.age(now)


class Index(msgspec.Struct, frozen=True, array_like=True, tag="index"):
    """The sets of Vary names under which responses of a URL are stored, the newest first; its id is theirs as well."""

    id: bytes
    varies: Annotated[tuple[VaryNames, ...], Meta(max_length=MAX_VARIES)]

    def __bytes__(self) -> bytes:
        return _encoder.encode(self)


_encoder = msgspec.msgpack.Encoder()
