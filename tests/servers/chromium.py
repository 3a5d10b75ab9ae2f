"""Launch a browser without a window, and tell it what to do over two pipes: no port, and no library."""

import json
import os
import select
import time
from pathlib import Path
from typing import Any

from tests.servers.finding import Program, find
from tests.servers.process import START_SECONDS, Server

FLAGS = (
    "--headless",
    "--no-sandbox",  # root has to
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=BackForwardCache",  # which would show the page again as it was left, and ask no cache at all
    "--remote-debugging-pipe",
)
TOLD, TELLS = "told", "tells"


class Chromium(Server):
    """A Chromium of our own, with a profile of its own."""

    program = "chromium"

    def __init__(self) -> None:
        super().__init__()
        self._pipes: _Pipes | None = None
        for pipe in (TOLD, TELLS):
            os.mkfifo(self.folder / pipe)

    def find(self) -> Program:
        """Give the shell that puts the pipes where the browser looks for them."""
        return Program("/bin/sh", find(self.program).env)

    def command(self) -> list[str]:
        """Listen on no port."""
        browser = [find(self.program).path, *FLAGS, f"--user-data-dir={self.folder}", "about:blank"]
        return ["-c", f'exec "$0" "$@" 3<{TOLD} 4>{TELLS}', *browser]

    def is_ready(self) -> bool:
        """Ask it for its version."""
        self._pipes = _Pipes(self.folder)
        try:
            return bool(self.tools.call("Browser.getVersion"))
        except ConnectionError:  # it has ended, or is about to: nobody will open the pipes once more
            self._pipes.close()
            self._pipes = None
            self.kill()
            return False

    def stop(self) -> None:
        """End it."""
        super().stop()
        if self._pipes is not None:
            self._pipes.close()

    @property
    def tools(self) -> "_Pipes":
        """The DevTools of the running browser."""
        if self._pipes is None:
            raise RuntimeError("the browser was not started")
        return self._pipes

    def tab(self) -> "Tab":
        """Open a window with a cache, cookies and a history of its own, as a private window has them."""
        return Tab(self.tools)


class Tab:
    """A window of one tab: where it goes, and what it shows."""

    def __init__(self, tools: "_Pipes") -> None:
        self._tools = tools
        self._context = tools.call("Target.createBrowserContext")["browserContextId"]
        target = tools.call("Target.createTarget", url="about:blank", browserContextId=self._context)["targetId"]
        self._session = tools.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._do("Page.enable")

    def open(self, url: str) -> str:
        """Go to an address, as a link does, and give what is shown."""
        return self._shown_after("Page.navigate", url=url)

    def reload(self, *, past_the_cache: bool = False) -> str:
        """Press the button, or Shift and the button."""
        return self._shown_after("Page.reload", ignoreCache=past_the_cache)

    def back(self) -> str:
        """Press the other one."""
        history = self._do("Page.getNavigationHistory")
        entry = history["entries"][history["currentIndex"] - 1]
        return self._shown_after("Page.navigateToHistoryEntry", entryId=entry["id"])

    def run(self, script: str) -> Any:
        """Run a script in the page, and give its value once it has one."""
        done = self._do("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in done:
            raise RuntimeError(done["exceptionDetails"])
        return done["result"].get("value")

    def close(self) -> None:
        """Close the window; its cache and its cookies are gone."""
        self._tools.call("Target.disposeBrowserContext", browserContextId=self._context)

    def _shown_after(self, method: str, **params: Any) -> str:
        self._tools.events.clear()
        done = self._do(method, **params)
        if "errorText" in done:
            raise ConnectionError(done["errorText"])
        self._tools.wait_for("Page.loadEventFired", self._session)
        return str(self.run("document.body.textContent"))

    def _do(self, method: str, **params: Any) -> dict[str, Any]:
        return self._tools.call(method, self._session, **params)


class _Pipes:
    """The DevTools protocol: JSON with a NUL behind it, both ways."""

    def __init__(self, folder: Path) -> None:
        self._tell = os.open(folder / TOLD, os.O_WRONLY)  # waits until the other end is open, in the same order there
        self._hear = os.open(folder / TELLS, os.O_RDONLY)
        self.events: list[dict[str, Any]] = []
        self._heard = b""
        self._calls = 0

    def call(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        """Give a command, and wait for what comes of it."""
        self._calls += 1
        command = {"id": self._calls, "method": method, "params": params}
        os.write(self._tell, json.dumps(command | ({"sessionId": session} if session else {})).encode() + b"\0")
        while (message := self._message()).get("id") != self._calls:
            self.events.append(message)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']}")
        return dict(message["result"])

    def wait_for(self, event: str, session: str) -> None:
        """Wait until something has happened that is not heard of yet."""
        while not any(known.get("method") == event and known.get("sessionId") == session for known in self.events):
            self.events.append(self._message())

    def close(self) -> None:
        """Close our ends."""
        os.close(self._tell)
        os.close(self._hear)

    def _message(self) -> dict[str, Any]:
        deadline = time.monotonic() + START_SECONDS
        while b"\0" not in self._heard:
            if not select.select([self._hear], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError("the browser says nothing")
            if not (told := os.read(self._hear, 65536)):
                raise ConnectionError("the browser has ended")
            self._heard += told
        message, _, self._heard = self._heard.partition(b"\0")
        return dict(json.loads(message))
