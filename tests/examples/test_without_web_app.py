"""examples/without_web_app.py: a worker and a script."""

import subprocess
import sys
from pathlib import Path

from examples import without_web_app

ROOT = Path(__file__).parents[2]


async def test_workers_share_one_load(capsys):
    assert await without_web_app.worker() == [[0.0, 1.15], [11.5, 1.15], [23.0, 1.15]]
    assert capsys.readouterr().out == "asking for the rate\n"


async def test_a_worker_on_redis(redis_server, unique_prefix, capsys):
    url = f"{redis_server.url}?key_prefix={unique_prefix}"
    assert await without_web_app.worker(url) == await without_web_app.worker(url)
    assert capsys.readouterr().out == "asking for the rate\n"


def test_a_script_needs_no_loop():
    assert without_web_app.script() == 42


def test_it_runs_from_the_command_line():
    done = subprocess.run(
        [sys.executable, "examples/without_web_app.py"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "42"
