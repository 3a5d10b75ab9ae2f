"""How memcached is asked: by meta commands, or in the classic text.

Commands are `set` (bytes, exptime), `add` (likewise), `cas` (bytes, cas id, exptime), `delete` and `incr`; keys are
such as memcached can hold, so nothing in them is read as anything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from asynccache.wire.faults import OutOfStepError
from asynccache.wire.memcached_replies import Code, MetaParser, Refusal, TextParser

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from asynccache.wire.connection import Parser

RESULTS: dict[str, dict[Any, Any]] = {
    "set": {Code.DONE: True, Code.STORED: True},
    "add": {Code.DONE: True, Code.STORED: True, Code.NOT_STORED: False},
    "cas": {Code.DONE: True, Code.STORED: True, Code.EXISTS: False, Code.NOT_FOUND: False},
    "delete": {Code.DONE: True, Code.DELETED: True, Code.NOT_FOUND: False},
    "incr": {Code.NOT_FOUND: None},
}
"""What the codes mean that a command is answered by."""
_VALUES = frozenset({bytes, type(None)})
_WITH_IDS = frozenset({tuple, type(None)})
Call = tuple[bytes, tuple[Any, ...]]
"""A key, and the arguments of a command."""


class Speech(Protocol):
    """A protocol of memcached's."""

    def parser(self) -> Parser:
        """Give what reads replies."""

    def looks(self, keys: Collection[bytes], opaque: bytes, *, ids: bool) -> bytes:
        """Ask for what is at these keys, with cas ids or without."""

    def found(self, items: list[Any], keys: Collection[bytes], *, ids: bool) -> Sequence[Any]:
        """Give what is at each key, in their order; `OutOfStepError` where it is the answer to another question."""

    def calls(self, command: str, calls: Iterable[Call], opaque: bytes) -> bytes:
        """Ask for a command with each key."""

    def land(self, key: bytes, raw: bytes, token: int, until: int, opaque: bytes) -> bytes:
        """Ask to exchange what has this cas id."""

    def landed(self, items: list[Any], token: int) -> bool | Refusal | None:
        """Tell whether it was exchanged; None or a `Refusal` where the server cannot hold it.

        With None, what was to be exchanged is gone, with a `Refusal` it is there as it was.
        """


class Meta:
    """Meta commands; `opaque` comes back with each line."""

    _FORMS: ClassVar[dict[str, bytes]] = {
        "set": b"ms %b %d T%d %b\r\n%b\r\n",
        "add": b"ms %b %d T%d %b ME\r\n%b\r\n",
        "cas": b"ms %b %d T%d %b C%d\r\n%b\r\n",
        "delete": b"md %b %b\r\n",
        "incr": b"ma %b v %b\r\n",
    }

    def parser(self) -> Parser:
        """Give what reads replies."""
        return MetaParser()

    def looks(self, keys: Collection[bytes], opaque: bytes, *, ids: bool) -> bytes:
        """Ask for what is at these keys."""
        flags = b" v c " if ids else b" v "
        return b"mg %b%b%b\r\nmn\r\n" % ((flags + opaque + b"\r\nmg ").join(keys), flags, opaque)

    def found(self, items: list[Any], keys: Collection[bytes], *, ids: bool) -> Sequence[Any]:
        """Give what is at each key."""
        if len(items) != len(keys):
            raise OutOfStepError("more or fewer values than were asked for")
        return _looked(items, ids=ids)

    def calls(self, command: str, calls: Iterable[Call], opaque: bytes) -> bytes:
        """Ask for a command with each key."""
        form = self._FORMS[command]
        return b"".join([*(form % _arranged(key, args, opaque) for key, args in calls), b"mn\r\n"])

    def land(self, key: bytes, raw: bytes, token: int, until: int, opaque: bytes) -> bytes:
        """Ask to exchange what has this cas id, and first for the cas id: what `ms` cannot store it removes."""
        return b"mg %b c %b\r\n" % (key, opaque) + self.calls("cas", [(key, (raw, token, until))], opaque)

    def landed(self, items: list[Any], token: int) -> bool | Refusal | None:
        """Tell whether it was exchanged."""
        if len(items) != 2 or type(items[0]) not in {int, type(None)}:  # those two commands
            raise OutOfStepError("the replies to other commands")
        result = _result("cas", items[1])
        if type(result) is Refusal:
            return None if items[0] == token else False
        return bool(result)


class Text:
    """The classic commands."""

    _FORMS: ClassVar[dict[str, bytes]] = {
        "set": b"set %b 0 %d %d\r\n%b\r\n",
        "add": b"add %b 0 %d %d\r\n%b\r\n",
        "cas": b"cas %b 0 %d %d %d\r\n%b\r\n",
        "delete": b"delete %b\r\n",
        "incr": b"incr %b 1\r\n",
    }

    def parser(self) -> Parser:
        """Give what reads replies."""
        return TextParser()

    def looks(self, keys: Collection[bytes], opaque: bytes, *, ids: bool) -> bytes:
        """Ask for what is at these keys."""
        del opaque
        return b"%b %b\r\nversion\r\n" % (b"gets" if ids else b"get", b" ".join(keys))

    def found(self, items: list[Any], keys: Collection[bytes], *, ids: bool) -> Sequence[Any]:
        """Give what is at each key."""
        if len(items) != 1 or type(items[0]) is not dict or not items[0].keys() <= set(keys):
            raise OutOfStepError("the answer to another question")
        return _looked([items[0].get(key) for key in keys], ids=ids)

    def calls(self, command: str, calls: Iterable[Call], opaque: bytes) -> bytes:
        """Ask for a command with each key."""
        del opaque
        form = self._FORMS[command]
        return b"".join([*(form % _classic(key, args) for key, args in calls), b"version\r\n"])

    def land(self, key: bytes, raw: bytes, token: int, until: int, opaque: bytes) -> bytes:
        """Ask to exchange what has this cas id."""
        return self.calls("cas", [(key, (raw, token, until))], opaque)

    def landed(self, items: list[Any], token: int) -> bool | Refusal | None:
        """Tell whether it was exchanged."""
        del token
        return results("cas", items, 1)[0]  # type: ignore[no-any-return]


def _looked(items: list[Any], *, ids: bool) -> list[Any]:
    if not (_WITH_IDS if ids else _VALUES).issuperset(map(type, items)):
        raise OutOfStepError("the replies to other commands")
    return items


def results(command: str, items: list[Any], count: int) -> list[Any]:
    """Give what became of each command; `OutOfStepError` where these are the replies to others."""
    if len(items) != count:
        raise OutOfStepError("more or fewer replies than commands")
    return [_result(command, item) for item in items]


def _result(command: str, item: Any) -> Any:
    if type(item) is Refusal:
        return item
    if command == "incr" and (type(item) is int or (type(item) is bytes and item.isdigit())):
        return int(item)
    try:
        return RESULTS[command][item]
    except (KeyError, TypeError):
        raise OutOfStepError("the reply to another command") from None


def _arranged(key: bytes, args: tuple[Any, ...], opaque: bytes) -> tuple[Any, ...]:
    match args:
        case (raw, until):
            return key, len(raw), until, opaque, raw
        case (raw, token, until):
            return key, len(raw), until, opaque, token, raw
    return key, opaque


def _classic(key: bytes, args: tuple[Any, ...]) -> tuple[Any, ...]:
    match args:
        case (raw, until):
            return key, until, len(raw), raw
        case (raw, token, until):
            return key, until, len(raw), token, raw
    return (key,)
