"""Cache-Control: what its directives say (RFC 9111 5.2).

What forbids counts in whatever form it comes; what permits counts only where it is well formed. A directive in a part
of the field that the grammar does not know is there, but its argument says nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = rb'"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*)"'
_MEMBER = re.compile(rb"[ \t]*(?:(" + _TOKEN + rb")(?:=(?:(" + _TOKEN + rb")|" + _QUOTED + rb"))?[ \t]*)?(?:,|\Z)")
_ANYWHERE = re.compile(rb"(" + _TOKEN + rb")(?:\s*=\s*[^\s,;\"]*)?")
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_FIELD_NAME = re.compile(_TOKEN.replace(b"'", b""))  # no field has one in its name: it was meant as a quote
LONGEST = 2.0**31  # seconds: RFC 9111 1.2.2

_ODD = b"\n"  # the argument of what is not well formed; none that is has a line's end in it
Said = tuple[bytes, bytes | None]


class CacheControl:
    """The directives of a response, or of a request.

    Args:
        said: names in lower case and arguments without quotes, in order; None for no argument.
    """

    __slots__ = ("_said",)

    def __init__(self, said: Iterable[Said]) -> None:
        self._said: dict[bytes, list[bytes | None]] = {}
        for name, argument in said:
            self._said.setdefault(name, []).append(argument)

    @classmethod
    def of(cls, lines: Iterable[bytes]) -> CacheControl:
        """Read all lines of the field; a quoted string ends where its line does."""
        return cls(said for line in lines for said in _directives(line))

    def __bool__(self) -> bool:
        return bool(self._said)

    def __repr__(self) -> str:
        return f"<CacheControl {self._said}>"

    def has(self, name: bytes) -> bool:
        """Tell whether a directive is there, in whatever form: for those that forbid."""
        return name in self._said

    def says(self, name: bytes) -> bool:
        """Tell whether a directive is there, well formed and without an argument: for those that permit."""
        return self._said.get(name, _NOTHING)[0] is None

    @property
    def is_for_others(self) -> bool:
        """Whether the response to a request with Authorization may be reused for others (RFC 9111 3.5)."""
        shared = self._said.get(b"s-maxage", _NOTHING)[0]
        return self.says(b"public") or self.says(b"must-revalidate") or delta_seconds(shared) is not None

    def seconds(self, name: bytes) -> float | None:
        """Give the argument as delta-seconds (RFC 9111 1.2.2): the first one, at most 2**31; 0 where it is none.

        None where the directive is absent.
        """
        arguments = self._said.get(name)
        return None if arguments is None else delta_seconds(arguments[0]) or 0.0

    def fields(self, name: bytes) -> frozenset[bytes] | None:
        """Give the field names, in lower case, that `private` or `no-cache` is about; None where it is about all.

        None also where the directive is absent. Those of several lines count together.
        """
        listed = [_names_in(argument) for argument in self._said.get(name, ())]
        return frozenset().union(*listed) if listed and all(listed) else None

    def is_bare(self, name: bytes) -> bool:
        """Tell whether `private` or `no-cache` is there and about the whole message."""
        return self.has(name) and self.fields(name) is None


_NOTHING = [_ODD]


def delta_seconds(argument: bytes | None) -> float | None:
    """Read delta-seconds: digits and nothing else; None for what is none, 2**31 for more (RFC 9111 1.2.2)."""
    if argument is None or not argument.isdigit():
        return None
    digits = argument.lstrip(b"0")
    return min(float(digits or b"0"), LONGEST) if len(digits) <= 10 else LONGEST


def _names_in(argument: bytes | None) -> frozenset[bytes]:
    """Give the field names in an argument; none where it is no list of them."""
    names = [] if argument is None else [name.strip(b" \t") for name in argument.split(b",")]
    names = [name.lower() for name in names if name]
    return frozenset(names) if all(map(_FIELD_NAME.fullmatch, names)) else frozenset()


def _directives(line: bytes) -> Iterable[Said]:
    """Give the directives of one line.

    What is not well formed hides nothing up to the next comma; and a quote out of place, nothing to the line's end.
    """
    at = 0
    while at < len(line):
        member = _MEMBER.match(line, at)
        if member is None:
            end = _end_of_odd(line, at)
            yield from ((name.lower(), _ODD) for name in _ANYWHERE.findall(line, at, end))
            at = end + 1
            continue
        if member[1] is not None:
            yield member[1].lower(), _ESCAPE.sub(rb"\1", member[3]) if member[3] is not None else member[2]
        at = member.end()


def _end_of_odd(line: bytes, at: int) -> int:
    comma = line.find(b",", at)
    return len(line) if comma < 0 or b'"' in line[at:comma] else comma
