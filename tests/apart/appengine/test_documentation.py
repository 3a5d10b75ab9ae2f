"""What the documentation says about App Engine works there."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "platforms.md"
BLOCK = re.compile(r"^```py\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_code_of_the_page_runs_and_counts_visits(app_engine):
    names = {"__name__": "main"}
    for block in BLOCK.findall(PAGE.read_text()):
        exec(compile(block, PAGE.name, "exec"), names)
    assert [names["visits"]() for _ in range(2)] == [{"visits": 1}, {"visits": 2}]
