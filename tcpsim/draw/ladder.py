"""A story as a ladder of plain text, 100 columns wide: two lifelines, arrows between, time on both edges.

Owns: the order of rows, and their columns. Refuses to know: colour (cli adds it), pictures (ladder_figure).

Each side has a time column of its own, and each column reads downwards in time. So a segment that nothing
crosses is one row: sent at the time on its sender's edge, arrived at the time on the other. A segment
that another crosses is two rows, its departure and its arrival: squeezed into one, it would make a
column run backwards, which is how a simultaneous close comes to look like an orderly one. A pure
acknowledgement gives way to the data that it crosses. Silence of a second or more is said in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from textwrap import wrap
from typing import Final, NamedTuple

from tcpsim.draw.ladder_rows import SIDES, Flight, Item, Side, Story
from tcpsim.draw.time_format import clock, length

WIDTH: Final = 100
_TIME, _CELL = 9, 21
_WIRE: Final = WIDTH - 2 * (_TIME + _CELL + 2) - 1
_SILENCE_US: Final = 1_000_000
_SILENT_WIRE: Final = " " * _WIRE


class Step(NamedTuple):
    """What becomes one row: an item, or a send and the arrival of what it sent."""

    item: Item
    arrival: Item | None = None


class _Row:
    """One row while it is being put together: what each side says, and the wire between them."""

    __slots__ = ("last", "remarks", "said", "times", "wire")

    def __init__(self, item: Item, wire: str = _SILENT_WIRE) -> None:
        self.remarks: list[str] = []  # below the arrow
        self.said: dict[Side, str] = {item.side: item.text}
        self.times: dict[Side, int] = {item.side: item.t_us}
        self.wire = wire
        self.last = item


def ladder(story: Story) -> str:
    """The whole story as text; no line is longer than `WIDTH`."""
    titles = [f"{title:^{_CELL}}" for title in story.titles]
    lines = [_line("", titles[0], _SILENT_WIRE, titles[1], "", bar=" ")]
    latest = 0
    for row in _rows(story):
        begins = min(row.times.values())
        if begins - latest >= _SILENCE_US:
            lines.append(_silence(begins - latest))
        lines.extend(_lines(row))
        latest = max(latest, *row.times.values())
    if story.end_us is not None and story.end_us - latest >= _SILENCE_US:
        lines.append(_silence(story.end_us - latest))
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
    between = [i for i in range(index + 1, end) if story.items[i].side != item.side and i not in told]
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


def _rows(story: Story) -> list[_Row]:
    """Rows, a change of state written beside the arrow that caused it or that it caused."""
    rows: list[_Row] = []
    latest: dict[Side, _Row] = {}
    for item, arrival in steps(story):
        before = latest.get(item.side)
        same_moment = before is not None and before.times[item.side] == item.t_us
        if item.kind == "state" and before and same_moment and not before.said[item.side]:
            before.said[item.side] = item.text
            continue
        wire = _wire(story.flights[item.flight], item, arrival) if item.flight >= 0 else _SILENT_WIRE
        if (
            before
            and before is rows[-1]
            and before.last.kind == "state"
            and _brings_about(before.last, [item])
        ):
            row = before
            row.wire, row.last = wire, item
        else:
            row = _Row(item, wire)
            rows.append(row)
        if item.kind == "send":
            row.remarks = _remarks(story.flights[item.flight])
        latest[item.side] = row
        if arrival:
            row.said[arrival.side] = arrival.text
            row.times[arrival.side] = arrival.t_us
            latest[arrival.side] = row
    return rows


def _wire(flight: Flight, item: Item, arrival: Item | None) -> str:
    """The arrow from its sender (tail) to its hearer (head); dots are the half that is told elsewhere."""
    tail, line, head = "──", "─", ("◀─", "─▶")
    if flight.lost is not None:
        why = flight.lost if len(flight.label) + len(flight.lost) + 8 <= _WIRE else "lost"
        head = (f"{why} X─", f"─X {why}")
    elif item.kind == "arrive":
        tail = "··"
    elif arrival is None:
        line, head = "·", ("··", "··")
    tip = head[flight.sender == "client"]
    label = flight.label
    if len(label) > _WIRE - len(tail) - len(tip) - 2 and flight.lost is None:
        tail, tip = tail[:1], tip.strip("─")[:1]
    if len(label) > (room := _WIRE - len(tail) - len(tip) - 2):
        label = flight.short[:room]
    fill = line * (_WIRE - len(tail) - len(tip) - len(label) - 2)
    return f"{tail} {label} {fill}{tip}" if flight.sender == "client" else f"{tip}{fill} {label} {tail}"


def _remarks(flight: Flight) -> list[str]:
    """What there is to say of a loss, on the side where it happened."""
    right = flight.sender == "client"
    return [f"{line:>{_WIRE}}" if right else f"{line:<{_WIRE}}" for line in wrap(flight.remark, _WIRE - 2)]


def _lines(row: _Row) -> Iterator[str]:
    cells = [wrap(row.said.get(side, ""), _CELL - 1) or [""] for side in SIDES]
    times = [clock(row.times[side]) if side in row.times else "" for side in SIDES]
    lines = zip_longest(*cells, [row.wire, *row.remarks])
    for client, server, wire in lines:
        yield _line(times[0], client or "", wire or _SILENT_WIRE, server or "", times[1])
        times = ["", ""]


def _line(t_client: str, client: str, wire: str, server: str, t_server: str, bar: str = "│") -> str:
    return f"{t_client:>{_TIME}} {client:<{_CELL}}{bar}{wire}{bar} {server:<{_CELL}}{t_server:>{_TIME}}"


def _silence(span_us: int) -> str:
    return f"... {length(span_us)} pass ...".center(WIDTH)
