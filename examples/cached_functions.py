"""Cache a function for whoever calls it: request handlers, a worker, a script, in one process or in several.

Run it: python -m examples.cached_functions
"""

import asyncio
import sys
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from asynccache import CacheModule, CacheService, cached, install

NAMES = {7: "Ada", 8: "Grace"}


@dataclass(frozen=True)
class Profile:
    """What is cached; the annotation of `profile` lets it be stored."""

    user_id: int
    name: str

    @cached(ttl=60)
    def greeting(self, language: str = "en") -> str:
        """Greet; the fields of a frozen dataclass are part of the key."""
        print(f"greeting {self.name} in {language}")
        return {"en": "Hello", "fr": "Bonjour"}[language] + f" {self.name}"


@cached(ttl=3600)
async def profile(user_id: int) -> Profile:
    """Ask the database, as it were."""
    print(f"loading {user_id}")
    return Profile(user_id, NAMES[user_id])


async def show(request: Request) -> JSONResponse:
    found = await profile(request.path_params["user_id"])
    return JSONResponse({"name": found.name, "greeting": found.greeting(request.query_params.get("language", "en"))})


async def rename(request: Request) -> JSONResponse:
    user_id = request.path_params["user_id"]
    NAMES[user_id] = request.query_params["name"]
    return JSONResponse({"was_cached": await profile.invalidate_async(user_id)})


def make_app(backend: str = "local") -> Starlette:
    """Make the app; its service is looked for when a function is called, not when this module is imported."""
    routes = [
        Route("/users/{user_id:int}", show),
        Route("/users/{user_id:int}", rename, methods=["PUT"]),
    ]
    app = Starlette(routes=routes)
    install(app, CacheModule.setup(default=backend))
    return app


async def worker(backend: str = "local", *user_ids: int) -> list[str]:
    """Use the same function without a web app."""
    async with CacheService(default=backend):
        profiles = await asyncio.gather(*(profile(user_id) for user_id in user_ids or (7, 7, 8)))
        return [each.name for each in profiles]


if __name__ == "__main__":
    print(asyncio.run(worker(*sys.argv[1:2], *map(int, sys.argv[2:]))))
