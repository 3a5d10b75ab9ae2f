"""What Redis does in one step of its own: scripts over framed entries (layout: `core/codec.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha1
from secrets import token_hex
from typing import Any

from asynccache.backends.redis_questions import NO_SCRIPT, Question, wire_milliseconds
from asynccache.core import codec
from asynccache.core.lifetime import FOREVER

OK = b"OK"
OUT_OF_RANGE = b"RANGE"


@dataclass(frozen=True, slots=True)
class Script:
    """A script by its text, asked for by its digest, so that the text travels once per server."""

    text: bytes

    def by_digest(self, keys: tuple[bytes, ...], arguments: tuple[bytes | int, ...]) -> Question:
        """Run it; a server that does not know it answers by a `Refusal`."""
        digest = sha1(self.text, usedforsecurity=False).hexdigest().encode()
        return Question((b"EVALSHA", digest, len(keys), *keys, *arguments), _answers(arguments[0]), NO_SCRIPT)

    def by_text(self, keys: tuple[bytes, ...], arguments: tuple[bytes | int, ...]) -> Question:
        """Run it on a server that does not know it yet."""
        return Question((b"EVAL", self.text, len(keys), *keys, *arguments), _answers(arguments[0]))


def bump_arguments(frame: bytes, delta: int, ttl: float) -> tuple[bytes | int, ...]:
    """Give the arguments of `BUMP`; the first is a nonce, by which the answer is known to be to this call."""
    return token_hex(8).encode(), delta, frame, 0 if ttl == FOREVER else wire_milliseconds(ttl)


def swap_arguments(seen: bytes, raw: bytes, ttl: float) -> tuple[bytes | int, ...]:
    """Give the arguments of `SWAP`; the first is a nonce."""
    return token_hex(8).encode(), seen, raw, 0 if ttl == FOREVER else wire_milliseconds(ttl)


def _answers(nonce: bytes | int) -> Any:
    def fits(reply: Any) -> bool:
        return type(reply) is list and len(reply) == 3 and reply[0] == nonce  # nonce, word, number

    return fits


# KEYS entry; ARGV nonce, delta, a new counter's frame without its payload, its milliseconds or 0.
# The server adds, in the entry's own place, since numbers in Lua are doubles; no other key may be named, which in a
# cluster could be elsewhere. A frame that is not this key's, or whose two copies of the number differ, is as good as
# missing. Offsets are those of the codec, counted from 1.
BUMP = Script(
    f"""
local raw = redis.pcall('GET', KEYS[1])
local mine, start, number = ARGV[3], nil, '0'
if type(raw) == 'table' then return {{ARGV[1], 'TYPE', ''}} end
if raw and #raw >= {codec.PAYLOAD_OFFSET} and string.byte(raw, {codec.HEAD_SIZE + 1}) == {codec.FORMAT}
   and string.sub(raw, {codec.PAYLOAD_OFFSET - 15}, {codec.PAYLOAD_OFFSET})
       == string.sub(mine, {codec.PAYLOAD_OFFSET - 15}, {codec.PAYLOAD_OFFSET}) then
  local flags, _, cells, tags = struct.unpack('>I2I4I2I2', raw, {codec.HEAD_SIZE + 3})
  if flags % 2 == 0 then return {{ARGV[1], 'TYPE', ''}} end
  local at = {codec.PAYLOAD_OFFSET + 1} + 2 * cells + tags
  local first, second = string.match(raw, '^(-?%d+) (-?%d+)$', at)
  if first and first == second then start, number = at, first end
end
redis.call('SET', KEYS[1], number, 'KEEPTTL')
local sum = redis.pcall('INCRBY', KEYS[1], ARGV[2])
if type(sum) == 'table' then
  redis.call('SET', KEYS[1], raw, 'KEEPTTL')
  return {{ARGV[1], 'RANGE', number}}
end
number = redis.call('GET', KEYS[1])
local payload = number .. ' ' .. number
if start then redis.call('SET', KEYS[1], string.sub(raw, 1, start - 1) .. payload, 'KEEPTTL')
elseif ARGV[4] == '0' then redis.call('SET', KEYS[1], mine .. payload)
else redis.call('SET', KEYS[1], mine .. payload, 'PX', ARGV[4]) end
return {{ARGV[1], 'OK', number}}
""".strip().encode()
)
# KEYS entry; ARGV nonce, the bytes that were seen there, those to put in their place, their milliseconds or 0.
SWAP = Script(
    b"""
if redis.pcall('GET', KEYS[1]) ~= ARGV[2] then return {ARGV[1], 'NO', ''} end
if ARGV[4] == '0' then redis.call('SET', KEYS[1], ARGV[3])
else redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4]) end
return {ARGV[1], 'OK', ''}
""".strip()
)
