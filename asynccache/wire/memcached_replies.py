"""memcached's replies, read out of bytes: meta commands where the server has them, the classic text otherwise.

Each question, however many commands it is made of, ends with a command that changes nothing and is always answered:
`mn`, or `version`. So a reply says itself where it ends, and one line too many or too few is noticed at once. Meta
commands also carry a number that comes back with each line (an opaque, `O17`).

A reply is an `Answer`: its opaque, and an item for each command. An item is the bytes of a value, those and its cas id
where that was asked for, None where nothing is, a `Code`, a number (a cas id alone, too), or a `Refusal`.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

from asynccache.wire.connection import NOTHING
from asynccache.wire.faults import OutOfStepError

_LONGEST_LINE = 2048
"""Bytes of a line, as in memcached itself."""
_LARGEST_VALUE = 1024 * 1024 * 1024
"""Bytes of a value: the most that memcached's `-I` can be."""
_DIGITS = 20
_REFUSALS = (b"SERVER_ERROR object too large", b"SERVER_ERROR out of memory storing")
_ERRORS = (b"ERROR", b"CLIENT_ERROR", b"SERVER_ERROR")


class Code(Enum):
    """What became of a command that gives no value."""

    DONE = "done"
    STORED = "stored"
    DELETED = "deleted"
    NOT_STORED = "not stored"
    EXISTS = "something else is there"
    NOT_FOUND = "nothing is there"


class Refusal(str):
    """The server cannot hold a value, and says why."""

    __slots__ = ()


class Answer(NamedTuple):
    """The reply to one question; in text its opaque is empty, as where the items are refusals, which have none."""

    opaque: bytes
    items: list[Any]


