"""`ping`, `config check` and `db create`: what backends there are, whether they answer, and their tables."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from asynccache.cli import target
from asynccache.cli.exits import NO, UNAVAILABLE, telling
from asynccache.cli.output import err, out, show, tell
from asynccache.config_check import Checked, check
from asynccache.errors import UnknownBackendError

config_commands = typer.Typer(help="Look at the configuration.", no_args_is_help=True)
db_commands = typer.Typer(help="Tables of SQL backends.", no_args_is_help=True)


def ping(
    backend: Annotated[str | None, typer.Option("--backend", "-b", help="One of them; all, if not given.")] = None,
    url: target.Url = None,
    config: target.Config = None,
    as_json: target.AsJson = False,
) -> None:
    """Add, read and remove an entry on each backend; exit code 3 if one does not answer.

    Example:  python -m asynccache ping --url redis://localhost
    """
    with telling(), err.status("asking the backends"):
        named = target.backends(url, config)
        if backend is not None and backend not in named:
            raise UnknownBackendError(f"no backend is called {backend!r}; there are {sorted(named)}")
        found = check(named if backend is None else {"default": named[backend]})
    if backend is not None:
        found = [replace(one, name=backend) for one in found]
    _report(found, as_json=as_json)


@config_commands.command("check")
def check_config(url: target.Url = None, config: target.Config = None, as_json: target.AsJson = False) -> None:
    """Print what would be used, passwords hidden, and whether it answers; exit code 3 if something does not.

    Example:  python -m asynccache config check --config shop.settings
    """
    with telling(), err.status("asking the backends"):
        found = check(target.backends(url, config))
    _report(found, as_json=as_json)


@db_commands.command("create")
def create_tables(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the statements, and run none.")] = False,
    url: target.Url = None,
    config: target.Config = None,
) -> None:
    """Make the tables of the SQL backends, where they are not there yet; exit code 1 if there is no such backend.

    Example:  python -m asynccache db create --url postgresql://localhost/shop --dry-run
    """
    from asynccache.backends.sql_cache import SQLCacheBackend

    with telling():
        tables = {n: made for n, made in target.backends(url, config).items() if isinstance(made, SQLCacheBackend)}
        for name, backend in tables.items():
            if dry_run:
                show(backend.ddl(), as_json=False)
                continue
            with err.status(f"making the table of {name}"):
                backend.create_table()
                backend.close()
            tell(f"{name}: the table is there: {backend!r}")
    if not tables:
        tell("no backend among these keeps its entries in an SQL database")
        raise typer.Exit(NO)


def _report(found: list[Checked], *, as_json: bool) -> None:
    if as_json:
        show([asdict(one) for one in found], as_json=True)
    else:
        out.print(_table(found))
    if any(one.error is not None for one in found):
        raise typer.Exit(UNAVAILABLE)


def _table(found: list[Checked]) -> Table:
    table = Table("name", "backend", "answers")
    for one in found:
        name = f"  {one.name}, {one.place}." if one.place else one.name
        answer = f"[green]in {1000 * (one.seconds or 0):.1f} ms" if one.error is None else f"[red]{escape(one.error)}"
        table.add_row(escape(name), escape(one.described), answer)
    return table
