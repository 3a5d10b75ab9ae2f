"""Replicas that freeze, die or lag, and a leader that is made a replica, under load: nobody sees an error."""

import pytest

from asynccache.backends.redis import RedisCacheBackend
from tests.load import healthy, under_load
from tests.outages import DEADLINE
from tests.servers import RedisReplicaSet
from tests.servers.redis_cluster import tell
from tests.storms import expect_bounds, seconds_until_hit


@pytest.fixture
def servers(launch):
    return launch(RedisReplicaSet(2))


@pytest.fixture
def cache(servers):
    backend = RedisCacheBackend(servers.urls, deadline=DEADLINE)
    yield backend
    backend.close()


@pytest.mark.parametrize("how", ["kill", "freeze"])
@pytest.mark.timed
async def test_a_replica_that_is_away_costs_a_deadline_at_most(servers, cache, how):
    await healthy(cache)
    getattr(servers.replicas[0], how)()
    report = await under_load(cache, 2)
    expect_bounds(report, 2 * DEADLINE + 0.05)
    assert len(report.hits) > 0.95 * len(report.seconds)
    await cache.aclose()


@pytest.mark.timed
async def test_a_leader_that_was_made_a_replica_refuses_and_nobody_sees_an_error(servers, cache):
    await healthy(cache)
    leader, other = servers.leader, servers.replicas[0]
    tell(other, "REPLICAOF NO ONE")
    tell(leader, "REPLICAOF", other.host, other.port)
    report = await under_load(cache, 1)
    expect_bounds(report, 2 * DEADLINE + 0.05)
    assert await cache.set_async("a", 1) is False
    tell(leader, "REPLICAOF NO ONE")
    tell(other, "REPLICAOF", leader.host, leader.port)
    assert await seconds_until_hit(cache) <= 1
    assert (await under_load(cache, 0.5)).faultless()
    await cache.aclose()
