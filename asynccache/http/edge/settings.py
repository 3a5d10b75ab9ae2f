"""What a `CacheMiddleware` was told, checked when it was told."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from math import inf, isnan

from asynccache.errors import ConfigurationError
from asynccache.http.profile import PROFILES, Profile, Rules
from asynccache.http.settings import expect, tokens

Hosts = str | Collection[str] | None
_AUTHORITY = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]*]+)(?::[0-9]+)?")
_MEMBER = re.compile(r"[ -~]+")


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """The arguments of `CacheMiddleware` that are about no backend, in the form in which they are used."""

    rules: Rules
    hosts: frozenset[bytes] | None
    host: bytes | None
    name: str
    debug: bool
    etags: bool
    whole_ranges: bool
    timeout: float | None
    clock: Callable[[], float]


def profile_of(given: object) -> Profile:
    """Check `profile=`."""
    expect("profile", given, str)
    profile = PROFILES.get(str(given))
    if profile is None:
        raise ConfigurationError(f"profile={given!r}: give one of {sorted(PROFILES)}")
    return profile


def rules_of(
    profile: str, targets: Collection[str], default_ttl: float | None, max_body: int, keep_stale: float
) -> Rules:
    """Check what the rules depend on."""
    expect("max_body", max_body, int)
    if max_body < 0:
        raise ConfigurationError(f"max_body={max_body}: give a number of bytes")
    return Rules(
        profile=profile_of(profile),
        targets=tuple(name.lower().encode("ascii") for name in tokens("targets", targets)),
        default_ttl=None if default_ttl is None else seconds_of("default_ttl", default_ttl),
        max_body=max_body,
        keep_stale=seconds_of("keep_stale", keep_stale),
    )


def seconds_of(what: str, given: object) -> float:
    """Check a number of seconds."""
    expect(what, given, int, float)
    seconds = float(given)  # type: ignore[arg-type]  # it was checked
    if isnan(seconds) or not 0 <= seconds < inf:
        raise ConfigurationError(f"{what}={given}: give a number of seconds, 0 or more")
    return seconds


def hosts_of(given: Hosts) -> tuple[bytes | None, frozenset[bytes] | None]:
    """Check `host=`: give the one name that all requests count for, or the names that count."""
    if given is None:
        return None, None
    if isinstance(given, str):
        return _authority(given), None
    if not isinstance(given, tuple | list | set | frozenset):
        raise TypeError(f"host={given!r}: give None, a name such as 'shop.example', or a collection of names")
    if not given:
        raise ConfigurationError("host is empty: nothing would be cached; give names such as 'shop.example'")
    return None, frozenset(map(_authority, given))


def _authority(name: object) -> bytes:
    if not isinstance(name, str):
        raise TypeError(f"host has {name!r}: give names as str")
    if not name.isascii() or not _AUTHORITY.fullmatch(name):
        raise ConfigurationError(f"host={name!r}: give a whole name, as the Host field has it: 'shop.example:8443'")
    return name.lower().encode("ascii")


def name_of(given: object) -> str:
    """Check `name=`, by which Cache-Status tells this cache from others."""
    expect("name", given, str)
    if not _MEMBER.fullmatch(str(given)):
        raise ConfigurationError(f"name={given!r}: give printable ASCII letters, such as 'edge-1'")
    return str(given)
