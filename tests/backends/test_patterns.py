"""What is a pattern, an escape or a tag elsewhere is a letter here: in keys, prefixes and versions, on all stores."""

import pytest

from tests.backends.stores import STORES, closed_after

PATTERNS = [
    *("*", "**", "a*", "*b", "?", "a?", "??", "[ab]", "[^a]", "[!a]", "[a-z]", "[", "]", "[]"),
    *("\\", "\\*", "a\\", "\\\\", "{a}", "{a}b", "{", "}", "{}", "{}a", "}{", "{a,b}", "{0}"),
    *("%", "a%", "%b", "_", "a_", "__", "%_", "%s", "%41", ".", ".*", "a.", "^a", "a$", "a|b", "(a)", "a+", "$1"),
    *("~", "~a", ":", "a:", ":a", "::", "#", "-", "--", "'", '"'),
]
PLAIN = ["a", "b", "ab", "abc", "a1", "aa", "A", "0", "x", "k"]
KEYS = [*PATTERNS, *PLAIN]


@pytest.fixture(params=STORES)
def make(request):
    with closed_after(STORES[request.param](request)) as made:
        yield made


def numbered(names):
    return {name: f"{number} {name}" for number, name in enumerate(names)}


async def test_keys_are_taken_literally(make, unique_prefix):
    cache, values = make(key_prefix=unique_prefix), numbered(KEYS)
    assert await cache.set_many_async(values) == []
    for pattern in PATTERNS[::2]:
        assert await cache.get_async(pattern) == values.pop(pattern)
        assert await cache.delete_async(pattern) is True
        assert await cache.delete_async(pattern) is False
    assert await cache.get_many_async(KEYS) == values
    assert await cache.delete_many_async(PATTERNS) == len(PATTERNS[1::2])
    assert await cache.get_many_async(KEYS) == {key: numbered(KEYS)[key] for key in PLAIN}


async def test_prefixes_are_taken_literally(make, unique_prefix):
    caches = {text: make(key_prefix=unique_prefix + text) for text in KEYS}
    for text, cache in caches.items():
        assert await cache.set_async("k", text) is True
    for text in PATTERNS[::2]:
        assert await caches.pop(text).delete_many_async(["k", "*", "%"]) == 1
    assert [await cache.get_async("k") for cache in caches.values()] == list(caches)


async def test_versions_are_taken_literally(make, unique_prefix):
    cache = make(key_prefix=unique_prefix)
    for text in KEYS:
        assert await cache.set_async("k", text, version=text) is True
    for text in PATTERNS[::2]:
        assert await cache.delete_async("k", version=text) is True
    left = [text for text in KEYS if text not in PATTERNS[::2]]
    assert [text for text in KEYS if await cache.get_async("k", version=text) == text] == left
