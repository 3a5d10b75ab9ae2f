"""The law by which cost grows, as it is told."""

import pytest

from benchmarks.laws import laws
from benchmarks.measuring import Row, Taken


def line_of(cost, numbers):
    rows = [Row(f"get, {number}", line="get", at=number) for number in numbers]
    for row in rows:
        row.add(Taken(cost(row.at), 0))
    return rows


@pytest.mark.parametrize(
    ("exponent", "law"),
    [
        pytest.param(0, "constant: ten times the keys cost 1.00 times as much", id="constant"),
        pytest.param(-0.2, "constant: ten times the keys cost 0.63 times as much", id="falling"),
        pytest.param(0.5, "slower than the keys: ten times as many cost 3.2 times as much", id="root"),
        pytest.param(1, "in proportion to the keys", id="proportional"),
        pytest.param(2, "faster than the keys: ten times as many cost 100.0 times as much", id="square"),
    ],
)
def test_the_exponent_is_found_and_put_into_words(exponent, law):
    rows = line_of(lambda number: 1e-6 * number**exponent, (1, 10, 100, 1000))
    assert laws(rows, "cpu", "keys") == {"exponent: get": exponent, "law: get": law}


def test_what_each_more_one_adds_is_found():
    rows = line_of(lambda number: 2e-6 + 1e-6 * number, (0, 1, 2, 5, 10, 20))
    told = "2.00 us, and 1.00 us more for each of the tags, up to 20"
    assert laws(rows, "cpu", "tags", each=True) == {"bend: get": 1.0, "law: get": told}


def test_a_square_bends_upwards():
    rows = line_of(lambda number: 1e-6 * number**2, (0, 5, 10, 20))
    assert laws(rows, "cpu", "tags", each=True)["bend: get"] == 3.0


def test_where_little_is_added_no_bend_is_told():
    rows = line_of(lambda number: 50e-6 + 0.02e-6 * number**2, (0, 5, 10, 20))
    assert "bend: get" not in laws(rows, "cpu", "tags", each=True)
