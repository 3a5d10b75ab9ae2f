"""Whose request is sent to an app where no client asked: it has no body, stays, and takes no notice of the answer."""

from __future__ import annotations

from typing import Any

import anyio


class Nobody:
    """A client that asks once."""

    def __init__(self) -> None:
        self._has_asked = False

    async def receive(self) -> Any:
        """Give the empty body, and then nothing for ever."""
        if self._has_asked:
            await anyio.sleep_forever()
        self._has_asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Any) -> None:
        """Take a message of the answer."""
