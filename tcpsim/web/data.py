"""A graph as the data of a page: small tables that refer to each other by number.

Owns: the form, which `graph.js` reads. Refuses to know: how a graph came about, and what it means.

Steps and their parts, ways, and what is seen in a state come again and again. Each stands in a table once.
A state is a list: its view, what runs, a mark, then a way and a target for each edge. The mark is 0, or -1
where it goes on beyond the horizon, or of how many segments that arrive together not every set of losses is
listed. A machine is its number in the line, from the client's 0.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final

from tcpsim.draw.ladder_rows import Flight, Side
from tcpsim.pair import sockets_in_words
from tcpsim.web.graph import Edge, Graph, Running, Socket, View
from tcpsim.web.shown import Arriving, LostLate, Said, Sending, Shown, Step

_LETTERS: Final = {"call": "k", "state": "c", "timer": "t", "note": "n", "end": "e"}
_LATE: Final = -1


class _Table:
    """Values by number, each once."""

    def __init__(self) -> None:
        self.numbers: dict[Hashable, int] = {}

    def number(self, value: Hashable) -> int:
        return self.numbers.setdefault(value, len(self.numbers))


def graph_data(graph: Graph) -> dict[str, Any]:
    """The tables, ready for JSON. A machine is its number in the line, from the client's 0."""
    sides = graph.sides
    views, running, steps, kinds = _Table(), _Table(), _Table(), _Table()
    held, timers, items = _Table(), _Table(), _Table()
    states = []
    for state in graph.states:
        mark = _LATE if state.late else state.together
        row = [views.number(state.view), running.number(state.running), mark]
        for edge in state.edges:
            row += [kinds.number(_kind(edge, steps)), edge.target]
        states.append(row)
    return {
        "losses": graph.losses,
        "horizon": graph.horizon_us,
        "complete": graph.complete,
        "views": [_view(view, held) for view in views.numbers],  # type: ignore[arg-type]
        "held": list(held.numbers),
        "running": [_running(each, timers, sides) for each in running.numbers],  # type: ignore[arg-type]
        "timers": list(timers.numbers),
        "steps": [_step(step, items, sides) for step in steps.numbers],  # type: ignore[arg-type]
        "items": list(items.numbers),
        "kinds": [_trimmed(kind) for kind in kinds.numbers],  # type: ignore[arg-type]
        "states": states,
    }


def _kind(edge: Edge, steps: _Table) -> tuple[int, int, int, int, float]:
    return steps.number(edge.step), edge.elapsed_us, edge.lost, edge.passed, edge.weight


def _trimmed(kind: tuple[int, int, int, int, float]) -> list[int | float]:
    """Without a weight of 1."""
    return list(kind[:-1] if kind[-1] == 1.0 else kind)


def _view(view: View, held: _Table) -> list[int]:
    last = len(view) - 1
    return [held.number(_held(machine, at, last)) for at, machine in enumerate(view)]


def _held(machine: tuple[Socket, ...], at: int, last: int) -> tuple[Hashable, ...]:
    """What a machine holds: in words, and socket by socket."""
    words = sockets_in_words(tuple([each.held for each in machine]))
    return words, tuple([_socket(each, at, last) for each in machine])


def _socket(each: Socket, at: int, last: int) -> tuple[Hashable, ...]:
    """A socket; of a machine between also on which leg it is, from 0, and which connection."""
    held, who = each
    row = str(held.state), str(held.holder), int(held.fd), held.readable, held.unacked
    return (*row, at - 1 + held.behind, who) if 0 < at < last else row


def _running(each: tuple[Running, ...], timers: _Table, sides: tuple[Side, ...]) -> list[int]:
    """Two numbers for each: what runs and whose (side, who, name), how long after the next event it ends."""
    flat: list[int] = []
    for one in each:
        flat += [timers.number((sides.index(one.side), one.who, one.name)), one.ahead_us]
    return flat


def _step(step: Step, items: _Table, sides: tuple[Side, ...]) -> list[Any]:
    return [list(step.lost), [items.number(_shown(each, sides)) for each in step.shown], list(step.chosen)]


def _shown(each: Shown, sides: tuple[Side, ...]) -> tuple[Hashable, ...]:
    match each:
        case Said():
            return _LETTERS[each.kind], sides.index(each.side), each.text, each.who
        case Sending():
            return "m" if each.made else "s", *_sending(each.flight, each.after_us, sides)
        case Arriving():
            return "a", sides.index(each.side), each.place
        case LostLate():
            return "x", each.place, each.lost, each.remark


def _sending(flight: Flight, after_us: tuple[int, ...], sides: tuple[Side, ...]) -> tuple[Hashable, ...]:
    """A segment. Which way it goes is a number: 0 and 1 on the client's leg, there and back, and so on.

    Only of one that is lost as it is sent it says why.
    """
    way = 2 * flight.leg + (flight.sender != sides[flight.leg])
    sent = way, flight.label, flight.short, int(flight.minor), after_us
    return sent if flight.lost is None else (*sent, flight.lost, flight.remark)
