"""Cache-Control fields made by the grammar of RFC 9110 5.6 and RFC 9111 5.2, and by what people write instead.

Each generator knows what its fields mean, since it put that into them; none of them reads a field.
"""

from itertools import product

FORBIDDING = ["no-store", "private", "no-cache"]
FRESH = "max-age=600"
NOISE = [
    'x="a, b"',
    'x="a\\"b, c"',
    'x="max-age=0"',
    "community=UCI",
    "x",
    "stale-if-error=60",
    'x=""',
    "no-transform",
]


def spellings(word):
    """Give a name in several cases: they are case-insensitive (RFC 9111 5.2)."""
    odd = "".join(letter.upper() if place % 2 else letter for place, letter in enumerate(word))
    return [word, word.upper(), word.title(), odd]


def placements(directive):
    """Give fields that have this directive in a list; white space and empty members mean nothing (RFC 9110 5.6.1)."""
    return [
        [directive],
        [f"{FRESH}, {directive}"],
        [f"{directive},{FRESH}"],
        [f"\t {FRESH}\t,\t{directive} \t"],
        [f",, ,{directive}, ,,{FRESH},"],
        [FRESH, directive],
        [directive, FRESH],
        [FRESH, "", f" {directive}"],
        [f"public, {directive}, {FRESH}"],
        [f"public, s-maxage=600, {FRESH}", "must-revalidate", directive],
        [f"{directive}, {directive}, {FRESH}"],
        [f"{FRESH}, {directive}, public", directive.upper()],
    ]


def forbidden():
    """Give fields that forbid to answer others with it, whatever else they say (RFC 9111 5.2.2.4, .5 and .7)."""
    for word in FORBIDDING:
        for spelled in spellings(word):
            yield from placements(spelled)
        for noise in NOISE:
            yield [f"{noise}, {word}, {FRESH}"]
            yield [f"{FRESH}, {word}, {noise}"]
            yield [noise, f"{FRESH},{word}"]
        for more in FORBIDDING:
            yield [f"{word}, {more}, {FRESH}"]
            yield [f"{FRESH}, {more}", word]


def doubtful():
    """Give fields that are no proper list, or name with an argument what has none: who is careful obeys."""
    for word, separator in product(FORBIDDING, [";", "; ", " ", "  ", " ; ", "\t"]):
        yield [f"{word}{separator}{FRESH}"]
        yield [f"{FRESH}{separator}{word}"]
    for word in FORBIDDING:
        yield [f"{word}=, {FRESH}"]
        yield [f'{FRESH}, {word}=""']
        yield [f'x="open, {word}, {FRESH}']
        yield [f'{FRESH}, x=", {word}']
        yield [f'{FRESH}, "x, {word}']
        yield [f"{FRESH}, {word} "]
    for argument in ["1", "true", "0", '"x"', "no", "?0"]:
        yield [f"no-store={argument}, {FRESH}"]
        yield [f"{FRESH}, No-Store={argument}"]


def stale():
    """Give fields by which an answer is over when it comes (RFC 9111 4.2.1, 1.2.2)."""
    wrong = [
        "0",
        "00",
        "-1",
        "-600",
        "+600",
        "1.5",
        "600.0",
        "abc",
        "a600",
        "600a",
        "0x258",
        "'600'",
        '"abc"',
        "",
        '""',
    ]
    wrong += ["6 00", "600 600", "%36%30%30", "¹²", "600s", "1e3", "_600", "6_00", "NaN", "inf", "true"]
    for value in wrong:
        yield [f"max-age={value}"]
        yield [f"public, max-age={value}, x=600"]
        yield [f"s-maxage={value}, max-age=600"]
        yield [f"max-age=600, S-MaxAge={value}"]
        yield ["max-age=600", f"s-maxage={value}"]
    for flag in [
        "max-age",
        "s-maxage, max-age=600",
        "max-age=0, must-revalidate",
        "Max-Age=0",
        "S-MAXAGE=0, max-age=600",
    ]:
        yield [flag]
        yield [f"{flag}, x"]


def allowed():
    """Give fields that allow it for ten minutes, though what forbids is in them as something else (RFC 9111 5.2.3)."""
    for spelled in [*spellings("max-age"), *spellings("s-maxage")]:
        yield from placements(f"{spelled}=600")
    for word in FORBIDDING:
        yield [f'x="{word}", {FRESH}']
        yield [f'x="a, {word}, b", {FRESH}']
        yield [f'{FRESH}, x="\\", {word}, \\""']
        yield [f"x-{word}, {FRESH}"]
        yield [f"{FRESH}, {word}s"]
        yield [f"x={word}, {FRESH}"]
        yield [f"{word}-x=1", FRESH]
    for noise in NOISE:
        yield [f"{noise}, {FRESH}"]
        yield [noise, "public", FRESH]
    for seconds in ["0600", "00000000000600", "2147483647", "2147483648", "4294967296", "9" * 40]:
        yield [f"max-age={seconds}"]
        yield [f"max-age=1, s-maxage={seconds}"]
    yield ["s-maxage=600, max-age=0"]
    yield ["max-age=600, must-revalidate"]
    yield ["max-age=600, proxy-revalidate"]


def withheld():
    """Give fields that keep the field X-Own from others (RFC 9111 5.2.2.4 and .7), where the rest may be stored."""
    for word, spelled in product(
        ["private", "no-cache"], ["x-own", "X-Own", "x-other, x-own", "x-own,x-other", " X-OWN "]
    ):
        yield [f'{word}="{spelled}", {FRESH}']
        yield [f'{FRESH}, {word.upper()}="{spelled}"']
        yield [FRESH, f'x="a", {word}="{spelled}"']
    yield [f"private=x-own, {FRESH}"]
    yield [f"{FRESH}, no-cache=X-Own"]
    yield [f'private="x-other", no-cache="x-own", {FRESH}']
