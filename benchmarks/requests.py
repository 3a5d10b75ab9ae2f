"""Table D: the server's CPU time for a request, against a route that returns a ready response, and other caches.

Each app has a server of its own; one client asks them in turns, and the CPU clock of each process is read from outside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack

from benchmarks.measuring import Row, Subject, Table, in_turns
from benchmarks.options import Options
from benchmarks.request_apps import PAGES
from benchmarks.request_serving import Server
from tests.servers import Redis

APPS = "benchmarks.request_apps:"
FRAMEWORKS = "benchmarks.request_frameworks:"
BARE = "Starlette, a ready response"
OURS = "asynccache @Cache, Starlette"
RAW = "a bare ASGI app"
BEFORE = "asynccache CacheMiddleware"
READY = "a ready response"
ALIKE = "a ready response with a hit's headers"
UNCACHED = "asynccache beside it, not cached"
HIT = "asynccache @Cache"

ROUTED = {
    BARE: f"{APPS}bare",
    OURS: f"{APPS}cached",
    ALIKE: f"{APPS}bare_like_a_hit",
    UNCACHED: f"{APPS}uncached",
    "cashews, Starlette": f"{APPS}cashews",
    "Litestar's own": f"{FRAMEWORKS}litestar_own",
    "fastapi-cache2": f"{FRAMEWORKS}fastapi_cache",
    "Ellar's own": f"{FRAMEWORKS}ellar_own",
}
BEFORE_ROUTING = {
    RAW: f"{APPS}raw",
    BEFORE: f"{APPS}before_routing",
    "asynccache @Cache(edge=True)": f"{APPS}edge",
    "starlette-caches": f"{APPS}starlette_caches",
}
FASTAPI = {
    READY: f"{FRAMEWORKS}fastapi",
    UNCACHED: f"{FRAMEWORKS}fastapi_uncached",
    HIT: f"{FRAMEWORKS}fastapi_cached",
    f"{HIT}, a dependency before it": f"{FRAMEWORKS}fastapi_cached_below_a_dependency",
    "cashews": f"{FRAMEWORKS}fastapi_cashews",
    "fastapi-cache2": f"{FRAMEWORKS}fastapi_cache",
}
LITESTAR = {
    READY: f"{FRAMEWORKS}litestar",
    UNCACHED: f"{FRAMEWORKS}litestar_uncached",
    HIT: f"{FRAMEWORKS}litestar_cached",
    "Litestar's own": f"{FRAMEWORKS}litestar_own",
}
ELLAR = {
    READY: f"{FRAMEWORKS}ellar",
    UNCACHED: f"{FRAMEWORKS}ellar_uncached",
    HIT: f"{FRAMEWORKS}ellar_cached",
    "Ellar's own": f"{FRAMEWORKS}ellar_own",
}
OURS_ONLY = (BARE, OURS, ALIKE, RAW, BEFORE, "asynccache @Cache(edge=True)")
UNCACHED_WANTED = {UNCACHED: "<= 10 us more"}
ROUTED_WANTED = {
    OURS: "<= 1 x",
    **UNCACHED_WANTED,
    "fastapi-cache2": ">= 10 x ours",
    "Ellar's own": ">= 10 x ours",
    "Litestar's own": ">= 2 x ours",
    "cashews, Starlette": ">= 2 x ours",
}
SERVERS = {"h11": "uvicorn (h11)", "httptools": "uvicorn (httptools)", "granian": "granian"}


def run(options: Options) -> Iterator[Table]:
    for kind in SERVERS:
        routed, before = (_only(apps, kind) for apps in (ROUTED, BEFORE_ROUTING))
        yield from _asked(options, "a hit of {} bytes", routed, lambda _: ROUTED_WANTED, OURS, kind)
        yield from _asked(options, "{} bytes before routing", before, _before, BEFORE, kind)
    for name, apps, bound in (("FastAPI", FASTAPI, 1.2), ("Litestar", LITESTAR, 1.6), ("Ellar", ELLAR, 1.2)):
        wanted = {HIT: f"<= {bound} x", **UNCACHED_WANTED}
        yield from _asked(options, f"{name}, {{}} bytes", apps, lambda _, wanted=wanted: wanted, HIT, paths=["/small"])
    yield _stores(options)
    yield _inside(options)


def _only(apps: Mapping[str, str], kind: str) -> Mapping[str, str]:
    """Leave the peers to one server: what they cost beside us does not depend on it."""
    return apps if kind == "h11" else {name: app for name, app in apps.items() if name in OURS_ONLY}


def _before(size: int) -> dict[str, str]:
    return {BEFORE: "<= 1.1 x" if size < 10_000 else "<= 1.2 x", "starlette-caches": ">= 2 x ours"}


def _asked(
    options: Options,
    title: str,
    apps: Mapping[str, str],
    wanted: Callable[[int], Mapping[str, str]],
    ours: str,
    kind: str = "h11",
    *,
    paths: Iterable[str] = PAGES,
) -> Iterator[Table]:
    with ExitStack() as servers:
        started = {name: _started(servers, options, app, kind) for name, app in apps.items()}
        for path in paths:
            rows = _rows(options, {name: server.asked(path) for name, server in started.items()})
            said = f"{title.format(PAGES[path])}, {SERVERS[kind]}"
            goals = {name: goal for name, goal in wanted(PAGES[path]).items() if name in apps}
            yield Table(f"D. CPU of a request: {said}", rows, next(iter(apps)), goals, ours=ours)


def _started(servers: ExitStack, options: Options, app: str, kind: str, *arguments: str) -> Server:
    server = Server(options.python(_environment(app)), app, kind, *arguments)
    servers.callback(server.close)
    return server


def _environment(app: str) -> str:
    if ":ellar" in app:
        return "ellar"
    return "starlette-caches" if app.endswith(":starlette_caches") else ""


def _rows(options: Options, subjects: Mapping[str, Subject]) -> list[Row]:
    return in_turns(subjects, 150, rounds=12 if options.quick else 60, seconds=2 if options.quick else 12)


def _stores(options: Options) -> Table:
    """Tell what it costs where the page is, and what a request for a page that nobody has."""
    with Redis() as redis, ExitStack() as servers:
        started = {
            BARE: _started(servers, options, f"{APPS}bare", "h11"),
            "@Cache over local memory": _started(servers, options, f"{APPS}cached", "h11"),
            "@Cache over memory before Redis": _started(servers, options, f"{APPS}tiered", "h11", redis.url),
            "@Cache over Redis": _started(servers, options, f"{APPS}cached", "h11", redis.url),
        }
        subjects = {name: server.asked("/small") for name, server in started.items()}
        missing = _started(servers, options, f"{APPS}missing", "h11")
        subjects["@Cache over local memory, a miss"] = missing.asked("/small", anew=True)
        rows = _rows(options, subjects)
    wanted = {"@Cache over memory before Redis": "<= 1.1 x @Cache over local memory"}
    title = "D. CPU of a request: 800 bytes from each store, uvicorn (h11)"
    return Table(title, rows, BARE, wanted, ours="@Cache over local memory")


def _inside(options: Options) -> Table:
    """Tell what is left without a server."""
    made = "benchmarks.request_inside:asking"
    apps = ROUTED | BEFORE_ROUTING
    subjects = {name: options.elsewhere(_environment(app), made, app, "/small") for name, app in apps.items()}
    rows = in_turns(subjects, 300, rounds=12 if options.quick else 60, seconds=4 if options.quick else 20)
    title = "D. CPU of a request: 800 bytes, no server, all messages are dropped"
    return Table(title, rows, BARE, ROUTED_WANTED, ours=OURS)
