"""A call of a cached handler in a framework that makes the answer after the handler has returned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from asynccache.http.call import Call

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from asynccache.http.mark import Mark
    from asynccache.http.passage import Passage
    from asynccache.http.reads import Reads
    from asynccache.http.replay import Replay


class LateCall(Call):
    """A call whose answer is recorded by its passage."""

    __slots__ = ("passage",)

    def __init__(
        self, passage: Passage, make: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        super().__init__(make, Request(passage.plain_scope()), args, kwargs)
        self.passage = passage

    @property
    def sees_declared(self) -> bool:
        """Whether the route let its handler see nothing of the query but what it declares."""
        return self.passage.sees_declared

    def hide(self, kept: bytes) -> None:
        """Let the handler see nothing but this of the query, until its answer is sent."""
        self.passage.hide(kept, *self.args, *self.kwargs.values())

    async def body(self) -> bytes:
        """Give the body, which the framework may have read already."""
        return await self.passage.body.whole()

    def watch(self, shared_state: Mapping[str, Any]) -> Reads:
        """Give what was read since the request passed."""
        del shared_state
        reads = self.passage.watch()
        reads.enter()
        return reads

    def replayed(self, found: Replay) -> Any:
        """Let the passage answer from the store."""
        return self.passage.replay(found)

    def recorded(self, answer: Any, mark: Mark | None, label: bytes) -> Any:
        """Let the passage record what the framework makes of the answer."""
        self.passage.record(mark, label)
        return answer
