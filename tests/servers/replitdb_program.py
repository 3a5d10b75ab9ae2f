"""The program behind `ReplitDB`: what Replit's key-value store does over HTTP, in memory, with the standard library.

    GET    /v0/SECRET/KEY                    200 and the value, or 404
    GET    /v0/SECRET?prefix=P&encode=true   200 and the keys, one in a line, percent-encoded where asked for
    POST   /v0/SECRET                        a form of keys and values: 200, or 4xx beyond the limits
    DELETE /v0/SECRET/KEY                    204, or 404
    DELETE /v0/SECRET                        likewise for `key` in a multipart form, as `replit` 4 sends it

Another path is 401. For tests only: POST /answer?status=429 makes that the answer to all, until status=0; POST /clear.
"""

import sys
from argparse import ArgumentParser
from email import message_from_bytes
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlsplit

LONGEST_KEY = 1000
LARGEST_VALUE = 5 * 1024 * 1024


class Store(ThreadingHTTPServer):
    """The entries, and what they may amount to."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, port: int, secret: str, most_keys: int, most_bytes: int) -> None:
        self.root = f"/v0/{secret}"
        self.entries: dict[str, str] = {}
        self.most_keys, self.most_bytes = most_keys, most_bytes
        self.answer = 0
        super().__init__(("127.0.0.1", port), Handler)

    def refusal(self, added: dict[str, str]) -> str:
        """Tell what is wrong with these keys and values, if anything."""
        after = self.entries | added
        if any(not 0 < len(key.encode()) <= LONGEST_KEY for key in added):
            return f"a key has 1 to {LONGEST_KEY} bytes"
        if any(len(value.encode()) > LARGEST_VALUE for value in added.values()):
            return f"a value has at most {LARGEST_VALUE} bytes"
        if len(after) > self.most_keys:
            return f"there are more than {self.most_keys} keys"
        if sum(len(key) + len(value) for key, value in after.items()) > self.most_bytes:
            return f"there are more than {self.most_bytes} bytes"
        return ""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one piece
    server: Store

    def do_GET(self) -> None:
        """Give a value, or the keys."""
        key = self._key()
        if key is None:
            return
        if not key:
            query = parse_qs(urlsplit(self.path).query)
            prefix, encode = query.get("prefix", [""])[0], "encode" in query
            names = sorted(name for name in self.server.entries if name.startswith(prefix))
            self._reply(200, "\n".join(quote(name) if encode else name for name in names))
        elif key in self.server.entries:
            self._reply(200, self.server.entries[key])
        else:
            self._reply(404)

    def do_POST(self) -> None:
        """Store what the form has; or what a test asks for."""
        body = self._body()
        place = urlsplit(self.path)
        if place.path == "/answer":
            self.server.answer = int(parse_qs(place.query)["status"][0])
            self._reply(200)
        elif place.path == "/clear":
            self.server.entries.clear()
            self._reply(200)
        elif self._key() is not None:
            added = dict(parse_qsl(body.decode(), keep_blank_values=True))
            refusal = self.server.refusal(added)
            if not refusal:
                self.server.entries |= added
            self._reply(413 if refusal else 200, refusal)

    def do_DELETE(self) -> None:
        """Remove what the path names, or the form."""
        body = self._body()
        key = self._key()
        if key is None:
            return
        key = key or self._named_in(body)
        self._reply(404 if self.server.entries.pop(key, None) is None else 204)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: a path is a secret."""

    def _key(self) -> str | None:
        """Give what follows the secret, empty for nothing; None once the request was answered."""
        path = urlsplit(self.path).path
        if path != self.server.root and not path.startswith(f"{self.server.root}/"):
            self._reply(401, "no such token")
        elif self.server.answer:
            self._reply(self.server.answer, f"{self.path} is not to be told")
        else:
            return unquote(path.removeprefix(self.server.root).removeprefix("/"))
        return None

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _named_in(self, body: bytes) -> str:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = message_from_bytes(head + body, policy=HTTP).iter_parts()
        named = {part.get_param("name", header="content-disposition"): part.get_payload(decode=True) for part in parts}
        key = named.get("key")
        return key.decode() if isinstance(key, bytes) else ""

    def _reply(self, status: int, text: str = "") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve."""
    options = ArgumentParser()
    for name, default in (("--port", 0), ("--most-keys", 5000), ("--most-bytes", 50 * 1024 * 1024)):
        options.add_argument(name, type=int, default=default)
    options.add_argument("--secret", required=True)
    given = options.parse_args()
    try:
        server = Store(given.port, given.secret, given.most_keys, given.most_bytes)
    except OSError as failure:
        sys.exit(f"cannot listen on {given.port}: {failure}")
    print("serving", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
