"""Whose identity comes with a request, whether anybody reads it or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.authentication import AuthCredentials

from asynccache.http.nameless import are_nameless

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableMapping

    from asynccache.http.headers import Pair

    Scope = MutableMapping[str, Any]

CARRIED_USER = "a logged-in user"
CARRIED_CREDENTIALS = "the request's credentials"


def carried_login(scope: Scope) -> str | None:
    """Tell who is logged in, by a user or else by credentials that are not Starlette's own, which are watched."""
    if "user" in scope and _is_somebody(scope["user"]):
        return CARRIED_USER
    if "auth" in scope and type(scope["auth"]) is not AuthCredentials and _is_somebody(scope["auth"]):
        return CARRIED_CREDENTIALS
    return None


def _is_somebody(login: Any) -> bool:
    """Tell whether this stands for somebody; in doubt, yes."""
    try:
        return bool(getattr(login, "is_authenticated", login))
    except (NotImplementedError, TypeError, ValueError):
        return True


def has_session(scope: Scope) -> bool:
    """Tell whether the request has a session with something in it."""
    session = scope.get("session")
    return dict.__len__(session) > 0 if isinstance(session, dict) else bool(session)


def session_counts(scope: Scope) -> None:
    """Let the session's middleware add `Vary: Cookie`, as it did for the handler that looked into the session."""
    session: Any = scope.get("session")
    tell = getattr(session, "mark_accessed", None)
    if tell is not None:
        tell()
    elif hasattr(session, "accessed"):  # Flask's and Quart's
        session.accessed = True


def is_nobodys(scope: Scope, headers: Iterable[Pair]) -> bool:
    """Tell whether nothing that comes with a request can tell a guard who asks: in doubt, it can."""
    if has_session(scope) or carried_login(scope) is not None:
        return False
    return are_nameless(headers)


def has_own_state(scope: Scope, shared: Mapping[str, object]) -> bool:
    """Tell whether somebody has exchanged for this request what the app's lifespan put into the state."""
    state = scope.get("state", {})
    return any(state.get(key, shared) is not value for key, value in shared.items())


def has_read_body(scope: Scope, request: Any) -> bool:
    """Tell whether a body was read that no header announced, as HTTP/2 allows."""
    kept = getattr(request, "__dict__", {})
    if "_body" in kept:
        return bool(kept["_body"])
    return bool(kept.get("_stream_consumed")) and not str(scope.get("http_version", "1.1")).startswith("1")
