"""`clear` and `invalidate-tags`: many entries at once."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from asynccache.cli import target
from asynccache.cli.exits import USAGE, telling
from asynccache.cli.output import complain, tell


def clear(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: target.Url = None,
    config: target.Config = None,
    backend: target.Backend = "default",
    version: target.Version = None,
) -> None:
    """Remove all entries of the backend's prefix and version, and none of others; asks first on a terminal.

    Example:  python -m asynccache clear --backend pages --config shop.settings --yes
    """
    with telling(), target.service(url, config, strict=True) as service:
        target.warn(service, backend)
        described = f"{backend}: {service.get_backend(backend)!r}{'' if version is None else f' version={version!r}'}"
        if not yes:
            _confirm(described)
        service.clear(version, backend)
    tell(f"{described}: all entries are removed")


def invalidate_tags(
    tags: Annotated[list[str], typer.Argument(help="One or more.")],
    url: target.Url = None,
    config: target.Config = None,
    backend: target.Backend = "default",
    version: target.Version = None,
) -> None:
    """Invalidate all entries with one of these tags.

    Example:  python -m asynccache invalidate-tags product:7 prices --url redis://localhost
    """
    with telling(), target.service(url, config, strict=True) as service:
        target.warn(service, backend)
        service.invalidate_tags(*tags, version=version, backend=backend)
    tell(f"{backend}: invalidated: {', '.join(tags)}")


def _confirm(described: str) -> None:
    if not sys.stdin.isatty():
        complain("clear asks before it removes all entries, and there is no terminal to ask on: give --yes")
        raise typer.Exit(USAGE)
    typer.confirm(f"Remove all entries of {described}?", abort=True, err=True)
