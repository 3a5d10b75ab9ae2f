"""Flask-Caching's configuration: `CACHE_TYPE` and what goes with it (https://flask-caching.readthedocs.io)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asynccache.config.backends import BackendLike

TYPE = "CACHE_TYPE"
_ELSEWHERE = {
    "filesystem": "'sqlite:///cache.db', a file that all workers can use",
    "uwsgi": "'local', or 'redis' to share it between workers",
}


def from_flask_words(config: Mapping[str, Any]) -> BackendLike:
    """Read `CACHE_TYPE`, which may also be anything that stands for a backend here, and the `CACHE_*` beside it.

    Those are `CACHE_DEFAULT_TIMEOUT`, where 0 is no expiry, `CACHE_KEY_PREFIX`, `CACHE_THRESHOLD`, `CACHE_OPTIONS`,
    `CACHE_REDIS_*` and `CACHE_MEMCACHED_SERVERS`. Raises `ConfigurationError` for types that are not here.
    """
    given = config[TYPE]
    if not isinstance(given, str):
        return given  # type: ignore[no-any-return]  # whoever makes the backend says what is wrong with it
    if "://" in given:
        return given
    kind = given.rpartition(".")[2] if given.startswith("flask_caching.") else given
    kind = kind.lower().removesuffix("cache")
    if kind in _ELSEWHERE:
        raise ConfigurationError(f"{TYPE}={given!r} is not here; in its place take {_ELSEWHERE[kind]}")
    read = _READ.get(kind)
    return (read(config) if read else {"BACKEND": given}) | _common(config)


def _common(config: Mapping[str, Any]) -> dict[str, Any]:
    """Give what all types have."""
    found = {}
    if "CACHE_DEFAULT_TIMEOUT" in config:
        given = config["CACHE_DEFAULT_TIMEOUT"]
        seconds = int(given) if isinstance(given, str) and given.strip().isdigit() else given  # as from the environment
        found["TIMEOUT"] = seconds or None
    if "CACHE_KEY_PREFIX" in config:
        found["KEY_PREFIX"] = config["CACHE_KEY_PREFIX"]
    return found


def _local(config: Mapping[str, Any]) -> dict[str, Any]:
    threshold = config.get("CACHE_THRESHOLD")
    return {"BACKEND": "local", "OPTIONS": {"max_entries": threshold} if threshold else {}}


def _dummy(config: Mapping[str, Any]) -> dict[str, Any]:
    del config
    return {"BACKEND": "dummy"}


def _redis(config: Mapping[str, Any]) -> dict[str, Any]:
    url = config.get("CACHE_REDIS_URL")
    if url:
        return {"BACKEND": "redis", "LOCATION": url, "OPTIONS": {"options": _client(config, {})}}
    named = {"host": config.get("CACHE_REDIS_HOST"), "port": config.get("CACHE_REDIS_PORT")}
    where = {name: value for name, value in named.items() if value is not None}
    return {"BACKEND": "redis", "OPTIONS": {**where, "options": _client(config, {"password": "PASSWORD", "db": "DB"})}}


def _redis_cluster(config: Mapping[str, Any]) -> dict[str, Any]:
    url = f"redis+cluster://{_needed(config, 'CACHE_REDIS_CLUSTER')}"
    return {"BACKEND": "redis", "LOCATION": url, "OPTIONS": {"options": _client(config, {"password": "PASSWORD"})}}


def _redis_sentinel(config: Mapping[str, Any]) -> dict[str, Any]:
    sentinels = config.get("CACHE_REDIS_SENTINELS", [("127.0.0.1", 26379)])
    names = ",".join(f"{host}:{port}" for host, port in sentinels)
    url = f"redis+sentinel://{names}/{_needed(config, 'CACHE_REDIS_SENTINEL_MASTER')}/{config.get('CACHE_REDIS_DB', 0)}"
    return {"BACKEND": "redis", "LOCATION": url, "OPTIONS": {"options": _client(config, {"password": "PASSWORD"})}}


def _memcached(config: Mapping[str, Any]) -> dict[str, Any]:
    servers = config.get("CACHE_MEMCACHED_SERVERS")
    return {"BACKEND": "memcached", **({"LOCATION": servers} if servers else {})}


def _client(config: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Give the options of the client: those that have names of their own, and `CACHE_OPTIONS`."""
    own = {name: config.get(f"CACHE_REDIS_{word}") for name, word in names.items()}
    return {name: value for name, value in own.items() if value is not None} | dict(config.get("CACHE_OPTIONS") or {})


def _needed(config: Mapping[str, Any], name: str) -> Any:
    if not config.get(name):
        raise ConfigurationError(f"{TYPE}={config[TYPE]!r} needs {name}")
    return config[name]


_READ: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "simple": _local,
    "null": _dummy,
    "redis": _redis,
    "rediscluster": _redis_cluster,
    "redissentinel": _redis_sentinel,
    "memcached": _memcached,
}
