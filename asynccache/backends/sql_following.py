"""What is read of the order of a namespace by those who follow it: its log, and entries with their position."""

from __future__ import annotations

import asyncio
from time import monotonic, sleep
from typing import TYPE_CHECKING

from asynccache.backends.followed import At, Batch, Hole, Seen
from asynccache.backends.sql_asking import KEEPER, AskingBackend, read
from asynccache.backends.sql_entries import fetch
from asynccache.backends.sql_order import LOG_LIMIT
from asynccache.backends.sql_rights import wire_key
from asynccache.backends.sql_rows import framed, placed
from asynccache.core.fence import View, follows, has_hole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from asynccache.backends.sql_replies import Reply
    from asynccache.plan.io import IO

POLL_SECONDS = 0.25
BATCH_COUNT = 100
_BATCH_BYTES = 256 * 1024
_NOWHERE = At(View(b"", KEEPER), 0)
"""The place in the log of a namespace in which nothing has happened yet."""


class FollowingBackend(AskingBackend):
    """A database whose log can be followed."""

    _looked_at = 0.0

    def _parts(self, namespace: str) -> tuple[str, ...]:
        return (namespace,)

    def _part_of(self, stored_key: str) -> str:
        return self.namespace_of(stored_key)

    async def _fetch_at(self, io: IO, stored_keys: list[str]) -> dict[str, Seen]:
        seen: dict[str, Seen] = {}
        for namespace, keys in self._by_namespace(stored_keys).items():
            for batch in batches(keys):
                wires = {wire_key(key): key for key in batch}
                ((rows, _),) = await self._asked(io, "get", fetch(self._order(namespace), list(wires)))
                at = At(View(rows[0][1], KEEPER), rows[0][2]) if rows else _NOWHERE
                seen |= {key: Seen(None, at) for key in batch}
                for _, gen, _, wire, entry, number, born in rows:
                    if wire is not None:
                        seen[wires[wire]] = Seen(placed(framed(entry, number), gen, born), at)
        return seen

    async def _follow(self, io: IO, places: Mapping[str, At | None], wait: float) -> dict[str, Batch | Hole]:
        """Look, but not more often than every `POLL_SECONDS` while there is time to wait and nothing more to read."""
        pause = min(wait, self._looked_at + POLL_SECONDS - monotonic())
        if pause > 0 and None not in places.values():
            await io.twin(sleep, asyncio.sleep, pause)
        self._looked_at = monotonic()
        orders = {part: self._order(part) for part in places}
        asked = [orders[part].news(*((at.view.gen, at.position) if at else (b"", 0))) for part, at in places.items()]
        replies = await self._asked(io, "follow", *asked)
        found = {part: _news(at, reply) for (part, at), reply in zip(places.items(), replies, strict=True)}
        if any(isinstance(news, Batch) and not news.is_all for news in found.values()):
            self._looked_at = 0.0
        return found

    def _by_namespace(self, stored_keys: list[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for key in stored_keys:
            found.setdefault(self.namespace_of(key), []).append(key)
        return found


def batches(keys: list[str]) -> list[list[str]]:
    """Cut into what one statement carries."""
    return [keys[start : start + BATCH_COUNT] for start in range(0, len(keys), BATCH_COUNT)]


def sized_batches(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """Cut into what one statement carries, by the bytes that belong to each key."""
    batch: list[str] = []
    size = 0
    for key in sizes:
        if batch and (len(batch) >= BATCH_COUNT or size + sizes[key] > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(key)
        size += sizes[key]
    if batch:
        yield batch


def _news(at: At | None, reply: Reply) -> Batch | Hole:
    rows, _ = reply
    now = At(View(rows[0][1], KEEPER), rows[0][2]) if rows else _NOWHERE
    changes = tuple(read(stamp, prev, what) for *_, stamp, prev, what in rows if stamp is not None)
    if at is None or at.view != now.view:
        return Hole(now)
    if not changes:
        return Hole(now) if has_hole(now.position, at.position) else Batch((), at)
    known = (at.position, *(change.stamp for change in changes))
    if not all(follows(change, before) for change, before in zip(changes, known, strict=False)):
        return Hole(now)
    return Batch(changes, At(at.view, known[-1]), len(changes) < LOG_LIMIT)
