"""Replit's own client and ours meet at the double: what one writes the other finds, and both get the same answers."""

import asyncio
import json
import logging
import warnings

import pytest
import requests

from asynccache.backends.replit_cache import ReplitCacheBackend

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the client about itself
    from replit.database import AsyncDatabase, Database

PATIENT = 5.0
ODD = {"plain": "1", "a b/c": "é", "..": "dots", "per%cent": "%", "a&b=c": "+ &=", "": "empty", "ümläut": "\n"}


@pytest.fixture
def store(replitdb_server):
    replitdb_server.clear()
    return replitdb_server


@pytest.fixture
def theirs(store):
    """The client as `from replit import db` makes it, but for the place."""
    database = Database(store.url, retry_count=0)
    yield database
    database.close()
    database.sess.close()


@pytest.fixture
def ours(store):
    cache = ReplitCacheBackend(store.url, key_prefix="shop", deadline=PATIENT, on_error="raise")
    yield cache
    cache.close()


def test_their_client_is_answered_as_by_replit(theirs):
    theirs["list"] = [1, {"two": 2}]
    theirs["text"] = "é"
    assert theirs["list"].value == [1, {"two": 2}]
    assert theirs.get_raw("text") == '"\\u00e9"'
    assert sorted(theirs.keys()) == ["list", "text"]
    assert theirs.prefix("li") == ("list",)
    assert theirs.prefix("none") == ()
    assert len(theirs) == 2
    del theirs["list"]
    assert "list" not in theirs
    with pytest.raises(KeyError):
        del theirs["list"]
    with pytest.raises(KeyError):
        theirs["list"]


def test_their_client_meets_odd_keys_and_values(theirs):
    odd = {key: value for key, value in ODD.items() if key not in ("", "..")}
    theirs.set_bulk_raw(odd)
    assert {key: theirs.get_raw(key) for key in theirs.prefix("")} == odd


def test_key_of_dots_leaves_the_path_of_their_client_and_not_of_ours(theirs, ours):
    """What our encoding of keys is for."""
    with pytest.raises(requests.HTTPError, match="401"):
        theirs.get_raw("..")
    for key in ODD:
        ours.set(key, key)
    assert ours.get_many(ODD) == {key: key for key in ODD}


async def test_their_async_client_is_answered_as_by_replit(store):
    async with AsyncDatabase(store.url, retry_count=1) as database:
        await database.set_bulk({"a": 1, "b/c": [2]})
        assert await database.get("b/c") == [2]
        assert await database.list("b") == ("b/c",)
        assert await database.to_dict() == {"a": 1, "b/c": [2]}
        await database.delete("a")
        for lost in (database.delete("a"), database.get("a")):
            with pytest.raises(KeyError):
                await lost
        await database.close()


def test_their_client_sees_our_keys_and_can_remove_them(theirs, ours):
    ours.set_many({"product:7": {"name": "tea"}, "product:8": 1, "other": 2})
    assert theirs.prefix("shop:1:product:") == ("shop:1:product:7", "shop:1:product:8")
    text = theirs.get_raw("shop:1:product:7")
    theirs.set_raw("copy", text)
    assert theirs.get_raw("copy") == text
    del theirs["shop:1:product:7"]
    assert ours.get("product:7") is None
    assert ours.get("product:8") == 1


def test_our_entry_moved_by_their_client_is_not_taken_for_another(theirs, ours):
    ours.set("mine", 1)
    theirs.set_raw("shop:1:another", theirs.get_raw("shop:1:mine"))
    assert ours.get("another") is None
    assert "shop:1:another" not in theirs
    theirs.set_raw("shop:1:back", theirs.get_raw("shop:1:mine"))
    theirs.set_raw("shop:1:mine", theirs.get_raw("shop:1:back"))
    assert ours.get("mine") == 1


async def test_what_their_client_wrote_is_a_miss_and_stays_theirs(theirs, ours):
    theirs["shop"] = {"tea": 1}
    theirs["shop:1:tea"] = "theirs"
    assert await ours.get_async("tea", default="a miss") == "a miss"
    assert await ours.set_async("tea", 1) is True
    assert await asyncio.to_thread(theirs.get_raw, "shop") == json.dumps({"tea": 1}, separators=(",", ":"))
    with pytest.raises(ValueError, match="Expecting value"):
        theirs["shop:1:tea"]


def test_limits_are_told_to_both(theirs, ours, caplog):
    with pytest.raises(requests.HTTPError, match="413"):
        theirs.set_raw("k", "x" * (5 * 1024 * 1024 + 1))
    with pytest.raises(requests.HTTPError, match="413"):
        theirs.set_raw("k" * 1001, "x")
    with caplog.at_level(logging.WARNING):
        assert ours.set("k", b"x" * 5 * 1024 * 1024) is False
        assert ours.set("k" * 5000, 1) is True
    assert "refused set" in caplog.text
