"""Fields of a request by which nobody could know who asks, nor what a page was made for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from asynccache.http.headers import Pair

BY_PERSON = frozenset({b"cookie", b"authorization", b"proxy-authorization"})
NAMELESS = frozenset({
    b"accept", b"accept-charset", b"accept-encoding", b"accept-language", b"cache-control", b"cdn-loop", b"cf-ray",
    b"cf-visitor", b"connection", b"content-length", b"content-type", b"device-memory", b"dnt", b"downlink", b"dpr",
    b"ect", b"expect", b"host", b"if-modified-since", b"if-none-match", b"if-range", b"keep-alive", b"max-forwards",
    b"pragma", b"priority", b"purpose", b"range", b"referer", b"rtt", b"save-data", b"sec-ch-ua",
    b"sec-ch-ua-arch", b"sec-ch-ua-bitness", b"sec-ch-ua-full-version-list", b"sec-ch-ua-mobile", b"sec-ch-ua-model",
    b"sec-ch-ua-platform", b"sec-ch-ua-platform-version", b"sec-ch-prefers-color-scheme", b"sec-fetch-dest",
    b"sec-fetch-mode", b"sec-fetch-site", b"sec-fetch-user", b"sec-gpc", b"sec-purpose", b"te", b"traceparent",
    b"tracestate", b"transfer-encoding", b"upgrade", b"upgrade-insecure-requests", b"user-agent", b"via",
    b"viewport-width", b"width", b"x-amz-cf-id", b"x-amzn-trace-id", b"x-cloud-trace-context", b"x-correlation-id",
    b"x-forwarded-for", b"x-forwarded-proto", b"x-moz", b"x-purpose", b"x-real-ip", b"x-request-id",
    b"x-request-start", b"x-requested-with", b"x-varnish",
})  # fmt: skip
"""Fields that browsers, proxies and tracing send of their own accord: they tell nobody's name, nor another host's."""


def are_nameless(headers: Iterable[Pair], besides: Collection[bytes] = ()) -> bool:
    """Tell whether no field but `besides` can tell a guard who asks: in doubt, it can."""
    return all(name in NAMELESS or name in besides for name, _ in headers)
