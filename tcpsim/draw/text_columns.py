"""Rows of words as lines of text.

Owns: how wide a column is and on which side its words stand. Refuses to know: what the words say.
"""

from __future__ import annotations

from collections.abc import Sequence


def columns(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Rows of words as lines: the first `left` columns begin below each other, the others end so.

    >>> print(*columns([["state", "held"], ["CLOSE-WAIT", "7"]], 1), sep="\\n")
    state       held
    CLOSE-WAIT     7
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            word.ljust(width) if place < left else word.rjust(width)
            for place, (word, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
