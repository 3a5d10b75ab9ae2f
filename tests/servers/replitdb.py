"""Launch a double of Replit's key-value store, which nobody but Replit can run: see `replitdb_program.py`."""

import sys
import urllib.request
from pathlib import Path

from tests.servers.finding import Program
from tests.servers.process import HOST, Server

SECRET = "eyJhbGciOiJIUzUxMiJ9.kept-to-ourselves.c2lnbmF0dXJl"  # of the form that Replit's have


class ReplitDB(Server):
    """A store of our own, in a process of its own; `most_keys` as Replit has it, or fewer."""

    program = "replitdb"

    def __init__(self, *, most_keys: int = 5000) -> None:
        super().__init__()
        self._most_keys = most_keys

    @property
    def url(self) -> str:
        """What Replit would put into REPLIT_DB_URL: the path is a secret."""
        return f"http://{self.address}/v0/{SECRET}"

    def command(self) -> list[str]:
        """Run the program beside this file."""
        program = str(Path(__file__).with_name("replitdb_program.py"))
        return ["-I", program, "--port", str(self.port), "--secret", SECRET, "--most-keys", str(self._most_keys)]

    def is_ready(self) -> bool:
        """Read its own log: it ends if it cannot bind."""
        return "serving" in self.log()

    def clear(self) -> None:
        """Forget all entries."""
        self._tell("clear")

    def answer(self, status: int) -> None:
        """Answer everything with this status from now on; 0: as it should."""
        self._tell(f"answer?status={status}")

    def find(self) -> Program:
        """Give the Python that runs the tests: the program needs nothing else."""
        return Program(sys.executable)

    def _tell(self, what: str) -> None:
        request = urllib.request.Request(f"http://{HOST}:{self.port}/{what}", method="POST")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as reply:
            reply.read()
