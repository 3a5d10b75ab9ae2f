"""Whose identity comes with a request, whether anybody reads it or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.authentication import AuthCredentials

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    Scope = MutableMapping[str, Any]


def carries_user(scope: Scope) -> bool:
    """Tell whether somebody is logged in; in doubt, yes.

    Credentials of Starlette's own class are watched, and so say nothing by being there.
    """
    if "user" in scope and _is_somebody(scope["user"]):
        return True
    return "auth" in scope and type(scope["auth"]) is not AuthCredentials and _is_somebody(scope["auth"])


def _is_somebody(login: Any) -> bool:
    try:
        return bool(getattr(login, "is_authenticated", login))
    except (NotImplementedError, TypeError, ValueError):
        return True


def has_session(scope: Scope) -> bool:
    """Tell whether the request has a session with something in it."""
    session = scope.get("session")
    return dict.__len__(session) > 0 if isinstance(session, dict) else bool(session)
