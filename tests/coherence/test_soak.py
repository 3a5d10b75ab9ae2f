"""Several processes on a real Redis that loses things and stops now and then: nothing is older than it may be."""

import os
import random
import subprocess
import sys
import time
from collections import Counter

import pytest
import redis

from tests.coherence.accidents import Accidents
from tests.coherence.fleet import SLACK, Fleet
from tests.load import crowding

SLACKS = (SLACK, SLACK, 0)


def soaked(server, folder, prefix, seconds):
    """Let processes run for so long while accidents happen; give what was counted, and what was wrong."""
    with Fleet(folder, f"{server.url}?key_prefix={prefix}", seconds, SLACKS) as fleet:
        with Accidents(server, prefix, fleet.processes) as accidents:
            accidents.go_on(seconds)
        counted, wrong = fleet.told()
    counts = sum(counted, accidents.counts)
    print({"seconds": seconds, **dict(sorted(counts.items()))})
    return counts, wrong


def check(counts, seconds):
    busy = seconds / crowding()
    assert counts["reads"] > 300 * busy
    assert counts["near"] > 30 * busy
    assert counts["loads"] > 20 * busy
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


@pytest.mark.long
def test_nothing_staler_than_allowed_where_redis_restarts_with_old_data(fresh_redis, tmp_path, unique_prefix):
    seconds = 30
    with Fleet(tmp_path, f"{fresh_redis.url}?key_prefix={unique_prefix}", seconds, SLACKS) as fleet:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.5)
            with redis.Redis(port=fresh_redis.port) as client:
                client.save()
            time.sleep(random.random() * 0.4)
            fresh_redis.restart()
        counted, wrong = fleet.told()
    assert not wrong
    assert sum(counted, Counter())["hits"] > 10 * seconds


@pytest.mark.parametrize(
    "server",
    [
        "memcached_server",
        "postgresql_server",
        pytest.param("mariadb_server", marks=pytest.mark.long),
        pytest.param("redis_cluster", marks=pytest.mark.long),
    ],
)
def test_nothing_staler_than_allowed_on_other_stores(request, server, tmp_path, unique_prefix):
    url = request.getfixturevalue(server).url
    with Fleet(tmp_path, f"{url}?key_prefix={unique_prefix}&deadline=5", 1.5, (SLACK, 0, 0)) as fleet:
        counted, wrong = fleet.told()
    assert not wrong
    counts = sum(counted, Counter())
    for kind in ("reads", "loads", "hits", "near", "delete", "set", "tag"):
        assert counts[kind] > 0, kind


def test_nothing_stale_where_clocks_are_an_hour_apart(redis_server, tmp_path, unique_prefix, faketime):
    clocks = [{}, faketime("+1h"), faketime("-1h")]
    url = f"{redis_server.url}?key_prefix={unique_prefix}&deadline=5"
    for clock, hours in zip(clocks, (0, 1, -1), strict=True):
        assert seconds_off(clock) == pytest.approx(3600 * hours, abs=60)
    with Fleet(tmp_path, url, 2, (0, SLACK, 0), clocks) as fleet:
        counted, wrong = fleet.told()
    assert not wrong
    for counts in counted:
        assert counts["hits"] > 30
    assert sum(counted, Counter())["loads"] > 30


def seconds_off(environment):
    command = [sys.executable, "-c", "import time; print(time.time())"]
    told = subprocess.run(command, env=os.environ | environment, stdout=subprocess.PIPE, check=True)
    return float(told.stdout) - time.time()
