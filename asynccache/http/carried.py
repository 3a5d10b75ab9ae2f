"""Whose identity comes with a request, whether anybody reads it or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    Scope = MutableMapping[str, Any]


def carries_user(scope: Scope) -> bool:
    """Tell whether somebody is logged in; in doubt, yes."""
    if "user" not in scope:
        return False
    try:
        return bool(scope["user"].is_authenticated)
    except (AttributeError, NotImplementedError):
        return True


def has_session(scope: Scope) -> bool:
    """Tell whether the request has a session with something in it."""
    session = scope.get("session")
    return dict.__len__(session) > 0 if isinstance(session, dict) else bool(session)
