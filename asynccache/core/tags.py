"""Tags: names under which entries are invalidated together, and templates that make them of arguments."""

from collections.abc import Iterable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from string import Formatter
from typing import Any
from uuid import UUID

from asynccache.errors import ConfigurationError

_PLAIN = (str, int, float, type(None), Enum, Decimal, Fraction, UUID, date, time, timedelta, PurePath)


def tagged(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags, none twice.

    Raises `TypeError` for a bare `str` and for what is no `str`, `ValueError` for an empty tag and one with a NUL.
    """
    if not tags:
        return ()
    if isinstance(tags, str):
        raise TypeError(f"tags={tags!r:.80} is one tag: give a list, such as [{tags!r:.80}]")
    given = tuple(tags)
    for tag in given:
        if not isinstance(tag, str):
            raise TypeError(f"a tag is a str, not {type(tag).__name__}: {tag!r:.80}")
        if not tag or "\0" in tag:
            raise ValueError(f"{tag!r:.80} is no tag: it is empty or has a NUL")
    return tuple(dict.fromkeys(given))


class TagTemplates:
    """Tags in which `{name}` stands for the argument of that name, as an f-string writes it.

    Each is read once, so braces in an argument are letters like all others; `{{` and `}}` are braces in the tag. The
    `names` are those of all arguments that are needed.

    Args:
        templates: as users give them.

    Raises `TypeError` for a bare `str` and for what is no `str`, `ConfigurationError` for anything in braces but a name
    and for two arguments with nothing in between.
    """

    __slots__ = ("_parsed", "names")

    def __init__(self, templates: Iterable[str] = ()) -> None:
        if templates and not isinstance(templates, Iterable):
            raise TypeError(f"tags={templates!r:.80}: give a list of templates, such as ['user:{{user_id}}']")
        self._parsed = [_parsed(template) for template in tagged(templates)]
        self.names = frozenset(name for parts in self._parsed for _, name in parts if name is not None)

    def __bool__(self) -> bool:
        return bool(self._parsed)

    def written(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Give the tags for these arguments.

        Raises `ConfigurationError` for an argument that is not there, `TypeError` for one that is no plain value, and
        `ValueError` where a tag comes out empty or with a NUL.
        """
        texts = {name: _text(name, values) for name in self.names}
        return tagged(["".join(part + texts.get(name or "", "") for part, name in parts) for parts in self._parsed])


def _parsed(template: str) -> list[tuple[str, str | None]]:
    """Take a template apart: text, and the name of the argument after it, if there is one."""
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise ConfigurationError(f"tag {template!r}: {error}; {{{{ and }}}} stand for braces") from None
    for place, (text, name, spec, conversion) in enumerate(parts):
        if name is None:
            continue
        if not name.isidentifier() or spec or conversion:
            raise ConfigurationError(f"tag {template!r}: in braces there is the name of an argument, and nothing else")
        if place and not text and parts[place - 1][1] is not None:
            raise ConfigurationError(
                f"tag {template!r}: put something between two arguments, to tell '1' '23' from '12' '3'"
            )
    return [(text, name) for text, name, _, _ in parts]


def _text(name: str, values: Mapping[str, Any]) -> str:
    if name not in values:
        raise ConfigurationError(f"tags name the argument {name!r}, and there are only {sorted(values)}")
    value = values[name]
    if not isinstance(value, _PLAIN):
        raise TypeError(f"the argument {name!r} is a {type(value).__name__}, which has no one text for a tag")
    return f"{value}"
