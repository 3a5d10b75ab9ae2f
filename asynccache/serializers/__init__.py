"""How values become bytes: one serializer that knows types, one for JSON, one for pickle, and two that wrap another."""

from asynccache.serializers.base import ICacheSerializer
from asynccache.serializers.msgpack import MsgpackSerializer

__all__ = ["ICacheSerializer", "MsgpackSerializer"]
