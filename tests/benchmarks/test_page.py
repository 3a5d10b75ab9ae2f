"""docs/performance.md: the figures of a run are put into it, and what it has is whole."""

import json
import re
from pathlib import Path

from benchmarks.__main__ import LETTERS
from benchmarks.measuring import Row, Table
from benchmarks.publishing import publish

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
MACHINE = {
    "python": "3.11.7",
    "system": "Linux",
    "processor": "fast",
    "cpus": 2,
    "quick": True,
    "versions": {"": {"theine": "2.0"}, "ellar": {"ellar": "0.9.5"}},
}


def test_figures_of_a_run_are_put_between_their_marks(tmp_path):
    page, figures = tmp_path / "page.md", tmp_path / "figures"
    figures.mkdir()
    page.write_text(
        "# Page\n<!-- machine -->\n<!-- /machine -->\n<!-- A -->\nold\n<!-- /A -->\n<!-- B -->\nkept\n<!-- /B -->\n"
    )
    rows = [Row("limit", [1.0, 1.0]), Row("ours", [3.0, 3.0]), Row("peer", [2.0, 2.0])]
    table = Table("Hits", rows, "limit", {"ours": "<= 2 x"}, ours="ours")
    figures.joinpath("A.json").write_text(json.dumps({"machine": MACHINE, "tables": [table.as_json()]}))
    figures.joinpath("a1.svg").write_text("<svg/>")
    page.with_suffix("").mkdir()
    page.with_suffix("").joinpath("a2.svg").touch()  # of a run that had more tables
    publish(page, figures, list(LETTERS))
    once = page.read_text()
    publish(page, figures, list(LETTERS))
    assert page.read_text() == once
    assert "old" not in once
    assert "\nkept\n" in once
    assert "| ours | 3.00 s |" in once
    assert "- Hits: ours, wanted <= 2 x: missed by 50%, at 3" in once
    assert "- Hits: peer takes 0.67 times as long as ours" in once
    assert "CPython 3.11.7. theine 2.0; in environments of their own ellar 0.9.5." in once
    assert "![Hits](page/a1.svg)" in once
    assert [plot.name for plot in page.with_suffix("").iterdir()] == ["a1.svg"]


def test_each_table_has_its_place_and_each_plot_is_there():
    page = PAGE.read_text()
    for name in ("machine", *LETTERS):
        assert page.count(f"<!-- {name} -->\n") == page.count(f"<!-- /{name} -->\n") == 1
    shown = set(re.findall(r"\]\(performance/(.+?)\)", page))
    assert shown == {plot.name for plot in PAGE.with_suffix("").glob("*.svg")}
