"""An app under uvicorn on a free port of this machine, and what comes back over a socket."""

import socket
import threading
from contextlib import contextmanager

import uvicorn


@contextmanager
def serving(app, *, path=None, **options):
    """Serve an app on a free port of this machine, or on a unix socket; `options` are uvicorn's."""
    # without the protocol's number asyncio sets no TCP_NODELAY
    listener = socket.socket(socket.AF_UNIX) if path else socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind(path or ("127.0.0.1", 0))
    listener.listen()
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on", **options))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield path or listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def talk(port, request, *, until=None):
    """Send a request and give all that comes back, or what came when `until` was in it."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request.replace("\n", "\r\n").encode() + b"\r\n\r\n")
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
            if until is not None and until in received:
                break
        return received


def get(port, path="/", method="GET", *fields):
    lines = [f"{method} {path} HTTP/1.1", "Host: h", "Connection: close", *fields]
    head, _, body = talk(port, "\n".join(lines)).partition(b"\r\n\r\n")
    return head.lower(), body
