"""Several workers of a real server over one real Redis."""

import asyncio
import os
import subprocess
import sys
from contextlib import suppress

import httpx2
import pytest

from tests.servers.process import free_port


@pytest.fixture
def served(redis_server, unique_prefix):
    port = free_port()
    url = f"{redis_server.url}?key_prefix={unique_prefix}&deadline=5"
    command = [sys.executable, "-m", "uvicorn", "tests.integrations.workers_app:app", "--workers", "2"]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--log-level", "warning"], env=os.environ | {"ASYNCCACHE_URL": url}
    )
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    assert process.wait(15) == 0


async def test_workers_share_counters_and_pages(served):
    async with httpx2.AsyncClient(base_url=served) as client:
        await _until_up(client)
        counts = [(await _fresh_get(served, "/count")).json() for _ in range(40)]
        pages = [await _fresh_get(served, "/page") for _ in range(40)]
    assert len({one["pid"] for one in counts}) == 2
    assert [one["visits"] for one in counts] == list(range(1, 41))
    assert {page.text for page in pages} == {'{"run":1}'}
    assert all("hit" in page.headers["cache-status"] for page in pages[1:])


async def _fresh_get(base, path):
    async with httpx2.AsyncClient(base_url=base) as client:  # a connection of its own, which any worker may take
        return await client.get(path)


async def _until_up(client):
    async with asyncio.timeout(30):
        while True:
            with suppress(httpx2.TransportError):
                await client.get("/page")
                return
            await asyncio.sleep(0.05)
