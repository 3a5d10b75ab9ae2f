"""The requests, responses and dependencies of web frameworks, known by their names, so that none is imported."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_REQUESTS = {
    "starlette.requests.HTTPConnection",
    "litestar.connection.base.ASGIConnection",
    "werkzeug.sansio.request.Request",  # Flask, Quart
    "django.http.request.HttpRequest",
}
_RESPONSES = {
    "starlette.responses.Response",
    "litestar.response.base.Response",
    "werkzeug.sansio.response.Response",
    "django.http.response.HttpResponseBase",
}
_ANSWERS = {
    "starlette.exceptions.HTTPException",
    "litestar.exceptions.http_exceptions.HTTPException",
    "ellar.common.exceptions.base.APIException",
    "werkzeug.exceptions.HTTPException",
}
_DEPENDENCIES = {"fastapi.params.Depends"}


def is_request(kind: Any) -> bool:
    """Tell whether a class is that of requests."""
    return not _REQUESTS.isdisjoint(_names(kind))


def is_response(kind: Any) -> bool:
    """Tell whether a class is that of responses."""
    return not _RESPONSES.isdisjoint(_names(kind))


def is_dependency(marker: object) -> bool:
    """Tell whether a default, or what an annotation carries, says that the framework fills a parameter in."""
    return not _DEPENDENCIES.isdisjoint(_names(type(marker)))


def status_of(error: Exception) -> int | None:
    """Give the status that an exception stands for; None for one that is none of a web framework's."""
    if _ANSWERS.isdisjoint(_names(type(error))):
        return None
    status = getattr(error, "status_code", getattr(error, "code", None))
    return status if isinstance(status, int) else None


def _names(kind: Any) -> Iterator[str]:
    for base in getattr(kind, "__mro__", ()):
        yield f"{base.__module__}.{base.__qualname__}"
