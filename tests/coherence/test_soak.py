"""Several processes on a real Redis that loses things and stops now and then: nothing is older than it may be."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
import redis

from tests.coherence.soaking import MAX_STALENESS, Origin

STOPPED = 0.7
SLACKS = [MAX_STALENESS + 0.2, MAX_STALENESS + 0.2, 0]
"""For each process, how late it may be by seconds: two have local memory before Redis, and see what is demanded in
samples."""


class Accidents:
    """What happens to a Redis and to the processes on it."""

    def __init__(self, server, prefix, processes):
        self._server = server
        self._prefix = prefix
        self._processes = processes
        self._client = redis.Redis(port=server.port, socket_timeout=5)
        self.counts = Counter()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.close()

    def go_on(self, seconds):
        until = time.monotonic() + seconds
        weights = {
            self.lose_notebook: 2,
            self.lose_table: 3,
            self.lose_rights: 4,
            self.lose_log: 2,
            self.trim_log: 3,
            self.forget_scripts: 2,
            self.cut_connections: 2,
            self.stop_process: 1,
            self.stop_server: 1,
        }
        while time.monotonic() < until:
            time.sleep(random.random() * 0.25)
            accident = random.choices(list(weights), list(weights.values()))[0]
            accident()
            self.counts[accident.__name__] += 1

    def lose_notebook(self):
        self._client.delete(self._own("n"))

    def lose_table(self):
        self._client.delete(self._own("t"))

    def lose_rights(self):
        if held := list(self._client.scan_iter(self._own("l:*"))):
            self._client.delete(*held)

    def lose_log(self):
        self._client.delete(self._own("g"))

    def trim_log(self):
        self._client.xtrim(self._own("g"), maxlen=1, approximate=False)

    def forget_scripts(self):
        self._client.script_flush()

    def cut_connections(self):
        others = [one for one in self._client.client_list() if one["cmd"] != "client|list"]
        for one in random.sample(others, min(3, len(others))):
            self._client.client_kill_filter(_id=one["id"])

    def stop_process(self):
        process = random.choice(self._processes)
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(random.random() * STOPPED)
        os.kill(process.pid, signal.SIGCONT)

    def stop_server(self):
        self._server.freeze()
        time.sleep(random.random() * STOPPED)
        self._server.thaw()

    def _own(self, name):
        return f"~{self._prefix}:1:{name}"


def soaked(server, folder, prefix, seconds):
    """Let processes run for so long while accidents happen; give what they counted, and what was wrong."""
    origin = folder / "origin"
    Origin.create(origin, len(SLACKS))
    command = [sys.executable, "-m", "tests.coherence.soaking", str(origin), f"{server.url}?key_prefix={prefix}"]
    processes = [
        subprocess.Popen([*command, *map(str, words)], stdout=subprocess.PIPE, text=True)
        for words in ((seconds, len(SLACKS), number, slack) for number, slack in enumerate(SLACKS))
    ]
    try:
        with Accidents(server, prefix, processes) as accidents:
            accidents.go_on(seconds)
        told = [process.communicate(timeout=30)[0] for process in processes]
        assert [process.returncode for process in processes] == [0] * len(processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    reports = [json.loads(one) for one in told]
    counts = sum((Counter(one["counts"]) for one in reports), accidents.counts)
    print({"seconds": seconds, **dict(sorted(counts.items()))})
    return counts, [wrong for one in reports for wrong in one["wrong"]]


def check(counts, seconds):
    assert counts["reads"] > 300 * seconds
    assert counts["near"] > 30 * seconds
    assert counts["loads"] > 20 * seconds
    for kind in ("delete", "set", "tag", "lose_table", "lose_rights", "trim_log"):
        assert counts[kind] > 0.1 * seconds, kind


@pytest.mark.timed
def test_nothing_staler_than_allowed_whatever_happens_to_redis(fresh_redis, tmp_path, unique_prefix):
    counts, wrong = soaked(fresh_redis, tmp_path, unique_prefix, 10)
    assert not wrong
    check(counts, 10)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_nothing_staler_than_allowed_for_ten_minutes(fresh_redis, tmp_path, unique_prefix):
    counts, wrong = soaked(fresh_redis, tmp_path, unique_prefix, 600)
    assert not wrong
    check(counts, 600)
