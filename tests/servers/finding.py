"""Find a server's program: on the machine, or fetched from Debian without root; else say what to type."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.fetching import FetchError, unpacked

PACKAGES = {  # program: the Debian packages that hold it
    "redis-server": ("redis-server", "redis-tools"),  # the first is a link into the second
    "memcached": ("memcached",),
    "postgres": ("postgresql",),
    "mariadbd": ("mariadb-server-core",),
    "nginx": ("nginx",),
    "curl": ("curl",),
    "chromium": ("chromium-headless-shell", "chromium-common"),  # half the size of the whole browser
}
PLACES = {  # not on everybody's PATH
    "postgres": "usr/lib/postgresql/*/bin/postgres",
    "mariadbd": "usr/sbin/mariadbd",
    "nginx": "usr/sbin/nginx",
    "chromium": "usr/lib/chromium/chromium-headless-shell",
}
SYSTEM = Path("/")


class Missing(RuntimeError):
    """A program is neither here nor to be had; the message says what to type."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program's path, and the environment variables it needs."""

    path: str
    env: dict[str, str] = field(default_factory=dict)


_found: dict[str, Program | Missing] = {}  # failures too: each test says so at once


def find(name: str) -> Program:
    """Find one of `PACKAGES`; raise `Missing` with the line to type.

    Where the machine has it, that is it.  Else Debian's package is unpacked into a cache folder, which takes no root,
    starts no daemon and changes nothing of the system.
    """
    if name not in _found:
        _found[name] = _look_for(name)
    found = _found[name]
    if isinstance(found, Missing):
        raise found.with_traceback(None)
    return found


def forget() -> None:
    """Let `find` look again."""
    _found.clear()


def _look_for(name: str) -> Program | Missing:
    if path := shutil.which(name) or _within(SYSTEM, name):
        return Program(str(path))
    try:
        return fetched(name)
    except (FetchError, OSError) as reason:
        line = f"sudo apt-get install -y {PACKAGES[name][0]}"
        return Missing(f"{name} is not on PATH and cannot be fetched: {reason}\nType: {line}")


def fetched(name: str) -> Program:
    """Unpack `name` from Debian's packages, once, whatever is on PATH."""
    root = unpacked(PACKAGES[name])
    path = _within(root, name)
    if not path:
        raise FetchError(f"{' '.join(PACKAGES[name])} hold no {name}")
    return Program(str(path), {"LD_LIBRARY_PATH": _library_path(root)})


def _within(root: Path, name: str) -> Path | None:
    """The program below `root`, the highest version of it."""
    found = sorted(root.glob(PLACES.get(name, f"usr/bin/{name}")), key=lambda path: (len(str(path)), path))
    return found[-1] if found else None


def _library_path(root: Path) -> str:
    """The folders of the unpacked libraries, before those that the caller has set."""
    folders = sorted({str(library.parent) for library in root.glob("**/lib/*-linux-*/*.so*")})
    return ":".join([*folders, *filter(None, [os.environ.get("LD_LIBRARY_PATH")])])
