"""Measure: `python -m benchmarks [full] [LETTER ...] [--trace FILE]`; all tables unless some are named.

A local memory, B Redis, C memcached, D requests, E stampedes, F bytes, G growth, H cold starts; fences: Redis's own
time for each step. Each letter is measured in a process of its own.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from inspect import signature
from pathlib import Path
from time import perf_counter

from benchmarks.keeping import keep
from benchmarks.measuring import Table
from benchmarks.options import Options
from benchmarks.printing import text
from benchmarks.publishing import publish

LETTERS = {
    "A": "local_memory",
    "B": "redis",
    "C": "memcached",
    "D": "requests",
    "E": "stampede",
    "F": "serializing",
    "G": "growth",
    "H": "cold_start",
    "fences": "fences",
}
SECONDS = {True: 60, False: 240}
"""What a letter may take, by whether the run is quick."""
PATIENCE = 5
"""How many times as long it may take on a busy machine, before it is stopped."""
STOPPING_SECONDS = 20


def main() -> int:
    chosen = arguments().parse_args()
    words = [LETTERS_BY_NAME.get(word, word) for word in chosen.words]
    letters = [letter for letter in words if letter != "full"] or list(LETTERS)
    chosen.into.mkdir(parents=True, exist_ok=True)
    if chosen.docs:
        publish(chosen.docs, chosen.into, letters)
        return 0
    if chosen.here:
        return measured(letters[0], chosen, quick="full" not in words)
    failed = [letter for letter in letters if not in_a_process(letter, quick="full" not in words)]
    print(f"\nfigures and plots: {chosen.into}" + f"; not measured: {', '.join(failed)}" * bool(failed))
    return bool(failed)


LETTERS_BY_NAME = {name: letter for letter, name in LETTERS.items()} | {letter.lower(): letter for letter in LETTERS}


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    words = ["full", *LETTERS, *LETTERS_BY_NAME]
    parser.add_argument("words", nargs="*", choices=[*words, []], metavar="WORD", help=f"full, {', '.join(LETTERS)}")
    parser.add_argument("--trace", type=Path, help="for A: a file of keys, one to a line, as they were asked for")
    parser.add_argument("--into", type=Path, default=Path(".nox/figures"), help="folder for the JSON and the plots")
    parser.add_argument("--python", action="append", default=[], metavar="NAME=PATH", help="another environment")
    parser.add_argument(
        "--docs", type=Path, metavar="PAGE", help="measure nothing, put the last figures into this page"
    )
    parser.add_argument("--here", action="store_true", help="measure one letter in this process")
    return parser


def in_a_process(letter: str, *, quick: bool) -> bool:
    """Measure a letter in a new process, which no other letter has touched; tell whether it came to its end."""
    options = [word for word in sys.argv[1:] if word not in {*LETTERS, *LETTERS_BY_NAME}]
    started, seconds = perf_counter(), SECONDS[quick]
    with subprocess.Popen([sys.executable, "-m", "benchmarks", "--here", letter, *options]) as child:
        with suppress(subprocess.TimeoutExpired):
            child.wait(PATIENCE * seconds)
        with suppress(subprocess.TimeoutExpired):
            child.send_signal(signal.SIGINT)  # it stops its servers
            child.wait(STOPPING_SECONDS)
        child.kill()
    print(f"\n{letter} took {perf_counter() - started:.0f} s, of {seconds} s", flush=True)
    return child.returncode == 0


def measured(letter: str, chosen: argparse.Namespace, *, quick: bool) -> int:
    tables: list[Table] = []
    chosen.into.joinpath(f"{letter}.json").unlink(missing_ok=True)
    pythons = dict(pair.split("=", 1) for pair in chosen.python)
    with Options(quick=quick, trace=chosen.trace, pythons=pythons) as options:
        run = import_module(f"benchmarks.{LETTERS[letter]}").run
        found = run(options) if signature(run).parameters else run()  # some take no options yet
        for table in [found] if isinstance(found, Table) else found:
            print(f"\n{text(table)}", flush=True)
            tables.append(table)
            keep(letter, tables, options, chosen.into)
    return 0


if __name__ == "__main__":
    sys.exit(main())
