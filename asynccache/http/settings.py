"""What a `@Cache` was told, checked when it was told."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from asynccache.core.lifetime import Ttl
from asynccache.core.policy import CachePolicy, merged
from asynccache.core.query import ALL, DECLARED, Parameters, parameters_of
from asynccache.core.tags import TagTemplates
from asynccache.errors import ConfigurationError
from asynccache.http.profile import MAX_BODY, STATUSES
from asynccache.http.statement import check_statement

METHODS = ("GET", "HEAD")
MAX_NAMES = 8
NOTHING = frozenset({404, 410})
"""The statuses of pages that say that there is nothing."""
_NEVER_STATUSES = frozenset({206, 304})
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

keyed_by_body: dict[str, int] = {}
"""The methods, but for GET and HEAD, that some handler is cached for, and the longest body that is part of a key."""

KeyCallback = Callable[[Any, str], str | Awaitable[str | None] | None]


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """The arguments of `@Cache`, checked and in the form in which they are used; the policy has the explicit ttl.

    `parameters` are those of the query that pages are kept by; None: all, or those that the route declares.
    """

    ttl: Ttl = None
    key_prefix: str = ""
    version: str | int | None = None
    backend: str = "default"
    make_key_callback: KeyCallback | None = None
    vary: frozenset[bytes] = field(default_factory=frozenset)
    public: bool = False
    methods: frozenset[str] = frozenset(METHODS)
    statuses: frozenset[int] = STATUSES
    max_body: int = MAX_BODY
    query: str | Collection[str] = ALL
    cache_control: str | None = "shared"
    edge: bool = False
    tags: TagTemplates = field(default_factory=TagTemplates)
    policy: CachePolicy = field(default_factory=CachePolicy)
    parameters: Parameters | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if callable(self.ttl):
            raise ConfigurationError(f"@Cache needs parentheses: write @Cache() or @Cache(ttl=60) above {self.ttl!r}")
        object.__setattr__(self, "policy", merged(self.policy, self.ttl))
        if self.policy.negative_ttl is not None:
            object.__setattr__(self, "statuses", self.statuses | NOTHING)
        expect("key_prefix", self.key_prefix, str)
        expect("backend", self.backend, str)
        expect("public", self.public, bool)
        expect("max_body", self.max_body, int)
        if self.version is not None:
            expect("version", self.version, str, int)
        if self.make_key_callback is not None and not callable(self.make_key_callback):
            raise TypeError(f"make_key_callback={self.make_key_callback!r}: give a function (ctx, key_prefix) -> str")
        if self.max_body < 0:
            raise ConfigurationError(f"max_body={self.max_body}: give a number of bytes")
        check_statement(self.cache_control)
        self._check_edge()
        object.__setattr__(self, "parameters", parameters_of(self.query))
        if self.query != ALL and self.make_key_callback is not None:
            raise ConfigurationError("query= is for the key that @Cache makes; a make_key_callback makes its own")

    def _check_edge(self) -> None:
        expect("edge", self.edge, bool)
        if self.edge and self.make_key_callback is not None:
            raise ConfigurationError(
                "edge=True with a make_key_callback, which is not asked before routing: leave one out"
            )
        if self.edge and "GET" not in self.methods:
            raise ConfigurationError(f"edge=True is for GET, which is not in methods={sorted(self.methods)}")

    @property
    def is_by_declared(self) -> bool:
        """Whether pages are kept by the parameters of the query that the route declares."""
        return self.query == DECLARED


def field_names(given: Collection[str]) -> frozenset[bytes]:
    """Check the header names of `vary=`."""
    names = frozenset(name.lower().encode("ascii") for name in tokens("vary", given))
    if b"*" in names:
        raise ConfigurationError("vary='*' would never hit: name the headers that the response depends on")
    if len(names) > MAX_NAMES:
        raise ConfigurationError(f"vary names {len(names)} headers; {MAX_NAMES} is the most that a page can depend on")
    return names


def method_names(given: Collection[str]) -> frozenset[str]:
    """Check the methods of `methods=`."""
    methods = frozenset(method.upper() for method in tokens("methods", given))
    if not methods:
        raise ConfigurationError("methods is empty: nothing would be cached; use enabled=False to switch a cache off")
    if "HEAD" in methods and "GET" not in methods:
        raise ConfigurationError("methods has HEAD without GET, whose pages answer it: add 'GET'")
    return methods


def status_codes(given: Collection[int]) -> frozenset[int]:
    """Check the statuses of `statuses=`."""
    if isinstance(given, str | bytes) or not isinstance(given, Collection):
        raise TypeError(f"statuses={given!r}: give a collection of numbers, e.g. (200, 404)")
    for status in given:
        if isinstance(status, bool) or not isinstance(status, int):
            raise TypeError(f"statuses has {status!r}: give numbers")
        if not 200 <= status < 500 or status in _NEVER_STATUSES:
            raise ConfigurationError(f"statuses has {status}: only complete answers from 200 to 499 can be cached")
    return frozenset(given)


def tokens(what: str, given: Collection[str]) -> Collection[str]:
    """Check names in HTTP that an argument of this name collects."""
    if isinstance(given, str | bytes) or not isinstance(given, Collection):
        raise TypeError(f"{what}={given!r}: give a collection of names, e.g. ({given!r},)")
    for name in given:
        if not isinstance(name, str):
            raise TypeError(f"{what} has {name!r}: give names as str")
        if not _TOKEN.fullmatch(name):
            raise ConfigurationError(f"{what} has {name!r}, which is no name in HTTP")
    return given


def expect(what: str, given: object, *types: type) -> None:
    """Check the type of an argument; only where it is named does a `bool` pass."""
    if not isinstance(given, types) or (isinstance(given, bool) and bool not in types):
        raise TypeError(f"{what}={given!r}: give {' or '.join(kind.__name__ for kind in types)}")
