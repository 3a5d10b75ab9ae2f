"""A stored response in memory, ready to be sent: what each answer shares is made once."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asynccache.http.headers import Pair
    from asynccache.http.stored import Stored

HIT = b"asynccache; hit"
_LONGEST = 2**31  # RFC 9111 1.2.2


class Shelved:
    """A stored response, and its header as it is sent while it is fresh.

    `fresh_until` is seconds since 1970; `fields` are the header without what is not reused unasked, and without Age.
    """

    __slots__ = ("_prepared", "body", "fields", "fresh_until", "status", "stored")

    def __init__(self, stored: Stored) -> None:
        self.stored = stored
        self.status = stored.status
        self.body = stored.body
        self.fresh_until = stored.generated_at + stored.lifetime if stored.lifetime > 0 else -inf
        left_out = stored.unvalidated
        self.fields = tuple(pair for pair in stored.headers if pair[0] not in left_out)
        self._prepared: tuple[int, bytes, tuple[Pair, ...]] = (-1, b"", ())

    def __bytes__(self) -> bytes:
        return bytes(self.stored)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.stored!r}>"

    def is_fresh(self, now: float) -> bool:
        """Tell whether it may be sent without asking, as far as time is concerned (RFC 9111 4.2)."""
        return now < self.fresh_until

    def pairs(self, now: float, member: bytes = HIT) -> list[Pair]:
        """Give the header of an answer at `now`, in a list of the caller's own.

        Its Cache-Status begins with `member` and says what is left of its lifetime (RFC 9211 2.3). What answers share
        is made anew once a second.
        """
        age = max(0, int(now - self.stored.generated_at))
        prepared_age, prepared_member, pairs = self._prepared
        if age != prepared_age or member != prepared_member:
            status = b"%b; ttl=%d" % (member, int(min(self.stored.lifetime, _LONGEST)) - age)
            pairs = (*self.fields, (b"age", b"%d" % age), (b"cache-status", status))
            self._prepared = (age, member, pairs)
        return list(pairs)
