"""What an answer is said to allow when it is over."""

import pytest

from asynccache.http.explaining import Answered
from asynccache.http.explaining_answers import of_answer
from asynccache.http.profile import Rules
from asynccache.http.requests import Request


@pytest.mark.parametrize(
    ("control", "what", "means"),
    [
        ("no-cache", "stale use", "it says no-cache"),
        ("must-revalidate", "stale use", "it says must-revalidate"),
        ("s-maxage=60", "stale use", "it says s-maxage"),
        ('no-cache="set-cookie", stale-if-error=9', "stale-if-error", "sent where the app fails"),
        ("stale-while-revalidate=9", "stale-while-revalidate", "sent while it is renewed behind the back"),
    ],
)
def test_stale_use_is_explained_as_the_rules_have_it(control, what, means):
    answered = Answered(200, [(b"cache-control", f"max-age=5, {control}".encode())], 1e9, 1e9)
    rows = {row.what: row.means for row in of_answer(Request("GET", []), answered, Rules())}
    assert rows[what] == means
