"""Rows of docs/migrating/django.md that are more than another name: Django's cache beside ours."""

import pytest
from django.core.cache.backends.locmem import LocMemCache

from asynccache import FOREVER, ConfigurationError
from asynccache.config import backend_of


@pytest.fixture
def django():
    cache = LocMemCache("moving", {})
    cache.clear()
    return cache


def test_the_second_argument_of_get_is_a_default_there_and_a_version_here(django, ours):
    ours.set("key", "value")
    django.set("key", "value")
    assert (django.get("key", 7), django.get("none", 7)) == ("value", 7)
    assert (ours.get("key", 7), ours.get("none", default=7)) == (None, 7)


def test_none_is_no_expiry_there_and_the_default_here(django, ours, clock):
    django.set("key", 1, None)
    ours.set("key", 1, None)
    ours.set("endless", 1, FOREVER)
    clock.advance(301)
    assert django.get_backend_timeout(None) is None
    assert ours.get_many(["key", "endless"]) == {"endless": 1}


@pytest.mark.parametrize("seconds", [0, -1])
def test_nothing_or_less_expires_at_once_in_both(django, ours, seconds):
    django.set("key", 1, seconds)
    ours.set("key", 1, seconds)
    assert django.has_key("key") is ours.has_key("key") is False


def test_get_or_set_takes_values_there_and_only_functions_here(django, ours):
    assert django.get_or_set("key", 5) == ours.get_or_set("key", lambda: 5) == 5
    with pytest.raises(TypeError):
        ours.get_or_set("other", 5)


def test_a_missing_counter_is_an_error_there_and_0_here(django, ours):
    with pytest.raises(ValueError, match="not found"):
        django.incr("visits")
    assert ours.incr("visits") == 1


def test_many_have_the_same_shape(django, ours):
    values = {"a": 1, "b": None}
    assert django.set_many(values, 60) == ours.set_many(values, 60) == []
    assert django.get_many(["a", "b", "c"]) == ours.get_many(["a", "b", "c"]) == values
    assert (django.delete_many(["a", "c"]), ours.delete_many(["a", "c"])) == (None, 1)


def test_a_version_goes_on_in_two_steps(django, ours):
    for cache in (django, ours):
        cache.set("key", "value")
    assert django.incr_version("key") == 2
    ours.set("key", ours.get("key"), version=2)
    ours.delete("key")
    for cache in (django, ours):
        assert (cache.get("key"), cache.get("key", version=2)) == (None, "value")


def test_settings_are_read_and_its_classes_and_options_are_refused_with_a_way_out():
    settings = {
        "BACKEND": "local",
        "TIMEOUT": None,
        "KEY_PREFIX": "shop",
        "VERSION": 2,
        "OPTIONS": {"max_entries": 300},
    }
    assert backend_of(settings).stored_key("key") == "shop:2:key"
    with pytest.raises(ConfigurationError, match="'redis' with the same LOCATION"):
        backend_of({"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://localhost"})
    with pytest.raises(ConfigurationError, match="max_entries"):
        backend_of({"BACKEND": "local", "OPTIONS": {"MAX_ENTRIES": 300}})
