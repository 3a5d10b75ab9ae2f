"""What functions and classes are called by every process, however it was started."""

from __future__ import annotations

import sys
from typing import Any

_MAIN = {"__main__", "__mp_main__"}


def full_name(thing: Any) -> str:
    """Give the module-qualified name of a function or class.

    The module that `python -m package.module` runs is called by the name under which others import it.
    """
    module = thing.__module__
    if module in _MAIN:
        spec = getattr(sys.modules.get(module), "__spec__", None)
        module = "__main__" if spec is None else spec.name
    return f"{module}.{thing.__qualname__}"
