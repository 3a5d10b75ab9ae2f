"""What lies under the key of a page: the page, or the names that its variants depend on; each of these below.

Every page carries the names and values it was made for, and whoever reads it checks them: that alone makes it right.
The `Spec` is a hint with a random id that its variants repeat, so that removing the key removes them all: a variant is
found as long only as its names are, and no id is ever stored again once it was removed.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

from asynccache.core.entry import Entry, Kind
from asynccache.core.policy import Verdict, judge
from asynccache.http.ask import Ask, values_of
from asynccache.http.snapshot import Found, Pass, Record, Snapshot, Spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from asynccache.core.policy import CachePolicy
    from asynccache.http.ask import Owner
    from asynccache.model import Version

_REMEMBERED = 4096
SHORT = 512
BYPASS = b"fwd=bypass"
_variants: dict[tuple[object, ...], str] = {}


class Look(msgspec.Struct, frozen=True):
    """What a request found under its key, and of that what concerns it: a page that fits, or a mark.

    Args:
        base: what lies under the key of the request.
        found: the page or the mark.
        key: where the page lies, or is to lie.
        entry: what lies there, whatever it is.
        verdict: what the page is good for.
        stand_in: a page that is over, and stands in where a new one cannot be had.
    """

    base: Found | None
    found: Snapshot | Pass | None
    key: str
    entry: Entry | None = None
    verdict: Verdict = Verdict.FRESH
    stand_in: Snapshot | None = None

    @property
    def why(self) -> bytes:
        """Say why the request goes to the handler (RFC 9211 2.2)."""
        if self.found is not None:
            return BYPASS
        if self.verdict is not Verdict.FRESH:
            return b"fwd=stale"
        return b"fwd=vary-miss" if isinstance(self.base, Spec | Snapshot) else b"fwd=uri-miss"

    def suits(self, ask: Ask) -> bool:
        """Tell whether what was found answers the request."""
        return type(self.found) is Snapshot and not ask.is_barred(self.found.record)

    def judged(self, ask: Ask, policy: CachePolicy, now: float) -> Look:
        """Give the same, where the page may be over: then it is none, and stands in at best."""
        page = self.found
        if type(page) is not Snapshot:
            return self
        verdict = judge(self.entry, policy, now)
        if verdict is Verdict.FRESH or verdict is Verdict.DUE:
            return msgspec.structs.replace(self, verdict=verdict)
        stands_in = verdict is Verdict.STALE and not ask.is_barred(page.record)
        return msgspec.structs.replace(self, found=None, verdict=verdict, stand_in=page if stands_in else None)


def glance(peek: Callable[[str, Version, Kind], Any], version: Version, ask: Ask) -> Look:
    """Look a page up in a backend that can be asked without waiting."""
    base = peek(ask.key, version, Kind.PAGE)
    if type(base) is not Spec:
        return look_at(ask, None if base is None else Entry(base))
    variant = variant_key(ask, base)
    found = peek(variant, version, Kind.PAGE)
    return look_at_variant(ask, base, None if found is None else Entry(found), variant)


def variant_key(ask: Ask, spec: Spec) -> str:
    """Give the key of the variant for this request."""
    return variant_of(ask.key, ask.owner, spec, values_of(ask.headers, spec.names))


def variant_of(base_key: str, owner: Owner, spec: Spec, values: tuple[bytes | None, ...]) -> str:
    """Give the key of a variant; remembered for those that come again and again."""
    asked = (base_key, owner, spec.id, values)
    key = _variants.get(asked)
    if key is None:
        parts = msgspec.msgpack.encode((*owner, *spec.names, *values, spec.id))
        key = f"{base_key}#{blake2b(parts, digest_size=16).hexdigest()}"
        if len(_variants) >= _REMEMBERED:
            _variants.clear()
        if len(base_key) + len(parts) <= 2 * SHORT:
            _variants[asked] = key
    return key


def as_variant(ask: Ask, spec: Spec, record: Record) -> Snapshot:
    """Give the page as the variant for this request."""
    values = values_of(ask.headers, spec.names)
    return Snapshot(msgspec.structs.replace(record, names=spec.names, values=values, spec_id=spec.id))


def look_at(ask: Ask, entry: Entry | None) -> Look:
    """Say what lies under the key of a request, where that is not the names of variants."""
    base = None if entry is None else entry.value
    if isinstance(base, Snapshot):
        fits = not base.record.spec_id and ask.fits(base.record)
        return Look(base, base if fits else None, ask.key, entry)
    return Look(base, _heeded(ask, base), ask.key, entry)


def look_at_variant(ask: Ask, spec: Spec, entry: Entry | None, key: str) -> Look:
    """Say what lies under the key of the variant for a request."""
    found = None if entry is None else entry.value
    if isinstance(found, Snapshot):
        fits = found.record.spec_id == spec.id and ask.fits(found.record)
        return Look(spec, found if fits else None, key, entry)
    return Look(spec, _heeded(ask, found), key, entry)


def _heeded(ask: Ask, found: Found | None) -> Pass | None:
    """Give the mark, if it is one and concerns this request."""
    return found if isinstance(found, Pass) and (not found.personal or ask.is_personal()) else None


def may_be_base(ask: Ask, base: Found | None) -> bool:
    """Tell whether a page that depends on nothing may lie under the key itself."""
    if isinstance(base, Snapshot):
        return base.record.owner == ask.owner
    return not isinstance(base, Spec)
