"""Tag templates: which are templates, and what they make of arguments."""

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from pathlib import PurePosixPath
from uuid import UUID

import pytest

from asynccache.core.tags import TagTemplates, tagged
from asynccache.errors import ConfigurationError


class Colour(Enum):
    RED = 1


class Shade(StrEnum):
    DARK = "dark"


def written(*templates, **values):
    return TagTemplates(templates).written(values)


@pytest.mark.parametrize(
    ("template", "values", "tag"),
    [
        ("users", {}, "users"),
        ("user:{user_id}", {"user_id": 7}, "user:7"),
        ("user:{user_id}", {"user_id": "7"}, "user:7"),
        ("{a}:{b}", {"a": "x", "b": "y"}, "x:y"),
        ("{a}-{a}", {"a": 1}, "1-1"),
        ("{{{a}}}", {"a": 1}, "{1}"),
        ("{{a}}", {}, "{a}"),
        ("a{{{b}", {"b": 1}, "a{1"),
        ("t:{a}", {"a": ""}, "t:"),
        ("ключ:{имя}", {"имя": "ж"}, "ключ:ж"),
    ],
)
def test_a_name_in_braces_stands_for_the_argument(template, values, tag):
    assert written(template, **values) == (tag,)


@pytest.mark.parametrize("value", ["{b}", "{{b}}", "}{", "{", "{b.__class__}", "%s", "{0}"])
def test_braces_in_an_argument_are_letters(value):
    assert written("t:{a}:{b}", a=value, b="secret") == (f"t:{value}:secret",)


def test_arguments_that_differ_in_braces_make_different_tags():
    values = ["{a}", "{{a}}", "{", "{{", "a", "{a", "a}"]
    assert len({written("t:{a}", a=value) for value in values}) == len(values)


@pytest.mark.parametrize(
    "value",
    [
        7, True, None, 1.5, "text", Colour.RED, Shade.DARK, Decimal("1.50"), UUID(int=5), date(2026, 1, 2),
        datetime(2026, 1, 2, 3, 4, tzinfo=UTC), PurePosixPath("/a/b"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_plain_values_are_written_as_an_f_string_writes_them(value):
    assert written("t:{value}", value=value) == (f"t:{value}",)


@pytest.mark.parametrize(
    "value", [object(), [1], {"a": 1}, b"x", (1, 2), print], ids=lambda value: type(value).__name__
)
def test_what_has_no_one_text_is_refused(value):
    with pytest.raises(TypeError, match="'value' is a"):
        written("t:{value}", value=value)


@pytest.mark.parametrize(
    "template", ["{a.b}", "{a[0]}", "{a!r}", "{a:>5}", "{}", "{0}", "{ a}", "{a b}", "{", "}", "x{a", "a}", "{a}{b}"]
)
def test_anything_but_a_name_in_braces_is_refused_at_once(template):
    with pytest.raises(ConfigurationError):
        TagTemplates([template])


def test_a_list_among_tags_is_no_tag():
    with pytest.raises(TypeError, match=r"a tag is a str, not list: \['a', 'b'\]"):
        tagged((["a", "b"],))


@pytest.mark.parametrize("given", ["user:{a}", b"user", 5, [5], [None], [b"x"]], ids=repr)
def test_what_is_no_list_of_texts_is_refused_at_once(given):
    with pytest.raises(TypeError):
        TagTemplates(given)


@pytest.mark.parametrize("given", [[""], ["a\0b"]])
def test_empty_tags_and_nul_are_refused_at_once(given):
    with pytest.raises(ValueError, match="is no tag"):
        TagTemplates(given)


@pytest.mark.parametrize("value", ["", "a\0b"])
def test_arguments_that_make_no_tag_are_refused(value):
    with pytest.raises(ValueError, match="is no tag"):
        written("{a}", a=value)


def test_an_argument_that_is_not_there_is_named():
    with pytest.raises(ConfigurationError, match=r"'user_id'.*\['id'\]"):
        written("user:{user_id}", id=5)


def test_it_knows_the_names_that_it_needs():
    templates = TagTemplates(["all", "user:{user_id}", "{shop}:{user_id}"])
    assert templates.names == {"user_id", "shop"}
    assert templates
    assert not TagTemplates()


def test_the_same_tag_is_there_once():
    assert written("{a}", "{b}", a=1, b="1") == ("1",)
