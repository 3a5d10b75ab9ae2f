"""Which parameters of a query a page is kept by: all, those that are named, or all but those that are named."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from fnmatch import translate
from urllib.parse import unquote

from asynccache.errors import ConfigurationError

ALL = "all"
DECLARED = "declared"
_EVERY = "*"
_LEAVE_OUT = "-"
_WHAT_WOULD_DO = (
    'give "all", "declared", the names that count, such as ["page", "filter_*"], or those that do not, each with a '
    'minus: ["-utm_*", "-fbclid"]'
)
_FOREIGN = frozenset("&=#")


class Parameters:
    """The parameters that a page is kept by.

    Args:
        names: decoded, and in them `*` stands for any text.
        left_out: whether these are the ones that it is not kept by.
    """

    __slots__ = ("_left_out", "_names", "_pattern")

    def __init__(self, names: Iterable[str], *, left_out: bool = False) -> None:
        given = frozenset(names)
        patterns = sorted(name for name in given if _EVERY in name)
        self._names = given.difference(patterns)
        self._pattern = re.compile("|".join(map(_expression, patterns))) if patterns else None
        self._left_out = left_out

    def has(self, name: str) -> bool:
        """Tell whether a page is kept by the parameter of this name."""
        named = name in self._names or (self._pattern is not None and self._pattern.match(name) is not None)
        return named is not self._left_out

    def kept(self, query: bytes) -> bytes:
        """Give what a page is kept by of a query, as it was written and in its order; the query itself if it is all."""
        if not query:
            return query
        parameters = query.split(b"&")
        kept = [parameter for parameter in parameters if self.has(name_of(parameter.decode("latin-1")))]
        return query if len(kept) == len(parameters) else b"&".join(kept)


def name_of(parameter: str) -> str:
    """Give the name of a parameter as it is for who decodes it: `%75tm+x=1` is that of `utm x`."""
    name = parameter.partition("=")[0]
    return unquote(name.replace("+", " ")) if "%" in name or "+" in name else name


def parameters_of(query: object) -> Parameters | None:
    """Check a `query=`; None: all parameters, or those that a route declares.

    Raises `TypeError` for what is no collection of names, and `ConfigurationError` for names that could not be meant.
    """
    if query in (ALL, DECLARED):
        return None
    if isinstance(query, str):
        raise ConfigurationError(f"query={query!r}: {_WHAT_WOULD_DO}")
    if isinstance(query, bytes) or not isinstance(query, Collection):
        raise TypeError(f"query={query!r}: {_WHAT_WOULD_DO}")
    names = list(map(_checked, query))
    signs = {name.startswith(_LEAVE_OUT) for name in names}
    if len(signs) > 1:
        raise ConfigurationError(f"query={query!r} says both which count and which do not: {_WHAT_WOULD_DO}")
    left_out = True in signs
    bare = [name.removeprefix(_LEAVE_OUT) if left_out else name for name in names]
    if _EVERY in bare:
        meant = "()" if left_out else f'"{ALL}"'
        raise ConfigurationError(f"query={query!r}: write query={meant}")
    return Parameters(bare, left_out=left_out)


def _checked(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"query has {name!r}: give names as str")
    if not name.removeprefix(_LEAVE_OUT) or not _FOREIGN.isdisjoint(name):
        raise ConfigurationError(f"query has {name!r}, which is no name of a parameter: {_WHAT_WOULD_DO}")
    return name


def _expression(pattern: str) -> str:
    """Give the expression for a pattern in which nothing but `*` is special; it takes no longer for hostile names."""
    return translate(pattern.replace("[", "[[]").replace("?", "[?]"))
