"""Run all tables, or those named: `python -m benchmarks [NAME ...] [--into FOLDER]`."""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from benchmarks.measuring import Table

TABLES = ("fences", "local_memory", "redis_concurrency", "requests", "stampede")


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*TABLES, []], help=f"of {', '.join(TABLES)}; all unless given")
    parser.add_argument("--into", type=Path, default=Path(".nox/bench"), help="folder for the JSON and the plots")
    chosen = parser.parse_args()
    chosen.into.mkdir(parents=True, exist_ok=True)
    for name in chosen.names or TABLES:
        keep(name, list(tables_of(import_module(f"benchmarks.{name}").run())), chosen.into)


def tables_of(result: Table | Iterable[Table]) -> Iterable[Table]:
    return [result] if isinstance(result, Table) else result


def keep(name: str, tables: list[Table], folder: Path) -> None:
    for table in tables:
        print(f"\n{table.text()}", flush=True)
    kept = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "tables": [table.as_json() for table in tables],
    }
    folder.joinpath(f"{name}.json").write_text(json.dumps(kept, indent=1))
    plot(tables, folder / f"{name}.svg")


def plot(tables: list[Table], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(tables), squeeze=False, figsize=(9, 1 + sum(len(t.rows) for t in tables) * 0.45))
    for axis, table in zip(axes[:, 0], tables, strict=True):
        axis.barh([row.name for row in table.rows][::-1], [table.ratio(row) for row in table.rows][::-1])
        axis.set_title(f"{table.title} (times {table.baseline}; less is faster)", fontsize=9)
        axis.set_xscale("log")
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


if __name__ == "__main__":
    main()
