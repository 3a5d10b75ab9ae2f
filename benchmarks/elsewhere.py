"""A subject that lives in another environment's Python, for peers whose pins clash with those of others.

The child imports `module:function` and calls it with the arguments that it is given (strings); that gives the subject,
which is called with counts. Both may be coroutine functions: the child has one loop for all. For each count that it
reads, it writes what the run took by its own two clocks.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from benchmarks.measuring import AbsentError, Subject, Taken, said_of, timed

ROOT = Path(__file__).parents[1]


class Elsewhere:
    """A subject in a child process, which starts when it is first called."""

    def __init__(self, python: str | None, environment: str, subject: str, args: Sequence[str] = ()) -> None:
        self._command = [python, "-m", "benchmarks.elsewhere", subject, *args] if python else None
        self._environment = environment
        self._child: subprocess.Popen[str] | None = None

    def __call__(self, count: int) -> Taken:
        """Have it run so many times.

        Raises:
            AbsentError: there is no such environment, or the child failed; the message is its error.
        """
        answer = self._ask(count)
        if "failed" in answer:
            raise AbsentError(answer["failed"])
        return Taken(**answer)

    def _ask(self, count: int) -> dict[str, Any]:
        child = self._child = self._child or self._started()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            print(count, file=child.stdin, flush=True)
            return dict(json.loads(child.stdout.readline()))
        except (BrokenPipeError, ValueError):
            raise AbsentError(f"its process ended with status {child.wait()}") from None

    def _started(self) -> subprocess.Popen[str]:
        if self._command is None:
            raise AbsentError(f"there is no environment {self._environment!r} here")
        return subprocess.Popen(self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def close(self) -> None:
        """End the child, which may have been there or not."""
        if self._child is None:
            return
        for pipe in (self._child.stdin, self._child.stdout):
            assert pipe is not None
            pipe.close()
        try:
            self._child.wait(5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def serve(name: str, args: Sequence[str], answers: TextIO) -> None:
    """Be the child: answer each count with what the run took."""
    with asyncio.Runner() as runner:
        subject: Subject | None = None
        for line in sys.stdin:
            try:
                subject = subject or _made(runner, name, args)
                taken = timed(subject, int(line))
                answer: dict[str, Any] = {"cpu": taken.cpu, "wall": taken.wall}
            except Exception as error:  # noqa: BLE001 - who measures hears what went wrong here
                answer = {"failed": said_of(error)}
            print(json.dumps(answer), file=answers, flush=True)


def _made(runner: asyncio.Runner, name: str, args: Sequence[str]) -> Subject:
    module, _, function = name.partition(":")
    subject = _finished(runner, getattr(import_module(module), function)(*args))
    return lambda count: _finished(runner, subject(count))


def _finished(runner: asyncio.Runner, result: Any) -> Any:
    if not inspect.isawaitable(result):
        return result

    async def wait() -> Any:
        return await result

    return runner.run(wait())


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what peers print is no answer
    serve(sys.argv[1], sys.argv[2:], answers)


if __name__ == "__main__":
    main()
