"""A stored response in memory: what is sent of it, and what its bytes say."""

from math import inf, nan

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.core.codec import DamagedEntryError
from asynccache.http.edge.shelved import Shelved
from asynccache.http.snapshot import restored
from asynccache.http.stored import MAX_VARIES, Index, Span, Stored
from tests.http.edge.shelves import NOW, response

FULL = response(
    b"\0body", names=(b"x-a", b"x-b"), headers=[(b"x-a", b"1")], terms=3, groups=("g",), tags=("t",), error_for=5.0,
    unvalidated=(b"set-cookie",), span=Span(0, 4, None), index_id=b"12345678",
)  # fmt: skip


def test_a_response_and_an_index_are_read_as_they_were_written():
    assert restored(bytes(Shelved(FULL))).stored == FULL
    index = Index(b"12345678", ((b"x-a",), ()))
    assert restored(bytes(index)) == index


DAMAGED = {
    "more values than names": msgspec.structs.replace(FULL, values=(None,)),
    "a status that is not final": msgspec.structs.replace(FULL, status=100),
    "too many names": response(names=tuple(b"x-%d" % number for number in range(33))),
    "too many sets of names": Index(b"1", ((),) * (MAX_VARIES + 1)),
}


@pytest.mark.parametrize("what", DAMAGED.values(), ids=DAMAGED)
def test_what_we_would_not_have_written_is_damaged(what):
    with pytest.raises(DamagedEntryError):
        restored(bytes(what))


@given(st.data())
def test_bytes_that_were_changed_are_a_response_or_damaged(data):
    payload = bytearray(bytes(FULL))
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = restored(bytes(payload))
    except DamagedEntryError:
        return
    if isinstance(found, Shelved):
        assert len(found.stored.names) == len(found.stored.values)
        found.is_fresh(NOW)


def test_it_is_fresh_while_its_lifetime_is_greater_than_its_age():
    shelved = Shelved(response(lifetime=10.0))
    assert [shelved.is_fresh(NOW + age) for age in (-5.0, 0.0, 9.9, 10.0, 11.0)] == [True, True, True, False, False]
    assert not Shelved(response(lifetime=0.0)).is_fresh(NOW - 1)
    assert not Shelved(response(lifetime=nan)).is_fresh(NOW)
    for lifetime in (0.0, 1.0, 10.0):
        stored = response(lifetime=lifetime)
        for age in (-1.0, 0.0, 0.5, 1.0, 9.0, 10.0):
            assert Shelved(stored).is_fresh(NOW + age) == stored.is_fresh(NOW + age)


def test_its_header_says_its_age_and_what_is_left_of_its_lifetime():
    shelved = Shelved(response(lifetime=60.0))
    assert shelved.pairs(NOW + 20.9) == [
        *shelved.stored.headers,
        (b"age", b"20"),
        (b"cache-status", b"asynccache; hit; ttl=40"),
    ]
    assert shelved.pairs(NOW + 61)[-2:] == [(b"age", b"61"), (b"cache-status", b"asynccache; hit; ttl=-1")]
    assert shelved.pairs(NOW + 61, b"edge; hit")[-1] == (b"cache-status", b"edge; hit; ttl=-1")
    assert shelved.pairs(NOW - 5)[-2:] == [(b"age", b"0"), (b"cache-status", b"asynccache; hit; ttl=60")]
    assert Shelved(response(lifetime=inf)).pairs(NOW)[-1] == (b"cache-status", b"asynccache; hit; ttl=2147483648")


def test_each_answer_has_a_header_of_its_own_and_shares_what_is_in_it():
    shelved = Shelved(response())
    one, other = shelved.pairs(NOW), shelved.pairs(NOW + 0.5)
    assert one is not other
    assert all(mine is its for mine, its in zip(one, other, strict=True))


def test_what_is_not_reused_unasked_is_left_out():
    stored = Stored(
        200, ((b"set-cookie", b"a"), (b"x", b"1"), (b"set-cookie", b"b")), b"", NOW, NOW, unvalidated=(b"set-cookie",)
    )
    assert Shelved(stored).fields == ((b"x", b"1"),)
