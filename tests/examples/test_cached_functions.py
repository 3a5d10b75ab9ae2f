"""examples/cached_functions.py: one function behind several fronts, over one store."""

import asyncio
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from examples.cached_functions import make_app, worker

ROOT = Path(__file__).parents[2]


def test_the_app_loads_once_and_hears_of_changes(capsys):
    with TestClient(make_app()) as client:
        assert client.get("/users/7").json() == {"name": "Ada", "greeting": "Hello Ada"}
        assert client.get("/users/7?language=fr").json()["greeting"] == "Bonjour Ada"
        assert client.put("/users/7?name=Ada").json() == {"was_cached": True}
        assert client.get("/users/7").json()["name"] == "Ada"
    assert capsys.readouterr().out.splitlines() == [
        "loading 7",
        "greeting Ada in en",
        "greeting Ada in fr",
        "loading 7",
    ]


async def test_a_worker_loads_each_once(capsys):
    assert await worker() == ["Ada", "Ada", "Grace"]
    assert sorted(capsys.readouterr().out.splitlines()) == ["loading 7", "loading 8"]


def by_http(url):
    with TestClient(make_app(url)) as client:
        assert client.get("/users/7").json()["name"] == "Ada"


def by_worker(url):
    assert asyncio.run(worker(url, 7)) == ["Ada"]


def by_another_process(url):
    command = [sys.executable, "-m", "examples.cached_functions", url, "7"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    print(done.stdout)
    assert done.stdout.endswith("['Ada']\n")


@pytest.mark.parametrize("fronts", list(permutations([by_http, by_worker, by_another_process])))
def test_the_second_call_is_a_hit_whichever_front_came_first(redis_server, unique_prefix, fronts, capsys):
    url = f"{redis_server.url}?key_prefix={unique_prefix}"
    for front in fronts:
        front(url)
    assert capsys.readouterr().out.count("loading 7") == 1
