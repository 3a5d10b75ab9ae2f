"""Methods that may change something: what they make invalid is gone before their answer is seen (RFC 9111 4.4)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from asynccache.core.url_keys import group_tags, key_of_url
from asynccache.http.edge.telling import told
from asynccache.http.headers import lowered
from asynccache.http.rules import invalidates
from asynccache.loading.errands import Errand
from asynccache.plan.io import LOOP

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from asynccache.http.edge.incoming import Incoming, Message
    from asynccache.http.edge.place import Place
    from asynccache.http.invalidation import Invalidated

logger = logging.getLogger(__name__)


async def write(place: Place, incoming: Incoming, key_prefix: str) -> None:
    """Pass on a request whose method may change something, and invalidate what its answer says.

    That is seen through also where this request is cancelled meanwhile, since the app has done its part by then.
    The answer itself is never stored, be it for a later GET (RFC 9110 9.3.3): nobody knows which writes came after it.
    """
    member = place.telling(incoming).forwarded("method")

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = lowered(message.get("headers", ()))
            gone = invalidates(incoming.request, message["status"], headers)
            if gone.urls:
                plan = _invalidate(place, incoming, gone, key_prefix)
                await Errand(f"asynccache invalidates {incoming.key!r:.80}", plan).result()
            message = {**message, "headers": told(headers, member, place.now())}
        await incoming.send(message)

    await place.app(incoming.scope, incoming.receive, send)


async def _invalidate(place: Place, incoming: Incoming, gone: Invalidated, key_prefix: str) -> None:
    for key in dict.fromkeys((incoming.key, *(key_of_url(url, key_prefix) for url in gone.urls[1:]))):
        await _told_where_lost(place.shelf.invalidate(key), key)
    tags = group_tags(incoming.key, gone.groups)
    if tags:
        await _told_where_lost(place.backend.void(LOOP, tags), str(tags))


async def _told_where_lost(invalidation: Awaitable[object], what: str) -> None:
    """Invalidate; the answer of the app goes out in any case, and what is lost is told."""
    try:
        await invalidation
    except Exception as error:  # noqa: BLE001  # whatever a store raises, the answer goes out
        if getattr(error, "queued", False):
            logger.warning("the store is away: %s will be invalidated when it is back", what)
        else:
            logger.error("%s was not invalidated, and may be answered as it was: %s", what, error)  # noqa: TRY400
