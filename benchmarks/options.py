"""What a run of the benchmarks is told."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from benchmarks.elsewhere import Elsewhere


@dataclass
class Options:
    """What a run is told; at its end, the subjects in other environments are closed."""

    quick: bool = True
    """A minute for a table's letter; otherwise four."""
    trace: Path | None = None
    """A file of keys, one to a line, as they were asked for: for local memory."""
    pythons: Mapping[str, str] = field(default_factory=dict)
    """The interpreters of other environments, by name."""
    _open: ExitStack = field(default_factory=ExitStack)

    def python(self, environment: str = "") -> str | None:
        """Give the interpreter of an environment, this one where it has no name; None where there is none."""
        return self.pythons.get(environment) if environment else sys.executable

    def elsewhere(self, environment: str, subject: str, *args: str) -> Elsewhere:
        """Have a subject (`module:function`) in an environment's Python: see `benchmarks.elsewhere`."""
        made = Elsewhere(self.python(environment), environment, subject, args)
        self._open.callback(made.close)
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()
