"""Every chore of this repository is one session, which sets up all it needs.

    python3 noxfile.py demo      serve examples/demo.py and print its address
    python3 noxfile.py tests     run all tests, on real servers
    python3 noxfile.py           list the sessions   (python3 noxfile.py NAME ARGS passes ARGS on)

Python 3.11 with pip is enough; where nox is at hand, `nox -s NAME` does the same.
"""

import json
import os
import signal
import subprocess
import sys
from ast import literal_eval
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from zlib import crc32

ROOT = Path(__file__).resolve().parent
NOX = "nox[uv]==2026.10.20"


def bootstrap() -> Path:
    """Put nox and uv below .nox, once: pip --target asks for no venv and no root, and heeds no PEP 668 marker."""
    tools = ROOT / ".nox" / f"tools-{NOX.rpartition('=')[2]}-{sys.implementation.cache_tag}"
    if not tools.exists():
        if not find_spec("pip"):
            sys.exit("python3 has no pip.  Type: sudo apt-get install -y python3-pip")
        print("setting up nox in .nox (once) ...", file=sys.stderr, flush=True)
        tools.parent.mkdir(exist_ok=True)
        with TemporaryDirectory(prefix="tools-", dir=tools.parent) as folder:
            new = Path(folder, "tools")
            pip_install(new)
            with suppress(OSError):  # somebody else was faster
                new.rename(tools)  # at once: half an installation never bears this name
    return tools


