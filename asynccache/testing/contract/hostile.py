"""Keys that hurt: every `str` is usable, distinct, and never a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asynccache.testing.contract.base import ContractBase

if TYPE_CHECKING:
    from asynccache.testing.contract.base import Flavoured, MakeCache

KEYS = {
    "empty": "",
    "newline": "a\nb",
    "trailing newline": "a\n",
    "carriage return": "a\rb",
    "memcached set": "a\r\nset evil 0 0 1\r\nx",
    "memcached get": "a\r\nget evil",
    "memcached noreply": "a 0 0 1 noreply",
    "redis set": "a\r\n*3\r\n$3\r\nSET\r\n$4\r\nevil\r\n$1\r\nx\r\n",
    "NUL": "a\0b",
    "trailing NUL": "a\0",
    "space": "a b",
    "only a space": " ",
    "leading space": " a",
    "tab": "a\tb",
    "0x01": "a\x01b",
    "escape": "\x1b[2J",
    "DEL": "a\x7fb",
    "C1 control": "a\x85b",
    "no-break space": "a\xa0b",
    "line separator": "a\u2028b",
    "composed": "caf\xe9",
    "decomposed": "cafe\u0301",
    "byte order mark": "\ufeffa",
    "zero width": "a\u200bb",
    "right to left": "a\u202eb",
    "non-BMP": "\U0001f600",
    "lone high surrogate": "\ud83d",
    "lone low surrogate": "\ude00",
    "both surrogates": "\ud83d\ude00",
    "249 characters": "k" * 249,
    "250 characters": "k" * 250,
    "251 characters": "k" * 251,
    "10 KB": "k" * 10_000,
    "10 KB, other end": "k" * 9_999 + "e",
    "250 bytes of others": "\xe9" * 125,
    "star": "*",
    "question mark": "?",
    "brackets": "[a]",
    "closing bracket": "]",
    "backslash": "\\",
    "braces": "{a}",
    "lone brace": "}{",
    "tilde": "~",
    "digest-like": "~a~" + "0" * 64,
    "percent": "%",
    "percent-encoded": "%3A",
    "format": "%s{0}$1",
    "colon": ":",
    "colons": "a:1:b",
    "two dots": "..",
    "path": "../../etc/passwd",
    "slashes": "//a/",
    "quote": "'; DROP TABLE cache; --",
    "number": "0",
    "None": "None",
}


class Text(str):
    """A `str` all the same."""

    __slots__ = ()


class HostileKeyContract(ContractBase):
    """Line protocols, patterns, escapes, lengths, encodings."""

    @pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
    async def test_any_str_is_a_key_in_every_operation(self, cache: Flavoured, key: str) -> None:
        assert await cache.add(key, "added") is True
        assert await cache.get(key) == "added"
        assert await cache.set(key, 5) is True
        assert await cache.incr(key) == 6
        assert await cache.decr(key) == 5
        assert await cache.touch(key, 60) is True
        assert await cache.has_key(key) is True
        assert await cache.get_many([key, "other"]) == {key: 5}
        assert await cache.delete(key) is True
        assert await cache.set_many({key: "v", "other": "w"}) == []
        assert await cache.delete_many([key]) == 1
        assert await cache.get(key) is None
        assert await cache.get_many(["evil", "other"]) == {"other": "w"}

    async def test_no_key_is_taken_for_another(self, cache: Flavoured) -> None:
        keys = {
            variant
            for key in KEYS.values()
            for variant in (key, key.upper(), key.strip(), f"{key} ", f"{key}_", key.replace(" ", "_"))
        }
        values = {key: number for number, key in enumerate(sorted(keys))}
        assert await cache.set_many(values) == []
        assert await cache.get_many(values) == values
        assert {key: await cache.get(key) for key in KEYS.values()} == {key: values[key] for key in KEYS.values()}

    async def test_subclass_of_str_is_the_same_key(self, cache: Flavoured) -> None:
        await cache.set(Text("k"), "v")
        assert await cache.get("k") == "v"
        assert await cache.get_many([Text("k")]) == {"k": "v"}

    async def test_any_str_is_a_version(self, cache: Flavoured) -> None:
        for number, text in enumerate(KEYS.values()):
            assert await cache.set("k", number, version=text) is True
        assert [await cache.get("k", version=text) for text in KEYS.values()] == list(range(len(KEYS)))

    @pytest.mark.parametrize("text", ["a b\r\n", "\0", "{*}?[a]", "%:~", "\u20ac", "k" * 300, "\ud83d"], ids=ascii)
    async def test_any_str_is_a_prefix(self, make_cache: MakeCache, prefix: str, text: str) -> None:
        cache, other = make_cache(key_prefix=prefix + text), make_cache(key_prefix=f"{prefix}{text}_")
        assert await cache.set("k", "v") is True
        assert await other.add("k", 5) is True
        assert await other.incr("k") == 6
        assert await cache.get_many(["k"]) == {"k": "v"}
        assert await other.delete("k") is True
        assert await cache.delete("k") is True
