"""Under real servers: Flask under werkzeug's, a thread for each request; Quart under uvicorn, a task for each."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from werkzeug.serving import make_server

from asynccache import Cache, ICacheService, Inject, inject
from tests.http import over_sockets
from tests.http.over_sockets import get, talk

CROWD = 20


@contextmanager
def in_threads(app):
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def serving(framework):
    return in_threads if framework == "flask" else over_sockets.serving


@pytest.fixture
def crowd():
    """Ask all at once, from threads; the requests that wait are let go together."""

    def ask(port, path="/"):
        with ThreadPoolExecutor(CROWD) as pool:
            return list(pool.map(lambda _: get(port, path), range(CROWD)))

    return ask


class Waiting:
    """A view that runs until as many requests as expected have come."""

    def __init__(self, site, *, fails=0, answer="page"):
        self.calls = 0
        self.arrived = threading.Semaphore(0)
        self._fails = fails
        self._lock = threading.Lock()
        self._answer = answer
        site.app.before_request(self.arrived.release)
        site.app.add_url_rule("/", "page", Cache(60)(self.view()))

    def view(self):
        def page():
            with self._lock:
                self.calls += 1
                mine = self.calls
            if mine == 1:
                for _ in range(CROWD):
                    self.arrived.acquire()
            if mine <= self._fails:
                raise RuntimeError("the origin is away")
            return self._answer if isinstance(self._answer, str) else self._answer(mine)

        return page


def test_a_crowd_runs_the_view_once(site, serving, crowd):
    waiting = Waiting(site)
    with serving(site.app) as port:
        answers = crowd(port)
    assert waiting.calls == 1
    assert {body for _, body in answers} == {b"page"}
    assert sum(b"fwd=uri-miss; stored" in head for head, _ in answers) == 1
    assert sum(b"fwd=uri-miss; collapsed" in head or b"asynccache; hit" in head for head, _ in answers) == CROWD - 1


def test_those_who_wait_for_a_view_that_fails_run_their_own(site, serving, crowd):
    waiting = Waiting(site, fails=1)
    with serving(site.app) as port:
        answers = crowd(port)
        assert b"asynccache; hit" in [get(port)[0] for _ in range(2)][1]
    assert sum(b" 500 " in head for head, _ in answers) == 1
    assert sum(body == b"page" for _, body in answers) == CROWD - 1
    assert waiting.calls > 1


def test_an_answer_that_cannot_be_shared_is_made_for_each(site, serving, crowd):
    def own(number):
        return f"for {number}", 200, {"Set-Cookie": f"who={number}"}

    waiting = Waiting(site, answer=own)
    with serving(site.app) as port:
        answers = crowd(port)
        assert b"fwd=bypass" in get(port)[0]
    assert len({body for _, body in answers}) == waiting.calls - 1 == CROWD


def test_head_and_conditional_requests_are_answered_from_the_page(site, serving):
    site.app.add_url_rule("/", "page", Cache(60)(lambda: "x" * 10_000))
    with serving(site.app) as port:
        first, second = get(port), get(port)
        assert first[1] == second[1] == b"x" * 10_000
        head, body = get(port, "/", "HEAD")
        assert (b"content-length: 10000" in head, b"asynccache; hit" in head, body) == (True, True, b"")
        etag = second[0].partition(b"etag: ")[2].partition(b"\r\n")[0].decode().replace("w/", "W/")
        head, body = get(port, "/", "GET", f"If-None-Match: {etag}")
        assert (b" 304 " in head, b"asynccache; hit" in head, body) == (True, True, b"")


def test_a_stream_passes_on_while_it_is_made(site, serving):
    go = threading.Event()

    def stream():
        def parts():
            yield b"first "
            assert go.wait(10)
            yield b"last"

        return parts()

    site.app.add_url_rule("/stored", "stored", Cache(60)(stream))
    site.app.add_url_rule("/short", "short", Cache(60, max_body=3)(stream))
    with serving(site.app) as port:
        for path in ("/stored", "/short"):
            go.clear()
            assert b"first " in talk(port, f"GET {path} HTTP/1.1\nHost: h\nConnection: close", until=b"first ")
            go.set()
        answers = [get(port, path) for path in ("/stored", "/stored", "/short")]
    assert all(b"first " in body and b"last" in body for _, body in answers)
    assert b"asynccache; hit" in answers[1][0]
    assert b"fwd=bypass" in answers[2][0]


def test_a_file_is_sent_and_then_answered_from_the_store(site, serving, framework, tmp_path):
    path = tmp_path / "page.bin"
    path.write_bytes(b"0123456789" * 10_000)

    if framework == "flask":

        def page():
            return site.web.send_file(path, mimetype="image/png", max_age=60)
    else:

        async def page():
            return await site.web.send_file(path, mimetype="image/png", conditional=True, cache_timeout=60)

    site.app.add_url_rule("/", "page", Cache(60)(page))
    site.app.add_url_rule("/long", "long", Cache(60, max_body=100)(page))
    with serving(site.app) as port:
        answers = [get(port, path) for path in ("/", "/", "/long", "/long")]
        part = get(port, "/", "GET", "Range: bytes=0-9")
    assert [body for _, body in answers] == [b"0123456789" * 10_000] * 4
    assert [b"asynccache; hit" in head for head, _ in answers] == [False, True, False, False]
    assert all(b"content-type: image/png" in head for head, _ in answers)
    assert (b" 206 " in part[0], part[1]) == (True, b"0123456789")


def test_the_service_counts_in_many_threads(site, serving, crowd, framework):
    if framework == "flask":

        @site.app.get("/")
        @inject
        def visits(cache: Inject[ICacheService]):
            return str(cache.incr("visits"))
    else:

        @site.app.get("/")
        @inject
        async def visits(cache: Inject[ICacheService]):
            return str(await cache.incr_async("visits"))

    with serving(site.app) as port:
        assert sorted(int(body) for _, body in crowd(port)) == list(range(1, CROWD + 1))
