"""The quickest way to an answer from the store: a plain GET, and a page in memory.

This is all that most hits cost, and written out for that: no awaiting, no object but the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.core.entry import Kind
from asynccache.http.ask import NOTED, values_of
from asynccache.http.carried import carried_login, has_own_state, has_session, session_counts
from asynccache.http.disguises import Name, Pairs
from asynccache.http.edge.note import EDGE_KEY
from asynccache.http.nameless import NAMELESS
from asynccache.http.snapshot import EMPTY_SESSION, NO_USER, NOBODY, SHARED, SHARED_STATE, Snapshot, Spec
from asynccache.http.variants import variant_of

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

    from asynccache.http.ask import Owner
    from asynccache.http.current import Installed
    from asynccache.http.handler import Handler
    from asynccache.http.headers import Pair

    Scope = MutableMapping[str, Any]

_USUAL = NOBODY | SHARED_STATE
_PLAIN = NAMELESS - NOTED


def plain_host(scope: Scope, headers: Sequence[Pair]) -> tuple[bytes | None, bool] | None:
    """Give the Host of a plain GET, and whether nothing else in it may tell who asks; None: look closer."""
    if not headers or type(headers) is Pairs or type(headers[0][0]) is Name or scope.get("method") != "GET":
        return None
    host: bytes | None = None
    nameless = True
    for name, value in headers:
        if name in _PLAIN:
            continue
        if name == b"host":
            if host is not None:
                return None
            host = value
        elif name in NOTED:
            return None
        else:
            nameless = False
    return host, nameless


def page_in_memory(
    handler: Handler,
    found: Installed,
    scope: Scope,
    headers: Sequence[Pair],
    key: str,
    owner: Owner,
) -> tuple[Snapshot, float] | None:
    """Give the page in memory that answers a plain GET, and the time; None: look closer."""
    settings = handler.settings
    backend, version = found.service.get_backend(settings.backend), settings.version
    if (peek := backend.peek) is None:
        return None
    stored: Any = peek(key, version, Kind.PAGE)
    values: tuple[bytes | None, ...] = ()
    if type(stored) is Spec:
        values = values_of(headers, stored.names)
        stored = peek(variant_of(key, owner, stored, values), version, Kind.PAGE)
    if type(stored) is not Snapshot:
        return None
    record, now = stored.record, backend.clock()
    if now >= record.renew_at or record.values != values or record.owner != owner:
        return None
    conditions = record.conditions & ~SHARED
    if conditions & ~_USUAL or ("session" in scope and conditions & EMPTY_SESSION and has_session(scope)):
        return None
    if conditions & NO_USER and ("user" in scope or "auth" in scope) and carried_login(scope):
        return None
    if conditions & SHARED_STATE and has_own_state(scope, found.lifespan_state):
        return None
    if conditions & EMPTY_SESSION and "session" in scope:
        session_counts(scope)
    if EDGE_KEY in scope:
        handler.tell_outer(scope, headers, (key, owner), found, record)
    return stored, now
