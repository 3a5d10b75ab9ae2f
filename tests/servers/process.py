"""A server as a foreground child of the tests: on a free loopback port, with its files in a folder of its own.

It dies with the tests however they end, and is stopped by its own process id, never by a name.  All methods may be
called from any thread, so an async test writes `await asyncio.to_thread(server.restart)` and keeps its loop running.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from tests.servers.finding import Program, find

HOST = "127.0.0.1"
START_SECONDS = 20.0
# Below the range that Linux gives to outgoing connections: none of them takes the port while its server is down, and
# a client that knocks at the closed port cannot be connected to itself.
PORTS = range(20_000, 32_768)
# The kernel ties "die with the parent" to the thread that forked, so one thread that lives to the end forks all.
_forks = ThreadPoolExecutor(1, "servers")
_dice = random.SystemRandom()


class StartError(RuntimeError):
    """A server did not start; the message is its log."""


def free_port() -> int:
    """Give a loopback port that nobody listens on; whoever binds it must still be ready to lose the race."""
    for port in _dice.sample(PORTS, 200):
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise StartError(f"no free port in {PORTS}")


def wait_until(holds: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    """Wait until `holds()`; an OSError in it means not yet."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except OSError:
            pass
        time.sleep(0.005)
    raise TimeoutError(f"{what}: not within {seconds:g} s")


class Server(ABC):
    """A server program and its process: start, kill, freeze, thaw, restart on the same port, stop."""

    program: str
    host = HOST
    orphaned = "KILL"  # the signal it gets when the tests are killed

    def __init__(self) -> None:
        self.port = free_port()
        self._files = TemporaryDirectory(prefix="cache-test-", ignore_cleanup_errors=True)
        self.folder = Path(self._files.name)
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @abstractmethod
    def command(self) -> list[str]:
        """Give the arguments that make the program serve on `self.port` in the foreground."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Tell whether it answers, and the one that answers is this very process."""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        if self._process is None:
            raise RuntimeError(f"{self.program} was not started")
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process runs, or is frozen."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start it on a free port and wait until it answers."""
        try:
            for _ in range(5):
                if self._try_start():
                    return self
                self.port = free_port()  # somebody else was faster
            raise StartError(f"{self.program} does not start: {self.log()}")
        except BaseException:
            self.stop()
            raise

    def restart(self) -> Self:
        """Start it again, empty, on the very same port."""
        self.kill()
        if not self._try_start():
            raise StartError(f"{self.program} does not start again on port {self.port}: {self.log()}")
        return self

    def kill(self) -> None:
        """End it at once, as a crash would (SIGKILL, which works on a frozen one too)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def freeze(self) -> None:
        """Stop it from running; its connections stay open and nothing answers (SIGSTOP)."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        """Let it run on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it and remove its files."""
        self.kill()
        self._files.cleanup()

    def log(self) -> str:
        """Give what the current process has said so far."""
        with (self.folder / "log").open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def _try_start(self) -> bool:
        """Start the process; False if it ended instead of answering."""
        self._process = _forks.submit(self._fork, self.find()).result()
        wait_until(lambda: not self.is_alive or self.is_ready(), f"{self.program} is ready")
        return self.is_alive

    def _fork(self, program: Program) -> subprocess.Popen[bytes]:
        setpriv = shutil.which("setpriv")
        leash = [setpriv, "--pdeathsig", self.orphaned] if setpriv else []
        with (self.folder / "log").open("ab") as log:
            self._log_start = log.tell()
            return subprocess.Popen(
                [*leash, program.path, *self.command()],
                cwd=self.folder,
                env=os.environ | program.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the tests
                **self.identity(),
            )

    def find(self) -> Program:
        """Find the program, and the environment it needs."""
        return find(self.program)

    def identity(self) -> dict[str, Any]:
        """Give `subprocess`'s arguments that tell as whom it runs: as who tests."""
        return {}