def pip_install(target: Path) -> None:
    """Install nox in `target` with this Python's pip and its settings."""
    options = ["-qq", "--no-input", "--disable-pip-version-check", "--only-binary=:all:", "--target", str(target)]
    env = os.environ | {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
    done = subprocess.run([sys.executable, "-m", "pip", "install", *options, NOX], env=env, check=False)
    if done.returncode:
        sys.exit(f"pip could not install {NOX}; its reason is above")


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - who starts this has read no pyproject.toml
        sys.exit(f"Python 3.11 or later is needed; this is {sys.version.split()[0]}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # kill stops what runs below just as Ctrl-C does
    sys.path.insert(0, str(bootstrap()))
    os.chdir(ROOT)
    if not os.access(os.path.expanduser("~"), os.W_OK):  # noqa: PTH111 - no home is no error
        os.environ.setdefault("UV_CACHE_DIR", str(ROOT / ".nox" / "cache"))

import nox  # noqa: E402 - bootstrap() has put it there
from nox.command import CommandFailed  # noqa: E402 - likewise

nox.needs_version = ">=2025.11"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.reuse_venv = "yes"
nox.options.error_on_external_run = True
nox.options.sessions = []

EVERYTHING = "-e.[all,django,fastapi,flask,litestar,quart]"

APART = {
    "ellar": ["-e.[all,ellar]", "httpx>=0.27"],
    "appengine": ["-e.[all,appengine,flask]"],
    "replit": ["-e.[all]", "replit>=4.1"],
}

BENCH_APART = ["ellar", "starlette-caches"]

SIDE_BY_SIDE = ["-n=3"]  # half of the time, most tests wait for a server or for time to pass
ONE_EACH = ["-n=2"]  # one test for each core: nothing that is timed is to wait for its turn

MOST_ACCIDENTS = 3

UV_NAMES = {  # pip's setting: uv's
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "constraint": "UV_CONSTRAINT",
}


def uv_settings() -> dict[str, str]:
    """Say what pip is configured to do in uv's words: uv reads neither pip.conf nor PIP_*."""
    found = {"UV_PYTHON_DOWNLOADS": "never"}
    if Path("/etc/ssl/certs/ca-certificates.crt").exists():
        found["UV_SYSTEM_CERTS"] = "true"
    for key, value in pip_settings().items():
        if key in UV_NAMES:
            found[UV_NAMES[key]] = ("," if key == "find-links" else " ").join(value.split())
    if "UV_INDEX" in found:
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # as pip does: all indexes are equal
    return {name: value for name, value in found.items() if name not in os.environ}


def pip_settings() -> dict[str, str]:
    """Read pip's configuration for `pip install`; the environment goes before files, [install] before [global]."""
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listing.splitlines():  # global.index-url='...'
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in sections:
            sections[section][key] = literal_eval(value)
    return sections["global"] | sections["install"] | sections[":env:"]


def install(session: nox.Session, *requirements: str, env: dict[str, str] | None = None) -> None:
    """Install, unless the environment has exactly this already: a second run needs no network."""
    wanted = "\n".join([sys.version, *requirements, (ROOT / "pyproject.toml").read_text()])
    stamp = Path(session.virtualenv.location, f"installed-{crc32(' '.join(requirements).encode()):08x}")
    if not stamp.exists() or stamp.read_text() != wanted:
        stamp.unlink(missing_ok=True)
        session.install("--quiet", *requirements, env=uv_settings() | (env or {}))
        stamp.write_text(wanted)


def run_pytest(session: nox.Session, *words: str) -> None:
    """Run pytest; its servers end with it. What is compiled is kept, which saves each of its processes five seconds."""
    env = {"PYTHONDONTWRITEBYTECODE": ""}
    session.run("python", "-m", "pytest", *words, env=env, interrupt_timeout=5, terminate_timeout=10)


def run_together(session: nox.Session, *words: str) -> None:
    """Run tests side by side. Up to three that fail are run once more, alone: where they pass, that is told.

    Thousands of tests on real servers and real time meet a machine that is busy now and then; what is broken fails
    again. More than three are no accident.
    """
    try:
        run_pytest(session, "--cache-clear", *words)
    except CommandFailed:
        noted = ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"
        failed = list(json.loads(noted.read_text())) if noted.exists() else []
        if not 0 < len(failed) <= MOST_ACCIDENTS:
            raise
        run_pytest(session, *failed)
        session.warn(f"UNSTEADY, failed side by side and passed alone, to be looked into: {', '.join(failed)}")


@nox.session
def demo(session: nox.Session) -> None:
    """Serve examples/demo.py on local memory (or --redis URL), and print its address."""
    install(session, "-e.[redis]", "--group=demo")
    session.run("python", "examples/demo.py", *session.posargs, interrupt_timeout=5, terminate_timeout=5)


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests; redis-server and memcached are found or fetched. Without arguments, `floors` comes after."""
    install(session, EVERYTHING, "--group=tests", "--group=peers")
    if session.posargs:
        run_pytest(session, *session.posargs)
    else:
        run_together(session, *SIDE_BY_SIDE, "--dist=loadfile", "-m", "not timed")
        run_together(session, *ONE_EACH, "-m", "timed")
        session.notify("floors")
        for folder in APART:
            session.notify(f"apart({folder})")
        session.notify("pylibmc_built")


@nox.session
def floors(session: nox.Session) -> None:
    """Run the tests that meet Starlette and injector on the lowest versions that pyproject.toml admits."""
    install(session, "--resolution=lowest-direct", "-e.[all]", "--group=tests", "httpx>=0.27")
    meets_more = {"contract_context", "functions", "secrets", "first_snippets"}  # in newer releases
    meets_more |= {"fastapi_app", "litestar_app", "flask_app", "quart_app"}
    of_http = ["tests/http", "--ignore=tests/http/proofs"]  # which are about FastAPI and Litestar, too
    found = sorted([*ROOT.glob("tests/test_*.py"), *ROOT.glob("tests/examples/test_*.py")])
    files = [str(file) for file in found if file.stem.removeprefix("test_") not in meets_more]
    of_starlette = ["tests/integrations/test_starlette.py", "tests/integrations/test_workers.py"]
    chosen = [*of_http, "tests/testing", *of_starlette, *files]
    if session.posargs:
        run_pytest(session, *session.posargs)
    else:
        run_together(session, *SIDE_BY_SIDE, "--dist=loadfile", "-m", "not timed", *chosen)
        run_together(session, *ONE_EACH, "-m", "timed", *chosen)


@nox.session
@nox.parametrize("folder", list(APART), ids=list(APART))
def apart(session: nox.Session, folder: str) -> None:
    """Run the tests below tests/apart: what they meet has pins that clash with those of others."""
    install(session, "--group=tests", *APART[folder])
    run_pytest(session, f"tests/apart/{folder}", *session.posargs)


@nox.session
def pylibmc_built(session: nox.Session) -> None:
    """Test pylibmc as a build on Debian's libmemcached, which is fetched without root; a C compiler is needed."""
    install(session, "-e.[memcached,pymemcache,redis]", "--group=tests")
    listing = session.run("python", "tests/apart/pylibmc_built/libmemcached.py", silent=True)
    settings = dict(line.split("=", 1) for line in str(listing).splitlines())
    install(session, "--no-binary=pylibmc", "pylibmc>=1.6.3,<2", env=settings)
    run_pytest(session, *(session.posargs or ["tests/apart/pylibmc_built", "tests/backends/test_pylib_cache.py"]))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format and which module imports which."""
    install(session, "--group=lint")
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-cache", "--no-logo", silent=True)


@nox.session
def types(session: nox.Session) -> None:
    """Check types."""
    install(session, EVERYTHING, "--group=types")
    session.run("mypy", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation in site/."""
    install(session, "-e.", "--group=docs")
    session.run("mkdocs", "build", "--strict", *session.posargs)


@nox.session
@nox.parametrize("peer", BENCH_APART, ids=BENCH_APART)
def bench_apart(session: nox.Session, peer: str) -> None:
    """Make the environment of a peer that pins what others have newer; `bench` measures it from there."""
    with suppress(CommandFailed):  # its row says that it is not there
        install(session, "-e.", f"--group=bench-{peer}")


@nox.session(requires=[f"bench_apart({peer})" for peer in BENCH_APART])
def bench(session: nox.Session) -> None:
    """Measure, and compare with others: `full` for the long run, letters (A, B ...) for some of the tables."""
    peers = nox.project.dependency_groups(nox.project.load_toml(ROOT / "pyproject.toml"), "bench-peers")
    try:
        install(session, "-e.[all]", "--group=bench", *peers)
    except CommandFailed:  # some peer has nothing for this Python: the others are measured all the same
        install(session, "-e.[all]", "--group=bench")
        for peer in peers:
            with suppress(CommandFailed):
                install(session, peer)
    environments = Path(session.virtualenv.location).parent
    pythons = [f"--python={peer}={environments}/bench_apart-{peer}/bin/python" for peer in BENCH_APART]
    session.run("python", "-m", "benchmarks", *pythons, *session.posargs, interrupt_timeout=5, terminate_timeout=10)


if __name__ == "__main__":
    first, *rest = sys.argv[1:] or ["--list"]
    if not first.startswith("-"):
        first, rest = f"--session={first}", ["--", *(word for word in rest if word != "--")]
    sys.argv[1:] = [f"--noxfile={__file__}", first, *rest]
    nox.main()
