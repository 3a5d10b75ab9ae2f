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

NOTEBOOK = """
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
VIEW = "if sub(N, 52) ~= ARGV[2] and ARGV[2] ~= '--------' then return {ARGV[1], 'VIEW'} end\n"
PRELUDE = NOTEBOOK + VIEW
WHATEVER = "redis.call('PERSIST', KEYS[1])\n"
"""It changes nothing, and needs no memory."""
TIME = """
local t = call('TIME')
local us = t[1] .. sub('00000' .. t[2], -6)
"""
STAMP = """
local prev = sub(N, 31, 50)
local seq = sub('0000000000' .. us, -20)
if seq <= prev then seq = string.format('%020.0f', prev + 1) end
"""
SAVE = """
N = sub(N, 1, 30) .. seq .. sub(N, 51)
call('SET', KEYS[1], N)
"""
LATE = "if us > ARGV[3] then return {ARGV[1], 'LATE'} end\n"
DONE = "return {ARGV[1], 'OK', N}\n"


def event(*what: str) -> str:
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


def cells(raw: str, first: int) -> str:
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


VALID = f"""
local ok, born, at, fresh, dead, form, kind, flags, load, n, tags = false
if type(v) == 'string' and #v >= {codec.PAYLOAD_OFFSET} and sub(v, 1, 8) == sub(N, 1, 8) then
  born, at, fresh, dead, form, kind, flags, load, n, tags = struct.unpack('>I8I8I8I8BBI2I4I2I2', v, 9)
  ok = born >= tonumber(sub(N, 10, 29)) and #v >= {codec.PAYLOAD_OFFSET} + 2 * n
  if ok and n > 0 then {cells("v", codec.PAYLOAD_OFFSET + 1)} end
end
"""
TABLE = """
if (string.byte(ARGV[5], 25) or 0) + (string.byte(ARGV[5], 26) or 0) > 0 and call('EXISTS', KEYS[2]) == 0 then
  call('SET', KEYS[2], struct.pack('>I8', seq))
end
"""
