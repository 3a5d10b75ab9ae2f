"""The text of a structured field, read strictly (RFC 9651 4.2)."""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
_KEY = re.compile(r"[a-z*][a-z0-9_\-.*]*")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]*)?")
_INTEGER = re.compile(r"-?[0-9]{1,15}")
_DECIMAL = re.compile(r"-?[0-9]{1,12}\.[0-9]{1,3}")
_STRING = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
TOKEN = re.compile(r"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*")
_BYTES = re.compile(r":([A-Za-z0-9+/]*)(={0,2}):")
_BOOLEAN = re.compile(r"\?([01])")
_DISPLAY = re.compile(r'%"((?:[\x20\x21\x23\x24\x26-\x7e]|%[0-9a-f]{2})*)"')
_ESCAPE = re.compile(r'\\(["\\])')
_PERCENT = re.compile(rb"%([0-9a-f]{2})")
_SPACES = re.compile(r" *")
_OPTIONAL_SPACE = re.compile(r"[ \t]*")


class Token(str):
    """A word without quotes (RFC 9651 3.3.4)."""

    __slots__ = ()


class DisplayString(str):
    """Text of any letters (RFC 9651 3.3.8)."""

    __slots__ = ()


class Date(int):
    """Seconds since 1970 (RFC 9651 3.3.7)."""

    __slots__ = ()


Bare = int | Decimal | str | bytes | bool
"""What an item is: also a `Token`, a `DisplayString` or a `Date`."""


@dataclass(frozen=True, slots=True)
class Item:
    """A member of a dictionary or list: an item, or an inner list of them; and its parameters."""

    value: Bare | tuple[Item, ...]
    parameters: Mapping[str, Bare] = field(default_factory=dict)


class InvalidFieldError(ValueError):
    """The field is not well formed, and so says nothing at all."""


class Reader:
    """What is left to read of a field's text: each method is an algorithm of RFC 9651 4.2."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def dictionary(self) -> dict[str, Item]:
        """Read the members of a dictionary."""
        return dict(self._members(self._keyed))

    def items(self) -> list[Item]:
        """Read the members of a list."""
        return self._members(self._member)

    def _members(self, read: Callable[[], T]) -> list[T]:
        members: list[T] = []
        self._take(_SPACES)
        while self._at < len(self._text):
            members.append(read())
            self._take(_OPTIONAL_SPACE)
            if self._at == len(self._text):
                break
            self._expect(",")
            self._take(_OPTIONAL_SPACE)
            if self._at == len(self._text):
                raise InvalidFieldError  # a comma at the end
        return members

    def _keyed(self) -> tuple[str, Item]:
        key = self._match(_KEY)[0]
        return key, self._member() if self._skip("=") else Item(True, self._parameters())

    def _member(self) -> Item:
        if not self._skip("("):
            return self._item()
        inner: list[Item] = []
        self._take(_SPACES)
        while not self._skip(")"):
            inner.append(self._item())
            if self._take(_SPACES) == "" and self._next() != ")":
                raise InvalidFieldError
        return Item(tuple(inner), self._parameters())

    def _item(self) -> Item:
        return Item(self._bare(), self._parameters())

    def _parameters(self) -> dict[str, Bare]:
        found: dict[str, Bare] = {}
        while self._skip(";"):
            self._take(_SPACES)
            key = self._match(_KEY)[0]
            found[key] = self._bare() if self._skip("=") else True
        return found

    def _bare(self) -> Bare:
        match self._next():
            case '"':
                return _ESCAPE.sub(r"\1", self._match(_STRING)[1])
            case ":":
                return self._bytes()
            case "?":
                return self._match(_BOOLEAN)[1] == "1"
            case "@":
                return self._date()
            case "%":
                return self._display()
            case first if first and first in "-0123456789":
                return self._number()
            case _:
                return Token(self._match(TOKEN)[0])

    def _number(self) -> int | Decimal:
        written = self._match(_NUMBER)[0]
        if _INTEGER.fullmatch(written):
            return int(written)
        if _DECIMAL.fullmatch(written):
            return Decimal(written)
        raise InvalidFieldError

    def _bytes(self) -> bytes:
        found = self._match(_BYTES)
        if len(found[1]) % 4 == 1:
            raise InvalidFieldError
        return b64decode(found[1] + "=" * (-len(found[1]) % 4))

    def _date(self) -> Date:
        self._expect("@")
        seconds = self._number()
        if isinstance(seconds, Decimal):
            raise InvalidFieldError
        return Date(seconds)

    def _display(self) -> DisplayString:
        written = self._match(_DISPLAY)[1].encode()
        try:
            return DisplayString(_PERCENT.sub(lambda code: bytes.fromhex(code[1].decode()), written).decode())
        except UnicodeDecodeError:
            raise InvalidFieldError from None

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self, letter: str) -> bool:
        there = self._next() == letter
        self._at += there
        return there

    def _expect(self, letter: str) -> None:
        if not self._skip(letter):
            raise InvalidFieldError

    def _take(self, pattern: re.Pattern[str]) -> str:
        return self._match(pattern)[0]

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise InvalidFieldError
        self._at = found.end()
        return found
