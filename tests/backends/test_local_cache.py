from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.testing import BackendContract, FakeClock


class TestLocalMem(BackendContract):
    def make_backend(self, **options):
        return LocalMemCacheBackend(**options)


class TestLocalMemWithAClockOfItsOwn(BackendContract):
    time_is_free = True

    def make_backend(self, **options):
        self.clock = getattr(self, "clock", None) or FakeClock()
        return LocalMemCacheBackend(clock=self.clock, **options)

    async def pass_time(self, seconds):
        self.clock.advance(seconds)
