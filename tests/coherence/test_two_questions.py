"""An entry and its tags are asked for one after the other: what answers in between must be the same."""

import pytest
import redis

from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.redis_parts import Parts


class Between(RedisCacheBackend):
    """Something happens before tags are asked for."""

    def happening(self, accident):
        self._accident = accident
        return self

    async def _marks(self, io, looked):
        self._accident()
        return await super()._marks(io, looked)


@pytest.fixture
def store(fresh_redis):
    backend = Between(fresh_redis.url, deadline=5).happening(lambda: None)
    backend.set("k", "v", tags=["x"])
    assert backend.get("k") == "v"
    yield backend
    backend.close()


@pytest.fixture
def raw(fresh_redis):
    with redis.Redis.from_url(fresh_redis.url) as client:
        yield client


def test_tags_of_a_process_with_old_data_say_nothing(fresh_redis, store, raw):
    part = Parts().of(store.stored_key(""))[0]
    old_table = raw.get(part.table)
    store.invalidate_tags("x")
    kept = {part.notebook: raw.get(part.notebook), part.table: old_table}

    def restart_with_old_data():
        fresh_redis.restart()
        raw.mset(kept)
        store.close()

    assert store.happening(restart_with_old_data).get("k") is None
