"""examples/demo.py, started as its users start it, and asked over HTTP."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]


class Answer(NamedTuple):
    status: int
    headers: HTTPMessage
    text: str


class Demo:
    """A running demo: `get` and `post` ask it, `stop` ends it by a signal."""

    def __init__(self, folder, *arguments):
        environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
        command = [sys.executable, "examples/demo.py", *arguments]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        self.folder = folder
        self.banner = self.process.stdout.readline()
        found = re.search(r"http://\S+", self.banner)
        assert found, self.banner
        self.address = urlsplit(found[0]).netloc
        self.port = urlsplit(found[0]).port

    def request(self, method, path, body=None, headers=None):
        with closing(HTTPConnection(self.address, timeout=30)) as connection:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read().decode())

    def get(self, path, **headers):
        return self.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, path, body=""):
        return self.request("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})

    def database(self):
        (found,) = self.folder.glob("asynccache-demo-*/*.sqlite3")
        return sqlite3.connect(found)

    def stop(self, number):
        self.process.send_signal(number)
        self.process.stdout.close()
        return self.process.wait(timeout=10)


@contextmanager
def running(folder, *arguments):
    demo = Demo(folder, *arguments)
    try:
        yield demo
    finally:
        demo.process.kill()
        demo.process.stdout.close()
        demo.process.wait()


@pytest.fixture(scope="module", params=["local", "redis"])
def demo(request, tmp_path_factory):
    arguments = ["--port", "0"]
    if request.param == "redis":
        arguments += ["--redis", request.getfixturevalue("redis_server").url]
    with running(tmp_path_factory.mktemp("demo"), *arguments) as demo:
        yield demo


def verdict(answer):
    return "hit" if "; hit" in answer.headers["Cache-Status"] else "miss"


def test_a_page_comes_from_the_database_once(demo):
    first, second = demo.get("/teas?currency=GBP"), demo.get("/teas?currency=GBP")
    assert (verdict(first), verdict(second)) == ("miss", "hit")
    assert "Darjeeling" in first.text
    assert second.text == first.text


def test_a_hit_does_not_look_into_the_database(demo):
    before = demo.get("/teas/1").text
    with closing(demo.database()) as database, database:
        database.execute("UPDATE tea SET cents = 12345 WHERE id = 1")
    assert demo.get("/teas/1").text == before
    assert "123.45 EUR" in demo.get("/teas/1", X_Demo_Cache="off").text


def test_the_key_is_the_currency_and_not_the_query(demo):
    demo.get("/teas/2?currency=USD")
    assert verdict(demo.get("/teas/2?utm_source=mail&currency=usd")) == "hit"
    assert verdict(demo.get("/teas/2?currency=GBP")) == "miss"


def test_who_switches_the_cache_off_gets_past_it(demo):
    demo.get("/teas/3")
    answers = [demo.get("/teas/3", X_Demo_Cache="off") for _ in range(2)]
    assert ["; hit" in answer.headers.get("Cache-Status", "") for answer in answers] == [False, False]
    assert ["stored" in answer.headers.get("Cache-Status", "") for answer in answers] == [False, False]


def test_an_update_makes_the_old_pages_go(demo):
    for path in ("/teas", "/teas/4", "/teas/4?currency=USD", "/teas/5"):
        demo.get(path)
    answer = demo.post("/teas/4?currency=USD", "cents=1000")
    assert (answer.status, answer.headers["Location"]) == (303, "/teas/4?currency=USD")
    fresh = [demo.get(path) for path in ("/teas", "/teas/4", "/teas/4?currency=USD")]
    assert [verdict(answer) for answer in fresh] == ["miss", "miss", "miss"]
    assert ["10.00 EUR" in fresh[0].text, "10.00 EUR" in fresh[1].text, "11.50 USD" in fresh[2].text] == [True] * 3
    assert verdict(demo.get("/teas/5")) == "hit"


@pytest.mark.parametrize("body", ["", "cents=", "cents=0", "cents=-5", "cents=1.5", "cents=100000", "cents=%C2%B2"])
def test_a_price_that_is_none_is_refused(demo, body):
    assert demo.post("/teas/4", body).status == 422


def test_what_is_not_there_is_not_found(demo):
    assert [demo.get("/teas/99").status, demo.post("/teas/99", "cents=5").status] == [404, 404]


def test_visits_are_counted_in_the_cache(demo):
    first = demo.post("/visits").text
    second = demo.post("/visits").text
    assert int(re.search(r'"visits":(\d+)', second)[1]) == int(re.search(r'"visits":(\d+)', first)[1]) + 1


def test_the_page_that_measures_needs_nothing_from_elsewhere(demo):
    page = demo.get("/")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert re.findall(r'(?:src|href)="([^"]+)"', page.text) == [
        "data:,",
        "/static/demo.css",
        "/static/demo.js",
        "/teas",
    ]
    assert [demo.get(path).status for path in ("/static/demo.css", "/static/demo.js")] == [200, 200]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(tmp_path, number):
    with running(tmp_path, "--port", "0") as demo:
        demo.get("/teas")
        assert demo.stop(number) == 0
        assert list(tmp_path.iterdir()) == []


def test_another_port_serves_where_8000_is_taken(tmp_path):
    with socket.socket() as taker:
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taker.bind(("127.0.0.1", 8000))
            taker.listen()
        except OSError:
            pass  # by somebody else: as good
        with running(tmp_path) as demo:
            assert demo.port != 8000
            assert demo.get("/teas").status == 200


def told(*arguments):
    command = [sys.executable, "examples/demo.py", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False)


def test_a_port_that_was_asked_for_is_not_replaced():
    with socket.create_server(("127.0.0.1", 0)) as taker:
        port = taker.getsockname()[1]
        done = told("--port", str(port))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"cannot listen on 127.0.0.1:{port}: ")


def test_a_wrong_url_is_told_in_one_line():
    done = told("--port", "0", "--redis", "nonsense://localhost")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nonsense" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_shop_whose_redis_is_away_still_sells(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with running(tmp_path, "--port", "0", "--redis", f"redis://127.0.0.1:{port}/0") as demo:
        assert [demo.get("/teas").status for _ in range(2)] == [200, 200]
        answer = demo.post("/teas/4", "cents=1000")
        assert (answer.status, "cache cannot be reached" in answer.text) == (503, True)
        assert "10.00 EUR" in demo.get("/teas/4").text


def test_help_says_what_can_be_chosen():
    done = told("--help")
    assert done.returncode == 0
    assert "--redis URL" in done.stdout
    assert "--port PORT" in done.stdout
