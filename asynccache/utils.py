"""What a handler is called."""

from __future__ import annotations

from typing import Any


def get_name(handler: Any) -> str:
    """Return the name of a function, method or class; of any other object, that of its class."""
    return str(getattr(handler, "__name__", type(handler).__name__))
