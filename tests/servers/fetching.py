"""Fetch Debian packages as any user: apt-get with folders of its own, and dpkg -x into a cache folder.

Nothing is installed: no maintainer script runs, no daemon starts, no file of the system changes.
"""

import fcntl
import os
import platform
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

MINUTES = 60
# Never to be mixed with the system's own, or of no use to a server that runs in the foreground.
SYSTEM = ("libc6", "libc-", "libgcc", "gcc-", "perl", "dpkg", "systemd", "init-system", "adduser", "passwd", "debconf")
BULKY = ("libllvm", "libz3-", "libperl", "locales", "openssl", "ssl-cert")  # of PostgreSQL: its compiler, its scripts


class FetchError(RuntimeError):
    """The packages cannot be had here; the message says why."""


def unpacked(packages: tuple[str, ...]) -> Path:
    """Give the folder that holds these packages and all that they need and this machine lacks."""
    release = platform.freedesktop_os_release()
    name = "+".join([release["ID"], release.get("VERSION_CODENAME", "rolling"), platform.machine(), *packages])

    def unpack(work: Path) -> None:
        _unpack(_download(work, packages), work / "root")

    return made_once(name, unpack)


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """Give the folder of this name in the cache folder; if there is none, `make(work)` makes it as `work / "root"`."""
    folder = cache_folder()
    root = folder / name
    if root.exists():
        return root
    with _locked(folder), tempfile.TemporaryDirectory(dir=folder, prefix="new-") as work:
        if not root.exists():
            make(Path(work))
            Path(work, "root").rename(root)  # at once: an interrupted run leaves nothing by this name
    return root


def cache_folder() -> Path:
    """Give a lasting folder of this user's; root's lies outside of /root, so that its servers may run as others."""
    user = os.geteuid()
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - no home is no error
    bases = [home, f"{tempfile.gettempdir()}/cache-{user}"] if user else ["/var/cache"]
    for folder in (Path(base, "asynccache-servers") for base in bases):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        except OSError:
            continue
        if folder.stat().st_uid == user and os.access(folder, os.W_OK):
            return folder
    raise FetchError(f"no folder to unpack packages in; tried {', '.join(bases)}")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time fetch."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(work: Path, packages: tuple[str, ...]) -> Iterable[Path]:
    """Download the packages, and what apt would install with them."""
    debs = work / "debs"
    for folder in (debs, work / "lists/partial"):
        folder.mkdir(parents=True)
    _apt(work, "update", check=False)  # one unreachable source is no reason to give up
    plan = _apt(work, "--simulate", "install", *packages)
    needed = {line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")}
    parts = {part for package in packages for part in _parts(work, package)}
    wanted = {*packages, *parts, *(name for name in needed if not name.startswith(SYSTEM + BULKY))}
    _apt(work, "download", *sorted(wanted))
    return sorted(debs.glob("*.deb"))


def _parts(work: Path, package: str) -> Iterable[str]:
    """Give what a package without files stands for: `postgresql` for `postgresql-15`, be that installed or not."""
    told = _apt(work, "depends", package, program="apt-cache")
    return [name for name in told.split() if name.removeprefix(f"{package}-").isdecimal()]


def _apt(work: Path, *words: str, program: str = "apt-get", check: bool = True) -> str:
    """Run apt-get on lists and a cache of our own; the system's are root's, and may be old."""
    settings = {
        "Dir::State::Lists": f"{work}/lists",
        "Dir::Cache": f"{work}",
        "Debug::NoLocking": "1",
        "APT::Sandbox::User": "root",
        "APT::Install-Recommends": "0",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    options = [f"-o{name}={value}" for name, value in settings.items()]
    return _run([program, "-q", *options, *words], work / "debs", check=check)


def _unpack(debs: Iterable[Path], root: Path) -> None:
    root.mkdir(mode=0o755)
    for deb in debs:
        _run(["dpkg", "-x", str(deb), str(root)], root)
    root.chmod(0o755)  # dpkg gives it the mode of a package's top folder


def _run(command: list[str], folder: Path, *, check: bool = True) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=5 * MINUTES,
        check=False,
    )
    if check and done.returncode:
        raise FetchError(f"{' '.join([command[0], *command[-2:]])}: {done.stdout.strip()[-300:]}")
    return done.stdout
