"""Where the servers are: every way of writing `servers` becomes a tuple of `Server`.

One URL, a list, or a string with `,` or `;` between; each a URL, `host`, `host:port`, an IPv6 address (in brackets
where a port follows), a unix socket by its path, or a pair `(host, port)`. In a string the later ones take over the
scheme and the user of the one before, and the earlier ones the path: `redis://user:secret@leader,replica/1` is two
servers, with database 1 of each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from asynccache.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

Servers = str | Iterable[str | tuple[str, int]]
UNIX = "unix"
_HIGHEST_PORT = 65535
_NO_PORT = re.compile(r"(?![\da-fA-F]*:[\da-fA-F:.]*(/|$))[^:/\[]+:(?!\d*([/,;]|$))")
"""What follows the colon after a host, where that is neither a port nor the rest of an IPv6 address."""
_ODD = re.compile(r"[\s|<>\"'^`\\]")


@dataclass(frozen=True, slots=True)
class Server:
    """One server; a unix socket has a `path` and no host, else `path` is what follows the host in the URL."""

    scheme: str
    host: str
    port: int
    path: str = ""
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """Give what logs and errors call it: `host:port` or the socket's path, never with a password."""
        if self.scheme == UNIX:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(servers: Servers, *, schemes: tuple[str, ...], port: int) -> tuple[Server, ...]:
    """Read `servers`; the first scheme and the port are for servers that name none.

    Raises `ConfigurationError` where there is none, or something is no server.
    """
    if isinstance(servers, str):
        return _of_text(servers, schemes, port)
    if not isinstance(servers, Iterable):
        raise ConfigurationError(f"servers={servers!r}: give a URL, a list, or a comma-separated string")
    found = [server for item in servers for server in _of_item(item, schemes, port)]
    if not found:
        raise ConfigurationError("servers is empty: name at least one")
    return tuple(found)


def redacted(url: str) -> str:
    """Give a URL, or what was meant to be one, without password and query."""
    scheme, colon, rest = url.partition("://") if "://" in url else ("", "", url)
    credentials, at, servers = rest.rpartition("@")
    servers = servers.partition("?")[0]
    if at:
        user = re.split("[:/?#]", credentials)[0] if ":" in credentials else ""  # a password alone is a common mistake
        return f"{scheme}{colon}{user}:***@{servers}"
    if _NO_PORT.match(servers):  # half of a password that was not escaped
        servers = f"{servers.partition(':')[0]}:***"
    return f"{scheme}{colon}{servers}"


def _of_item(item: object, schemes: tuple[str, ...], port: int) -> tuple[Server, ...]:
    match item:
        case str():
            return _of_text(item, schemes, port)
        case [str(host), (int() | str()) as own_port]:
            if not host or "/" in host or _ODD.search(host):
                raise ConfigurationError(f"{redacted(host)!r} is no host: give URLs as servers=")
            return (Server(schemes[0], host, _checked_port(own_port, redacted(f"{host}:{own_port}"))),)
    raise ConfigurationError(f"a {type(item).__name__} is no server: give 'host:port', a URL or a pair (host, port)")


def _of_text(text: str, schemes: tuple[str, ...], port: int) -> tuple[Server, ...]:
    items = [item for part in re.split("[,;]", text) if (item := part.strip())]
    if not items:
        raise ConfigurationError("servers is empty: name at least one, such as 'localhost'")
    found = [_of_one(item, schemes, port) for item in items]
    for place, item in enumerate(items):
        if place and "://" not in item:
            found[place] = _like(found[place], found[place - 1])
    for place in reversed(range(len(items) - 1)):
        later = found[place + 1]
        if "://" not in items[place + 1] and later.scheme != UNIX and not found[place].path:
            found[place] = replace(found[place], path=later.path, query=later.query)
    return tuple(found)


def _like(server: Server, before: Server) -> Server:
    if UNIX in {server.scheme, before.scheme}:
        return server
    return replace(
        server,
        scheme=before.scheme,
        path=server.path or before.path,
        username=server.username or before.username,
        password=server.password or before.password,
        query=server.query or before.query,
    )


def _of_one(item: str, schemes: tuple[str, ...], port: int) -> Server:
    shown = redacted(item)
    if item.startswith("/"):
        item = f"{UNIX}://{item}"
    elif item.startswith(f"{UNIX}:") and "://" not in item:
        item = f"{UNIX}://{item.removeprefix('unix:')}"
    elif "://" not in item:
        item = f"{schemes[0]}://{_bracketed(item)}"
    try:
        parts = urlsplit(item)
        own_port = _own_port(parts)
    except ValueError:  # whose text may hold a part of the password
        raise ConfigurationError(
            f"{shown!r} is no server: give host and port, and write / # ? @ in a password as %2F %23 %3F %40"
        ) from None
    if parts.scheme not in (*schemes, UNIX):
        raise ConfigurationError(f"{shown!r}: the scheme {parts.scheme!r} is none of {[*schemes, UNIX]}")
    if _ODD.search(parts.hostname or ""):
        raise ConfigurationError(f"{shown!r}: no host has such a name")
    if not (parts.path if parts.scheme == UNIX else parts.hostname):
        raise ConfigurationError(f"{shown!r} names no {'path' if parts.scheme == UNIX else 'host'}")
    return _of_parts(parts, port if own_port is None else _checked_port(own_port, shown))


def _own_port(parts: SplitResult) -> int | None:
    if parts.scheme != UNIX and "@" in parts.path + parts.fragment + parts.query.partition("=")[0]:
        raise ValueError  # the password has both an @ and a / # ?, so that its end would be taken for the host
    return parts.port


def _of_parts(parts: SplitResult, port: int) -> Server:
    return Server(
        scheme=parts.scheme,
        host="" if parts.scheme == UNIX else unquote(parts.hostname or ""),
        port=0 if parts.scheme == UNIX else port,
        path=unquote(parts.path),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        query=dict(parse_qsl(parts.query)),
    )


def _bracketed(item: str) -> str:
    """Put an IPv6 address without a port into brackets: more than one colon can mean nothing else."""
    user, at, place = item.rpartition("@")
    address, slash, rest = place.partition("/")
    if address.count(":") > 1 and not address.startswith("["):
        address = f"[{address}]"
    return f"{user}{at}{address}{slash}{rest}"


def _checked_port(port: int | str, shown: str) -> int:
    """Read a port, which is text where it comes from the environment."""
    number = int(port) if isinstance(port, int) or (port.isdecimal() and port.isascii()) else 0
    if not 0 < number <= _HIGHEST_PORT:
        raise ConfigurationError(f"{shown!r}: a port is a number from 1 to {_HIGHEST_PORT}")
    return number
