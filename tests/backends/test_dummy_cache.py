from asynccache.backends.dummy_cache import DummyCacheBackend
from asynccache.testing.contract import ForgettingContract


class TestDummy(ForgettingContract):
    def make_backend(self, **options):
        return DummyCacheBackend(**options)
