"""A server with one app of table D in another process, and a connection to it.

`python -m benchmarks.request_serving MODULE:APP SERVER PORT [ARGUMENT]` serves; SERVER is `h11` or `httptools`, which
are uvicorn's, or `granian`.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from importlib import import_module
from itertools import count
from typing import Any

from benchmarks.elsewhere import ROOT
from benchmarks.measuring import AbsentError, Subject, Taken

HOST = "127.0.0.1"
PATIENCE = 30.0
_HEADERS = (
    f"Host: {HOST}:8000\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
    "Accept: text/html,application/xhtml+xml\r\nAccept-Language: en\r\nAccept-Encoding: gzip, deflate\r\n\r\n"
)


class Server:
    """A server that has been started, and may not listen yet.

    Args:
        python: its interpreter; None: there is none.
        app: `module:function`.
        kind: the server.
        arguments: of the function.
    """

    def __init__(self, python: str | None, app: str, kind: str, *arguments: str) -> None:
        self._port = _free_port()
        self._connection: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        if python is not None:
            command = [python, "-m", "benchmarks.request_serving", app, kind, str(self._port), *arguments]
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def asked(self, path: str, *, anew: bool = False) -> Subject:
        """Make a subject that asks for a page, and tells the CPU time that the server took for it.

        Each request is for a URL of its own where they are to be made `anew`.
        """
        numbers, first = count(), b""

        def ask(requests: int) -> Taken:
            nonlocal first
            connection, clock = (
                self._connected(),
                ~self._pid << 3 | 2,
            )  # the CPU clock of a process: clock_getcpuclockid(3)
            first = first or _answer(connection, path)
            sent = [
                f"GET {path}{f'?n={next(numbers)}' if anew else ''} HTTP/1.1\r\n{_HEADERS}" for _ in range(requests)
            ]
            cpu, wall = time.clock_gettime(clock), time.perf_counter()
            for request in sent:
                last = _body(connection, request.encode())
            taken = Taken(time.clock_gettime(clock) - cpu, time.perf_counter() - wall)
            if last != first:
                raise AssertionError(f"{path} was not answered from a cache: {last[:16]!r}, not {first[:16]!r}")
            return taken

        return ask

    @property
    def _pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _connected(self) -> socket.socket:
        give_up_at = time.monotonic() + PATIENCE
        while self._connection is None:
            if self._process is None:
                raise AbsentError("there is no environment for it here")
            if self._process.poll() is not None:
                assert self._process.stderr is not None
                said = self._process.stderr.read().decode().strip().splitlines()
                raise AbsentError(said[-1] if said else "its server ended at once")
            try:
                self._connection = socket.create_connection((HOST, self._port), PATIENCE)
                self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except ConnectionRefusedError:
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(0.02)
        return self._connection

    def close(self) -> None:
        """Stop it."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            assert self._process.stderr is not None
            self._process.stderr.close()


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as found:
        return int(found.getsockname()[1])


def _answer(connection: socket.socket, path: str) -> bytes:
    """Ask twice, and give the second body."""
    request = f"GET {path} HTTP/1.1\r\n{_HEADERS}".encode()
    _body(connection, request)
    return _body(connection, request)


def _body(connection: socket.socket, request: bytes) -> bytes:
    connection.sendall(request)
    received = b""
    while b"\r\n\r\n" not in received:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError(f"the server closed the connection after {received[:80]!r}")
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    head = head.lower()
    if not head.startswith(b"http/1.1 200"):
        raise RuntimeError(head.partition(b"\r\n")[0].decode())
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    parts, missing = [body], length - len(body)
    while missing > 0:
        parts.append(connection.recv(65536))
        missing -= len(parts[-1])
    return b"".join(parts)


def main() -> None:
    name, kind, port, *arguments = sys.argv[1:]
    module, _, function = name.partition(":")
    app = getattr(import_module(module), function)(*arguments)
    if kind == "granian":
        _granian(app, int(port))
    else:
        _uvicorn(app, int(port), kind)


def _uvicorn(app: Any, port: int, http: Any) -> None:
    import uvicorn

    listener = socket.socket(proto=socket.IPPROTO_TCP)  # or asyncio sets no TCP_NODELAY
    listener.bind((HOST, port))
    config = uvicorn.Config(app, log_level="error", access_log=False, timeout_keep_alive=600, loop="auto", http=http)
    uvicorn.Server(config).run(sockets=[listener])


def _granian(app: Any, port: int) -> None:
    import uvloop
    from granian.constants import HTTPModes, Interfaces
    from granian.server.embed import Server as Embedded

    async def serve() -> None:
        await Embedded(
            app, HOST, port, interface=Interfaces.ASGI, http=HTTPModes.http1, websockets=False, log_enabled=False
        ).serve()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


if __name__ == "__main__":
    main()
