"""Launch PostgreSQL: a process that has children, and that will not run as root."""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.servers.database import PASSWORD, USER, Database
from tests.servers.finding import Program
from tests.servers.process import HOST, wait_until

SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "jit": "off",
    "dynamic_shared_memory_type": "mmap",  # files among its data: nothing is left in /dev/shm
    "unix_socket_directories": "",
    "listen_addresses": HOST,
}


class PostgreSQL(Database):
    """A PostgreSQL of our own, which forgets nothing when killed but what a power failure would take.

    `extra` are command line words such as `"-c", "max_connections=10"`.
    """

    program = "postgres"
    scheme = "postgresql"
    database = "postgres"
    orphaned = "QUIT"  # its word for: end at once and leave no shared memory

    def make_data(self, program: Program, work: Path) -> None:
        """Call initdb, the program beside the server."""
        initdb = Path(program.path).resolve().with_name("initdb")
        password, root = work / "password", work / "root"
        password.write_text(PASSWORD)
        root.mkdir(mode=0o700)
        work.chmod(0o755)
        if owner := self.identity():
            shutil.chown(root, owner["user"], owner["group"])
        words = ["--username", USER, "--pwfile", str(password), "--auth", "scram-sha-256", "--encoding", "UTF8"]
        words += ["--no-locale", "--no-sync", "--wal-segsize", "1"]
        self.make(program, [str(initdb), "--pgdata", str(root), *words])

    def identity(self) -> dict[str, Any]:
        """Run as `nobody` where root tests."""
        if os.geteuid():
            return {}
        nobody = pwd.getpwnam("nobody")
        return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def command(self) -> list[str]:
        """Serve loopback only."""
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        return ["-D", str(self.data), "-p", str(self.port), *settings, *self._extra]

    def is_ready(self) -> bool:
        """Read its own log: it ends if it cannot bind, so this line is told by none but the listening process."""
        return "database system is ready to accept connections" in self.log()

    def freeze(self) -> None:
        """Stop it and its children, one of which talks to each client."""
        super().freeze()  # first, so that no child is born meanwhile
        children = list(self._children())
        for child in children:
            _send(child, signal.SIGSTOP)
        wait_until(lambda: all(_state(child) in ("T", "Z", "") for child in children), "all children are frozen")

    def thaw(self) -> None:
        """Let it and its children run on."""
        for child in self._children():
            _send(child, signal.SIGCONT)
        super().thaw()

    def kill(self) -> None:
        """End it and its children at once, and what the system keeps of it."""
        if not self.is_alive:
            return
        super().freeze()
        children = list(self._children())
        super().kill()
        for child in children:
            _send(child, signal.SIGKILL)
        wait_until(lambda: all(_state(child) in ("Z", "") for child in children), "all children are gone")
        self._forget_shared_memory()

    def _children(self) -> Iterator[int]:
        """Its children lead process groups of their own; /proc knows whose they are."""
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal() and _stat(int(folder.name))[1:2] == [str(self.pid)]:
                yield int(folder.name)

    def _forget_shared_memory(self) -> None:
        """Remove the System V segment that a killed server leaves, by the number in its lock file, and the file."""
        with suppress(FileNotFoundError):
            lock = self.data / "postmaster.pid"
            lines = lock.read_text().splitlines()
            if len(lines) > 6:
                subprocess.run(["ipcrm", "-m", lines[6].split()[1]], check=False, capture_output=True)
            lock.unlink()


def _send(process: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)


def _state(process: int) -> str:
    """Its state as ps has it; empty if it is gone."""
    return "".join(_stat(process)[:1])


def _stat(process: int) -> list[str]:
    """The words of its line in /proc from the state on: state, parent ..."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
