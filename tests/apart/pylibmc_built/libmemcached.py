"""Debian's libmemcached without root: print the settings with which pylibmc is built on it, a line each.

    python tests/apart/pylibmc_built/libmemcached.py        # CFLAGS=... LDFLAGS=...

With these in the environment, `pip install --no-binary=pylibmc pylibmc` (or uv) builds it; the library is then found by
its path, so nothing is to be set to run it.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.servers.fetching import unpacked

PACKAGES = ("libmemcached-dev", "zlib1g-dev")


def settings() -> dict[str, str]:
    """Give the environment for the build; fetches the library the first time."""
    root = unpacked(PACKAGES)
    headers = {str(header.parents[1]) for header in root.glob("usr/include/**/libmemcached/memcached.h")}
    headers |= {str(header.parent) for header in root.glob("usr/include/**/zconf.h")} | {str(root / "usr/include")}
    libraries = sorted({str(library.parent) for library in root.glob("**/lib/**/libmemcached.so*")})
    return {
        "CFLAGS": " ".join(f"-I{folder}" for folder in sorted(headers)),
        "LDFLAGS": " ".join([f"-L{folder} -Wl,-rpath,{folder}" for folder in libraries]),
        "PIP_NO_CACHE_DIR": "1",  # a build kept there would be installed elsewhere, too
        "UV_NO_CACHE": "1",
    }


if __name__ == "__main__":
    for name, value in settings().items():
        print(f"{name}={value}")
