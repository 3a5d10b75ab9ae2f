"""Tags: names under which entries are invalidated together."""

from collections.abc import Iterable


def tagged(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags, none twice.

    Raises `TypeError` for a bare `str` and for what is no `str`, `ValueError` for an empty tag and one with a NUL.
    """
    if not tags:
        return ()
    if isinstance(tags, str):
        raise TypeError(f"tags={tags!r:.80} is one tag: give a list, such as [{tags!r:.80}]")
    given = tuple(dict.fromkeys(tags))
    for tag in given:
        if not isinstance(tag, str):
            raise TypeError(f"a tag is a str, not {type(tag).__name__}: {tag!r:.80}")
        if not tag or "\0" in tag:
            raise ValueError(f"{tag!r:.80} is no tag: it is empty or has a NUL")
    return given
