"""Cached functions that somebody else than their route calls."""

import pytest
from litestar import Litestar, get
from litestar.di import NamedDependency, Provide
from litestar.testing import TestClient

from asynccache import Cache, CacheModule
from asynccache.integrations.litestar import CachePlugin
from tests.http.serving import is_hit


@pytest.mark.parametrize("way", ["dependency", "call"])
def test_called_by_others_than_its_route_a_cached_handler_is_a_plain_function(way):
    calls = []

    @Cache(60)
    async def count() -> dict[str, int]:
        calls.append(1)
        return {"calls": len(calls)}

    @get("/dependency", dependencies={"found": Provide(count)})
    @Cache(60)
    async def dependent(found: NamedDependency[dict[str, int]]) -> int:
        return found["calls"]

    @get("/call")
    @Cache(60)
    async def calling() -> int:
        return (await count())["calls"]

    app = Litestar(
        [get("/count")(count), dependent, calling], plugins=[CachePlugin(CacheModule.setup(default="local"))]
    )
    with TestClient(app) as client:
        answers = [client.get(f"/{way}") for _ in range(2)]
        assert [answer.json() for answer in answers] == [1, 1]
        assert is_hit(answers[1])
        assert is_hit([client.get("/count") for _ in range(2)][1])
