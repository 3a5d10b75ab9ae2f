"""One cached function, called by a handler, a worker, a script and the command line, each in a process of its own."""

import json
import os
import subprocess
import sys

import pytest

WEB = """
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from asynccache import CacheModule, install
from tests.cli.shop import who_made

app = Starlette(routes=[Route("/{page:int}", lambda request: JSONResponse(who_made(request.path_params["page"])))])
install(app, CacheModule.register_setup())
with TestClient(app) as client:
    print(client.get("/7").text)
"""

WORKER = """
import asyncio, json
from asynccache import CacheModule
from tests.cli.shop import who_made

async def work():
    async with CacheModule.register_setup().service:
        print(json.dumps(await asyncio.to_thread(who_made, page=7)))

asyncio.run(work())
"""

SCRIPT = """
import json
from asynccache import CacheModule
from tests.cli.shop import who_made

with CacheModule.register_setup().service:
    print(json.dumps(who_made(7)))
"""

FRONTS = {
    "web": ["-c", WEB],
    "worker": ["-c", WORKER],
    "script": ["-c", SCRIPT],
    "command line": ["-m", "asynccache", "call", "tests.cli.shop:who_made", "page=7", "--json"],
}


@pytest.mark.parametrize("first", FRONTS)
def test_whichever_front_comes_first_the_others_hit(first, redis_server, unique_prefix):
    env = os.environ | {"ASYNCCACHE_URL": f"{redis_server.url}?key_prefix={unique_prefix}", "PYTHONHASHSEED": "random"}
    running = {}
    answers = []
    for front in sorted(FRONTS, key=lambda front: front != first):
        program = subprocess.Popen([sys.executable, *FRONTS[front]], env=env, stdout=subprocess.PIPE, text=True)
        answers.append(json.loads(program.communicate(timeout=60)[0]))
        running[front] = program.pid
    assert answers == [answers[0]] * 4
    assert answers[0]["page"] == 7
    assert answers[0]["process"] == running[first]
