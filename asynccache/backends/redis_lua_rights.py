"""Scripts for rights to load, for tags, for clearing, and for servers that take over."""

from __future__ import annotations

from asynccache.backends.redis_lua_parts import (
    DONE,
    NOTEBOOK,
    PRELUDE,
    SAVE,
    STAMP,
    TABLE,
    TIME,
    VALID,
    WHATEVER,
    cells,
    event,
)
from asynccache.core import codec

# KEYS 4.. entry and lease of each. ARGV 3 the lease's milliseconds; 4.. for each: token, `seen`, 1 to take a stamp.
OPEN = (
    PRELUDE
    + f"""
local found = {{}}
for i = 4, #KEYS, 2 do
  local a = (i - 4) / 2 * 3 + 4
  local v = redis.pcall('GET', KEYS[i])
{VALID}
  if ok and ARGV[a + 1] ~= '-1' and at ~= tonumber(ARGV[a + 1]) then found[#found + 1] = {{'FOUND', v}}
  elseif call('SET', KEYS[i + 1], ARGV[a], 'NX', 'PX', ARGV[3]) then
    if ARGV[a + 2] == '1' then
{TIME}{STAMP}{event("'n'", "''")}{SAVE}
    end
    found[#found + 1] = {{'GRANTED', ok and v or '', sub(N, 31, 50)}}
  else
    local held = call('GET', KEYS[i + 1])
    if sub(held, -1) ~= '+' then call('SET', KEYS[i + 1], held .. '+', 'KEEPTTL') end
    found[#found + 1] = {{'TAKEN', ok and v or '', call('PTTL', KEYS[i + 1])}}
  end
end
return {{ARGV[1], 'OK', N, found}}
"""
)
_WAKE = "if waited then" + TIME + STAMP + event("'w'", "ARGV[6]") + SAVE + "end\n"
# KEYS 4 entry, 5 lease. ARGV 3 token; 4 milliseconds, 0, or `-`: nothing is stored; 5 the entry from its 25th byte on;
# 6 its stored key; 7 generation, 8 keeper, 9 position of the ticket.
LAND = (
    PRELUDE
    + f"""
local token = call('GET', KEYS[5])
local waited = token == ARGV[3] .. '+'
if not waited and token ~= ARGV[3] then return {{ARGV[1], 'LOST', N, ''}} end
local word, full, born = 'OK', '', tonumber(ARGV[9])
if sub(N, 1, 8) ~= ARGV[7] or sub(N, 52) ~= ARGV[8] or sub(N, 10, 29) > ARGV[9] then word = 'LOST'
else
  local n, ok = struct.unpack('>I2', ARGV[5], 25), true
  if n > 0 then
{cells("ARGV[5]", codec.PAYLOAD_OFFSET - 23)}
    if not ok then word = 'LOST' end
    if marks[1] == 0 then
{TIME}{STAMP}{event("'n'", "''")}{TABLE}{SAVE}
    end
  end
  if ok and ARGV[4] ~= '-' then
{TIME}
    local v = ARGV[7] .. struct.pack('>I8I8', born, us) .. ARGV[5]
    local put
    if ARGV[4] == '0' then put = redis.pcall('SET', KEYS[4], v)
    else put = redis.pcall('SET', KEYS[4], v, 'PX', ARGV[4]) end
    if put.err then word, full = 'FULL', put.err end
  end
end
call('DEL', KEYS[5])
{_WAKE}return {{ARGV[1], word, N, full}}
"""
)
# ARGV 3.. cells.
VOID = (
    WHATEVER
    + PRELUDE
    + f"""
{TIME}{STAMP}{event("'t'", "table.concat(ARGV, ' ', 3)")}
local stamp = string.format('%.0f', seq)
local q = {{'BITFIELD', KEYS[2]}}
if call('EXISTS', KEYS[2]) == 0 then call('SET', KEYS[2], struct.pack('>I8', seq)) end
for i = 3, #ARGV do q[#q + 1] = 'SET' q[#q + 1] = 'i64' q[#q + 1] = '#' .. (ARGV[i] + 1) q[#q + 1] = stamp end
call(unpack(q))
{SAVE}{DONE}"""
)
_FLOOR = "N = sub(N, 1, 9) .. seq .. sub(N, 30)\n"
CLEAR = WHATEVER + PRELUDE + TIME + STAMP + event("'c'", "''") + _FLOOR + SAVE + DONE
# ARGV 3 the stamp after which this process has run all the time: later data was not read from a disk, and stays.
ADOPT = (
    WHATEVER
    + NOTEBOOK
    + f"""
if sub(N, 52) ~= ARGV[2] then
{TIME}{STAMP}
  local stays = prev > ARGV[3]
{event("stays and 'n' or 'c'", "''")}
  if not stays then {_FLOOR} end
  N = sub(N, 1, 51) .. ARGV[2]
{SAVE}
end
{DONE}"""
)
# KEYS 4 lease. ARGV 3 token; 4 and 5 nothing; 6 its stored key.
QUIT = (
    PRELUDE
    + f"""
local token = call('GET', KEYS[4])
local waited = token == ARGV[3] .. '+'
if not waited and token ~= ARGV[3] then return {{ARGV[1], 'NO', N}} end
call('DEL', KEYS[4])
{_WAKE}{DONE}"""
)
# KEYS 1 lease. ARGV 1 nonce; 2 token; 3 milliseconds.
RENEW = """
local token = redis.call('GET', KEYS[1])
if token ~= ARGV[2] and token ~= ARGV[2] .. '+' then return {ARGV[1], 'NO'} end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {ARGV[1], 'OK'}
"""
# KEYS 1 lease. ARGV 1 nonce. Has its end told; gives the milliseconds until then.
MARK = """
local token = redis.call('GET', KEYS[1])
if not token then return {ARGV[1], 'NO'} end
if string.sub(token, -1) ~= '+' then redis.call('SET', KEYS[1], token .. '+', 'KEEPTTL') end
return {ARGV[1], 'OK', redis.call('PTTL', KEYS[1])}
"""
