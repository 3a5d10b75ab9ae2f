"""Many who want one key: one of them loads."""

import asyncio
import json
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

from asynccache import CacheService
from tests.load import crowding

PROCESSES = 8
CALLERS = 1000


def crowds(url, key, seconds):
    """Start processes of a thousand callers each, and let them go at once; give what they tell."""
    command = [sys.executable, "-m", "tests.coherence.crowding", url, key, str(CALLERS), str(seconds)]
    with ExitStack() as started:
        processes = [
            started.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
            )
            for _ in range(PROCESSES)
        ]
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("go\n")
        return [json.loads(process.communicate(timeout=30)[0]) for process in processes]


def test_one_load_for_eight_thousand_callers_in_eight_processes(redis_server, unique_prefix):
    url = f"{redis_server.url}?key_prefix={unique_prefix}&deadline=5"
    told = crowds(url, "key", 0.5)
    assert sum(one["loads"] for one in told) == 1
    assert [one["values"] for one in told] == [["loaded"]] * PROCESSES


@pytest.mark.timed
async def test_a_thousand_hear_at_once_of_a_load_that_fails():
    calls = []

    async def fail():
        calls.append(1)
        await asyncio.sleep(1)
        raise KeyError("gone")

    cache = CacheService(default="local")
    begun = time.monotonic()
    waiting = [cache.get_or_set_async("key", fail) for _ in range(CALLERS)]
    errors = await asyncio.gather(*waiting, return_exceptions=True)
    assert time.monotonic() - begun <= 1 + 0.1 * crowding()
    assert len(calls) == 1
    assert {type(error) for error in errors} == {KeyError}
    assert len({id(error.__traceback__) for error in errors}) == CALLERS
