"""The command line: `python -m asynccache`, or `asynccache` where it is installed; the extra `cli`.

One file per group of commands; what they share is in target.py (which cache), output.py (what is shown) and exits.py
(what scripts are told).
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command that the arguments say."""
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ModuleNotFoundError as missing:
        print(  # noqa: T201  # there is no rich to print with
            f"the command line needs {missing.name}: pip install 'asynccache[cli]'", file=sys.stderr
        )
        sys.exit(2)
    if "" not in sys.path:
        sys.path.insert(0, "")  # modules are looked for here first, as by `python -m`
    sys.set_int_max_str_digits(0)  # who stores a great int can be shown one
    try:
        from asynccache.cli.commands import app

        app()
    except KeyboardInterrupt:  # typer knows of those that come while a command runs
        sys.exit(130)
