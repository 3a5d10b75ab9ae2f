"""A great many keys, each used once: memory stays bounded, and what is over goes without being read."""

import sys

import pytest

from tests.conftest import LONG
from tests.serializers.fresh import printed

KEYS = 1_000_000 if LONG else 300_000
BUDGET = 64
"""MiB, the default of `max_bytes`."""
SCRIPT = """
import pathlib, re, time
from asynccache.backends.local_cache import LocalMemCacheBackend
peak = lambda: int(re.search("VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) / 1024
cache = LocalMemCacheBackend(max_entries=10**9, ttl=None)
cache.set("warm", 1, ttl=0.01)
time.sleep(0.1)
before = peak()
for number in range({keys}):
    cache.set(f"key:{{number}}", f"{{number:0100}}", {ttl})
written = time.monotonic()
while {ttl} and cache.stats()["entries"] and time.monotonic() < written + 10:
    time.sleep(0.01)
print(peak() - before, time.monotonic() - written, cache.stats()["entries"])
"""


def measured(ttl):
    mebibytes, seconds, entries = printed(SCRIPT.format(keys=KEYS, ttl=ttl)).split()
    return float(mebibytes), float(seconds), int(entries)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux only")
def test_keys_that_stay_take_the_budget_and_a_third_at_most():
    mebibytes, _, entries = measured(None)
    assert entries > 100_000
    assert mebibytes <= 1.3 * BUDGET + 20


@pytest.mark.timed
@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux only")
def test_keys_that_expire_are_gone_unread_within_two_seconds():
    mebibytes, seconds, entries = measured(0.5)
    assert entries == 0
    assert seconds <= 0.5 + 2
    assert mebibytes <= 1.3 * BUDGET + 20
