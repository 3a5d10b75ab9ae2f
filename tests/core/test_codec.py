from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from asynccache.core import codec
from asynccache.core.codec import DamagedEntryError, Frame, MixedUpEntryError
from asynccache.core.entry import Kind
from asynccache.core.keys import key_hash

OWNER = key_hash("shop:1:k")
FRAMES = st.builds(
    Frame,
    payload=st.binary(max_size=60),
    kind=st.sampled_from(Kind),
    gen=st.binary(min_size=8, max_size=8),
    born=st.integers(0, 2**64 - 1),
    load_ms=st.integers(0, 2**32 - 1),
    at_us=st.integers(0, 2**63),
    lifetime_ms=st.integers(0, 2**63),
    cells=st.lists(st.integers(0, 2**16 - 1), max_size=3).map(tuple),
    tags=st.lists(st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=5), max_size=3).map(tuple),
    owner=st.just(OWNER),
)


def counter(number: int, tags: tuple[str, ...] = ()) -> Frame:
    payload = codec.integer_payload(number)
    return Frame(payload, flags=codec.INTEGER, at_us=1, lifetime_ms=60_000, tags=tags, owner=OWNER)


def real_frames(count: int) -> list[Frame]:
    """Frames as an application would store them: short and longer payloads, counters, pages, tags."""
    dice = random.Random(20261121)
    frames = []
    for number in range(count):
        tags = ("user:7", "caf\xe9")[: number % 3]
        if number % 4 == 0:
            frames.append(
                counter(dice.choice([0, 1, 5, -1, 10, 22, 1212, number, codec.INT64[0], codec.INT64[-1]]), tags)
            )
        else:
            payload = dice.randbytes(dice.choice([0, 1, 4, 9, 30]))
            frames.append(Frame(payload, Kind(number % 3), load_ms=number, cells=(number,) * (number % 2), tags=tags))
    return frames


def meaning(frame: Frame) -> tuple[Kind, object]:
    """Give what a reader takes from an entry: a counter's number, or the payload and its kind."""
    return frame.kind, codec.integer_of(frame.payload) if frame.flags & codec.INTEGER else frame.payload


def assert_unharmed_or_refused(raw: bytes, frame: Frame) -> None:
    try:
        found = meaning(codec.decode(raw, OWNER))
    except DamagedEntryError:
        return
    assert found == meaning(frame)


@settings(max_examples=300, deadline=None)
@given(FRAMES)
def test_frames_come_back_as_they_were(frame: Frame) -> None:
    assert codec.decode(codec.encode(frame, OWNER), OWNER) == frame


@pytest.mark.parametrize("number", [0, 1, -1, 10, 2**53 + 1, codec.INT64[0], codec.INT64[-1]])
def test_counters_come_back_as_they_were(number: int) -> None:
    frame = counter(number, tags=("a", "b"))
    assert codec.decode(codec.encode(frame, OWNER), OWNER) == frame
    assert codec.integer_of(frame.payload) == number


def opened(raw: bytes) -> Frame | None:
    try:
        return codec.decode(raw, OWNER)
    except DamagedEntryError:
        return None


def assert_common_says_the_same(raw: bytes) -> bool:
    """Compare the quick way of reading with the whole one; tell whether it had an answer."""
    found, frame = codec.common(raw, OWNER), opened(raw)
    if found is None:
        return False
    assert frame is not None
    assert found == (frame.payload, frame.gen, frame.born, frame.load_ms, frame.at_us)
    assert codec.common_times(raw, frame.at_us) == frame.times
    assert (frame.kind, frame.flags, frame.stale_ms, frame.cells, frame.tags) == (Kind.VALUE, 0, 0, (), ())
    return True


@given(FRAMES, st.integers(0, 5))
def test_the_quick_way_reads_values_without_tags_and_leaves_all_else(frame: Frame, stale_ms: int) -> None:
    frame = structs.replace(frame, stale_ms=min(stale_ms, frame.lifetime_ms))
    is_common = frame.kind is Kind.VALUE and not (frame.stale_ms or frame.cells or frame.tags)
    assert assert_common_says_the_same(codec.encode(frame, OWNER)) == is_common


