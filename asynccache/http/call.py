"""One call of a cached handler: its request, how to make it, and how answers leave the framework it runs in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from asynccache.http.hiding import hiding
from asynccache.http.reads import Reads
from asynccache.http.recorder import Recorder
from asynccache.http.renewals import begin, entrance_of
from asynccache.plan.io import LOOP

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    from asynccache.http.hiding import Hiding
    from asynccache.http.mark import Mark
    from asynccache.http.renewals import Renewal
    from asynccache.http.replay import Replay
    from asynccache.loading.running import Runner
    from asynccache.plan.io import IO


class Call:
    """A call in Starlette; other frameworks have a class of their own, which says what is different there.

    Args:
        make: calls the handler.
        request: what the handler is given, and key callbacks: it bears the ASGI `scope`.
        args: of the call.
        kwargs: of the call.
    """

    __slots__ = ("args", "hiding", "kwargs", "make", "request")
    io: ClassVar[IO] = LOOP
    """How its plans wait."""

    def __init__(
        self, make: Callable[..., Awaitable[Any]], request: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.make = make
        self.request = request
        self.args = args
        self.kwargs = kwargs
        self.hiding: Hiding | None = None

    @property
    def scope(self) -> MutableMapping[str, Any]:
        """The ASGI scope of its request, in which nothing is watched."""
        return self.request.scope  # type: ignore[no-any-return]

    def run(self) -> Awaitable[Any]:
        """Call the handler."""
        return self.make(*self.args, **self.kwargs) if self.hiding is None else self._run_hidden(self.hiding)

    async def _run_hidden(self, hiding: Hiding) -> Any:
        with hiding:
            return await self.make(*self.args, **self.kwargs)

    @property
    def sees_declared(self) -> bool:
        """Whether its handler sees nothing of the query but what its route declares."""
        return False

    def hide(self, kept: bytes) -> None:
        """Let its handler see nothing but this of the query."""
        self.hiding = hiding(self.request.scope, kept, self.request)

    async def body(self) -> bytes:
        """Give the body of the request."""
        return await self.request.body()  # type: ignore[no-any-return]

    def watch(self, shared_state: Mapping[str, Any]) -> Reads:
        """Give what is read of the request from now on, or from before its dependencies were called."""
        return Reads(self.request.scope, self.request, shared_state)

    def replayed(self, found: Replay) -> Any:
        """Give what the wrapper returns for an answer from the store."""
        return found

    @property
    def can_be_renewed(self) -> bool:
        """Whether a request like this can be sent again."""
        return entrance_of(self.scope) is not None

    def renew(self, renewal: Renewal, runner: Runner) -> None:
        """Begin to send a request like this again, whose answer renews the page."""
        entrance = entrance_of(self.scope)
        if entrance is not None:
            begin(renewal, entrance, runner)

    def recorded(self, answer: Any, mark: Mark | None, label: bytes) -> Any:
        """Give what the wrapper returns for the handler's own answer, which is to be recorded where there is a mark."""
        return Recorder(answer, mark, label, self.hiding)
