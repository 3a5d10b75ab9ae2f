"""The rules of `core/fence.py` in a model of the whole: what must not be never is, and each fence is needed for it."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests.coherence.as_built import AsBuilt
from tests.coherence.clauses import clauses, with_rules, without
from tests.coherence.configurations import ALL, SMALL
from tests.coherence.exploring import explore, wander
from tests.coherence.model import Model
from tests.coherence.world import Violation

SCHEDULES = 1_000_000
CHUNK = 10_000
AS_BUILT = (
    "set",
    "tag",
    "followers",
    "late set, tag",
    "log trimmed, other",
    "set held nearby",
    "set and tag",
    "fail-over",
)


def off(fence):
    return Model([fence])


def rule(**changed):
    return Model(rules=with_rules(**changed))


def clause(name, number, says):
    assert clauses(name)[number] == says
    return Model(rules=without(name, number))


FENCES = {  # what is switched off, and where that shows
    "a store with another process is adopted": (off("adopt"), "fail-over"),
    "a ticket is of one view": (off("ticket's view"), "notebook lost, later load"),
    "a landing needs its right": (off("token"), "delete"),
    "born when granted": (off("born at lease"), "tag"),
    "a landing is checked": (off("land checks"), "nothing stored"),
    "a delete revokes": (off("delete revokes"), "delete"),
    "a set revokes": (off("set revokes"), "set"),
    "own changes are applied at once": (off("own at once"), "set"),
    "a flush empties": (off("flush empties"), "log trimmed, tag"),
    "a flush remembers where it was": (off("flush remembers where"), "log trimmed, tag"),
    "a set has a deadline": (off("deadline of a set"), "late set"),
    "a replica must not be behind": (off("replica's position"), "replica and log"),
    "valid in its generation": (clause("is_valid", 1, "birth.gen == notebook.gen"), "notebook lost, set"),
    "valid for its keeper": (clause("is_valid", 2, "notebook.keeper == keeper"), "fail-over"),
    "valid after the last clear": (clause("is_valid", 3, "notebook.floor <= birth.born"), "clear"),
    "valid after its tags": (rule(is_clean=lambda born, marks: marks.floor != 0), "tag"),
    "a lost table is seen": (clause("is_clean", 0, "marks.floor != 0"), "table lost"),
    "held in its view": (clause("is_admitted", 0, "view == mine"), "fail-over"),
    "held after changes that are known": (clause("is_admitted", 1, "as_of >= recent"), "set held nearby"),
    "held until there is later": (clause("is_admitted", 2, "known_as_of <= as_of"), "set held nearby twice"),
    "served after the last clear": (clause("is_served", 0, "floor <= born"), "clear"),
    "served after its tags": (rule(is_served=lambda born, floor, marks: floor <= born), "tag"),
    "a chain of changes": (rule(follows=lambda *_: True), "log trimmed, other"),
    "the end of the chain": (rule(has_hole=lambda *_: False), "log trimmed, tag"),
    "followers of what was begun before them": (rule(is_shared=lambda *_: True), "followers"),
    "followers of what was asked before them": (
        rule(is_shared=lambda number, arrived, proof, asked: number > arrived or proof >= asked > 0),
        "followers",
    ),
    "marks of its generation": (AsBuilt(["marks of its generation"]), "notebook lost, set again"),
    "marks of its process": (AsBuilt(["marks of its process"]), "fail-over on one node"),
}
LENGTHY = {"marks of its generation"}


@pytest.mark.parametrize("name", SMALL)
def test_nothing_stale_is_stored_held_or_returned(name):
    assert explore(Model(), SMALL[name]).states > 1000


@pytest.mark.parametrize("name", AS_BUILT)
def test_nothing_stale_in_what_was_built(name):
    assert explore(AsBuilt(), SMALL[name]).states > 1000


@pytest.mark.parametrize(
    "fence", [pytest.param(fence, marks=[pytest.mark.long] if fence in LENGTHY else []) for fence in FENCES]
)
def test_each_fence_is_needed(fence):
    model, name = FENCES[fence]
    with pytest.raises(Violation):
        explore(model, ALL[name])


def test_nothing_stale_in_some_random_schedules():
    finished = [wander(model, seed) for seed in range(500) for model in (Model(), AsBuilt())]
    assert sum(finished) > 900


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", [name for name in ALL if name not in SMALL])
def test_nothing_stale_in_large_configurations(name):
    assert explore(Model(), ALL[name]).states > 10_000


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", [name for name in ALL if name not in AS_BUILT])
def test_nothing_stale_in_what_was_built_in_large_configurations(name):
    assert explore(AsBuilt(), ALL[name]).states > 1000


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_nothing_stale_in_a_million_random_schedules():
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as processes:
        finished = sum(processes.map(_finished, range(0, SCHEDULES, CHUNK)))
    assert finished > 0.9 * SCHEDULES


def _finished(first):
    model = AsBuilt() if first // CHUNK % 2 else Model()
    return sum(wander(model, seed) for seed in range(first, first + CHUNK))
