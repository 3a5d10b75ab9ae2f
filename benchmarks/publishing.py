"""Put the figures of a run into the page about them: `python -m benchmarks --docs docs/performance.md`.

What stands between `<!-- A -->` and `<!-- /A -->` is replaced by the tables and plots of letter A, and so on; between
`<!-- machine -->` and `<!-- /machine -->` it says what they were measured on.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.keeping import load, plot_name
from benchmarks.measuring import Table
from benchmarks.printing import markdown
from benchmarks.wanted import all_verdicts


def publish(page: Path, figures: Path, letters: Sequence[str]) -> None:
    """Fill the page with the letters that the folder `figures` has."""
    plots = page.with_suffix("")
    plots.mkdir(exist_ok=True)
    text, machine = page.read_text(), None
    for letter in letters:
        if figures.joinpath(f"{letter}.json").exists():
            machine, tables = load(letter, figures)
            text = _filled(text, letter, "\n\n".join(_section(letter, tables, plots.name)))
            for old in plots.glob(f"{letter.lower()}[0-9]*.svg"):
                old.unlink()
            for number in range(1, len(tables) + 1):
                shutil.copy(figures / plot_name(letter, number), plots)
    page.write_text(_filled(text, "machine", _machine(machine)) if machine else text)


def _filled(text: str, name: str, content: str) -> str:
    pattern = re.compile(f"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", re.DOTALL)
    return pattern.sub(lambda _: f"\n{content}\n\n", text)


def _section(letter: str, tables: list[Table], folder: str) -> Iterator[str]:
    for number, table in enumerate(tables, 1):
        yield f"![{table.title}]({folder}/{plot_name(letter, number)})"
        yield markdown(table)
    losses = [f"- {loss}" for table in tables for loss in _losses(table)]
    if losses:
        yield "Not reached, or faster elsewhere:"
        yield "\n".join(losses)


def _losses(table: Table) -> Iterator[str]:
    """Tell what was missed, and who was faster than we."""
    for name, verdict in all_verdicts(table):
        if not verdict.reached:
            yield f"{table.title}: {name}, wanted {verdict.wanted}: {verdict}"
    for row in table.rows:
        ratio = table.ratio(row, table.ours)
        if row.name != table.limit and ratio and ratio.middle < 1 and ratio.tells_from(1):
            yield f"{table.title}: {row.name} takes {ratio.middle:.2g} times as long as {table.ours}"


def _machine(machine: dict[str, Any]) -> str:
    named = ", ".join(f"{name} {version}" for name, version in sorted(machine["versions"][""].items()))
    others = {peer: found.get(peer) for peer, found in machine["versions"].items() if peer}
    apart = [f"in environments of their own {', '.join(f'{peer} {found}' for peer, found in others.items())}"] * bool(
        others
    )
    length = "quick" if machine["quick"] else "full"
    where = f"{machine['cpus']} CPUs of {machine['processor']}, {machine['system']}, CPython {machine['python']}"
    return f"A {length} run on {where}. {'; '.join([named, *apart])}."
