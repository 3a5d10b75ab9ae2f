"""memcached's replies: however they are cut, the same; what is none is an error; what is awaited is bounded."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.wire.connection import NOTHING
from asynccache.wire.faults import OutOfStepError
from asynccache.wire.memcached_replies import Answer, Code, MetaParser, Refusal, TextParser
from asynccache.wire.memcached_words import Meta, Text

NUMBERS = st.integers(0, 2**64 - 1)
VALUES = st.binary(max_size=40) | st.sampled_from(
    [b"MN\r\n", b"\r\nEN\r\n", b"END\r\nVERSION 1\r\n", b"VA 3 O1\r\nabc\r\n"]
)
REFUSED = b"SERVER_ERROR object too large for cache"
CODES = {b"EN": None, b"HD": Code.DONE, b"NS": Code.NOT_STORED, b"EX": Code.EXISTS, b"NF": Code.NOT_FOUND}
WORDS = {
    b"STORED": Code.STORED,
    b"DELETED": Code.DELETED,
    b"NOT_STORED": Code.NOT_STORED,
    b"EXISTS": Code.EXISTS,
    b"NOT_FOUND": Code.NOT_FOUND,
}


@st.composite
def meta_replies(draw):
    """Give the bytes of a reply, and how it is to be read."""
    opaque = b"O%d" % draw(NUMBERS)
    lines, items = [], []
    for item in draw(st.lists(VALUES | st.tuples(VALUES, NUMBERS) | st.sampled_from([*CODES, REFUSED]), max_size=6)):
        if item == REFUSED:
            lines.append(item)
            items.append(Refusal(item.decode()))
        elif item in CODES:
            lines.append(item + b" " + opaque)
            items.append(CODES[item])
        else:
            value, cas_id = item if isinstance(item, tuple) else (item, None)
            flag = b"" if cas_id is None else b" c%d" % cas_id
            lines.append(b"VA %d%b %b\r\n%b" % (len(value), flag, opaque, value))
            items.append(item)
    marked = any(not isinstance(item, Refusal) for item in items)
    return b"".join(line + b"\r\n" for line in [*lines, b"MN"]), Answer(opaque if marked else b"", items)


@st.composite
def text_replies(draw):
    """Give the bytes of a reply, and how it is to be read."""
    lines, items = [], []
    found = st.dictionaries(st.sampled_from([b"k", b"~~n::1:", b"END"]), VALUES | st.tuples(VALUES, NUMBERS))
    for item in draw(st.lists(found | NUMBERS | st.sampled_from([*WORDS, REFUSED]), max_size=6)):
        if isinstance(item, dict):
            for key, there in item.items():
                value, cas_id = there if isinstance(there, tuple) else (there, None)
                tail = b"" if cas_id is None else b" %d" % cas_id
                lines.append(b"VALUE %b 0 %d%b\r\n%b" % (key, len(value), tail, value))
            lines.append(b"END")
            items.append(item)
        elif isinstance(item, int):
            lines.append(b"%d" % item)
            items.append(item)
        else:
            lines.append(item)
            items.append(WORDS.get(item) or Refusal(item.decode()))
    return b"".join(line + b"\r\n" for line in [*lines, b"VERSION 1.4.39"]), Answer(b"", items)


def read(parser, pieces):
    """Feed pieces one after the other, and give all answers."""
    answers = []
    for piece in pieces:
        parser.feed(piece)
        while (answer := parser.gets()) is not NOTHING:
            answers.append(answer)
    return answers


def sliced(raw, cuts):
    """Cut bytes in pieces."""
    edges = [0, *sorted(cut % (len(raw) + 1) for cut in cuts), len(raw)]
    return [raw[start:end] for start, end in pairwise(edges)]


@pytest.mark.parametrize(("parser", "replies"), [(MetaParser, meta_replies()), (TextParser, text_replies())])
@given(source=st.data())
def test_however_bytes_are_cut_they_are_the_same_answers(parser, replies, source):
    told = source.draw(st.lists(replies, max_size=5))
    pieces = sliced(b"".join(raw for raw, _ in told), source.draw(st.lists(st.integers(0), max_size=12)))
    assert read(parser(), pieces) == [answer for _, answer in told]


@pytest.mark.parametrize("parser", [MetaParser, TextParser])
@given(st.binary(max_size=60))
def test_noise_is_an_error_or_no_answer(parser, noise):
    try:
        answers = read(parser(), [noise])
    except OutOfStepError:
        return
    assert all(not answer.items for answer in answers)


@pytest.mark.parametrize(
    "line",
    [
        *(b"VA", b"VA -7 O1", b"VA +3 O1", b"VA 1_0 O1", b"VA x O1", b"VA  O1", b"VA " + b"9" * 500 + b" O1"),
        *(b"VA 99999999999 O1", b"VA 3 O1 O2", b"VA 3 cx O1", b"VA 3 k1", b"HD O1 k1", b"HDO1", b"", b"HTTP/1.1 400"),
        *(b"STORED", b"END", b"42", b"ERROR", b"CLIENT_ERROR bad", b"SERVER_ERROR a proxy's upstream is down"),
    ],
)
def test_line_that_is_no_reply_to_meta_commands_is_an_error(line):
    with pytest.raises(OutOfStepError):
        read(MetaParser(), [line + b"\r\nabc\r\nMN\r\n"])


@pytest.mark.parametrize(
    "line",
    [
        *(
            b"VALUE",
            b"VALUE k 0",
            b"VALUE k 0 -7",
            b"VALUE k 0 1_0",
            b"VALUE k x 3",
            b"VALUE k 0 3 x",
            b"VALUE k 0 3 4 5",
        ),
        *(b"VALUE k 0 99999999999", b"HD O1", b"EN", b"MN", b"", b"ERROR", b"-1", b"9" * 500, b"OK", b"TOUCHED"),
    ],
)
def test_line_that_is_no_reply_to_classic_commands_is_an_error(line):
    with pytest.raises(OutOfStepError):
        read(TextParser(), [line + b"\r\nabc\r\nEND\r\nVERSION 1\r\n"])


@pytest.mark.parametrize(
    "raw",
    [
        b"VALUE k 0 1\r\na\r\nVERSION 1\r\n",
        b"VALUE k 0 1\r\na\r\nSTORED\r\n",
        b"VALUE k 0 1\r\na\r\nVALUE k 0 1\r\nb\r\nEND\r\n",
        b"VALUE k 0 1\r\nabc\r\nEND\r\n",
    ],
)
def test_values_are_whole_and_each_comes_once(raw):
    with pytest.raises(OutOfStepError):
        read(TextParser(), [raw])


def test_lines_of_one_answer_answer_one_question():
    with pytest.raises(OutOfStepError, match="another question"):
        read(MetaParser(), [b"HD O1\r\nHD O2\r\nMN\r\n"])


@pytest.mark.parametrize("ids", [False, True])
@pytest.mark.parametrize("item", [Refusal("SERVER_ERROR out of memory storing object"), Code.DONE, 7])
def test_what_is_neither_a_value_nor_a_miss_answers_no_look(item, ids):
    with pytest.raises(OutOfStepError, match="other commands"):
        Meta().found([None, item], [b"a", b"b"], ids=ids)


@pytest.mark.parametrize(("item", "ids"), [(b"v", True), ((b"v", 1), False)])
def test_values_have_cas_ids_only_where_they_were_asked_for(item, ids):
    for speech, items in ((Meta(), [item]), (Text(), [{b"k": item}])):
        assert speech.found(items, [b"k"], ids=not ids) == [item]
        with pytest.raises(OutOfStepError, match="other commands"):
            speech.found(items, [b"k"], ids=ids)


@pytest.mark.parametrize("parser", [MetaParser, TextParser])
def test_line_without_end_is_given_up(parser):
    with pytest.raises(OutOfStepError, match="without an end"):
        read(parser(), [b"x" * 1000] * 3)


def test_large_value_in_small_pieces_is_joined_once():
    value = b"v" * 3_000_000
    raw = b"VA %d O1\r\n%b\r\nMN\r\n" % (len(value), value)
    pieces = [raw[start : start + 1000] for start in range(0, len(raw), 1000)]
    assert read(MetaParser(), pieces) == [Answer(b"O1", [value])]
