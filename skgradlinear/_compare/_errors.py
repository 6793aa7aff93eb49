"""What the user can put right is told in one line."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST_VALUE = 60


class CompareError(Exception):
    """Something the user can put right; the message is one line that says what, the value seen and the remedy."""


def one_line(error: BaseException) -> str:
    """First line of an error's message, or the name of its class where it has none."""
    lines = str(error).strip().splitlines()
    return shortened(lines[0].rstrip(".") if lines else type(error).__name__, 120)


def shortened(text: str, width: int = LONGEST_VALUE) -> str:
    """Text with its middle left out where it is longer than `width`."""
    if len(text) <= width:
        return text
    head = (width - 3 + 1) // 2
    return f"{text[:head]}...{text[len(text) - (width - 3 - head) :]}"


def quoted(value: object) -> str:
    """Short representation on one line."""
    return shortened(repr(value))


def listed(values: Iterable[object], most: int = 8) -> str:
    """The first values, separated by commas, and how many more there are."""
    texts = [quoted(value) for value in values]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
