from __future__ import annotations

import os
import subprocess
import sys
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynccache.core import keys

ODD = st.text(alphabet=":%~{}xX13A \n\0\ud83d\ude00\U0001f600\xe9e\u0301", max_size=8)
TRIPLES = st.tuples(ODD, st.one_of(ODD, st.integers(-20, 20)), ODD)


def stored(triple: tuple[str, str | int, str]) -> str:
    prefix, version, key = triple
    return keys.namespace(prefix, version) + key


def as_text(triple: tuple[str, str | int, str]) -> tuple[str, str, str]:
    prefix, version, key = triple
    return prefix, str(version), key


@settings(max_examples=300, deadline=None)
@given(st.lists(TRIPLES, min_size=25, max_size=30))
def test_different_triples_never_share_a_key(triples: list[tuple[str, str | int, str]]) -> None:
    """300 lists of at least 25 are 90,000 pairs."""
    different = {as_text(triple) for triple in triples}
    for encoded in (keys.to_bytes, keys.key_hash, keys.memcached_key):
        assert len({encoded(stored(triple)) for triple in triples}) == len(different)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(), max_size=300))
def test_memcached_keys_are_short_plain_and_distinct_from_the_key_itself(text: str) -> None:
    key = keys.memcached_key(keys.namespace("shop", 1) + text)
    assert 0 < len(key) <= 250
    assert all(0x21 <= byte <= 0x7E for byte in key)
    assert key.startswith((b"shop:1:", b"~shop:1:"))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("x:y", 1, "z"), ("x", 1, "y:z")),
        (("x", "1:y", "z"), ("x", 1, "y:z")),
        (("x:1", 1, "z"), ("x", "1:1", "z")),
        (("x%3A", 1, "z"), ("x:", 1, "z")),
        (("", "", ":"), ("", ":", "")),
        (("~x", 1, "z"), ("x", 1, "z")),
        (("x", 1, "caf\xe9"), ("x", 1, "cafe\u0301")),
        (("x", 1, "\ud83d\ude00"), ("x", 1, "\U0001f600")),
        (("x", 1, "None"), ("x", 1, "")),
        (("x", 1, "k" * 300), ("x", 1, "k" * 299 + "K")),
        (("x", 1, "a b"), ("x", 1, "a_b")),
    ],
)
def test_tricky_pairs_differ(first: tuple[str, str | int, str], second: tuple[str, str | int, str]) -> None:
    assert stored(first) != stored(second)
    assert keys.memcached_key(stored(first)) != keys.memcached_key(stored(second))


def test_version_is_compared_as_text() -> None:
    assert keys.namespace("shop", 1) == keys.namespace("shop", "1")


def test_key_reads_as_prefix_version_key() -> None:
    assert stored(("shop", 1, "product:7 \xe9")) == "shop:1:product:7 \xe9"
    assert stored(("a:b", "{x}~%", "k")) == "a%3Ab:%7Bx%7D%7E%25:k"


def test_digested_form_stays_readable_and_cannot_be_forged_by_a_plain_key() -> None:
    digested = keys.memcached_key("shop:1:a b")
    assert digested.startswith(b"~shop:1:a_b~")
    assert keys.memcached_key(stored((digested.decode(), 1, "k"))) != digested
    assert not keys.memcached_key(stored(("", "", digested.decode()))).startswith(b"~shop")


def test_plain_keys_of_exactly_the_limit_are_kept() -> None:
    assert keys.memcached_key("k" * 250) == b"k" * 250
    assert keys.memcached_key("k" * 251) != b"k" * 251


@pytest.mark.parametrize("key", [1, b"k", None, ["k"], 1.0, True], ids=repr)
def test_key_that_is_no_str_is_named_in_the_error(key: object) -> None:
    with pytest.raises(TypeError, match=type(key).__name__):
        keys.checked(key)


def test_keys_are_the_same_in_every_process() -> None:
    script = (
        "from asynccache.core import keys\n"
        "for k in ('plain', 'a b', '\\ud83d', 'k' * 300):\n"
        "    print(keys.memcached_key(keys.namespace('s', 1) + k), keys.key_hash(k))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "random")
    }
    assert len(printed) == 1


def test_similar_inputs_have_different_hashes() -> None:
    inputs = ["", "None", "1", "1.0", "True", "b'a'", "a", "A", " a", "a ", "a\0", "\0a", "\ud800", "\udc00"]
    for first, second in combinations(inputs, 2):
        assert keys.key_hash(first) != keys.key_hash(second)
