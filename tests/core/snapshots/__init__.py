"""Entries as version 0.1.0 wrote them: what they were, and beside this file their bytes in `entries.json`.

They are never written anew: entries of a format that was released stay readable, or the format gets another number.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID

from msgspec import structs

from asynccache.core.entry import Kind
from asynccache.http.edge.shelved import Shelved
from asynccache.http.snapshot import Pass, Record, Snapshot, Spec, restored
from asynccache.http.stored import Span, Stored
from asynccache.serializers import Compressed, JSONSerializer, MsgpackSerializer, PickleSerializer, Signed
from asynccache.serializers.base import ICacheSerializer

KEY = "product:7"
PREFIX = "shop"
WRITTEN_AT = 1_790_000_000.0
SECRET = "a secret that only the snapshots have"
PAGE = Record(
    status=200,
    headers=((b"content-type", b"text/html; charset=utf-8"), (b"vary", b"accept-language")),
    body="<h1>caf\u00e9</h1>".encode(),
    owner=("shop.pages.product", "", "/product/7"),
    names=(b"accept-language", b"x-none"),
    values=(b"de", None),
    conditions=3,
    spec_id=b"\1\2\3\4\5\6\7\10",
    etag=b'"abc"',
    stored_at=WRITTEN_AT,
    received=WRITTEN_AT,
)
RENEWED = structs.replace(PAGE, renew_at=WRITTEN_AT + 48.0)
SAYING = structs.replace(RENEWED, control=b"max-age=0, s-maxage=60", tags=("product:7",))
RESPONSE = Stored(
    status=206,
    headers=((b"content-range", b"bytes 0-4/10"), (b"vary", b"accept-language")),
    body=b"01234",
    generated_at=WRITTEN_AT - 5.0,
    received_at=WRITTEN_AT,
    lifetime=60.0,
    revalidate_for=30.0,
    error_for=600.0,
    terms=24,
    names=(b"accept-language",),
    values=(b"de",),
    unvalidated=(b"x-visitor",),
    groups=("prices",),
    span=Span(0, 4, 10),
    index_id=b"\1\2\3\4\5\6\7\10",
    tags=("product:7",),
)
PLAIN = {"name": "caf\u00e9 \U0001f600", "price": 12.5, "tags": ["a", "b"], "gone": None, "sold": True, "n": -7}
TYPED = {
    "tuple": (1, "x", (2,)),
    "sets": [{1}, frozenset({"a"}), set()],
    (1, 2): {3: 4, None: b"bytes"},
    "numbers": [2**80, -(2**63), 2**64 - 1, 1e300, Decimal("1.50")],
    "moments": [
        datetime(2026, 11, 21, 5, 30, 0, 123456, tzinfo=UTC),
        datetime(2026, 11, 21, 5, 30, fold=1),
        datetime(2026, 11, 21, tzinfo=timezone(timedelta(hours=2))),
        *(date(2026, 11, 21), time(5, 30, 1), timedelta(days=-1, microseconds=5)),
    ],
    "others": [UUID(int=7), PurePosixPath("/a/b"), bytearray(b"\0\xff"), "\ud800"],
}
_PLAIN, _TEXT = MsgpackSerializer(), "text " * 1000


@dataclass(frozen=True)
class StoredEntry:
    """What was stored, how, and how it is compared."""

    stored: Any
    serializer: ICacheSerializer = _PLAIN
    kind: Kind = Kind.VALUE
    seen: Callable[[Any], Any] = lambda value: value
    is_same_anywhere: bool = True  # False: its bytes depend on versions of Python and libraries, or were added to


def _restored(payload: bytes) -> object:
    """Give the page of these bytes, with what later versions have added to it."""
    return restored(payload).record


ENTRIES = {
    "none": StoredEntry(None),
    "counter": StoredEntry(-42),
    "greatest counter": StoredEntry(2**63 - 1),
    "text": StoredEntry("caf\u00e9"),
    "bytes": StoredEntry(b"\0\xff"),
    "plain": StoredEntry(PLAIN),
    "typed": StoredEntry(TYPED, seen=repr),
    "json": StoredEntry(PLAIN, JSONSerializer()),
    "pickle": StoredEntry(TYPED, PickleSerializer(secret=SECRET), seen=repr, is_same_anywhere=False),
    "signed": StoredEntry(PLAIN, Signed(_PLAIN, secret=SECRET)),
    "zlib": StoredEntry(_TEXT, Compressed(_PLAIN), is_same_anywhere=False),
    "zstd": StoredEntry(_TEXT, Compressed(_PLAIN, algorithm="zstd"), is_same_anywhere=False),
    "signed and compressed": StoredEntry(_TEXT, Signed(Compressed(_PLAIN), secret=SECRET), is_same_anywhere=False),
    "page": StoredEntry(bytes(Snapshot(PAGE)), kind=Kind.PAGE, seen=_restored, is_same_anywhere=False),
    "signed page": StoredEntry(
        bytes(Snapshot(PAGE)), Signed(_PLAIN, secret=SECRET), Kind.PAGE, seen=_restored, is_same_anywhere=False
    ),
    "page that is renewed": StoredEntry(
        bytes(Snapshot(RENEWED)), kind=Kind.PAGE, seen=_restored, is_same_anywhere=False
    ),
    "page that says how long it is good": StoredEntry(bytes(Snapshot(SAYING)), kind=Kind.PAGE),
    "response": StoredEntry(bytes(Shelved(RESPONSE)), kind=Kind.PAGE),
    "names of variants": StoredEntry(bytes(Spec((b"accept-language",), b"12345678")), kind=Kind.PAGE),
    "mark": StoredEntry(bytes(Pass("its answer sets cookies", personal=True)), kind=Kind.PAGE),
    "marker": StoredEntry(b"\0" * 16, kind=Kind.MARKER),
}
_BYTES = Path(__file__).with_name("entries.json")


def entry_bytes(name: str) -> bytes:
    """Give the bytes of a snapshot."""
    return base64.b64decode(json.loads(_BYTES.read_text())[name])