class _Lines:
    """Cuts what comes into lines and values, whole ones only."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._parts: list[bytes] = []
        self._have = self._need = 0
        self._rest, self._at = b"", 0

    def feed(self, data: bytes) -> None:
        """Take what came."""
        self._parts.append(data)
        self._have += len(data)

    def gets(self) -> Any:
        """Give the next `Answer`, or `NOTHING`; `OutOfStepError` where these bytes are no reply."""
        if self._have < self._need:
            return NOTHING
        self._need = 0
        if self._parts:
            parts = [self._rest[self._at :], *self._parts] if self._at < len(self._rest) else self._parts
            self._rest = parts[0] if len(parts) == 1 else b"".join(parts)
            self._at, self._parts = 0, []
        return self._read()

    def _read(self) -> Any:
        raise NotImplementedError

    def _waits(self, at: int, size: int) -> Any:
        """Go on when there are so many bytes from here, or another line; what is read already is dropped."""
        self._rest, self._at = self._rest[at:], 0
        self._have, self._need = len(self._rest), size
        if size == 0 and self._have > _LONGEST_LINE:
            raise OutOfStepError("a line without an end")
        return NOTHING


class MetaParser(_Lines):
    """Reads the replies to meta commands."""

    def _begin(self) -> None:
        super()._begin()
        self._items: list[Any] = []
        self._opaque = b""

    def _read(self) -> Any:
        """Read lines up to `MN`. Values of one size have the same head again and again, which is read once."""
        rest, at, items = self._rest, self._at, self._items
        same, size, cas_id = b"", 0, None
        while (end := rest.find(b"\r\n", at)) >= 0:
            head = rest[at:end]
            if head != same:
                if head == b"MN":
                    self._at = end + 2
                    return self._answer()
                if head[:3] != b"VA ":
                    items.append(self._code(head))
                    at = end + 2
                    continue
                same, (size, cas_id) = head, self._value(head)
            begin = end + 2
            end = begin + size
            if rest[end : end + 2] != b"\r\n":
                if end + 2 <= len(rest):
                    raise OutOfStepError("a value is longer than it says")
                return self._waits(at, end + 2 - at)
            items.append(rest[begin:end] if cas_id is None else (rest[begin:end], cas_id))
            at = end + 2
        return self._waits(at, 0)

    def _answer(self) -> Answer:
        answer = Answer(self._opaque, self._items)
        self._items, self._opaque = [], b""
        return answer

    def _value(self, head: bytes) -> tuple[int, int | None]:
        size, *flags = head[3:].split(b" ")
        return _size(size), self._marked(flags)

    def _code(self, head: bytes) -> Any:
        word, *flags = head.split(b" ")
        if word not in _CODES:
            return _refused(head)
        cas_id = self._marked(flags)
        return _CODES[word] if cas_id is None else cas_id

    def _marked(self, flags: list[bytes]) -> int | None:
        """Note to which question this answers, all lines of an answer to the same; give the cas id if there is one."""
        cas_id = _number(flags.pop(0)[1:]) if flags and flags[0][:1] == b"c" else None
        opaque = flags[0] if len(flags) == 1 else b""
        if opaque[:1] != b"O" or (self._opaque and self._opaque != opaque):
            raise OutOfStepError("the answer to another question")
        self._opaque = opaque
        return cas_id


class TextParser(_Lines):
    """Reads the replies to classic commands; a value is found by its key, so a get gives one item, a `dict`."""

    def _begin(self) -> None:
        super()._begin()
        self._items: list[Any] = []
        self._found: dict[bytes, Any] | None = None

    def _read(self) -> Any:
        rest, at = self._rest, self._at
        while (end := rest.find(b"\r\n", at)) >= 0:
            head = rest[at:end]
            if head.startswith(b"VALUE "):
                key, size, cas_id = _value_line(head)
                begin = end + 2
                end = begin + size
                if end + 2 > len(rest):
                    return self._waits(at, end + 2 - at)
                self._keep(key, rest[begin:end], cas_id)
                if rest[end : end + 2] != b"\r\n":
                    raise OutOfStepError("a value is longer than it says")
            elif head.startswith(b"VERSION "):
                self._at = end + 2
                return self._answer()
            else:
                self._items.append(self._code(head))
            at = end + 2
        return self._waits(at, 0)

    def _answer(self) -> Answer:
        if self._found is not None:
            raise OutOfStepError("values without an end")
        items, self._items = self._items, []
        return Answer(b"", items)

    def _keep(self, key: bytes, value: bytes, cas_id: int | None) -> None:
        self._found = {} if self._found is None else self._found
        if key in self._found:
            raise OutOfStepError("the same value twice")
        self._found[key] = value if cas_id is None else (value, cas_id)

    def _code(self, head: bytes) -> Any:
        if head == b"END":
            found, self._found = self._found or {}, None
            return found
        if self._found is not None:
            raise OutOfStepError("values without an end")
        if head.isdigit():
            return _number(head)
        return _WORDS[head] if head in _WORDS else _refused(head)


_CODES = {
    b"EN": None,
    b"HD": Code.DONE,
    b"NS": Code.NOT_STORED,
    b"EX": Code.EXISTS,
    b"NF": Code.NOT_FOUND,
}
_WORDS = {
    b"STORED": Code.STORED,
    b"DELETED": Code.DELETED,
    b"NOT_STORED": Code.NOT_STORED,
    b"EXISTS": Code.EXISTS,
    b"NOT_FOUND": Code.NOT_FOUND,
}


def _value_line(head: bytes) -> tuple[bytes, int, int | None]:
    words = head.split(b" ")
    if not 4 <= len(words) <= 5:
        raise OutOfStepError("a reply that makes no sense")
    _number(words[2])
    return words[1], _size(words[3]), _number(words[4]) if len(words) == 5 else None


def _size(word: bytes) -> int:
    size = _number(word)
    if size > _LARGEST_VALUE:
        raise OutOfStepError("a value that is larger than any")
    return size


def _number(word: bytes) -> int:
    if len(word) > _DIGITS or not word.isdigit():
        raise OutOfStepError("a number that is none")
    return int(word)


def _refused(line: bytes) -> Refusal:
    """Read an error; the text of what is none is not told, since it may be part of a value."""
    said = line[:80].decode("ascii", "replace")
    if line.startswith(_REFUSALS):
        return Refusal(said)
    raise OutOfStepError(f"it said {said}" if line.startswith(_ERRORS) else "a reply that makes no sense")
