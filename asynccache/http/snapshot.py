"""What lies under a page's key: the page, the names its variants depend on, or a mark that it cannot be stored.

And what `CacheMiddleware` stores: it is of the same kind, and read in the same way.
"""

from __future__ import annotations

from math import inf
from typing import Annotated

import msgspec
from msgspec import Meta

from asynccache.core.codec import DamagedEntryError
from asynccache.core.entry import Kind, objects
from asynccache.http.dates import missing_date
from asynccache.http.edge.shelved import Shelved
from asynccache.http.headers import Pair
from asynccache.http.settings import MAX_NAMES
from asynccache.http.statement import Said
from asynccache.http.stored import Index, Stored

HIT = b"asynccache; hit"
Names = Annotated[tuple[bytes, ...], Meta(max_length=MAX_NAMES)]
Values = Annotated[tuple[bytes | None, ...], Meta(max_length=MAX_NAMES)]

# What else must hold of a request that a page answers
EMPTY_SESSION = 1  # the handler read the session, or might have, and it was empty
NO_USER = 2  # nobody was logged in
SHARED_STATE = 16  # the handler read what the app's lifespan put into the state
NOBODY = EMPTY_SESSION | NO_USER
NO_RANGE = 4  # the handler would have answered a Range
SHARED = 8  # the response allows answering requests that carry Authorization (RFC 9111 3.5)


class Record(msgspec.Struct, frozen=True, array_like=True, tag="page"):
    """A response as it is stored, with all that a request must share to be answered by it.

    `etag` is one that we made, where the response had none. `stored_at` is by the backend's clock, and as much earlier
    as the response's own Age says; `received` is by the world's, for conditional requests. From `renew_at` on, by the
    backend's clock, whoever reads it is to see whether it is due to be renewed. `control` is the Cache-Control that it
    states to who asks without a name, and `tags` are those that it is stored with.
    """

    status: Annotated[int, Meta(ge=200, lt=500)]
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    owner: tuple[str, str, str]
    names: Names = ()
    values: Values = ()
    conditions: int = 0
    spec_id: bytes = b""
    etag: bytes = b""
    stored_at: float = 0.0
    received: float = 0.0
    renew_at: float = inf
    control: bytes = b""
    tags: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Record {self.status} of {self.owner[0]}, {len(self.body)} bytes>"


class Spec(msgspec.Struct, frozen=True, array_like=True, tag="spec"):
    """The names of the headers that the variants of a page depend on; its id is theirs as well."""

    names: Names
    id: bytes

    def __bytes__(self) -> bytes:
        return _encoder.encode(self)


class Pass(msgspec.Struct, frozen=True, array_like=True, tag="pass"):
    """The answer cannot be stored: for a while each request runs its own, at once.

    Found out by a request with a session or a user, it says nothing about requests without (`personal`).
    """

    why: str
    personal: bool = False

    def __bytes__(self) -> bytes:
        return _encoder.encode(self)


class Snapshot:
    """A stored response ready to be sent: what each answer shares is made once."""

    __slots__ = ("_age", "_aged", "_date", "_etag", "_stated", "_stating", "body", "fields", "record")

    def __init__(self, record: Record) -> None:
        self.record = record
        self.body = record.body
        self._etag: tuple[Pair, ...] = ((b"etag", record.etag),) if record.etag else ()
        self.fields = (*record.headers, *self._etag)
        self._stated: tuple[Pair, ...] = ((b"cache-control", Said(record.control)),) if record.control else ()
        self._date: tuple[Pair, ...] | None = None
        self._age = -1
        self._aged: tuple[Pair, ...] = ()
        self._stating: tuple[Pair, ...] = ()

    def __bytes__(self) -> bytes:
        return _encoder.encode(self.record)

    @property
    def date(self) -> tuple[Pair, ...]:
        """The Date of an answer that passes nobody else who adds one (RFC 9110 6.6.1); empty where it has its own."""
        if self._date is None:
            self._date = missing_date(self.fields, self.record.received)
        return self._date

    def added(self, *, states: bool) -> tuple[Pair, ...]:
        """Give the fields that are ours; an answer `states` its freshness or not."""
        return (*self._etag, *self._stated) if states else self._etag

    def pairs(self, now: float, *, states: bool = False) -> tuple[Pair, ...]:
        """Give the header pairs of an answer at `now`, which change once a second; it `states` its freshness or not."""
        age = int(now - self.record.stored_at)
        if age != self._age:
            added = ((b"cache-status", HIT), (b"age", b"%d" % max(0, age)))
            self._aged = (*self.fields, *added)
            self._stating = (*self.fields, *self._stated, *added)
            self._age = age
        return self._stating if states else self._aged


Found = Snapshot | Spec | Pass | Shelved | Index


def restored(payload: bytes) -> Found:
    """Read what was stored; `DamagedEntryError` for anything that is not exactly that."""
    try:
        found: Record | Spec | Pass | Stored | Index = _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as damage:
        raise DamagedEntryError(f"no page: {damage}") from None
    if not isinstance(found, Record | Stored):
        return found
    if len(found.names) != len(found.values):
        raise DamagedEntryError("a page whose names and values do not match")
    return Snapshot(found) if isinstance(found, Record) else Shelved(found)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record | Spec | Pass | Stored | Index)
objects[Kind.PAGE] = restored
