"""Signed entries in a store that others can write to: what is moved to another key is not accepted."""

import pytest

from asynccache.core import codec
from asynccache.core.entry import Kind
from asynccache.core.keys import key_hash
from asynccache.plan.io import BLOCKING, run
from asynccache.serializers import Compressed, MsgpackSerializer, PickleSerializer, Signed
from examples.own_backend import FileCacheBackend

SECRET = "a secret of at least sixteen bytes"
SERIALIZERS = [
    Signed(MsgpackSerializer(), secret=SECRET),
    Signed(Compressed(MsgpackSerializer()), secret=SECRET),
    Compressed(Signed(MsgpackSerializer(), secret=SECRET)),
    PickleSerializer(secret=SECRET),
]


@pytest.fixture(params=SERIALIZERS, ids=repr)
def backend(request, tmp_path):
    return FileCacheBackend(str(tmp_path), serializer=request.param)


def move(backend, source, target):
    """Do what somebody can do who may write to the store and knows the format: frame the payload for another key."""
    raw = run(backend._fetch(BLOCKING, backend.stored_key(source)))
    frame = codec.decode(raw, key_hash(backend.stored_key(source)))
    moved = codec.encode(frame, key_hash(backend.stored_key(target)))
    run(backend._store(BLOCKING, backend.stored_key(target), moved, 60))


def test_a_value_that_was_moved_to_another_key_is_a_miss(backend):
    backend.set("mine", ["admin"])
    move(backend, "mine", "theirs")
    assert backend.get("theirs") is None
    assert backend.get("mine") == ["admin"]
    assert backend.stats()["damaged"] == 1


def test_a_page_that_was_moved_to_another_key_is_a_miss(backend):
    run(backend.write(BLOCKING, "mine", b"page", 60, kind=Kind.PAGE))
    move(backend, "mine", "theirs")
    assert run(backend.read(BLOCKING, "theirs", kind=Kind.PAGE)) is None
    assert run(backend.read(BLOCKING, "mine", kind=Kind.PAGE)).value == b"page"


def test_a_value_that_was_moved_to_another_version_is_a_miss(backend):
    backend.set("key", ["admin"], version=2)
    raw = run(backend._fetch(BLOCKING, backend.stored_key("key", 2)))
    frame = codec.decode(raw, key_hash(backend.stored_key("key", 2)))
    run(
        backend._store(
            BLOCKING, backend.stored_key("key"), codec.encode(frame, key_hash(backend.stored_key("key"))), 60
        )
    )
    assert backend.get("key") is None
