"""What is shown: results on stdout, for people or as JSON; everything about them on stderr."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)


def show(value: Any, *, as_json: bool) -> None:
    """Print a value: text as it is, other values as Python shows them; or as JSON, for scripts.

    Raises `ValueError` for half a surrogate pair, which no JSON in UTF-8 can have.
    """
    if as_json:
        sys.stdout.write(msgspec.json.encode(value, enc_hook=str).decode() + "\n")
    elif isinstance(value, str):
        sys.stdout.write(value.encode(errors="backslashreplace").decode() + "\n")
    else:
        out.print(value, markup=False)


def tell(what: str) -> None:
    """Say something about the result."""
    err.print(f"[dim]{escape(what)}[/]")


def complain(what: str) -> None:
    """Say what is wrong."""
    err.print(f"[bold red]error:[/] {escape(what)}")
