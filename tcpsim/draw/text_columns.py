"""Rows of cells as aligned lines of text.

Owns: the width of a column and its alignment. Refuses to know: what the cells mean.
"""

from __future__ import annotations

from collections.abc import Sequence


def columns(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Rows of cells as lines. The first `left` columns are aligned to the left, and the others to the right.

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
