import gc

from asynccache.backends.memory import tickets as module
from asynccache.backends.memory.tickets import MOST, MOST_OF_A_KEY, Tickets


def test_tickets_stand_until_their_key_is_changed():
    tickets = Tickets()
    mine, another = tickets.grant("1:k"), tickets.grant("1:other")
    tickets.revoke("1:k")
    later = tickets.grant("1:k")
    assert [tickets.stands("1:k", mine), tickets.stands("1:k", later)] == [False, True]
    assert [tickets.end("1:k", mine), tickets.end("1:k", later), tickets.end("1:k", later)] == [False, True, False]
    assert tickets.end("1:other", another) is True
    assert tickets.by_key == {}


def test_several_may_load_a_key_and_each_lands():
    tickets = Tickets()
    first, second = tickets.grant("1:k"), tickets.grant("1:k")
    assert [tickets.end("1:k", second), tickets.end("1:k", first)] == [True, True]


def test_tickets_that_nobody_gives_back_do_not_pile_up():
    tickets = Tickets()
    oldest = tickets.grant("1:k")
    of_a_key = [tickets.grant("1:k") for _ in range(10 * MOST_OF_A_KEY)]
    assert len(tickets.by_key["1:k"]) == MOST_OF_A_KEY
    assert [tickets.stands("1:k", oldest), tickets.stands("1:k", of_a_key[-1])] == [False, True]
    for number in range(MOST):
        tickets.grant(f"1:{number}")
    assert len(tickets.by_key) == MOST
    assert tickets.stands("1:k", of_a_key[-1]) is False


def test_tags_are_remembered_while_somebody_loads_and_no_longer():
    tickets = Tickets()
    before = tickets.grant("1:k")
    tickets.spoil("1:", ["x"])
    after = tickets.grant("1:k")
    assert [tickets.allows(before, "1:", ["y", "x"]), tickets.allows(after, "1:", ["x"])] == [False, True]
    assert tickets.allows(before, "2:", ["x"]) is True
    for ticket in (before, after):
        tickets.end("1:k", ticket)
    tickets.spoil("1:", ["x"])
    assert tickets._spoiled == {}


def test_more_invalidated_tags_than_are_remembered_cost_all_tickets(monkeypatch):
    monkeypatch.setattr(module, "MOST", 10)
    tickets = Tickets()
    ticket = tickets.grant("1:k")
    for number in range(11):
        tickets.spoil("1:", [f"tag {number}"])
    assert tickets.stands("1:k", ticket) is False
    assert tickets._spoiled == {}


def test_clearing_concerns_the_tickets_of_one_namespace():
    tickets = Tickets()
    mine, other = tickets.grant("a:1:k"), tickets.grant("a:11:k")
    tickets.revoke_all("a:1:")
    assert [tickets.stands("a:1:k", mine), tickets.stands("a:11:k", other)] == [False, True]


def test_marks_are_shared_until_they_are_spoiled_and_go_with_the_last_who_holds_them():
    tickets = Tickets()
    first, second = tickets.marks("1:", ["x", "y"]), tickets.marks("1:", ["x"])
    assert first[0] is second[0]
    assert tickets.marks("2:", ["x"])[0] is not first[0]
    tickets.spoil("1:", ["x"])
    assert [mark.is_spoiled for mark in first] == [True, False]
    assert tickets.marks("1:", ["x"])[0].is_spoiled is False
    del first, second
    gc.collect()
    assert len(tickets._marks) == 0
