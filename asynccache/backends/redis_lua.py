"""What Redis does in one step of its own, over framed entries (layout: `core/codec.py`): the texts of the scripts.

KEYS 1 to 3 are a part's notebook, table of cells and log, ARGV 1 is a nonce, by which an answer is known to be to this
call (and which becomes the generation, where the notebook is made anew), ARGV 2 the process that answers. An answer is
the nonce, a word and what belongs to it; `VIEW`: nobody has accepted this data for this process yet, nothing was done.

Lean, since they hold up everybody: straight lines, each with what it uses; the notebook is cut and compared as text.
Numbers of a script are doubles, which are exact for microseconds; counters are added by the server. What a write must
not fail for when memory is full begins with a write that needs none: then Redis lets a script go on.
"""

from __future__ import annotations

from asynccache.core import codec

_NOTEBOOK = """
local call, sub = redis.call, string.sub
local N = redis.pcall('GET', KEYS[1])
if type(N) ~= 'string' or #N ~= 59 or not tonumber(sub(N, 10, 29)) or not tonumber(sub(N, 31, 50)) then
  local t = call('TIME')
  local s = string.format('%020.0f', t[1] * 1000000 + t[2])
  N = ARGV[1] .. ' ' .. s .. ' ' .. s .. ' ' .. ARGV[2]
  call('SET', KEYS[1], N)
  call('SET', KEYS[2], struct.pack('>I8', s))
  call('UNLINK', KEYS[3])
end
"""
_VIEW = "if sub(N, 52) ~= ARGV[2] and ARGV[2] ~= '--------' then return {ARGV[1], 'VIEW'} end\n"
_PRELUDE = _NOTEBOOK + _VIEW
_WHATEVER = "redis.call('PERSIST', KEYS[1])\n"
"""It changes nothing, and needs no memory."""
_TIME = """
local t = call('TIME')
local us = t[1] .. sub('00000' .. t[2], -6)
"""
_STAMP = """
local prev = sub(N, 31, 50)
local seq = sub('0000000000' .. us, -20)
if seq <= prev then seq = string.format('%020.0f', prev + 1) end
"""
_SAVE = """
N = sub(N, 1, 30) .. seq .. sub(N, 51)
call('SET', KEYS[1], N)
"""
_LATE = "if us > ARGV[3] then return {ARGV[1], 'LATE'} end\n"
_DONE = "return {ARGV[1], 'OK', N}\n"


def _event(*what: str) -> str:
    """Write an event; a log that cannot be written to, or has later ones, is lost: whoever reads it finds a hole."""
    add = f"'XADD', KEYS[3], 'MAXLEN', '~', '10000', seq .. '-0', 'p', prev, {', '.join(what)}"
    return f"""
local logged = redis.pcall({add})
if type(logged) == 'table' then
  if string.find(logged.err, 'OOM', 1, true) then return logged end
  call('UNLINK', KEYS[3])
  call({add})
end
"""


def _cells(raw: str, first: int) -> str:
    """Look whether a tag of `raw`, whose `n` cells begin there, was invalidated since `born`: then `ok` is false."""
    return f"""
  local q = {{'BITFIELD_RO', KEYS[2], 'GET', 'i64', '#0'}}
  for i = {first}, {first - 2} + 2 * n, 2 do
    q[#q + 1] = 'GET' q[#q + 1] = 'i64' q[#q + 1] = '#' .. (struct.unpack('>I2', {raw}, i) + 1)
  end
  local marks = redis.pcall(unpack(q))
  ok = not marks.err and marks[1] ~= 0
  for i = 1, ok and #marks or 0 do ok = ok and marks[i] <= born end
"""


_VALID = f"""
local ok, born, at, fresh, dead, form, kind, flags, load, n, tags = false
if type(v) == 'string' and #v >= {codec.PAYLOAD_OFFSET} and sub(v, 1, 8) == sub(N, 1, 8) then
  born, at, fresh, dead, form, kind, flags, load, n, tags = struct.unpack('>I8I8I8I8BBI2I4I2I2', v, 9)
  ok = born >= tonumber(sub(N, 10, 29)) and #v >= {codec.PAYLOAD_OFFSET} + 2 * n
  if ok and n > 0 then {_cells("v", codec.PAYLOAD_OFFSET + 1)} end
end
"""
_TABLE = """
if (string.byte(ARGV[5], 25) or 0) + (string.byte(ARGV[5], 26) or 0) > 0 and call('EXISTS', KEYS[2]) == 0 then
  call('SET', KEYS[2], struct.pack('>I8', seq))
end
"""
_PUT = """
v = sub(N, 1, 8) .. struct.pack('>I8I8', seq, written) .. ARGV[5]
if ARGV[4] == '0' then call('SET', KEYS[4], v) else call('SET', KEYS[4], v, 'PX', ARGV[4]) end
call('DEL', KEYS[5])
"""


