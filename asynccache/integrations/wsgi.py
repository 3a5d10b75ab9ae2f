"""What a WSGI server says of a request, as the ASGI scope that says the same."""

from __future__ import annotations

import sys
from io import BytesIO
from typing import Any
from urllib.parse import quote_from_bytes


def scope_of(environ: dict[str, Any], session: Any) -> dict[str, Any]:
    """Give the ASGI scope that says what a WSGI environ says."""
    root = environ.get("SCRIPT_NAME", "").encode("latin-1")
    path = root + environ.get("PATH_INFO", "").encode("latin-1")
    scope = {
        "type": "http",
        "http_version": environ.get("SERVER_PROTOCOL", "HTTP/1.1").partition("/")[2] or "1.1",
        "method": environ["REQUEST_METHOD"],
        "scheme": environ["wsgi.url_scheme"],
        "path": path.decode("utf-8", "replace"),
        "raw_path": quote_from_bytes(path, safe="/!$&'()*+,;=:@~").encode(),
        "root_path": root.decode("utf-8", "replace"),
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1"),
        "headers": _headers_of(environ),
        "client": (environ.get("REMOTE_ADDR", ""), 0),
        "state": {},
        "session": session,
    }
    if environ.get("REMOTE_USER"):
        scope["user"] = environ["REMOTE_USER"]
    return scope


def _headers_of(environ: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    headers = [
        (key[5:].replace("_", "-").lower().encode("latin-1"), value.encode("latin-1"))
        for key, value in environ.items()
        if key.startswith("HTTP_")
    ]
    headers += [
        (name, environ[key].encode("latin-1"))
        for name, key in ((b"content-type", "CONTENT_TYPE"), (b"content-length", "CONTENT_LENGTH"))
        if environ.get(key)
    ]
    if "HTTP_HOST" not in environ:
        headers.append((b"host", f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}".encode("latin-1")))
    return headers


_OF_SERVERS = frozenset({
    "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "SERVER_SOFTWARE",
    "GATEWAY_INTERFACE", "REMOTE_ADDR", "REMOTE_PORT", "REQUEST_URI", "RAW_URI", "wsgi.version", "wsgi.url_scheme",
    "wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once",
})  # fmt: skip
_NOT_COPIED = frozenset({
    "HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_MATCH", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_RANGE",
    "HTTP_RANGE", "HTTP_TRANSFER_ENCODING", "HTTP_EXPECT",
})  # fmt: skip


def environ_like(environ: dict[str, Any]) -> dict[str, Any]:
    """Give the environ of a request like this: GET, without a body, without conditions, and with nothing of others."""
    copied = {
        key: value
        for key, value in environ.items()
        if key in _OF_SERVERS or (key.startswith("HTTP_") and key not in _NOT_COPIED)
    }
    return copied | {"REQUEST_METHOD": "GET", "wsgi.input": BytesIO(), "wsgi.errors": sys.stderr}
