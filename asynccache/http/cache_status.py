"""Cache-Status: what a cache did with a request, as a member of a list (RFC 9211)."""

from __future__ import annotations

from urllib.parse import quote

from asynccache.http.structured_text import TOKEN

_PLAIN = "".join(map(chr, range(0x20, 0x7F)))


def member(
    name: str,
    *,
    fwd: str | None = None,
    fwd_status: int | None = None,
    ttl: int | None = None,
    stored: bool = False,
    collapsed: bool = False,
    key: str | None = None,
    detail: str | None = None,
) -> bytes:
    """Write what one cache did (RFC 9211 2).

    Args:
        name: of the cache.
        fwd: why the request went on: `uri-miss`, `vary-miss`, `stale`, `request`, `method`, `bypass`, `partial`; None:
            it did not, this is a hit; empty: neither, the answer was made by the cache.
        fwd_status: what was answered to it, where that is not what the client gets.
        ttl: seconds for which the response stays fresh; negative for a stale one.
        stored: the response was stored.
        collapsed: it was made for another request.
        key: under which it lies.
        detail: whatever else helps.
    """
    parts = [_text(name)]
    if fwd != "":
        parts.append("hit" if fwd is None else f"fwd={fwd}")
    if fwd_status is not None:
        parts.append(f"fwd-status={fwd_status}")
    if ttl is not None:
        parts.append(f"ttl={ttl}")
    if stored:
        parts.append("stored")
    if collapsed:
        parts.append("collapsed")
    if key is not None:
        parts.append(f"key={_string(key)}")
    if detail is not None:
        parts.append(f"detail={_text(detail)}")
    return "; ".join(parts).encode("ascii")


def _text(text: str) -> str:
    """Write a token where it can be one, else a string."""
    return text if TOKEN.fullmatch(text) else _string(text)


def _string(text: str) -> str:
    """Write a string; what is no printable ASCII, percent-encoded."""
    printable = quote(text, safe=_PLAIN, errors="replace")
    return '"' + printable.replace("\\", "\\\\").replace('"', '\\"') + '"'
