"""Which servers are meant: a leader with replicas, the nodes of a cluster, or sentinels and a service of theirs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from asynccache.backends.servers import UNIX, Server, parse
from asynccache.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asynccache.backends.servers import Servers

PORT = 6379
SENTINEL_PORT = 26379
_SENTINELS_OWN = ("sentinel_username", "sentinel_password")
_NOT_FOR_SENTINELS = frozenset({"db", "username", "password", "credential_provider", *_SENTINELS_OWN})


class Form(Enum):
    """How the servers belong together; the value is what the scheme says after its `+`."""

    LEADER = ""
    CLUSTER = "cluster"
    SENTINEL = "sentinel"


SCHEMES = tuple(f"{base}+{form.value}".rstrip("+") for form in Form for base in ("redis", "rediss"))


@dataclass(frozen=True, slots=True)
class Where:
    """The servers that were named, and what they are."""

    form: Form
    servers: tuple[Server, ...]
    service: str = ""
    """What the sentinels call the master."""


def where(servers: Servers | None, host: str | None, port: int | None, options: Mapping[str, Any]) -> Where:
    """Read what the backend was given. Raises `ConfigurationError`."""
    if servers is not None and (host is not None or port is not None):
        raise ConfigurationError("give either servers=... or host=... and port=..., not both")
    if servers is None:
        servers = [(host or "localhost", port or PORT)]
    found = parse(servers, schemes=SCHEMES, port=0)
    forms = {_form(server) for server in found}
    if len(forms) > 1 or (Form.LEADER not in forms and any(server.scheme == UNIX for server in found)):
        raise ConfigurationError("servers of a cluster, sentinels, and others cannot be mixed: name one kind")
    form = forms.pop()
    usual = SENTINEL_PORT if form is Form.SENTINEL else PORT
    plain = tuple(
        server if server.scheme == UNIX else replace(server, scheme=_base(server), port=server.port or usual)
        for server in found
    )
    if form is Form.CLUSTER:
        return Where(form, _of_cluster(plain, options))
    return _of_sentinels(plain) if form is Form.SENTINEL else Where(form, plain)


def as_sentinel(server: Server, options: Mapping[str, Any]) -> tuple[Server, dict[str, Any]]:
    """Give a sentinel, and the options for connections to it: its user and password are its own."""
    given = {**server.query, **options}
    own = {name.removeprefix("sentinel_"): given[name] for name in _SENTINELS_OWN if name in given}
    query = {name: text for name, text in server.query.items() if name not in _NOT_FOR_SENTINELS}
    rest = {name: value for name, value in options.items() if name not in _NOT_FOR_SENTINELS}
    return replace(server, path="", username=None, password=None, query=query), rest | own


def as_data_server(server: Server, options: Mapping[str, Any]) -> tuple[Server, dict[str, Any]]:
    """Give what the master has in common with a sentinel as it was named, and the options for connections to it."""
    query = {name: text for name, text in server.query.items() if name not in _SENTINELS_OWN}
    rest = {name: value for name, value in options.items() if name not in _SENTINELS_OWN}
    return replace(server, query=query), rest


def _form(server: Server) -> Form:
    return Form(server.scheme.partition("+")[2])


def _base(server: Server) -> str:
    return server.scheme.partition("+")[0]


def _of_cluster(servers: tuple[Server, ...], options: Mapping[str, Any]) -> tuple[Server, ...]:
    for server in servers:
        databases = {server.path.strip("/"), str(server.query.get("db", "")), str(options.get("db", ""))}
        if not databases <= {"", "0"}:
            raise ConfigurationError(f"{server.name}: a cluster has database 0 only; keep apart by key_prefix")
    return tuple(replace(server, path="") for server in servers)


def _of_sentinels(servers: tuple[Server, ...]) -> Where:
    services = set()
    found = []
    for server in servers:
        service, _, database = server.path.strip("/").partition("/")
        services.add(service)
        found.append(replace(server, path=f"/{database}" if database else ""))
    if len(services) > 1 or "" in services:
        raise ConfigurationError("name the sentinels' service once: redis+sentinel://host1,host2,host3/service/0")
    return Where(Form.SENTINEL, tuple(found), services.pop())
