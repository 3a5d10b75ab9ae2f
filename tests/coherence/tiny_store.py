"""A store with fences in memory, whose rules are those of `core/fence.py`. Each method is one step."""

import asyncio

from msgspec.structs import replace

from asynccache.backends.granting import ANEW, Found, Granted, Taken
from asynccache.core import codec
from asynccache.core.fence import Birth, Marks, Notebook, is_valid

KEEPER = b"keeper01"


class TinyStore:
    """What all nodes share. `off` names fences that are switched off."""

    def __init__(self, off=()):
        self.off = frozenset(off)
        self.notebook = Notebook(b"gen00001", 1, 1, KEEPER)
        self.stamps = {}
        self.entries = {}
        self.leases = {}
        self.waiters = {}
        self.copies = 0

    def has(self, fence):
        return fence not in self.off

    def look(self, key):
        """Give the entry if it is valid."""
        raw = self.entries.get(key)
        if raw is None:
            return None
        frame = codec.decode(raw, raw[codec.OWNER])
        return raw if frame.remaining(now()) > 0 and self._is_valid(frame) else None

    def claim(self, want, seconds):
        raw = self.look(want.key)
        if raw is not None and want.seen != ANEW and codec.decode(raw, raw[codec.OWNER]).at_us != want.seen:
            return Found(raw)
        holder, until = self.leases.get(want.key, (None, 0.0))
        if holder is not None and until > now():
            return Taken(until - now(), raw)
        self.leases[want.key] = want.token, now() + seconds
        return Granted(self.notebook.seq, self.notebook.view, raw)

    def land(self, landing):
        ticket = landing.ticket
        if self.has("token") and not self.holds(ticket):
            return False
        self.end(ticket.key)
        birth = Birth(ticket.view.gen, ticket.born, landing.cells)
        if self.has("land checks") and not is_valid(birth, self.notebook, ticket.view.keeper, self._marks(birth.cells)):
            return False
        if landing.raw is not None:
            self._put(ticket.key, landing.raw, ticket.born)
        return True

    def holds(self, ticket):
        holder, until = self.leases.get(ticket.key, (None, 0.0))
        return holder == ticket.token and until > now()

    def is_held(self, key):
        return key in self.leases

    def renew(self, ticket, seconds):
        if held := self.holds(ticket):
            self.leases[ticket.key] = ticket.token, now() + seconds
        return held

    def release(self, ticket):
        if held := self.holds(ticket):
            self.end(ticket.key)
        return held

    def store(self, key, raw):
        if self.has("revoking"):
            self.end(key)
        self._put(key, raw, self._stamp())
        return True

    def drop(self, key):
        if self.has("revoking"):
            self.end(key)
        self._stamp()
        return self.entries.pop(key, None) is not None

    def void(self, cells):
        self.stamps.update(dict.fromkeys(cells, self._stamp()))

    def empty(self):
        self.notebook = self.notebook._replace(floor=self._stamp())

    def end(self, key):
        """End a right, and wake who waits for that."""
        self.leases.pop(key, None)
        for waiter in self.waiters.pop(key, ()):
            if not waiter.done():
                waiter.set_result(None)

    def _put(self, key, raw, born):
        self.copies += 1
        frame = codec.decode(raw, raw[codec.OWNER])
        stamped = replace(frame, gen=self.notebook.gen, born=born, at_us=frame.at_us + self.copies)
        self.entries[key] = codec.encode(stamped, frame.owner)

    def _stamp(self):
        self.notebook = self.notebook._replace(seq=self.notebook.seq + 1)
        return self.notebook.seq

    def _marks(self, cells):
        return Marks(1, tuple(self.stamps.get(cell, 0) for cell in cells))

    def _is_valid(self, frame):
        cells = tuple(frame.cells)
        return is_valid(Birth(frame.gen, frame.born, cells), self.notebook, KEEPER, self._marks(cells))


def now():
    """Give seconds of the running loop, which never are 0."""
    return asyncio.get_running_loop().time() + 1.0
