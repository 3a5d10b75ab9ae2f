"""What a run leaves in its folder: figures as JSON, with the machine that they are of, and a plot of each table."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.measuring import Table
from benchmarks.options import Options
from benchmarks.plots import plot

ROOT = Path(__file__).parents[1]
OURS = ["aiomcache", "hiredis", "msgspec", "pylibmc", "pymemcache", "redis", "starlette", "zstandard"]
"""What we build on, some of it measured beside us as well."""


def keep(letter: str, tables: list[Table], options: Options, folder: Path) -> None:
    """Write the tables that a letter has so far, and draw the last."""
    kept = {"machine": machine(options), "tables": [table.as_json() for table in tables]}
    folder.joinpath(f"{letter}.json").write_text(json.dumps(kept, indent=1))
    plot(tables[-1], folder / plot_name(letter, len(tables)))


def plot_name(letter: str, number: int) -> str:
    """Name the plot of a letter's table, counted from 1."""
    return f"{letter.lower()}{number}.svg"


def load(letter: str, folder: Path) -> tuple[dict[str, Any], list[Table]]:
    """Read what `keep` has written."""
    kept = json.loads(folder.joinpath(f"{letter}.json").read_text())
    return kept["machine"], [Table.from_json(table) for table in kept["tables"]]


def machine(options: Options) -> dict[str, Any]:
    """Say what the figures are of."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "quick": options.quick,
        "versions": {"": versions(), **{name: _versions_in(python) for name, python in options.pythons.items()}},
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", info.read_text()) if info.exists() else None
    return found[1] if found else platform.processor()


def versions() -> dict[str, str]:
    """Give the versions of what is compared that are installed here."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    wanted = [
        re.split(r"[\[<>=;]", requirement)[0]
        for group, requirements in groups.items()
        if group.startswith("bench")
        for requirement in requirements
        if isinstance(requirement, str)
    ]
    found = {}
    for name in [*OURS, *wanted]:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _versions_in(python: str) -> dict[str, str]:
    asked = "import json; from benchmarks.keeping import versions; print(json.dumps(versions()))"
    answer = subprocess.run([python, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    return dict(json.loads(answer.stdout))
