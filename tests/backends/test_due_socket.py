"""One deadline for all calls to a socket."""

import socket
import threading
import time

import pytest

from asynccache.backends.due_socket import DueSocket
from asynccache.backends.outage import Due


class Operation:
    def __init__(self, seconds):
        self.due = Due(time.monotonic() + seconds)


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_byte_now_and_then_does_not_stretch_it(pair):
    ours, theirs = pair
    over = threading.Event()

    def drip():
        while not over.wait(0.01):
            theirs.sendall(b"x")

    dripping = threading.Thread(target=drip)
    dripping.start()
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        receive_for_ever(DueSocket(ours, Operation(0.2)))
    over.set()
    dripping.join()
    assert time.monotonic() - began < 5


def receive_for_ever(sock):
    buffer = bytearray(10)
    while True:
        sock.settimeout(60)
        assert sock.recv_into(buffer) > 0


def test_sending_to_one_who_does_not_read_ends_too(pair):
    with pytest.raises(TimeoutError):
        DueSocket(pair[0], Operation(0.1)).sendall(b"x" * 50_000_000)


def test_a_look_without_waiting_does_not_wait(pair):
    sock = DueSocket(pair[0], Operation(60))
    sock.settimeout(0)
    with pytest.raises(BlockingIOError):
        sock.recv(1)


def test_nothing_is_tried_when_it_is_over(pair):
    ours, theirs = pair
    theirs.sendall(b"x")
    with pytest.raises(TimeoutError):
        DueSocket(ours, Operation(0)).recv(1)


def test_all_else_is_the_socket_s_own(pair):
    assert DueSocket(pair[0], Operation(1)).fileno() == pair[0].fileno()
