"""The table of docs/backends.md, from what the classes declare: `python tests/docs/backend_table.py` writes it anew."""

import re
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "backends.md"
BACKENDS = ROOT / "asynccache" / "backends"
CLASS = re.compile(r"^class (\w+CacheBackend)\(", re.MULTILINE)
BEGIN, END = "<!-- written by tests/docs/backend_table.py -->\n", "<!-- end of what is written -->\n"
CHAIN, TIERS = "FallbackCacheBackend", "TieredCacheBackend"


def backend_classes():
    """Import the backends for users, none of which needs its client for that."""
    found = ((file.stem, CLASS.findall(file.read_text())) for file in sorted(BACKENDS.glob("*.py")))
    return [getattr(import_module(f"asynccache.backends.{module}"), name) for module, names in found for name in names]


def spellings(backend_class):
    """Give the words and URL schemes that mean this backend."""
    from asynccache.config.stores import SCHEMES, WORDS

    path = f"{backend_class.__module__}.{backend_class.__qualname__}"
    words = [f"`{word}`" for word, store in WORDS.items() if store.path == path]
    return [*words, *(f"`{scheme}://`" for scheme, store in SCHEMES.items() if store.path == path)]


def row(backend_class):
    from asynccache.backends.fallback_cache import NO_RIGHTS
    from asynccache.model import Capability

    if backend_class.__name__ == CHAIN:
        promises = ["" if promise in NO_RIGHTS else "as its stores" for promise in Capability]
    elif backend_class.__name__ == TIERS:
        promises = ["as its store"] * len(Capability)
    else:
        promises = ["yes" if promise in backend_class.capabilities else "" for promise in Capability]
    module = backend_class.__module__.removeprefix("asynccache.backends.")
    return [f"`{module}.{backend_class.__name__}`", " ".join(spellings(backend_class)), *promises]


def table():
    from asynccache.model import Capability

    head = ["`asynccache.backends.`", "word or URL", *(promise.value for promise in Capability)]
    rows = [head, ["---"] * len(head), *map(row, backend_classes())]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def written_anew(page):
    """Give the text of the page with the table as it is to be."""
    before, _, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{end}{after}"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PAGE.write_text(written_anew(PAGE.read_text()))
