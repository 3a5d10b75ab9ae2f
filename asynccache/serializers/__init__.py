"""How values become bytes: one serializer that knows types, one for JSON, one for pickle, and two that wrap another."""

from asynccache.serializers.base import ICacheSerializer
from asynccache.serializers.compressed import Compressed
from asynccache.serializers.json import JSONSerializer
from asynccache.serializers.msgpack import MsgpackSerializer
from asynccache.serializers.pickle import PickleSerializer
from asynccache.serializers.signed import Signed

__all__ = ["Compressed", "ICacheSerializer", "JSONSerializer", "MsgpackSerializer", "PickleSerializer", "Signed"]
