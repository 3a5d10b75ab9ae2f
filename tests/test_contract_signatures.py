"""What the page for beginners says of the methods of a service, and what they take."""

import ast
import inspect
import re
from pathlib import Path

import pytest

from asynccache import CacheService, ICacheService

PAGE = Path(__file__).parents[1] / "docs" / "getting-started.md"
ROWS = re.findall(r"^\| ((?:`\w+\([^`]*\)`(?:, )?)+) \|", PAGE.read_text(), re.MULTILINE)
CALLS = [call for row in ROWS for call in re.findall(r"`([^`]+)`", row)]


def test_the_page_tells_of_all_methods_for_entries():
    told = {call.partition("(")[0] for call in CALLS}
    methods = {name for name in vars(ICacheService) | vars(ICacheService.__base__) if not name.startswith("_")}
    assert told == {name for name in methods if f"{name}_async" in methods}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("flavour", ["", "_async"])
def test_what_the_page_names_can_be_given_by_that_name(call, flavour):
    written = ast.parse(call, mode="eval").body
    parameters = inspect.signature(getattr(CacheService, written.func.id + flavour)).parameters
    for argument in written.args:
        name = argument.value.id if isinstance(argument, ast.Starred) else argument.id
        assert name in parameters
    for keyword in written.keywords:
        assert parameters[keyword.arg].default == ast.literal_eval(keyword.value)
