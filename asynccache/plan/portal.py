"""One background thread with a loop, for callers without one that need an asynchronous client.

Started by its first use, never at import; gone and made anew in a forked child; a daemon, so that it keeps no process
alive.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from asynccache.plan.forks import anew_in_child

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable

END_SECONDS = 1.0


class Portal:
    """Finishes awaitables for callers that cannot await."""

    def __init__(self) -> None:
        self.begin_anew()
        anew_in_child(self)

    def begin_anew(self) -> None:
        """Leave loop and thread to the parent, in a forked child."""
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def finish(self, awaitable: Awaitable[Any]) -> Any:
        """Wait in this thread until the portal's loop has finished the awaitable, and return its result."""
        import asyncio

        loop = self.loop()
        if threading.current_thread() is self._thread:
            if isinstance(awaitable, Coroutine):
                awaitable.close()
            raise RuntimeError("a sync call on the portal's own loop would wait for ever: use the *_async twin")
        waiting = asyncio.run_coroutine_threadsafe(_awaited(awaitable), loop)
        try:
            result, stop = waiting.result()
        except BaseException:
            waiting.cancel()
            raise
        if stop is not None:
            raise stop
        return result

    def loop(self) -> asyncio.AbstractEventLoop:
        """Return the portal's running loop; the first call starts it."""
        with self._lock:
            if self._loop is None:
                import asyncio

                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="asynccache-portal", daemon=True)
                self._thread.start()
            return self._loop

    def end(self) -> None:
        """Let the loop close what lives as long as it does (`clients.py`); at the end of the process."""
        if self._loop is not None:
            import asyncio

            with suppress(TimeoutError):
                asyncio.run_coroutine_threadsafe(self._loop.shutdown_asyncgens(), self._loop).result(END_SECONDS)


async def _awaited(awaitable: Awaitable[Any]) -> tuple[Any, BaseException | None]:
    """Give the result, or what was raised to stop the program: it is for the caller, and would end the portal."""
    try:
        return await awaitable, None
    except (KeyboardInterrupt, SystemExit) as stop:
        return None, stop


portal = Portal()
atexit.register(portal.end)