def test_the_quick_way_leaves_counters_and_what_is_damaged_or_of_another_key() -> None:
    raw = codec.encode(Frame(b"payload"), OWNER)
    assert assert_common_says_the_same(raw)
    assert not assert_common_says_the_same(codec.encode(counter(5), OWNER))
    assert codec.common(raw, key_hash("shop:1:other")) is None
    for size in range(len(raw)):
        assert codec.common(raw[:size], OWNER) is None
    flipped = bytearray(raw)
    for place in range(codec.HEAD_SIZE, len(raw)):
        for bit in range(8):
            flipped[place] ^= 1 << bit
            assert codec.common(bytes(flipped), OWNER) is None
            flipped[place] ^= 1 << bit


def test_every_truncation_of_200_entries_is_harmless() -> None:
    for frame in real_frames(200):
        raw = codec.encode(frame, OWNER)
        for size in range(len(raw)):
            with pytest.raises(DamagedEntryError):
                codec.integer_of(codec.decode(raw[:size], OWNER).payload)


def test_every_flipped_bit_of_200_entries_is_harmless() -> None:
    for frame in real_frames(200):
        raw = bytearray(codec.encode(frame, OWNER))
        for place in range(len(raw)):
            for bit in range(8):
                raw[place] ^= 1 << bit
                assert_unharmed_or_refused(bytes(raw), frame)
                raw[place] ^= 1 << bit


def test_flipped_bits_of_a_sealed_body_are_always_seen() -> None:
    raw = bytearray(codec.encode(Frame(b"payload", Kind.PAGE, tags=("a",)), OWNER))
    for place in range(codec.HEAD_SIZE, len(raw)):
        for bit in range(8):
            raw[place] ^= 1 << bit
            with pytest.raises(DamagedEntryError):
                codec.decode(bytes(raw), OWNER)
            raw[place] ^= 1 << bit


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_foreign_bytes_are_refused_without_another_exception(noise: bytes, framed: bool) -> None:
    raw = codec.encode(Frame(b""), OWNER)[: codec.HEAD_SIZE + 1] + noise if framed else noise
    with pytest.raises(DamagedEntryError):
        codec.decode(raw, OWNER)


def test_added_bytes_are_seen() -> None:
    for frame in (Frame(b"payload"), counter(5)):
        raw = codec.encode(frame, OWNER)
        for added in (b"\0", b"5", b" 5", raw):
            with pytest.raises(DamagedEntryError):
                codec.integer_of(codec.decode(raw + added, OWNER).payload)


def test_entry_of_another_key_is_a_mix_up() -> None:
    for frame in (Frame(b"payload"), counter(5)):
        with pytest.raises(MixedUpEntryError):
            codec.decode(codec.encode(frame, key_hash("shop:1:other")), OWNER)


def test_page_is_never_read_as_a_counter() -> None:
    raw = codec.encode(Frame(codec.integer_payload(5), Kind.PAGE, codec.INTEGER), OWNER)
    with pytest.raises(DamagedEntryError):
        codec.decode(raw, OWNER)


@pytest.mark.parametrize(
    "payload",
    [
        *[b"", b" ", b"5", b"5 ", b" 5", b"5 6", b"5 5 5", b"5  5", b"+5 +5", b"- -", b"5.0 5.0", b"--5 --5", b"x x"],
        *[b"\xd9\xa3 \xd9\xa3", b"%d %d" % (2**63, 2**63), b"9" * 5000 + b" " + b"9" * 5000],
    ],
)
def test_what_is_no_counter_is_refused(payload: bytes) -> None:
    with pytest.raises(DamagedEntryError):
        codec.integer_of(payload)


def test_tags_that_are_no_text_are_damage() -> None:
    raw = codec.encode(counter(5, tags=("\xe9",)), OWNER).replace("\xe9".encode(), b"\xff\xff")
    with pytest.raises(DamagedEntryError):
        codec.decode(raw, OWNER)


def test_remaining_seconds_count_from_the_writing() -> None:
    frame = Frame(b"", at_us=1_000_000_000_000_000, lifetime_ms=1500)
    assert frame.remaining(1_000_000_000.0) == 1.5
    assert frame.remaining(1_000_000_002.0) == -0.5
    assert Frame(b"", at_us=1).remaining(5e9) == math.inf


def test_load_times_beyond_the_field_are_cut() -> None:
    assert codec.decode(codec.encode(Frame(b"", load_ms=2**40), OWNER), OWNER).load_ms == 2**32 - 1
