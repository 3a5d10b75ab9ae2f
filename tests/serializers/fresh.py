"""Run code in a Python of its own: nothing imported before, no memory used before."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def printed(code, *, stdin=b"", **environment):
    """Give what the code printed."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=stdin,
        stdout=subprocess.PIPE,
        check=True,
        cwd=ROOT,
        env=os.environ | environment,
    )
    return done.stdout.decode().strip()
