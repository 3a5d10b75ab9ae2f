"""What is known of servers that change their places: who looks again, and when."""

from time import monotonic

import pytest

from asynccache.backends.outage import Due
from asynccache.backends.redis_survey import Survey
from asynccache.errors import BackendUnavailableError
from asynccache.plan.io import LOOP


class Looks:
    """Finds "old", then fails, and finds "new" from the third time on."""

    def __init__(self, *, news):
        self.count = 0
        self.news = news
        self.survey = Survey(self.look, BackendUnavailableError)

    async def look(self, io, due):
        self.count += 1
        if self.count == 2:
            if self.news:
                self.survey.doubt_at_once()
            raise BackendUnavailableError("the old one is gone, and there is no other yet")
        return "old" if self.count == 1 else "new"

    async def current(self):
        return await self.survey.current(LOOP, Due(monotonic() + 5))


@pytest.mark.parametrize(("news", "found"), [(True, "new"), (False, "old")])
async def test_news_that_come_while_a_look_fails_are_not_put_off_as_the_next_look_is(news, found):
    looks = Looks(news=news)
    assert await looks.current() == "old"
    looks.survey.doubt_at_once()
    assert await looks.current() == "old"
    assert await looks.current() == found
