"""What a page says of its own freshness (RFC 9111 5.2.2), and to whom: caches further out hold it for all who ask.

Those know the URL and `Vary`, and not the guards that a request passed on its way to `@Cache`. So only that answer says
for how long it is good whose request carried nothing by which a guard could have known it: what let that one pass lets
everybody pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynccache.core.page_keys import READING
from asynccache.errors import ConfigurationError
from asynccache.http.nameless import BY_PERSON

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from asynccache.core.policy import CachePolicy
    from asynccache.http.settings import CacheSettings
    from asynccache.http.snapshot import Record

_WORDS = ("shared", "all", None)
_YEAR = 31_536_000
_COOKIES = frozenset({b"set-cookie", b"Set-Cookie"})
_OWN_WORDS = frozenset({b"expires", b"pragma", b"surrogate-control", b"x-accel-expires"})


class Said(bytes):
    """The value of a Cache-Control that `@Cache` has added, told by its class from those of others."""

    __slots__ = ()


def check_statement(cache_control: object) -> None:
    """Check the `cache_control=` of a `@Cache`."""
    if cache_control is not None and not isinstance(cache_control, str):
        raise TypeError(f"cache_control={cache_control!r}: give 'shared', 'all' or None")
    if cache_control not in _WORDS:
        raise ConfigurationError(
            f"cache_control={cache_control!r}: give 'shared', 'all' or None; what else a page is to say of itself, its "
            "handler puts into the Cache-Control of the response"
        )


def statement(cache_control: str | None, seconds: float, policy: CachePolicy) -> bytes:
    """Give the Cache-Control of a page that is good for so many seconds from when it was made; empty: it says nothing.

    What is invalidated does not come to the ears of browsers. So they are to ask each time, unless told `all`; a cache
    that several share need not.
    """
    whole = int(min(seconds, _YEAR))
    if cache_control is None or whole < 1:
        return b""
    if cache_control == "shared":
        return b"max-age=0, s-maxage=%d" % whole
    said = b"max-age=%d" % whole
    for name, window in (
        (b"stale-while-revalidate", policy.stale_while_revalidate),
        (b"stale-if-error", policy.stale_if_error),
    ):
        if window >= 1:
            said += b", %s=%d" % (name, window)
    return said


def may_state(settings: CacheSettings, method: str, record: Record) -> bool:
    """Tell whether a page may say how long it is good for: whether caches further out know all that it depends on.

    They know nothing of what a key callback goes by, nor whom the guards of a `public` page let in, and some of them do
    not look at `Vary`. A response that speaks for itself is not interrupted.
    """
    if settings.public or settings.make_key_callback is not None or method not in READING:
        return False
    if not BY_PERSON.isdisjoint(record.names):
        return False
    return not speaks_for_itself(record)


def speaks_for_itself(record: Record) -> bool:
    """Tell whether a response says of itself how long it is good for, in whatever field."""
    return any(name in _OWN_WORDS or name.endswith(b"cache-control") for name, _ in record.headers)


def take_back(message: MutableMapping[str, Any]) -> None:
    """Let an answer no longer say how long it is good for, where somebody has added a cookie to it on its way out.

    A cache that stores cookies would give that one to everybody (RFC 9111 7.3).
    """
    if message["type"] != "http.response.start":
        return
    headers = message.get("headers", ())
    if type(headers) is not list:
        headers = message["headers"] = list(headers)
    for name, _ in headers:
        if name in _COOKIES:
            message["headers"] = [pair for pair in headers if type(pair[1]) is not Said]
            return
