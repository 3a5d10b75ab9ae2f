"""The same over a real server and real sockets: clients that leave, streams, files, HEAD and 304."""

import asyncio
import socket
import threading
import time

from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from asynccache import Cache
from tests.http.over_sockets import get, serving, talk
from tests.http.serving import app_of
from tests.servers.process import wait_until


class Lingering:
    """A stream that waits after its first part until it is let go."""

    def __init__(self):
        self.calls = 0
        self.go = threading.Event()
        self.ended = threading.Event()

    def handler(self):
        @Cache(60)
        async def handler(request):
            self.calls += 1

            async def chunks():
                try:
                    yield b"first "
                    while not self.go.is_set():
                        await asyncio.sleep(0.01)
                    yield b"last"
                finally:
                    self.ended.set()

            return StreamingResponse(chunks())

        return handler


def test_a_hit_is_what_came_the_first_time():
    tasks = []

    @Cache(60)
    async def handler(request):
        return PlainTextResponse("x" * 100_000, background=BackgroundTask(tasks.append, 1))

    with serving(app_of(handler)) as port:
        first, second = get(port), get(port)
        assert first[1] == second[1] == b"x" * 100_000
        assert b"cache-status: asynccache; hit" in second[0]
        head, nothing = get(port, "/", "HEAD")
        assert b"content-length: 100000" in head
        assert nothing == b""
        etag = second[0].partition(b"etag: ")[2].partition(b"\r\n")[0].decode().replace("w/", "W/")
        head, nothing = get(port, "/", "GET", f"If-None-Match: {etag}")
        assert head.startswith(b"http/1.1 304")
        assert b"content-length" not in head
        wait_until(lambda: tasks, "the background task has run")  # in a thread
    assert tasks == [1]


def test_a_client_that_leaves_a_stream_leaves_nothing_and_fails_nobody():
    lingering = Lingering()
    with serving(app_of(lingering.handler())) as port:
        talk(port, "GET / HTTP/1.1\nHost: h", until=b"first ")
        assert lingering.ended.wait(10)
        lingering.go.set()
        assert b"first " in get(port)[1]
        assert lingering.calls == 2
        head, body = get(port)
        assert b"asynccache; hit" in head
        assert b"first " in body
        assert b"last" in body


def test_a_client_that_leaves_before_the_answer_fails_nobody():
    go, calls = threading.Event(), []

    @Cache(60)
    def handler(request):
        calls.append(1)
        go.wait(5)
        return PlainTextResponse("x")

    with serving(app_of(handler)) as port:
        with socket.create_connection(("127.0.0.1", port)) as leaving:
            leaving.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            while not calls:
                time.sleep(0.001)
        go.set()
        assert get(port)[1] == b"x"
        assert calls == [1]


def test_many_clients_at_once_run_a_sync_handler_once():
    calls = []

    @Cache(60)
    def handler(request):
        calls.append(1)
        return PlainTextResponse("x")

    with serving(app_of(Route("/", handler))) as port:
        bodies = []
        threads = [threading.Thread(target=lambda: bodies.append(get(port)[1])) for _ in range(60)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert bodies == [b"x"] * 60
        assert calls == [1]
