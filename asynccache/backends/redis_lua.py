"""Scripts that change values; `redis_lua_parts.py` tells how they are made."""

from __future__ import annotations

from asynccache.backends.redis_lua_parts import DONE, LATE, PRELUDE, SAVE, STAMP, TABLE, TIME, VALID, WHATEVER, event
from asynccache.core import codec

_PUT = """
v = sub(N, 1, 8) .. struct.pack('>I8I8', seq, written) .. ARGV[5]
if ARGV[4] == '0' then call('SET', KEYS[4], v) else call('SET', KEYS[4], v, 'PX', ARGV[4]) end
call('DEL', KEYS[5])
"""


def _writing(condition: str) -> str:
    told = event("'k'", "ARGV[6]")
    return PRELUDE + TIME + LATE + condition + STAMP + told + TABLE + _PUT + SAVE + DONE


# KEYS 4 entry, 5 lease. ARGV 3 until when, in the server's microseconds; 4 milliseconds or 0; 5 the entry from its
# 25th byte on; 6 its stored key.
STORE = _writing("local v, written = nil, us\n")
# KEYS 4.. entries, then as many leases. ARGV 3 and 4 as above; 5.. for each: the entry from its 25th byte on, its
# stored key. None of them has tags.
STORE_MANY = (
    PRELUDE
    + TIME
    + LATE
    + f"""
local count, what = (#KEYS - 3) / 2, {{}}
for i = 6, #ARGV, 2 do what[#what + 1] = 'k' what[#what + 1] = ARGV[i] end
{STAMP}{event("unpack(what)")}
local head = sub(N, 1, 8) .. struct.pack('>I8I8', seq, us)
for i = 1, count do
  if ARGV[4] == '0' then
    call('SET', KEYS[3 + i], head .. ARGV[3 + 2 * i])
  else
    call('SET', KEYS[3 + i], head .. ARGV[3 + 2 * i], 'PX', ARGV[4])
  end
end
call('DEL', unpack(KEYS, 4 + count))
{SAVE}{DONE}"""
)
ADD = _writing(
    f"""
local v, written = redis.pcall('GET', KEYS[4]), us
{VALID}if ok then return {{ARGV[1], 'NO', N}} end
"""
)
# ARGV 7 the bytes that were seen there; 8 when the new ones were written.
SWAP = _writing(
    f"""
local v, written = redis.pcall('GET', KEYS[4]), ARGV[8]
if v ~= ARGV[7] then return {{ARGV[1], 'NO', N}} end
{VALID}if not ok then return {{ARGV[1], 'NO', N}} end
"""
)
# KEYS 4.. entries, then as many leases. ARGV 3.. their stored keys.
DROP = (
    WHATEVER
    + PRELUDE
    + f"""
local last, had = 1 + #ARGV, 0
for i = 4, last do
  local v = redis.pcall('GETRANGE', KEYS[i], 0, 4163)
{VALID}
  if ok then had = had + 1 end
end
call('UNLINK', unpack(KEYS, 4))
{TIME}{STAMP}
if last == 4 then
{event("'k'", "ARGV[3]")}
else
  local what = {{}}
  for i = 3, #ARGV do what[#what + 1] = 'k' what[#what + 1] = ARGV[i] end
{event("unpack(what)")}
end
{SAVE}return {{ARGV[1], 'OK', N, had}}
"""
)
# KEYS 4.. entries. ARGV 3.. for each: stored key, stamp. Those of this generation that were born before go.
DROP_OLDER = (
    WHATEVER
    + PRELUDE
    + f"""
local what = {{}}
for i = 4, #KEYS do
  local v = redis.pcall('GETRANGE', KEYS[i], 0, 15)
  if #v == 16 and sub(v, 1, 8) == sub(N, 1, 8) then
    local born = struct.unpack('>I8', v, 9)
    if born < tonumber(ARGV[2 * i - 4]) then
      call('UNLINK', KEYS[i])
      what[#what + 1] = 'k' what[#what + 1] = ARGV[2 * i - 5]
    end
  end
end
if #what > 0 then
{TIME}{STAMP}{event("unpack(what)")}{SAVE}
end
{DONE}"""
)
# KEYS 4 entry. ARGV 3 milliseconds or 0; 4 its stored key. What is kept beyond its end stays as it is.
TOUCH = (
    PRELUDE
    + f"""
local v = redis.pcall('GETRANGE', KEYS[4], 0, 4163)
{VALID}if not ok or fresh < dead then return {{ARGV[1], 'NO', N}} end
if ARGV[3] == '0' then call('PERSIST', KEYS[4]) else call('PEXPIRE', KEYS[4], ARGV[3]) end
{TIME}{STAMP}{event("'k'", "ARGV[4]")}
call('SETRANGE', KEYS[4], 16, struct.pack('>I8I8I8', us, ARGV[3], ARGV[3]))
{SAVE}{DONE}"""
)
# KEYS 4 entry, 5 lease, in whose place the server adds. ARGV 3 delta; 4 milliseconds or 0; 5 a new counter's entry from
# its 25th byte on, without its payload; 6 its stored key. An entry that is not this key's, or whose two copies of the
# number differ, is as good as missing. That a counter goes on counting is not told: nobody holds copies of numbers.
BUMP = (
    PRELUDE
    + f"""
local v = redis.pcall('GET', KEYS[4])
if type(v) == 'table' then return {{ARGV[1], 'TYPE', N, ''}} end
{VALID}
local start, number = nil, '0'
if ok and form == {codec.FORMAT} and sub(v, 53, 68) == sub(ARGV[5], 29, 44) then
  if flags % 2 == 0 then return {{ARGV[1], 'TYPE', N, ''}} end
  local first, second = string.match(v, '^(-?%d+) (-?%d+)$', {codec.PAYLOAD_OFFSET + 1} + 2 * n + tags)
  if first and first == second then start, number = {codec.PAYLOAD_OFFSET + 1} + 2 * n + tags, first end
end
local quiet = start and call('EXISTS', KEYS[5]) == 0
call('SET', KEYS[5], number)
local sum = redis.pcall('INCRBY', KEYS[5], ARGV[3])
if type(sum) == 'table' then
  call('DEL', KEYS[5])
  return {{ARGV[1], 'RANGE', N, number}}
end
number = call('GET', KEYS[5])
call('DEL', KEYS[5])
local payload = number .. ' ' .. number
{TIME}{STAMP}
if not quiet then
{event("'k'", "ARGV[6]")}{SAVE}
end
if start then
  v = sub(v, 1, 16) .. struct.pack('>I8', us) .. sub(v, 25, start - 1) .. payload
  call('SET', KEYS[4], v, 'KEEPTTL')
else
  v = sub(N, 1, 8) .. struct.pack('>I8I8', seq, us) .. ARGV[5] .. payload
  if ARGV[4] == '0' then call('SET', KEYS[4], v) else call('SET', KEYS[4], v, 'PX', ARGV[4]) end
end
return {{ARGV[1], 'OK', N, number}}
"""
)
