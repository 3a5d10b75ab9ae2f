import hashlib
import hmac
import marshal
import pickle
import sys
from datetime import datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.core.codec import DamagedEntryError
from asynccache.errors import ConfigurationError, SerializationError
from asynccache.serializers import Compressed, JSONSerializer, MsgpackSerializer, PickleSerializer, Signed
from asynccache.serializers.signed import SIGNATURE_SIZE
from tests.serializers.fresh import printed

SECRET = "canary-of-the-secret"
OTHER = b"another secret of bytes"
pickled = PickleSerializer(secret=SECRET)
signed = Signed(MsgpackSerializer(), secret=SECRET)
BOTH = [pickled, signed]
executed = []


class Planted:
    def __reduce__(self):
        return executed.append, (1,)


@pytest.fixture(autouse=True)
def nothing_is_executed():
    yield
    assert executed == []


class Anything:
    def __init__(self, x):
        self.x = x

    def __eq__(self, other):
        return vars(self) == vars(other)


def test_pickle_stores_nearly_anything():
    value = [Anything({1, 2}), datetime(2026, 1, 1), (1, b"x"), print]
    assert pickled.loads(pickled.dumps(value)) == value


@pytest.mark.parametrize("value", [lambda: 1, (number for number in [1]), [sys._getframe()]])
def test_what_pickle_cannot_hold_is_refused(value):
    with pytest.raises(SerializationError):
        pickled.dumps(value)


@pytest.mark.parametrize("serializer", BOTH)
def test_values_and_pages_come_back(serializer):
    assert serializer.loads(serializer.dumps({"a": [1]})) == {"a": [1]}
    assert serializer.unwrap(serializer.wrap(b"page")) == b"page"


def plants():
    for raw in (pickle.dumps(Planted()), marshal.dumps(compile("executed.append(1)", "", "exec"))):
        keyed = [hmac.digest(SECRET.encode(), raw, name) for name in ("sha256", "sha1", "md5", "sha512")]
        keyed += [hashlib.sha256(raw).digest(), hashlib.blake2b(raw, digest_size=32).digest()]
        keyed += [hashlib.blake2b(raw, digest_size=32, key=SECRET.encode()).digest()]
        keyed += [b"", b"\0" * SIGNATURE_SIZE, PickleSerializer(secret=OTHER).dumps(1)[:SIGNATURE_SIZE]]
        keyed += [pickled.dumps(1)[:SIGNATURE_SIZE], signed.dumps(1)[:SIGNATURE_SIZE]]
        yield from (signature + raw for signature in keyed)


@pytest.mark.parametrize("payload", [*plants(), b"", b"x" * 31, b"x" * 32, b"x" * 33])
@pytest.mark.parametrize("serializer", [*BOTH, MsgpackSerializer(), JSONSerializer(), Compressed(MsgpackSerializer())])
def test_planted_payloads_are_a_miss_and_run_nothing(serializer, payload):
    for tag in (b"", b"m", b"m\xc7", b"-m"):
        with pytest.raises(DamagedEntryError):
            serializer.loads(tag + payload)


@pytest.mark.parametrize("payload", [*plants()])
@pytest.mark.parametrize("serializer", BOTH)
def test_planted_pages_are_a_miss(serializer, payload):
    with pytest.raises(DamagedEntryError):
        serializer.unwrap(payload)


def flipped(payload, *bits):
    number = int.from_bytes(payload, "big") ^ sum(1 << bit for bit in bits)
    return number.to_bytes(len(payload), "big")


@pytest.mark.parametrize("serializer", BOTH)
def test_every_flipped_bit_and_every_cut_is_a_miss(serializer):
    payload = serializer.dumps(["value", 1])
    damaged = [flipped(payload, bit) for bit in range(8 * len(payload))]
    damaged += [payload[:size] for size in range(len(payload))]
    damaged += [payload[size:] for size in range(1, len(payload))]
    damaged += [payload + b"\0", b"\0" + payload, payload * 2]
    for each in damaged:
        with pytest.raises(DamagedEntryError):
            serializer.loads(each)


@pytest.mark.parametrize("serializer", BOTH)
def test_none_of_a_hundred_thousand_forgeries_is_accepted(serializer):
    luck = Random(1)
    genuine = serializer.dumps(list(range(20)))
    accepted = 0
    for _ in range(50_000):
        try:
            serializer.loads(flipped(genuine, *luck.sample(range(8 * len(genuine)), luck.randint(1, 3))))
        except DamagedEntryError:
            continue
        accepted += 1
    assert accepted == 0


