"""A part of a story: from a time or from the close on, until a time.

Owns: where a close begins, and in which state each side is where the part begins. Refuses to know: forms.
"""

from __future__ import annotations

from typing import Final

from tcpsim.draw.ladder_rows import Item, Side, Story
from tcpsim.errors import InputError

CLOSE: Final = "close"
_CLOSING: Final = ("FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT")


def part(story: Story, from_us: int | None = None, until_us: int | None = None) -> Story:
    """What happens from `from_us` to `until_us`, both included, below the states that there are by then."""
    if from_us is None and until_us is None:
        return story
    begin = 0 if from_us is None else from_us
    end = until_us if until_us is not None else max((item.t_us for item in story.items), default=0)
    kept = [item for item in story.items if begin <= item.t_us <= end]
    before = [item for item in story.items if item.t_us < begin]
    states = [item for side in story.sides for item in _states(before, side, begin)]
    end_us = story.end_us if until_us is None else None
    return story._replace(items=(*states, *kept), end_us=end_us)


def close_us(story: Story) -> int:
    """When the first connection leaves ESTABLISHED for a close.

    Raises:
        InputError: none does.
    """
    for item in story.items:
        if item.kind == "state" and item.text.split()[0] in _CLOSING:
            return item.t_us
    raise InputError("from", "close, in a run in which nothing closes", "a time")


def _states(before: list[Item], side: Side, begin_us: int) -> list[Item]:
    """The states in which a side's connections are when the part begins."""
    latest: dict[int, Item] = {}
    for item in before:
        if item.side == side and item.kind == "end":
            latest.clear()
        if item.side == side and item.kind == "state" and item.who:
            latest[item.who] = item
    return [item._replace(t_us=begin_us) for item in latest.values() if not item.text.startswith("CLOSED")]
