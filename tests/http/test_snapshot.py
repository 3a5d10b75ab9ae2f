"""What lies under a page's key survives the wire, and nothing else is taken for it."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.core.codec import DamagedEntryError
from asynccache.http.snapshot import Pass, Record, Snapshot, Spec, restored

RECORD = Record(
    status=200, headers=((b"a", b"1"), (b"a", b"2")), body=b"\0body",
    owner=("m.f", "", "/\u00e9"), names=(b"accept", b"x"), values=(None, b"v"),
    conditions=3, spec_id=b"12345678", etag=b'W/"x"', stored_at=5.5, received=7.5,
)  # fmt: skip


def test_a_page_comes_back_as_it_was():
    assert restored(bytes(Snapshot(RECORD))).record == RECORD


@pytest.mark.parametrize("found", [Spec((b"a", b"b"), b"id"), Pass("it sets a cookie")])
def test_specs_and_marks_come_back(found):
    assert restored(bytes(found)) == found


def test_every_truncation_is_found_out():
    whole = bytes(Snapshot(RECORD))
    for end in range(len(whole)):
        with pytest.raises(DamagedEntryError):
            restored(whole[:end])


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(payload):
    with suppress(DamagedEntryError):
        restored(payload)


def other(**changed):
    record = msgspec.structs.asdict(RECORD) | changed
    return msgspec.msgpack.encode(["page", *record.values()])


@pytest.mark.parametrize(
    "payload",
    [
        other(status=99), other(status=600), other(names=(b"a",)), other(names=(b"a",) * 9, values=(b"1",) * 9),
        other(body="text"), other(headers=((b"a",),)), msgspec.msgpack.encode(["page"]),
        msgspec.msgpack.encode(["other", 1]), msgspec.msgpack.encode({"type": "page"}), b"\x80\x04N.", b"",
    ],
)  # fmt: skip
def test_what_is_no_page_is_refused(payload):
    with pytest.raises(DamagedEntryError):
        restored(payload)


def test_the_pairs_of_an_answer_change_once_a_second():
    snapshot = Snapshot(RECORD)
    assert snapshot.pairs(5.6) is snapshot.pairs(6.4)
    assert snapshot.pairs(6.6)[-1] == (b"age", b"1")
    assert snapshot.pairs(0.0)[-1] == (b"age", b"0")
