"""Ladders and the state diagram as mermaid, which many places that show Markdown draw.

Owns: the syntax, and what it cannot say: an arrow is level there, so a segment that another crosses is told
twice, where it leaves and where it arrives. Refuses to know: how a story was told, and any row of the table.
"""

from __future__ import annotations

from typing import Final

from tcpsim.draw.ladder import Step, steps
from tcpsim.draw.ladder_rows import Item, Side, Story
from tcpsim.draw.states_layout import arcs, is_ending
from tcpsim.draw.states_text import fact_words
from tcpsim.draw.time_format import clock, length
from tcpsim.tcp.lifecycle import TABLE
from tcpsim.tcp.state import State

_SILENCE_US: Final = 1_000_000


def ladder_mermaid(story: Story) -> str:
    """A story as a sequence diagram.

    >>> from tcpsim.draw.ladder_rows import Flight, Item
    >>> items = (Item(0, "client", "send", "", 0), Item(10_000, "server", "arrive", "", 0))
    >>> print(ladder_mermaid(Story(items, (Flight("client", "SYN", "SYN"),))))
    sequenceDiagram
      participant client
      participant server
      client->>server: SYN (0 ms, arrives at 10 ms)
    <BLANKLINE>
    """
    lines = ["sequenceDiagram"]
    for side, title in zip(story.sides, story.titles, strict=True):
        lines.append(f"  participant {_id(side)}" + ("" if title == side else f" as {_text(title)}"))
    latest = 0
    beside: list[Item] = []
    for step in steps(story):
        now_us = step.item.t_us
        if beside and (step.item.kind in ("send", "arrive") or beside[0].side != step.item.side):
            lines.append(_note(beside))
            beside = []
        if now_us - latest >= _SILENCE_US:
            lines += [_note(beside)] if beside else []
            beside = []
            lines.append(
                f"  Note over {_id(story.sides[0])},{_id(story.sides[-1])}: {length(now_us - latest)} pass"
            )
        latest = max(latest, now_us, step.arrival.t_us if step.arrival else 0)
        if step.item.kind in ("send", "arrive"):
            lines.append(_arrow(story, step))
        else:
            beside.append(step.item)
    lines += [_note(beside)] if beside else []
    return "\n".join(lines) + "\n"


def states_mermaid() -> str:
    """The transition table as a state diagram; inside a state stands what leads from it to CLOSED at once.

    Where connections begin and end stands the mark that mermaid has for that, in place of CLOSED.
    """
    lines = ["stateDiagram-v2"]
    endings: dict[State, list[str]] = {}
    for row in TABLE:
        if is_ending(row):
            endings.setdefault(row.state, []).append(fact_words(row.fact))
    for state in State:
        if state is not State.CLOSED:
            inside = f"<br>({', '.join(endings[state])})" if state in endings else ""
            lines.append(f'  state "{state}{inside}" as {_name(state)}')
    lines.append(f"  {_name(State.CLOSED)} --> {_name(State.LISTEN)}: listen()")
    for (state, next_state), words in arcs().items():
        label = "<br>".join(_text(each) for each in words)
        lines.append(f"  {_name(state)} --> {_name(next_state)}: {label}")
    return "\n".join(lines) + "\n"


def _name(state: State) -> str:
    return "[*]" if state is State.CLOSED else str(state).replace("-", "_")


def _id(side: Side) -> str:
    return side.replace(" ", "_")


def _note(items: list[Item]) -> str:
    side = items[0].side
    where = "left" if side == "client" else "right"
    words = "<br>".join(_text(item.text) for item in items)
    return f"  Note {where} of {_id(side)}: {clock(items[0].t_us)}<br>{words}"


def _arrow(story: Story, step: Step) -> str:
    item, flight = step.item, story.flights[step.item.flight]
    sender, to = _id(flight.sender), _id(story.hearer(flight))
    if flight.lost is not None:
        return f"  {sender}-x{to}: {_text(flight.label)} ({clock(item.t_us)}, {_text(flight.lost)})"
    if step.arrival is not None:
        times = f"{clock(item.t_us)}, arrives at {clock(step.arrival.t_us)}"
        return f"  {sender}->>{to}: {_text(flight.label)} ({times})"
    if item.kind == "arrive":
        return f"  {sender}->>{to}: {_text(flight.label)} (arrives at {clock(item.t_us)})"
    return f"  {sender}--){to}: {_text(flight.label)} (leaves at {clock(item.t_us)})"


def _text(words: str) -> str:
    """Words without what mermaid reads as syntax.

    >>> _text("server #4; <b>")
    'server #35;4#59; #lt;b#gt;'
    """
    marks = {"#": "#35;", ";": "#59;", "<": "#lt;", ">": "#gt;"}
    return "".join(marks.get(letter, letter) for letter in words)
