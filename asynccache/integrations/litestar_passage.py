"""A request on its way through Litestar, and what stands for an answer from the store on its way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar.datastructures import Headers
from litestar.dto import AbstractDTO
from litestar.response import Response
from litestar.types.empty import Empty
from litestar.utils.scope.state import CONNECTION_STATE_KEY, ScopeState

from asynccache.http.bodies import PassageReads
from asynccache.http.connections import Cookies
from asynccache.http.current import Installed
from asynccache.http.disguises import Watcher, teach, teach_keyed
from asynccache.http.hiding import Hiding
from asynccache.http.passage import Passage

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler
    from starlette.types import Message

    from asynccache.http.replay import Replay


class LitestarPassage(Passage):
    """A request on its way through Litestar; what is replayed goes out in place of what Litestar makes of it."""

    __slots__ = ()

    def replay(self, found: Replay) -> Response[None]:
        """Give what stands for an answer from the store while Litestar handles it."""
        return Replayed(super().replay(found))

    def _endpoint(self) -> Any:
        return self.scope["route_handler"].fn

    def _hidden(self, kept: bytes, *holders: Any) -> Hiding:
        del holders  # those of Litestar are made later
        whole = self.scope["query_string"]

        def put(query: bytes) -> None:
            self.scope["query_string"] = query
            ScopeState.from_scope(self.scope).parsed_query = Empty  # type: ignore[arg-type]  # any mapping will do

        return Hiding(put, whole, kept)

    def _watch(self, found: Installed) -> PassageReads:
        return _Reads(self.body, self.scope, found)

    def _is_refusal(self, message: Message) -> bool:
        del message  # made of a stand-in
        return False


class Replayed(Response[None]):
    """What stands for an answer from the store while Litestar handles it: empty, whatever a hook does with it."""

    __slots__ = ("_found",)

    def __init__(self, found: Replay) -> None:
        super().__init__(None)
        self._found = found

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """Give what sends the answer."""
        return self._found


class _Reads(PassageReads):
    """What is read of a request in Litestar, which keeps headers and cookies for all who ask later."""

    def _disguise(self) -> None:
        kept = self._kept = ScopeState.from_scope(self._scope)  # type: ignore[arg-type]  # any mapping will do
        self._unwatched = kept.headers, kept.cookies
        super()._disguise()
        kept.headers = WatchedHeaders(self._before["headers"])
        kept.headers.watcher = self
        if isinstance(kept.cookies, dict):
            kept.cookies = Cookies(kept.cookies)
            kept.cookies.watcher = self

    def state_read(self, key: object) -> None:
        if key != CONNECTION_STATE_KEY:
            super().state_read(key)

    def stop(self) -> None:
        if self.active or self._before:
            self._kept.headers, self._kept.cookies = self._unwatched
        super().stop()


class WatchedHeaders(Headers):
    """The headers of a request that is watched."""

    watcher: Watcher


def _asked(headers: WatchedHeaders, name: object) -> None:
    if isinstance(name, str):
        headers.watcher.asked(name.lower().encode("latin-1", "replace"), found=False)


teach_keyed(WatchedHeaders, Headers, "__getitem__ __contains__ get getone getall", _asked)
teach(
    WatchedHeaders,
    Headers,
    "__iter__ __len__ __eq__ __ne__ __repr__ keys values items copy dict multi_items to_header_list",
    lambda headers: headers.watcher.asked_all(),
)


def let_replays_pass(handler: HTTPRouteHandler) -> None:
    """Let the DTO of a handler's answers pass what stands for an answer from the store."""
    dto: type[AbstractDTO[Any]] | None = handler.resolve_return_dto()
    if dto is None:
        return
    encodable = dto.data_to_encodable_type

    def data_to_encodable_type(self: AbstractDTO[Any], data: Any) -> Any:
        return data if isinstance(data, Replayed) else encodable(self, data)

    handler._resolved_return_dto = type(dto.__name__, (dto,), {"data_to_encodable_type": data_to_encodable_type})  # noqa: SLF001  # there is no other way in
