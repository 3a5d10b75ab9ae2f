"""Flask: what `@Evicts` notes is done before the answer is given to the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask, request

from asynccache.http.evictions import begin, end, evicting
from asynccache.integrations.extensions import found_on

if TYPE_CHECKING:
    from collections.abc import Callable


def dispatch_evicting(app: Flask, dispatch: Callable[..., Any], *args: Any) -> Any:
    """Answer a request, whose evictions are done before its answer is given away."""
    if not evicting:
        return dispatch(*args)
    evictions, token = begin(found_on(app).service, {"method": request.method})
    try:
        response = dispatch(*args)
        if evictions is not None:
            evictions.do_in_thread(response.status_code)
        return response
    finally:
        end(evictions, token)
