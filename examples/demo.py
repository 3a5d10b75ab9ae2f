"""A small tea shop with a cache, to be looked at in the browser: python examples/demo.py --help."""

from __future__ import annotations

import argparse
import secrets
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import uvicorn
from demo_shop.app import make_app
from demo_shop.shop import Shop

from asynccache import CacheError

HOST = "127.0.0.1"


def main() -> None:
    """Serve the shop until Ctrl-C."""
    arguments = parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # kill ends it as Ctrl-C does
    with (
        suppress(KeyboardInterrupt),
        listener(arguments.port) as sock,
        tempfile.TemporaryDirectory(prefix="asynccache-demo-") as folder,
    ):
        serve(sock, Path(folder, "shop.sqlite3"), arguments.redis)


def parser() -> argparse.ArgumentParser:
    """Read the command line."""
    made = argparse.ArgumentParser(prog="demo", description=__doc__.partition(",")[0] + ".")
    made.add_argument("--port", type=int, help="serve on this port (default: 8000, or any free one if that is taken)")
    made.add_argument("--redis", metavar="URL", help="cache in Redis, e.g. redis://localhost:6379/0 (default: local)")
    return made


def listener(port: int | None) -> socket.socket:
    """Listen on the port; without one, on 8000 or whatever is free."""
    failure: Exception | None = None
    for wanted in (8000, 0) if port is None else (port,):
        try:
            return socket.create_server((HOST, wanted))
        except (OSError, OverflowError) as error:
            failure = error
    sys.exit(f"cannot listen on {HOST}:{port}: {failure}")


def serve(sock: socket.socket, database: Path, redis_url: str | None) -> None:
    """Fill the database, print the address, and answer until a signal ends it."""
    # The database is new at each start, so no page of an earlier one may be found: hence a version of its own.
    backend, options = redis_url or "local://", f"key_prefix=demo&version={secrets.token_hex(4)}&ttl=86400"
    try:
        app = make_app(Shop(database), f"{backend}{'&' if '?' in backend else '?'}{options}")
    except CacheError as error:
        sys.exit(str(error))
    where = "Redis" if redis_url else "local memory"
    print(f"The tea shop is open: http://{HOST}:{sock.getsockname()[1]}  (cache: {where}; Ctrl-C ends)", flush=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
    server.run(sockets=[sock])


if __name__ == "__main__":
    main()
