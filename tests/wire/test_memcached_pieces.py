"""What is written over TLS is cut between commands."""

from hypothesis import given
from hypothesis import strategies as st

from asynccache.wire.memcached_pieces import pieces
from asynccache.wire.memcached_words import Meta, Text

AT_ONCE = 16_384
SIZES = st.one_of(st.integers(0, 300), st.integers(0, 40_000))


@given(st.lists(SIZES, max_size=60), st.sampled_from([Meta(), Text()]))
def test_pieces_are_whole_commands_and_small_if_these_are(sizes, speech):
    commands = [speech.calls("set", [(b"k", (b"\r\n" * (size // 2), 60))], b"O1") for size in sizes]
    cut = list(pieces(b"".join(commands)))
    assert b"".join(cut) == b"".join(commands)
    end = speech.calls("set", [], b"O1")  # what each question ends with is a command by itself
    whole = [part for command in commands for part in (command.removesuffix(end), end)]
    for piece in cut:
        held = []
        while sum(map(len, held)) < len(piece):
            held.append(whole.pop(0))
        assert b"".join(held) == piece
        assert len(piece) < AT_ONCE or len(held) == 1
    assert whole == []
