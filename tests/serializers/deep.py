"""How the tests compare what came back: equal, of the same types all the way down, NaN equal to NaN."""

import math
from datetime import datetime, time
from decimal import Decimal


def fingerprint(value):
    """Give something equal for values that nobody can tell apart."""
    kind = type(value)
    if isinstance(value, list | tuple):
        return kind, [fingerprint(item) for item in value]
    if isinstance(value, set | frozenset):
        return kind, sorted(repr(fingerprint(item)) for item in value)
    if isinstance(value, dict):
        return kind, [(fingerprint(key), fingerprint(item)) for key, item in value.items()]
    if isinstance(value, float):
        return kind, "nan" if math.isnan(value) else value.hex()
    if isinstance(value, Decimal):
        return kind, value.as_tuple()
    if isinstance(value, datetime | time):
        return kind, repr(value), value.fold
    return kind, value