@given(st.data(), st.sampled_from(BOTH))
def test_forgeries_are_never_accepted(data, serializer):
    genuine = serializer.dumps(data.draw(st.text()))
    signature, payload = genuine[:SIGNATURE_SIZE], genuine[SIGNATURE_SIZE:]
    forged = data.draw(
        st.one_of(
            st.binary(min_size=SIGNATURE_SIZE, max_size=SIGNATURE_SIZE).map(lambda other: other + payload),
            st.binary(max_size=64).map(lambda other: signature + other),
            st.binary(max_size=128),
            st.lists(st.integers(0, 8 * len(genuine) - 1), min_size=1, max_size=4, unique=True).map(
                lambda bits: flipped(genuine, *bits)
            ),
        ).filter(lambda other: other != genuine)
    )
    with pytest.raises(DamagedEntryError):
        serializer.loads(forged)


def test_a_page_is_not_taken_for_a_value_nor_a_value_for_a_pickle():
    plant = pickle.dumps(Planted())
    relaying = Signed(MsgpackSerializer(), secret=SECRET)
    payloads = [pickled.wrap(plant), relaying.wrap(plant), relaying.dumps(plant)]
    for payload in payloads:
        with pytest.raises(DamagedEntryError):
            pickled.loads(payload)
    for payload in [signed.wrap(MsgpackSerializer().dumps(1)), pickled.dumps(1)]:
        with pytest.raises(DamagedEntryError):
            signed.loads(payload)
    for payload in [signed.dumps(1), pickled.dumps(1)]:
        with pytest.raises(DamagedEntryError):
            signed.unwrap(payload)


MAKERS = [
    lambda secret: PickleSerializer(secret=secret),
    lambda secret: Signed(JSONSerializer(), secret=secret),
]


@pytest.mark.parametrize("make", MAKERS)
def test_a_secret_can_be_changed_without_losing_entries(make):
    old, both, new = make(SECRET), make([OTHER, SECRET]), make((OTHER,))
    assert both.loads(old.dumps(1)) == 1
    assert both.unwrap(old.wrap(b"page")) == b"page"
    assert new.loads(both.dumps(1)) == 1
    for serializer, payload in [(new, old.dumps(1)), (old, new.dumps(1)), (old, both.dumps(1))]:
        with pytest.raises(DamagedEntryError):
            serializer.loads(payload)


@pytest.mark.parametrize("make", MAKERS)
def test_a_secret_means_the_same_as_text_and_as_bytes(make):
    assert make(SECRET.encode()).loads(make(SECRET).dumps(1)) == 1


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    "secret", ["", b"", "short", "x" * 15, [], [SECRET, ""], None, 5, [None], bytearray(b"x" * 20)]
)
def test_missing_and_short_secrets_are_refused(make, secret):
    with pytest.raises(ConfigurationError):
        make(secret)


@pytest.mark.parametrize("make", MAKERS)
def test_the_secret_is_in_no_repr_and_no_message(make):
    serializer = make(SECRET)
    assert "canary" not in repr(serializer)
    assert "canary" not in repr(vars(serializer))
    with pytest.raises(ConfigurationError) as info:
        make("canary")
    assert "canary" not in str(info.value)


def test_signed_says_what_it_wraps():
    assert repr(signed) == "<Signed <MsgpackSerializer types=[]>>"
    assert repr(pickled) == "<PickleSerializer>"


def test_compressed_bytes_are_decompressed_only_once_they_are_trusted():
    guarded = Signed(Compressed(MsgpackSerializer()), secret=SECRET)
    value = ["a" * 10_000]
    assert guarded.loads(guarded.dumps(value)) == value
    assert guarded.unwrap(guarded.wrap(b"a" * 10_000)) == b"a" * 10_000
    with pytest.raises(DamagedEntryError, match="signature"):
        guarded.loads(Compressed(MsgpackSerializer()).dumps(value))


def test_a_pickle_whose_class_is_gone_is_a_miss():
    class Gone(Anything):
        pass

    Gone.__qualname__ = "Gone"
    globals()["Gone"] = Gone
    payload = pickled.dumps(Gone(1))
    del globals()["Gone"]
    with pytest.raises(DamagedEntryError):
        pickled.loads(payload)


def test_signatures_are_the_same_in_every_process():
    code = (
        "from asynccache.serializers import PickleSerializer as P;"
        f"print(P(secret={SECRET!r}).loads(bytes.fromhex({pickled.dumps(['x', 1]).hex()!r})))"
    )
    assert printed(code, PYTHONHASHSEED="7") == "['x', 1]"
