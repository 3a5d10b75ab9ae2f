"""The processes of a soak, and what they tell."""

import json
import os
import subprocess
import sys
from collections import Counter

from tests.coherence.soaking import MAX_STALENESS, Origin

SLACK = MAX_STALENESS + 0.2
"""How late a process with local memory before its store may be: it sees what is demanded in samples."""


class Fleet:
    """Processes on one store.

    Args:
        folder: for the origin.
        url: of the store.
        seconds: for which they run.
        slacks: for each process, how late it may be; above 0, it has local memory before the store.
        environments: for each process, what its environment has besides.
    """

    def __init__(self, folder, url, seconds, slacks, environments=()):
        origin = folder / "origin"
        Origin.create(origin, len(slacks))
        command = [sys.executable, "-m", "tests.coherence.soaking", str(origin), url, str(seconds), str(len(slacks))]
        self.processes = [
            subprocess.Popen(
                [*command, str(number), str(slack)],
                env=os.environ | (environments[number] if environments else {}),
                stdout=subprocess.PIPE,
                text=True,
            )
            for number, slack in enumerate(slacks)
        ]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()
            process.stdout.close()

    def told(self):
        """Wait for the end; give what each has counted, and all that was wrong."""
        told = [process.communicate(timeout=60)[0] for process in self.processes]
        assert [process.returncode for process in self.processes] == [0] * len(told)
        reports = [json.loads(one) for one in told]
        return [Counter(one["counts"]) for one in reports], [wrong for one in reports for wrong in one["wrong"]]
