"""What the benchmarks say of figures: nothing here measures anything."""

import asyncio
import json
import sys

import pytest

from benchmarks.measuring import AbsentError, Row, Spread, Table, Taken, attempt, in_turns, on
from benchmarks.options import Options
from benchmarks.printing import duration, markdown, text
from benchmarks.wanted import all_verdicts, verdicts

LIMIT = Row("limit", [1e-6, 1e-6, 1e-6], [2e-6, 2e-6, 2e-6])
OURS = Row("ours, quickly", [2e-6, 2e-6, 2e-6], [4e-6, 4e-6, 4e-6])
PEER = Row("peer", [6e-6, 6e-6, 9e-6], [8e-6, 8e-6, 8e-6])
NOISY = Row("noisy", [0.5e-6, 1e-6, 2e-6])
ABSENT = Row("absent", failed="it is not there")


def table(**changes):
    rows = [LIMIT, OURS, PEER, NOISY, ABSENT]
    return Table("Title", rows, **{"limit": "limit", "ours": "ours, quickly", "facts": {"bytes": 150}, **changes})


@pytest.mark.parametrize(
    ("name", "wanted", "said"),
    [
        ("ours, quickly", "<= 2.5 x", "reached, at 2"),
        ("ours, quickly", "<= 1.6 x", "missed by 25%, at 2"),
        ("ours, quickly", "<= 1/0.25 x", "reached, at 2"),
        ("ours, quickly", "<= 2 us", "reached, at 2"),
        ("ours, quickly", "<= 2 us wall", "missed by 100%, at 4"),
        ("ours, quickly", "<= 900 ns more", "missed by 11%, at 1e+03"),
        ("peer", ">= 3 x ours", "reached, at 3"),
        ("peer", ">= 6 x limit", "reached, at 6"),
        ("peer", ">= 0.7 x ours, quickly", "reached, at 3"),
        ("peer", ">= 7 x", "missed by 14%, at 6 (the bound is within the spread)"),
        ("absent", ">= 7 x", "not measured"),
        ("bytes", "<= 140", "missed by 7%, at 150"),
        ("bytes", ">= 140", "reached, at 150"),
        ("other", "<= 140", "not measured"),
    ],
)
def test_what_was_wanted_is_judged(name, wanted, said):
    assert [str(verdict) for verdict in verdicts(table(wanted={name: wanted}), name)] == [said]


def test_several_things_are_wanted_of_a_row():
    wanted = {"ours, quickly": "<= 3 x; <= 1 us CPU", "bytes": "<= 1"}
    judged = [(name, verdict.reached) for name, verdict in all_verdicts(table(wanted=wanted))]
    assert judged == [("ours, quickly", True), ("ours, quickly", False), ("bytes", False)]


@pytest.mark.parametrize("wish", ["10 times ours", "<= 15 us on Sundays", "1 load"])
def test_a_wish_that_says_nothing_is_an_error(wish):
    with pytest.raises(ValueError, match="forms"):
        text(table(wanted={"peer": wish}))


def test_ratios_are_those_of_the_rounds():
    slow_machine = Table("t", [Row("a", [1, 1, 9]), Row("b", [2, 2, 18])])
    assert slow_machine.ratio(slow_machine.rows[1], "a") == Spread(2, 2, 2)


def test_no_ratio_is_printed_whose_spread_is_wider_than_the_difference():
    lines = {line.split("  ")[0]: line for line in text(table()).splitlines()}
    assert lines["noisy"].count("not told apart") == 1  # from the limit; from ours it is
    assert "not told apart" not in lines["peer"]
    assert "it is not there" in lines["absent"]


def test_a_table_for_a_page_has_a_cell_for_each_column():
    head, aligned, *rows = [line for line in markdown(table(wanted={"peer": ">= 1 x"})).splitlines() if line[:1] == "|"]
    assert {line.count("|") for line in rows} == {head.count("|")} == {aligned.count("|")}
    assert len(rows) == 5


def test_a_table_is_the_same_when_it_was_kept():
    kept = table(wanted={"peer": ">= 1 x"})
    assert Table.from_json(json.loads(json.dumps(kept.as_json()))) == kept


@pytest.mark.parametrize(
    ("seconds", "written"), [(0, "0.00 ns"), (3.14e-8, "31.4 ns"), (2e-6, "2.00 us"), (0.1, "100 ms"), (75, "75.0 s")]
)
def test_times_have_three_digits(seconds, written):
    assert duration(seconds) == written


def test_subjects_take_turns_and_the_first_is_a_warm_up():
    called = []
    rows = in_turns({name: lambda count, name=name: called.append((name, count)) for name in "ab"}, 5, rounds=2)
    assert called == [("a", 5), ("b", 5)] * 3
    assert [(row.name, len(row.cpu), len(row.wall)) for row in rows] == [("a", 2, 2), ("b", 2, 2)]


def test_no_round_begins_after_the_time_is_up_but_the_first_three():
    assert [len(row.cpu) for row in in_turns({"a": lambda count: None}, 1, rounds=9, seconds=0)] == [3]


def test_a_subject_that_raises_is_a_row_that_says_so():
    def fragile(count):
        raise OSError("it broke (/home/somebody/secret.py)\nhere")

    subjects = {"fragile": fragile, "sound": lambda count: Taken(2, 4), "gone": attempt(lambda: {}["module"])}
    fragile_row, sound, gone = in_turns(subjects, 2, rounds=3)
    assert (fragile_row.failed, fragile_row.cpu) == ("OSError: it broke", [])
    assert (sound.cpu, sound.wall) == ([1, 1, 1], [2, 2, 2])
    assert gone.failed == "KeyError: 'module'"


def test_a_coroutine_function_is_a_subject():
    counts = []

    async def subject(count):
        counts.append(count)
        await asyncio.sleep(0)

    with asyncio.Runner() as runner:
        (row,) = in_turns({"a": on(runner, subject)}, 3, rounds=1)
    assert (counts, row.failed) == ([3, 3], "")


async def subject_of_a_child(word):
    print("what a library prints is no answer")

    async def run(count):
        await asyncio.sleep(0)
        if count == 13:
            raise LookupError(word)
        if count == 99:
            sys.exit(7)

    return run


def test_a_subject_lives_elsewhere():
    with Options(pythons={"there": sys.executable}) as options:
        there = options.elsewhere("there", f"{__name__}:subject_of_a_child", "a word")
        taken = there(1)
        assert 0 < taken.wall < 60
        with pytest.raises(AbsentError, match="LookupError: a word"):
            there(13)
        assert there(1).cpu >= 0
        with pytest.raises(AbsentError, match="ended with status 7"):
            there(99)


def test_an_environment_that_is_not_there_is_a_row():
    with Options() as options:
        (row,) = in_turns({"peer": options.elsewhere("nowhere", "module:function")}, 1)
    assert row.failed == "there is no environment 'nowhere' here"
