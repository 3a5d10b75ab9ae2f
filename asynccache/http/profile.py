"""By which rules `CacheMiddleware` stores and answers: what RFC 9111 leaves open, decided in one place."""

from __future__ import annotations

from dataclasses import dataclass

STATUSES = frozenset({200, 203, 204, 301, 308})
"""Those that `@Cache` stores by default, and the `safe` profile without an explicit lifetime."""
HEURISTIC_STATUSES = frozenset({200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501})  # RFC 9110 15.1, less 206
UNDERSTOOD_STATUSES = frozenset({
    200, 201, 202, 203, 204, 205, 206, 300, 301, 302, 303, 307, 308, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410,
    411, 412, 413, 414, 415, 416, 417, 421, 422, 426, 500, 501, 502, 503, 504, 505,
})  # fmt: skip
"""The final ones of RFC 9110 15 that may be stored: what each asks of a cache is done (RFC 9111 5.2.2.3)."""
MAX_BODY = 8 * 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Profile:
    """What a shared cache may choose.

    Args:
        name: `safe` or `rfc9111`.
        heuristic: a response without an explicit lifetime gets one from its Last-Modified (RFC 9111 4.2.2).
        stores_cookies: a response with Set-Cookie is stored like any other (RFC 9111 7.3); else only where it says
            `public` or `s-maxage`, without that field.
        obeys_clients: a request's Cache-Control and Pragma may bypass what is stored (RFC 9111 5.2.1).
        trusts_cookies: the Cookie field of a request does not matter unless Vary says so; else a request that carries
            one is answered from the store, and its response stored, only where that says `public` or `s-maxage`, or its
            Vary names the field.
    """

    name: str
    heuristic: bool
    stores_cookies: bool
    obeys_clients: bool
    trusts_cookies: bool


SAFE = Profile("safe", heuristic=False, stores_cookies=False, obeys_clients=False, trusts_cookies=False)
RFC9111 = Profile("rfc9111", heuristic=True, stores_cookies=True, obeys_clients=True, trusts_cookies=True)
PROFILES = {profile.name: profile for profile in (SAFE, RFC9111)}


@dataclass(frozen=True, slots=True)
class Rules:
    """What one `CacheMiddleware` was told.

    Args:
        profile: what it chose.
        targets: lower-case names of the fields that replace Cache-Control, the first one that is valid (RFC 9213).
        default_ttl: seconds for which a response is fresh that says nothing of its own, and no heuristic does.
        max_body: bytes of the longest body that is stored.
        keep_stale: seconds for which a response that is over is kept: to be validated; or, where it may be stale, to
            be sent where the app fails or a client allows it.
    """

    profile: Profile = SAFE
    targets: tuple[bytes, ...] = (b"cdn-cache-control",)
    default_ttl: float | None = None
    max_body: int = MAX_BODY
    keep_stale: float = 86_400.0
