"""Entries of the present format stay readable; entries of any other format are a clean miss, on every store."""

import pickle

import pytest

from asynccache.core import codec
from asynccache.core.codec import DamagedEntryError
from asynccache.core.entry import Kind
from asynccache.core.keys import key_hash
from asynccache.http.snapshot import restored
from asynccache.plan.io import BLOCKING, LOOP, run
from asynccache.testing import FakeClock
from examples.own_backend import FileCacheBackend
from tests.backends.stores import OF_BYTES, STORES, closed_after
from tests.core.snapshots import ENTRIES, KEY, PAGE, PREFIX, RENEWED, WRITTEN_AT, entry_bytes

FOREIGN = {
    "an older format": lambda raw: raw[: codec.HEAD_SIZE] + b"\0" + raw[codec.HEAD_SIZE + 1 :],
    "a newer format": lambda raw: raw[: codec.HEAD_SIZE] + b"\2" + raw[codec.HEAD_SIZE + 1 :],
    "the last format": lambda raw: raw[: codec.HEAD_SIZE] + b"\xff" + raw[codec.HEAD_SIZE + 1 :],
    "an unknown kind": lambda raw: raw[: codec.HEAD_SIZE + 1] + b"\3" + raw[codec.HEAD_SIZE + 2 :],
    "unknown flags": lambda raw: raw[: codec.HEAD_SIZE + 2] + b"\x80\0" + raw[codec.HEAD_SIZE + 4 :],
    "no body": lambda raw: raw[: codec.HEAD_SIZE],
    "a pickle": lambda raw: pickle.dumps({"what": "somebody else keeps"}),
    "text": lambda raw: b"what somebody else keeps here",
}
"""What stands for a format of another version, or of somebody else."""


@pytest.mark.parametrize("name", ENTRIES)
def test_entry_of_this_format_reads_back_equal(name, tmp_path):
    entry = ENTRIES[name]
    cache = FileCacheBackend(str(tmp_path), key_prefix=PREFIX, serializer=entry.serializer, clock=FakeClock(WRITTEN_AT))
    raw = entry_bytes(name)
    run(cache._store(BLOCKING, cache.stored_key(KEY), raw, 60))
    found = run(cache.read(BLOCKING, KEY, kind=entry.kind))
    assert (type(found.value), entry.seen(found.value)) == (type(entry.stored), entry.seen(entry.stored))
    assert cache.stats() == {"hits": 1, "misses": 0, "errors": 0, "damaged": 0}


@pytest.mark.parametrize("name", ["page that says how long it is good", "response", "names of variants", "mark"])
def test_what_pages_consist_of_is_restored(name):
    payload = codec.decode(entry_bytes(name), key_hash(f"{PREFIX}:1:{KEY}")).payload
    assert bytes(restored(payload)) == payload


@pytest.mark.parametrize(("name", "page"), [("page", PAGE), ("page that is renewed", RENEWED)])
def test_a_page_without_what_was_added_later_is_restored(name, page):
    assert restored(codec.decode(entry_bytes(name), key_hash(f"{PREFIX}:1:{KEY}")).payload).record == page


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if entry.is_same_anywhere])
def test_what_is_written_today_is_what_the_snapshot_has(name, tmp_path):
    entry = ENTRIES[name]
    cache = FileCacheBackend(str(tmp_path), key_prefix=PREFIX, serializer=entry.serializer, clock=FakeClock(WRITTEN_AT))
    run(cache.write(BLOCKING, KEY, entry.stored, 60, kind=entry.kind))
    assert run(cache._fetch(BLOCKING, cache.stored_key(KEY))) == entry_bytes(name)


@pytest.fixture(params=OF_BYTES)
def cache(request, unique_prefix):
    with closed_after(STORES[request.param](request)) as make:
        yield make(key_prefix=unique_prefix)


async def test_entries_of_another_format_are_a_clean_miss(cache):
    stored_key = cache.stored_key("k")
    for kind in (Kind.VALUE, Kind.PAGE, Kind.MARKER):
        for damaged, (name, change) in enumerate(FOREIGN.items(), start=cache.stats()["damaged"] + 1):
            await cache.write(LOOP, "k", b"bytes", 60, kind=kind)
            foreign = change(await cache._fetch(LOOP, stored_key))
            with pytest.raises(DamagedEntryError):
                codec.decode(foreign, key_hash(stored_key))
            await cache._store(LOOP, stored_key, foreign, 60)
            assert await cache.read(LOOP, "k", kind=kind) is None, name
            assert cache.stats()["damaged"] == damaged, name
            assert await cache.has_key_async("k") is False, name
            assert await cache.add_async("k", name) is True
            assert await cache.get_async("k") == name
