"""The ladder as plain text, 100 columns wide: two lifelines, arrows between them, times at both edges.

With machines between there are more lifelines, each with its time, and the ladder is wider.

Owns: the order of rows, and their columns. Refuses to know: colour (cli adds it), pictures (ladder_figure).

Each side has a time column of its own, and each column reads downwards in time. So a segment that nothing
crosses is one row: sent at the time on its sender's edge, arrived at the time on the other. A segment
that another crosses is two rows, its departure and its arrival: squeezed into one, it would make a
column run backwards, which is how a simultaneous close comes to look like an orderly one. A pure
acknowledgement gives way to the data that it crosses. Silence of a second or more is said in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from textwrap import wrap
from typing import Final, NamedTuple

from tcpsim.draw.ladder_rows import Flight, Item, Side, Story
from tcpsim.draw.time_format import clock, length

WIDTH: Final = 100
_TIME: Final = 9
_SILENCE_US: Final = 1_000_000


class _Columns(NamedTuple):
    """How wide the words beside a lifeline are, and the way between two."""

    cell: int
    wire: int

    def width(self, lifelines: int) -> int:
        """Of a whole line."""
        return lifelines * (_TIME + self.cell + 1) + (lifelines - 1) * (self.wire + 3) - 1


_TWO: Final = _Columns(21, WIDTH - 2 * (_TIME + 21 + 2) - 1)
_MORE: Final = _Columns(15, 22)


class Step(NamedTuple):
    """What becomes one row: an item, or a send and the arrival of what it sent."""

    item: Item
    arrival: Item | None = None


class _Row:
    """One row while it is being put together: what each side says, and the wire between two of them."""

    __slots__ = ("last", "leg", "remarks", "said", "times", "wire")

    def __init__(self, item: Item, wire: str = "", leg: int = 0) -> None:
        self.remarks: list[str] = []  # below the arrow
        self.leg = leg
        self.said: dict[Side, str] = {item.side: item.text}
        self.times: dict[Side, int] = {item.side: item.t_us}
        self.wire = wire
        self.last = item


def width(lifelines: int) -> int:
    """How wide a ladder is at most."""
    return (_TWO if lifelines == 2 else _MORE).width(lifelines)


def ladder(story: Story) -> str:
    """The whole story as text; of two lifelines no line is longer than `WIDTH`."""
    wide = _TWO if len(story.sides) == 2 else _MORE
    across = width(len(story.sides))
    lines = [_line(wide, [("", f"{title:^{wide.cell}}") for title in story.titles], bar=" ")]
    latest = 0
    for row in _rows(story, wide):
        begins = min(row.times.values())
        if begins - latest >= _SILENCE_US:
            lines.append(_silence(begins - latest, across))
        lines.extend(_lines(row, story, wide))
        latest = max(latest, *row.times.values())
    if story.end_us is not None and story.end_us - latest >= _SILENCE_US:
        lines.append(_silence(story.end_us - latest, across))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def steps(story: Story) -> Iterator[Step]:
    """The items in the order of the rows, each arrival joined to its send where nothing crosses between."""
    arrivals: dict[int, int] = {}
    for index, item in enumerate(story.items):
        if item.kind == "arrive":
            arrivals.setdefault(item.flight, index)
    told: set[int] = set()
    departed: set[int] = set()
    for index, item in enumerate(story.items):
        if index in told:
            continue
        first = index
        if item.kind == "state" and _brings_about(item, story.items[index + 1 : index + 2]):
            index, item = index + 1, story.items[index + 1]
        departed.add(item.flight)
        joined = _joined(story, index, arrivals.get(item.flight), told, departed)
        for i in joined[:-1]:
            departed.add(story.items[i].flight)
            yield Step(story.items[i])
        if first != index:
            yield Step(story.items[first])
        yield Step(item, story.items[joined[-1]] if joined else None)
        told.update((index, *joined))


def _joined(story: Story, index: int, end: int | None, told: set[int], departed: set[int]) -> list[int]:
    """The arrival that can share the row of a send, last, behind what has to be told before; or nothing.

    What the hearer did before the arrival has to be told before the row, or its column would run backwards.
    """
    item = story.items[index]
    if item.kind != "send" or end is None:
        return []
    hearer = story.hearer(story.flights[item.flight])
    between = [i for i in range(index + 1, end) if story.items[i].side == hearer and i not in told]
    if any(_stands_in_the_way(story, departed, story.items[i]) for i in between):
        return []
    return [*between, end]


def _brings_about(state: Item, behind: Sequence[Item]) -> bool:
    """A change of state and the segment that tells the peer of it are one row."""
    return [(item.kind, item.side, item.t_us) for item in behind] == [("send", state.side, state.t_us)]


def _stands_in_the_way(story: Story, departed: set[int], item: Item) -> bool:
    """A segment that crosses, unless it is minor, or one that overtook: its own departure comes first."""
    if item.kind == "send":
        return not story.flights[item.flight].minor
    return item.kind == "arrive" and item.flight not in departed


def _rows(story: Story, wide: _Columns) -> list[_Row]:
    """Rows, a change of state written beside the arrow that caused it or that it caused."""
    rows: list[_Row] = []
    latest: dict[Side, _Row] = {}
    for item, arrival in steps(story):
        before = latest.get(item.side)
        same_moment = before is not None and before.times[item.side] == item.t_us
        if item.kind == "state" and before and same_moment and not before.said[item.side]:
            before.said[item.side] = item.text
            continue
        wire, leg = "", 0
        if item.flight >= 0:
            leg = story.flights[item.flight].leg
            wire = _wire(story, wide, item, arrival)
        if (
            before
            and before is rows[-1]
            and before.last.kind == "state"
            and _brings_about(before.last, [item])
        ):
            row = before
            row.wire, row.leg, row.last = wire, leg, item
        else:
            row = _Row(item, wire, leg)
            rows.append(row)
        if item.kind == "send":
            row.remarks = _remarks(story, wide, story.flights[item.flight])
        latest[item.side] = row
        if arrival:
            row.said[arrival.side] = arrival.text
            row.times[arrival.side] = arrival.t_us
            latest[arrival.side] = row
    return rows


def _wire(story: Story, wide: _Columns, item: Item, arrival: Item | None) -> str:
    """The arrow from its sender (tail) to its hearer (head); dots are the half that is told elsewhere."""
    flight, width = story.flights[item.flight], wide.wire
    right = story.rightwards(flight)
    tail, line, head = "──", "─", ("◀─", "─▶")
    if flight.lost is not None:
        why = flight.lost if len(flight.label) + len(flight.lost) + 8 <= width else "lost"
        head = (f"{why} X─", f"─X {why}")
    elif item.kind == "arrive":
        tail = "··"
    elif arrival is None:
        line, head = "·", ("··", "··")
    tip = head[right]
    label = flight.label
    if len(label) > width - len(tail) - len(tip) - 2 and flight.lost is None:
        tail, tip = tail[:1], tip.strip("─")[:1]
    if len(label) > (room := width - len(tail) - len(tip) - 2):
        label = flight.short[:room]
    fill = line * (width - len(tail) - len(tip) - len(label) - 2)
    return f"{tail} {label} {fill}{tip}" if right else f"{tip}{fill} {label} {tail}"


def _remarks(story: Story, wide: _Columns, flight: Flight) -> list[str]:
    """What there is to say of a loss, on the side where it happened."""
    width, right = wide.wire, story.rightwards(flight)
    return [f"{line:>{width}}" if right else f"{line:<{width}}" for line in wrap(flight.remark, width - 2)]


def _lines(row: _Row, story: Story, wide: _Columns) -> Iterator[str]:
    sides = story.sides
    cells = [wrap(row.said.get(side, ""), wide.cell - 1) or [""] for side in sides]
    times = [clock(row.times[side]) if side in row.times else "" for side in sides]
    for *words, wire in zip_longest(*cells, [row.wire, *row.remarks]):
        beside = [(time, said or "") for time, said in zip(times, words, strict=True)]
        yield _line(wide, beside, {row.leg: wire or ""})
        times = [""] * len(sides)


def _line(
    wide: _Columns, beside: Sequence[tuple[str, str]], wires: Mapping[int, str] | None = None, bar: str = "│"
) -> str:
    """A line of text: time and words of each lifeline, and what is on the ways between."""
    (time, words), *others = beside
    line = f"{time:>{_TIME}} {words:<{wide.cell}}"
    for leg, (time, words) in enumerate(others):
        line += f"{bar}{(wires or {}).get(leg, ''):<{wide.wire}}{bar} {words:<{wide.cell}}{time:>{_TIME}}"
        line += " " * (leg + 1 < len(others))
    return line


def _silence(span_us: int, width: int) -> str:
    return f"... {length(span_us)} pass ...".center(width)
