"""Options that every backend takes, and what is told of wrong ones."""

import pytest

from asynccache import ConfigurationError
from asynccache.backends.dummy_cache import DummyCacheBackend
from asynccache.serializers import MsgpackSerializer


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"serializer": "json"}, "serializer='json'.*instance"),
        ({"serializer": MsgpackSerializer}, "serializer=.*instance"),
        ({"clock": 7.0}, "clock=7.0.*function"),
        ({"key_prefix": None}, "key_prefix=None.*str"),
    ],
)
def test_options_that_cannot_work_are_refused_at_once(option, said):
    with pytest.raises(ConfigurationError, match=said):
        DummyCacheBackend(**option)
