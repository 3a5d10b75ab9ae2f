"""Every Python block of the README and the docs runs, page by page, from its first to its last."""

import ast
import inspect
import re
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
OF_ELLAR = [page for page in PAGES if page.name == "ellar.md"]  # run where Ellar is: tests/apart/ellar
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page):
    text = page.read_text()
    for found in BLOCK.finditer(text):
        first_line = text[: found.start()].count("\n") + 1
        yield "\n" * first_line + found[1]


async def run_blocks(page, monkeypatch):
    """Run the code of a page in a module of its own."""
    module = types.ModuleType("docs_page")
    module.__file__ = str(page)
    monkeypatch.setitem(__import__("sys").modules, "docs_page", module)
    for source in blocks(page):
        code = compile(source, page.name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        result = types.FunctionType(code, vars(module))()
        if inspect.isawaitable(result):
            await result


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(blocks(page)) and page not in OF_ELLAR], ids=lambda page: page.name
)
async def test_a_pages_code_runs(page, monkeypatch):
    await run_blocks(page, monkeypatch)


def test_there_are_pages_with_code():
    assert sum(len(list(blocks(page))) for page in PAGES) > 20


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text()
    assert [page.name for page in PAGES[1:] if f"- {page.relative_to(ROOT / 'docs')}\n" not in navigation] == []