def _writing(condition: str) -> str:
    event = _event("'k'", "ARGV[6]")
    return _PRELUDE + _TIME + _LATE + condition + _STAMP + event + _TABLE + _PUT + _SAVE + _DONE


# KEYS 4 entry, 5 lease. ARGV 3 until when, in the server's microseconds; 4 milliseconds or 0; 5 the entry from its
# 25th byte on; 6 its stored key.
STORE = _writing("local v, written = nil, us\n")
ADD = _writing(
    f"""
local v, written = redis.pcall('GET', KEYS[4]), us
{_VALID}if ok then return {{ARGV[1], 'NO', N}} end
"""
)
# ARGV 7 the bytes that were seen there; 8 when the new ones were written.
SWAP = _writing(
    f"""
local v, written = redis.pcall('GET', KEYS[4]), ARGV[8]
if v ~= ARGV[7] then return {{ARGV[1], 'NO', N}} end
{_VALID}if not ok then return {{ARGV[1], 'NO', N}} end
"""
)
# KEYS 4.. entry and lease of each. ARGV 3 the lease's milliseconds; 4.. for each: token, `seen`, 1 to take a stamp.
OPEN = (
    _PRELUDE
    + f"""
local found = {{}}
for i = 4, #KEYS, 2 do
  local a = (i - 4) / 2 * 3 + 4
  local v = redis.pcall('GET', KEYS[i])
{_VALID}
  if ok and ARGV[a + 1] ~= '-1' and at ~= tonumber(ARGV[a + 1]) then found[#found + 1] = {{'FOUND', v}}
  elseif call('SET', KEYS[i + 1], ARGV[a], 'NX', 'PX', ARGV[3]) then
    if ARGV[a + 2] == '1' then
{_TIME}{_STAMP}{_event("'n'", "''")}{_SAVE}
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
_WAKE = "if waited then" + _TIME + _STAMP + _event("'w'", "ARGV[6]") + _SAVE + "end\n"
# KEYS 4 entry, 5 lease. ARGV 3 token; 4 milliseconds, 0, or `-`: nothing is stored; 5 the entry from its 25th byte on;
# 6 its stored key; 7 generation, 8 keeper, 9 position of the ticket.
LAND = (
    _PRELUDE
    + f"""
local token = call('GET', KEYS[5])
local waited = token == ARGV[3] .. '+'
if not waited and token ~= ARGV[3] then return {{ARGV[1], 'LOST', N, ''}} end
local word, full, born = 'OK', '', tonumber(ARGV[9])
if sub(N, 1, 8) ~= ARGV[7] or sub(N, 52) ~= ARGV[8] or sub(N, 10, 29) > ARGV[9] then word = 'LOST'
else
  local n, ok = struct.unpack('>I2', ARGV[5], 25), true
  if n > 0 then
{_cells("ARGV[5]", codec.PAYLOAD_OFFSET - 23)}
    if not ok then word = 'LOST' end
    if marks[1] == 0 then
{_TIME}{_STAMP}{_event("'n'", "''")}{_TABLE}{_SAVE}
    end
  end
  if ok and ARGV[4] ~= '-' then
{_TIME}
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
# KEYS 4.. entries, then as many leases. ARGV 3.. their stored keys.
DROP = (
    _WHATEVER
    + _PRELUDE
    + f"""
local last, had = 1 + #ARGV, 0
for i = 4, last do
  local v = redis.pcall('GETRANGE', KEYS[i], 0, 4163)
{_VALID}
  if ok then had = had + 1 end
end
call('UNLINK', unpack(KEYS, 4))
{_TIME}{_STAMP}
if last == 4 then
{_event("'k'", "ARGV[3]")}
else
  local what = {{}}
  for i = 3, #ARGV do what[#what + 1] = 'k' what[#what + 1] = ARGV[i] end
{_event("unpack(what)")}
end
{_SAVE}return {{ARGV[1], 'OK', N, had}}
"""
)
# KEYS 4.. entries. ARGV 3.. for each: stored key, stamp. Those of this generation that were born before go.
DROP_OLDER = (
    _WHATEVER
    + _PRELUDE
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
{_TIME}{_STAMP}{_event("unpack(what)")}{_SAVE}
end
{_DONE}"""
)
# ARGV 3.. cells.
VOID = (
    _WHATEVER
    + _PRELUDE
    + f"""
{_TIME}{_STAMP}{_event("'t'", "table.concat(ARGV, ' ', 3)")}
local stamp = string.format('%.0f', seq)
local q = {{'BITFIELD', KEYS[2]}}
if call('EXISTS', KEYS[2]) == 0 then call('SET', KEYS[2], struct.pack('>I8', seq)) end
for i = 3, #ARGV do q[#q + 1] = 'SET' q[#q + 1] = 'i64' q[#q + 1] = '#' .. (ARGV[i] + 1) q[#q + 1] = stamp end
call(unpack(q))
{_SAVE}{_DONE}"""
)
_FLOOR = "N = sub(N, 1, 9) .. seq .. sub(N, 30)\n"
CLEAR = _WHATEVER + _PRELUDE + _TIME + _STAMP + _event("'c'", "''") + _FLOOR + _SAVE + _DONE
# KEYS 4 entry. ARGV 3 milliseconds or 0; 4 its stored key. What is kept beyond its end stays as it is.
TOUCH = (
    _PRELUDE
    + f"""
local v = redis.pcall('GETRANGE', KEYS[4], 0, 4163)
{_VALID}if not ok or fresh < dead then return {{ARGV[1], 'NO', N}} end
if ARGV[3] == '0' then call('PERSIST', KEYS[4]) else call('PEXPIRE', KEYS[4], ARGV[3]) end
{_TIME}{_STAMP}{_event("'k'", "ARGV[4]")}
call('SETRANGE', KEYS[4], 16, struct.pack('>I8I8I8', us, ARGV[3], ARGV[3]))
{_SAVE}{_DONE}"""
)
# KEYS 4 entry, 5 lease, in whose place the server adds. ARGV 3 delta; 4 milliseconds or 0; 5 a new counter's entry from
# its 25th byte on, without its payload; 6 its stored key. An entry that is not this key's, or whose two copies of the
# number differ, is as good as missing.
BUMP = (
    _PRELUDE
    + f"""
local v = redis.pcall('GET', KEYS[4])
if type(v) == 'table' then return {{ARGV[1], 'TYPE', N, ''}} end
{_VALID}
local start, number = nil, '0'
if ok and form == {codec.FORMAT} and sub(v, 53, 68) == sub(ARGV[5], 29, 44) then
  if flags % 2 == 0 then return {{ARGV[1], 'TYPE', N, ''}} end
  local first, second = string.match(v, '^(-?%d+) (-?%d+)$', {codec.PAYLOAD_OFFSET + 1} + 2 * n + tags)
  if first and first == second then start, number = {codec.PAYLOAD_OFFSET + 1} + 2 * n + tags, first end
end
call('SET', KEYS[5], number)
local sum = redis.pcall('INCRBY', KEYS[5], ARGV[3])
if type(sum) == 'table' then
  call('DEL', KEYS[5])
  return {{ARGV[1], 'RANGE', N, number}}
end
number = call('GET', KEYS[5])
call('DEL', KEYS[5])
local payload = number .. ' ' .. number
{_TIME}{_STAMP}{_event("'k'", "ARGV[6]")}
if start then
  v = sub(v, 1, 16) .. struct.pack('>I8', us) .. sub(v, 25, start - 1) .. payload
  call('SET', KEYS[4], v, 'KEEPTTL')
else
  v = sub(N, 1, 8) .. struct.pack('>I8I8', seq, us) .. ARGV[5] .. payload
  if ARGV[4] == '0' then call('SET', KEYS[4], v) else call('SET', KEYS[4], v, 'PX', ARGV[4]) end
end
{_SAVE}return {{ARGV[1], 'OK', N, number}}
"""
)
# ARGV 3 the stamp after which this process has run all the time: later data was not read from a disk, and stays.
ADOPT = (
    _WHATEVER
    + _NOTEBOOK
    + f"""
if sub(N, 52) ~= ARGV[2] then
{_TIME}{_STAMP}
  local stays = prev > ARGV[3]
{_event("stays and 'n' or 'c'", "''")}
  if not stays then {_FLOOR} end
  N = sub(N, 1, 51) .. ARGV[2]
{_SAVE}
end
{_DONE}"""
)
# KEYS 4 lease. ARGV 3 token; 4 and 5 nothing; 6 its stored key.
QUIT = (
    _PRELUDE
    + f"""
local token = call('GET', KEYS[4])
local waited = token == ARGV[3] .. '+'
if not waited and token ~= ARGV[3] then return {{ARGV[1], 'NO', N}} end
call('DEL', KEYS[4])
{_WAKE}{_DONE}"""
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
