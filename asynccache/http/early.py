"""Answering from the store before a request is routed: for `@Cache(edge=True)`, by the `CacheMiddleware` around an app.

No guard and no dependency has seen the request yet. So only those are answered that carry nothing by which one could
know who asks, and only with pages that somebody was answered with inside who carried nothing either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.core.page_keys import READING
from asynccache.http.ask import Ask, OneKey
from asynccache.http.carried import is_nobodys
from asynccache.http.pages import Pages
from asynccache.http.replay import replay
from asynccache.http.seeking import sought
from asynccache.http.snapshot import Snapshot
from asynccache.plan.io import LOOP

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from asynccache.http.ask import Owner
    from asynccache.http.current import Installed
    from asynccache.http.handler import Handler
    from asynccache.http.replay import Replay

    Scope = MutableMapping[str, Any]


async def early_page(handler: Handler, found: Installed, scope: Scope, key: str, owner: Owner) -> Replay | None:
    """Answer with the page under this key; None: the request goes inside."""
    ask = Ask(scope, OneKey(key, owner))
    if ask.method not in READING or ask.carries_body() or not is_nobodys(scope, ask.headers):
        return None
    settings, service = handler.settings, found.service
    backend = service.get_backend(settings.backend)
    pages = Pages(backend, service.flights, settings.version, LOOP, timed=False)
    page = (await sought(backend, pages, settings.version, ask)).found
    if type(page) is not Snapshot or ask.is_barred(page.record):
        return None
    now = backend.clock()
    if now >= page.record.renew_at:
        return None
    handler.tell_outer(ask.scope, ask.headers, (ask.key, ask.owner), found, page.record)
    answer = replay(page, ask, now)
    answer.raw_headers[:0] = page.date
    return answer
