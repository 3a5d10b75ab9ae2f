"""`get`, `set`, `delete`: entries by their keys."""

from __future__ import annotations

import json
import math
import sys
from typing import Annotated, Any

import typer

from asynccache.cli import target
from asynccache.cli.exits import NO, telling
from asynccache.cli.output import err, show, tell
from asynccache.errors import ConfigurationError

_ABSENT = object()
_BATCH = 500


def get(
    key: str,
    url: target.Url = None,
    config: target.Config = None,
    backend: target.Backend = "default",
    version: target.Version = None,
    as_json: target.AsJson = False,
) -> None:
    """Print the value of a key; exit code 1 on a miss.

    Example:  python -m asynccache get user:7 --url redis://localhost --json
    """
    with telling(), target.service(url, config, strict=True) as service:
        target.warn(service, backend)
        value = service.get(key, version, backend, default=_ABSENT)
    if value is _ABSENT:
        tell(f"{key}: nothing is stored")
        raise typer.Exit(NO)
    with telling():
        show(value, as_json=as_json)


def set_(
    key: str,
    value: Annotated[str, typer.Argument(help="JSON, such as 12, '[1, 2]' or '\"12\"'; what is no JSON is text.")],
    ttl: Annotated[str | None, typer.Option(help="Seconds, or 'forever'; the backend's default, if not given.")] = None,
    url: target.Url = None,
    config: target.Config = None,
    backend: target.Backend = "default",
    version: target.Version = None,
) -> None:
    """Store a value; exit code 1 where the store did not take it.

    Example:  python -m asynccache set greeting hello --ttl 60 --url redis://localhost
    """
    with telling(), target.service(url, config, strict=True) as service:
        target.warn(service, backend)
        stored = service.set(key, literal(value), _seconds(ttl), version, backend)
    tell(f"{key}: {'stored' if stored else 'the store did not take it'}")
    if not stored:
        raise typer.Exit(NO)


def delete(
    keys: Annotated[list[str], typer.Argument(help="Keys; '-' reads them from stdin, a line each.")],
    url: target.Url = None,
    config: target.Config = None,
    backend: target.Backend = "default",
    version: target.Version = None,
    as_json: target.AsJson = False,
) -> None:
    """Remove entries and print how many there were; exit code 1 if none.

    Example:  python -m asynccache delete user:7 user:8 --url redis://localhost
    """
    from rich.progress import track

    wanted = [line.rstrip("\n") for line in sys.stdin] if keys == ["-"] else keys
    batches = [wanted[start : start + _BATCH] for start in range(0, len(wanted), _BATCH)]
    removed = 0
    with telling(), target.service(url, config, strict=True) as service:
        target.warn(service, backend)
        for batch in track(batches, "removing", console=err, transient=True, disable=len(batches) < 2):
            removed += service.delete_many(batch, version, backend)
    show(removed, as_json=as_json)
    if not removed:
        raise typer.Exit(NO)


def literal(text: str) -> Any:
    """Read JSON; what is none is text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return math.inf if text == "forever" else float(text)
    except ValueError as wrong:
        raise ConfigurationError(f"--ttl {text!r}: give seconds, or 'forever'") from wrong
