"""Apps of Flask and of Quart, made and asked alike."""

import asyncio
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from werkzeug.datastructures import Headers

from asynccache import CacheModule


@dataclass
class Answer:
    """What came back to a client."""

    status_code: int
    headers: Any
    content: bytes

    @property
    def text(self):
        return self.content.decode()


class Site:
    """An app with a cache.

    Args:
        framework: "flask" or "quart".
        modules: of its cache; None: local memory.
        cached: whether it has one.
    """

    def __init__(self, framework, modules=None, *, cached=True):
        self.framework = framework
        self.web = import_module(framework)
        self.views = import_module(f"{framework}.views")
        self.app = (self.web.Flask if framework == "flask" else self.web.Quart)(__name__)
        self.app.secret_key = "secret"
        self.integration = import_module(f"asynccache.integrations.{framework}")
        if cached:
            self.integration.Caching(self.app, modules or CacheModule.setup(default="local"))

    async def ask(self, path="/", *, method="GET", headers=None, **options):
        """Ask as a client without cookies of its own."""
        if self.framework == "flask":
            return await asyncio.to_thread(self._ask, path, method, headers, options)
        options = {"scope_base": {"client": ("1.2.3.4", 5)}} | options
        response = await self.app.test_client(use_cookies=False).open(path, method=method, headers=headers, **options)
        headers = Headers(response.headers)  # Quart counts what it reads
        return Answer(response.status_code, headers, await response.get_data(as_text=False))

    def _ask(self, path, method, headers, options):
        with self.app.test_client(use_cookies=False).open(path, method=method, headers=headers, **options) as response:
            return Answer(response.status_code, response.headers, response.get_data())

    def signed(self, **session):
        """Give the header of a client that has this session."""
        value = self.app.session_interface.get_signing_serializer(self.app).dumps(session)
        return {"cookie": f"session={value}"}
