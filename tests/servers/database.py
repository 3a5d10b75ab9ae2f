"""What the launchers of databases share: data that is made once on a machine, and copied for each server."""

import hashlib
import inspect
import os
import subprocess
from abc import abstractmethod
from pathlib import Path
from typing import Self

from tests.servers.fetching import made_once
from tests.servers.finding import Program
from tests.servers.process import Server, StartError

USER = "tester"
PASSWORD = "secret"
MAKE_SECONDS = 60


class Database(Server):
    """A database that keeps its data in a folder: killed and restarted, it has what it had.

    `extra` are command line words of the server.
    """

    scheme: str
    database: str

    def __init__(self, *extra: str) -> None:
        super().__init__()
        self._extra = extra
        self.folder.chmod(0o755)  # for the user as whom it runs

    @abstractmethod
    def make_data(self, program: Program, work: Path) -> None:
        """Make an empty database with its user as `work / "root"`."""

    @property
    def url(self) -> str:
        """Where it answers, with its user and password."""
        return f"{self.scheme}://{USER}:{PASSWORD}@{self.address}/{self.database}"

    @property
    def data(self) -> Path:
        """The folder of its data."""
        return self.folder / "data"

    def start(self) -> Self:
        """Start it on a free port, with an empty database of its own, and wait until it answers."""
        if not self.data.exists():
            copy = ["cp", "-a", "--reflink=auto", str(self._template()), str(self.data)]
            subprocess.run(copy, check=True, timeout=MAKE_SECONDS)
        return super().start()

    def make(self, program: Program, command: list[str], *, told: str | None = None) -> None:
        """Run a command that makes data, as the user who will serve it; `told` is what it reads."""
        done = subprocess.run(
            command,
            env=os.environ | program.env,
            cwd=self.folder,
            input=told,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=MAKE_SECONDS,
            check=False,
            **self.identity(),
        )
        if done.returncode:
            raise StartError(f"{command[0]} makes no data: {done.stdout[-2000:]}")

    def _template(self) -> Path:
        """Give an empty database: made by the first who needs it, kept beside the fetched programs."""
        program = self.find()
        path = Path(program.path).resolve()
        code = Path(inspect.getfile(type(self))).read_text()  # a changed launcher makes its data anew
        made_from = repr((str(path), path.stat().st_mtime_ns, code)).encode()
        name = f"data+{self.program}+{hashlib.blake2b(made_from, digest_size=8).hexdigest()}"
        return made_once(name, lambda work: self.make_data(program, work))
