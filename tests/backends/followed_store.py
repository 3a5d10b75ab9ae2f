"""A store with a log, in memory: several backends over one of it are as many nodes, which faults can be made for."""

import asyncio
import threading
from itertools import count
from time import monotonic
from typing import ClassVar

from asynccache.backends.followed import At, Batch, FollowedBackend, Hole, Seen
from asynccache.backends.granting import ANEW, Found, Granted, Taken
from asynccache.core import codec
from asynccache.core.fence import CLEAR, KEYS, TAGS, Change, View, cells_of
from asynccache.core.keys import key_hash
from asynccache.errors import BackendUnavailableError
from asynccache.model import Capability


class Log:
    """What all nodes share."""

    def __init__(self):
        self.lock = threading.RLock()
        self.view = View(b"generat1", b"keeper 1")
        self.seq = 1
        self.floor = 0
        self.changes = []
        self.entries = {}  # raw, born, cells, until
        self.leases = {}
        self.cells = {}
        self.is_down = False

    def stamp(self, kind, what=()):
        self.changes.append(Change(self.seq + 1, self.seq, kind, what))
        self.seq += 1
        return self.changes[-1]

    def valid(self, key):
        raw, born, cells, until = self.entries.get(key, (None, 0, (), 0))
        fine = until > monotonic() and self.floor <= born and all(self.cells.get(cell, 0) <= born for cell in cells)
        return raw if fine else None

    def put(self, key, raw, ttl, born):
        frame = codec.decode(raw, key_hash(key))
        self.entries[key] = raw, born, cells_of(frame.tags), monotonic() + min(ttl, 1e9)

    def fail_over(self, *, keeps):
        """Let another process take over, with what it has: all, or what there was before."""
        self.view = View(self.view.gen, b"keeper%2d" % (int(self.view.keeper[6:]) + 1))
        self.changes.clear()
        self.leases.clear()
        if keeps is not None:
            self.entries = dict(keeps)


class Node(FollowedBackend):
    """A backend over a `Log`. With `gate`, its reads are answered at once and get their reply when that is open."""

    capabilities: ClassVar = frozenset(Capability)
    expires_entries: ClassVar = True
    _tokens = count(1)

    def __init__(self, log, **options):
        super().__init__(**options)
        self.log = log
        self.link = {"is_cut": False, "is_silent": False}
        self.gate = {}
        self.asked = []

    def _ask(self, what):
        self.asked.append(what)
        if self.log.is_down or self.link["is_cut"]:
            raise BackendUnavailableError("it is down")

    def _changed(self, change):
        for told in self.changed:
            told("all", self.log.view, change)

    async def _fetch(self, io, key):
        self._ask("fetch")
        with self.log.lock:
            raw = self.log.valid(key)
        if gate := self.gate.get("fetch"):
            await gate.wait()
        return raw

    async def _fetch_many(self, io, keys):
        self._ask("fetch many")
        with self.log.lock:
            return {key: raw for key in keys if (raw := self.log.valid(key)) is not None}

    async def _store(self, io, key, raw, ttl):
        self._ask("store")
        with self.log.lock:
            change = self.log.stamp(KEYS, (key,))
            self.log.put(key, raw, ttl, change.stamp)
            self.log.leases.pop(key, None)
        self._changed(change)
        return True

    async def _drop(self, io, key):
        return bool(await self._drop_many(io, [key]))

    async def _drop_many(self, io, keys):
        self._ask("drop")
        with self.log.lock:
            there = sum(self.log.valid(key) is not None for key in keys)
            for key in keys:
                self.log.entries.pop(key, None)
                self.log.leases.pop(key, None)
            change = self.log.stamp(KEYS, tuple(keys))
        self._changed(change)
        return there

    async def _claim_many(self, io, wants, lease):
        self._ask("claim")
        with self.log.lock:
            return [self._claimed_one(want, lease) for want in wants]

    def _claimed_one(self, want, lease):
        raw = self.log.valid(want.key)
        at = codec.decode(raw, key_hash(want.key)).at_us if raw else 0
        if raw and want.seen not in {ANEW, at}:
            return Found(raw)
        _, until = self.log.leases.get(want.key, (b"", 0))
        if until > monotonic():
            return Taken(until - monotonic(), raw)
        self.log.leases[want.key] = want.token, monotonic() + lease
        return Granted(self.log.seq, self.log.view, raw)

    async def _land_many(self, io, landings):
        self._ask("land")
        with self.log.lock:
            return [self._landed_one(landing) for landing in landings]

    def _landed_one(self, landing):
        ticket, log = landing.ticket, self.log
        token, _ = log.leases.get(ticket.key, (b"", 0))
        if ticket.view != log.view or token != ticket.token or log.floor > ticket.born:
            return False
        del log.leases[ticket.key]
        if any(log.cells.get(cell, 0) > ticket.born for cell in landing.cells):
            return False
        if landing.raw is None:
            return True
        log.put(ticket.key, landing.raw, landing.ttl, ticket.born)
        return True

    async def _hold(self, io, ticket, lease):
        return True

    async def _release(self, io, ticket):
        self._ask("release")
        return self.log.leases.pop(ticket.key, None) is not None

    async def _attend(self, io, key, seconds):
        await asyncio.sleep(min(seconds, 0.01))

    async def _void(self, io, namespace, tags):
        self._ask("void")
        with self.log.lock:
            cells = cells_of(tags)
            change = self.log.stamp(TAGS, cells)
            self.log.cells |= dict.fromkeys(cells, change.stamp)
        self._changed(change)

    async def _empty(self, io, namespace):
        self._ask("empty")
        with self.log.lock:
            change = self.log.stamp(CLEAR)
            self.log.floor = change.stamp
        self._changed(change)

    def _parts(self, namespace):
        return ("all",)

    def _part_of(self, stored_key):
        return "all"

    async def _fetch_at(self, io, stored_keys):
        return {key: Seen(self.log.valid(key), At(self.log.view, self.log.seq)) for key in stored_keys}

    async def _follow(self, io, places, wait):
        until = monotonic() + wait
        while self.link["is_silent"]:
            await asyncio.sleep(0.005)
        while True:
            if self.log.is_down or self.link["is_cut"]:
                raise BackendUnavailableError("it is down")
            with self.log.lock:
                found = self._next(places["all"])
            if found is not None:
                return {"all": found}
            if monotonic() > until:
                return {"all": Batch((), places["all"])}
            await asyncio.sleep(0.002)

    def _next(self, place):
        here = At(self.log.view, self.log.seq)
        if place is None or place.view != self.log.view:
            return Hole(here)
        changes = tuple(change for change in self.log.changes if change.stamp > place.position)
        if not changes:
            return Hole(here) if place.position != self.log.seq else None
        return Batch(changes, here) if changes[0].prev == place.position else Hole(here)
