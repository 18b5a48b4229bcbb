"""The verdict of a run as text: the remaining sockets, since when, who holds them, and lost requests.

Owns: the four lines below a ladder, and a fifth if a request is lost. Refuses to know: how a run is judged
(catalogue), and colour (cli adds it).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tcpsim.catalogue import Ended, Played, Request, Verdict
from tcpsim.draw.time_format import clock
from tcpsim.pair import SIDES, Answered, Held, Lost, Sent, Side, numbered, sockets_in_words
from tcpsim.tcp.state import Holder, State

HOLDERS: Final = {
    Holder.OWNED: "held by a program",
    Holder.ORPHAN: "an orphan: only the kernel holds it",
    Holder.MINI: "a timewait socket: only the kernel holds it",
    Holder.REQUEST: "a request in a listener's queue",
    Holder.QUEUE: "in the accept queue: no program holds it",
}


def verdict_text(played: Played) -> str:
    """The state at the end in four lines, and a fifth if requests were lost."""
    lines = [f"verdict  {_verdict_words(played.ended)}"]
    lines += [f"{side:<9}{_side_words(played, side)}" for side in played.begun.names]
    lines.append(f"wire     {_wire_words(played)}")
    lost = requests_in_words(played.requests, played.ended)
    return "\n".join([*lines, *([f"users    {lost}"] if lost else [])]) + "\n"


def _verdict_words(ended: Ended) -> str:
    words = ended.describe().split(": ")[0]
    if ended.verdict is Verdict.PERMANENT:
        return f"{words}: no event can end it"
    if ended.verdict is Verdict.RUNNING:
        return f"{words}: something will still happen ({clock(ended.t_us)})"
    return words


def _side_words(played: Played, side: Side) -> str:
    held = played.ended.of(side)
    if side not in SIDES and any(each.state is not State.CLOSED for each in held):
        return _legs_words(played, side, held)
    alive = [socket for socket in held if socket.state is not State.CLOSED]
    details = sorted({HOLDERS[socket.holder] for socket in alive})
    details += _octets([socket.readable for socket in alive], "unread")
    details += _octets([socket.unacked for socket in alive], "unacknowledged")
    return ", ".join([_states_since(played, side, held), *details])


def _legs_words(played: Played, side: Side, held: Sequence[Held]) -> str:
    """A machine between: each of its sockets, since when, and on which leg."""
    pair = played.ended.pair
    machine, port = pair.machine(side), pair.relays[pair.names.index(side) - 1].port
    told = []
    for number, one, since_us in zip(numbered(pair, side), held, played.since_us(side), strict=True):
        if one.state is State.CLOSED:
            continue
        left = machine.system.end.sockets[number].local_port == port
        details = [HOLDERS[one.holder], *_octets([one.readable], "unread")]
        details += _octets([one.unacked], "unacknowledged")
        leg = "client" if left else "server"
        told.append(f"{leg} leg {one.state} since {clock(since_us)}, {', '.join(details)}")
    return "; ".join(told)


def _octets(counts: Sequence[int], what: str) -> list[str]:
    """The bytes queued in sockets, written once if they are the same in each."""
    some = [count for count in counts if count]
    if len(some) > 1 and len(set(some)) == 1:
        return [f"{some[0]:,} bytes {what} each"]
    return [f"{count:,} bytes {what}" for count in some]


def _states_since(played: Played, side: Side, held: Sequence[Held]) -> str:
    """The states, each with the time since when a socket has been in it."""
    since_us = [at for one, at in zip(held, played.since_us(side), strict=True) if _told(one, held)]
    if len(set(since_us)) <= 1:
        last_us = played.last_change_us(side)
        return sockets_in_words(tuple(held)) + (f" since {clock(last_us)}" if last_us is not None else "")
    by_state: dict[State, list[int]] = {}
    for one, at_us in zip(held, played.since_us(side), strict=True):
        if _told(one, held):
            by_state.setdefault(one.state, []).append(at_us)
    return " + ".join(_one_state(str(state), sorted(times)) for state, times in by_state.items())


def _told(one: Held, held: Sequence[Held]) -> bool:
    """Dead sockets with a descriptor. They are mentioned only if nothing else is held."""
    return one.state is not State.CLOSED or all(each.state is State.CLOSED for each in held)


def _one_state(state: str, since_us: Sequence[int]) -> str:
    first, last = clock(since_us[0]), clock(since_us[-1])
    words = state if len(since_us) == 1 else f"{len(since_us)} {state}"
    return f"{words} since {first}" if first == last else f"{words} since {first} to {last}"


def _wire_words(played: Played) -> str:
    sent = sum(isinstance(event, Sent) for event in played.events)
    lost = sum(isinstance(event, Lost) for event in played.events)
    boxes = [each.who for each in played.events if isinstance(each, Answered) and each.segment.rst]
    whose = "" if not boxes else f" (the {boxes[0]}'s)" if len(boxes) == played.resets else (
        f" ({len(boxes)} of them the {boxes[0]}'s)"
    )  # fmt: skip
    return f"{sent} segments, {lost or 'none'} lost, {played.resets or 'no'} RST{whose}"


def requests_in_words(made: Sequence[Request], ended: Ended) -> str:
    """The requests that got no response or only a part of it; "" if there are none."""
    lost = [each for each in made if each.lost]
    cut = [each for each in made if each.cut_short]
    told = []
    if lost:
        waiting = sum(each.error is None for each in lost)
        errors = sorted({each.error for each in lost if each.error is not None})
        why = [", ".join("end-of-file" if error == "EOF" else error for error in errors)] if errors else []
        if waiting:
            for_ever = "" if ended.verdict is Verdict.RUNNING else " for ever"
            why.append(f"{waiting} waits{for_ever}" if waiting == 1 else f"{waiting} wait{for_ever}")
        told.append(f"{len(lost)} of {len(made)} requests lost: no response ({'; '.join(why)})")
    if cut:
        errors = sorted({str(each.error) for each in cut if not each.missing})
        missing = [f"end-of-file, {each.missing:,} octets missing" for each in cut if each.missing]
        told.append(f"{len(cut)} of {len(made)} cut short ({', '.join([*errors, *missing])})")
    return "; ".join(told)
