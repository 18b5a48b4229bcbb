"""A line of three real hosts against the same line in the simulator: calls, segments and states.

Owns: what a recording of a line is, what is compared, every difference in words, and the verdict. Refuses to
know: how a line is recorded (lab.chain).

Of calls it is what was asked, what came back, and when, within `slack_us`: a real machine is late. What is
sent by itself (a retransmission, a keepalive probe) waits for a timer of the kernel's wheel, which is up to
an eighth of its time late (Linux kernel/time/timer.c: 12.5 %); so what comes after it may be as late. Of
segments it is all that carry something, by path and sender; a pure ACK may be delayed or not. The states of
a real socket are looked at every few milliseconds, so a short one is missed: those seen have to come in the
simulator's order, and the last one has to be the simulator's last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final

from tcpsim.catalogue import Scenario, build, parse_scenario, run
from tcpsim.conformance.lab.calls import answered, told
from tcpsim.conformance.traces import Verdict
from tcpsim.conformance.traces.lateness import LATE_US
from tcpsim.conformance.traces.verdict import cannot_judge
from tcpsim.errors import InputError
from tcpsim.pair import Arrived, Called, Event, Pair, Returned, Sent, StateChanged, names
from tcpsim.path import Seeded
from tcpsim.tcp.segment import ACK, flag_letters
from tcpsim.tcp.state import State

SLACK_US: Final = 60_000
_RECORDED: Final = ("until_us", "calls", "states", "segments")
_WHEEL: Final = 8  # a timer is late by this part of its time at most
_LINUX: Final = {State.SYN_RECEIVED: "SYN_RECV"}
_Row = Mapping[str, Any]


def judge_line(content: bytes, path: str) -> Verdict | None:
    """The verdict on a recording of a line; None: this is none. `path` is for messages.

    Where the recorder was late and something differs, there is no verdict, as of a trace.
    """
    try:
        recorded = json.loads(content)
    except ValueError:
        return None
    if not isinstance(recorded, dict) or not ({"story", *_RECORDED} <= recorded.keys()):
        return None
    try:
        story = parse_scenario(recorded["story"], path, path)
    except InputError as error:
        return Verdict(path, "UNSUPPORTED", str(error))
    found = differences(recorded, story, recorded["until_us"])
    if not found:
        return Verdict(path, "PASS", title=story.title)
    late_us = recorded.get("late_us", 0)
    rest = "".join(f"{each}\n" for each in found[1:])
    if late_us > LATE_US:
        return Verdict(path, "LATE", f"{cannot_judge(late_us)}; {found[0]}", story.title, rest)
    return Verdict(path, "FAIL", found[0], story.title, rest)


def differences(
    recorded: Mapping[str, Sequence[_Row]],
    story: Scenario,
    until_us: int,
    slack_us: int = SLACK_US,
    seed: int = 1,
) -> list[str]:
    """In what a recording until then is not what the simulator does; nothing: it is the same."""
    events: list[Event] = []
    pair = build(story)
    ended = run(pair, Seeded(seed), until_us, events.append).pair
    found = [*_of_segments(recorded["segments"], events), *_of_states(recorded["states"], events, ended)]
    wheel = _by_timers(events)
    for side in names(len(pair.relays)):
        mine = list(_calls(events, side))
        theirs = [row for row in recorded["calls"] if row["who"] == side]
        found += _of_calls(side, theirs, mine, slack_us, wheel)
    return found


def _calls(events: Sequence[Event], side: str) -> Iterator[dict[str, Any]]:
    """The calls of a machine that returned, in the words of a recording."""
    for event in events:
        if isinstance(event, Returned) and event.side == side:
            name, argument = told(event.call, "")
            yield {"call": name, "arg": argument, "end_us": event.t_us, **answered(event.call, event.reply)}


def _by_timers(events: Sequence[Event]) -> list[tuple[int, int]]:
    """When a timer lets a sender go on, and how much later a kernel's timer may do so.

    That is a segment that is sent when nothing arrives there and no call is made. Its timer was started with
    the last segment on this leg that was sent or came; after a loss, with what was lost.
    """
    found = []
    acted: dict[str, int] = {}
    begun: dict[tuple[str, int], int] = {}
    losing: set[tuple[str, int]] = set()
    for event in events:
        if isinstance(event, Called):
            acted[event.side] = event.t_us
        elif isinstance(event, Arrived):
            acted[event.side] = event.t_us
            if (event.side, event.leg) not in losing:
                begun[event.side, event.leg] = event.t_us
        elif isinstance(event, Sent):
            place = event.side, event.leg
            since_us = begun.get(place, event.t_us)
            if since_us != event.t_us:
                losing.discard(place)
                if acted.get(event.side) != event.t_us:
                    found.append((event.t_us, (event.t_us - since_us) // _WHEEL))
            begun[place] = event.t_us
            if not event.arrives_us:
                losing.add(place)
    return found


def _of_calls(
    side: str,
    theirs: Sequence[_Row],
    mine: Sequence[_Row],
    slack_us: int,
    wheel: Sequence[tuple[int, int]],
) -> Iterator[str]:
    for number, (real, ours) in enumerate(zip_longest(theirs, mine), 1):
        if real is None or ours is None or _asked(real) != _asked(ours) or _got(real) != _got(ours):
            yield f"{side}, call {number}: the kernel {_said(real)}, the simulator {_said(ours)}"
            return  # what follows is another story
        late_us = slack_us + sum(us for again_us, us in wheel if again_us <= ours["end_us"])
        if not -slack_us <= real["end_us"] - ours["end_us"] <= late_us:
            times = f"{real['end_us'] / 1_000:.1f} ms, not {ours['end_us'] / 1_000:.1f} ms"
            yield f"{side}, call {number}, {_said(real)}: after {times}"


def _asked(row: _Row) -> tuple[str, str]:
    """A call without addresses and without what is left of a time."""
    argument = str(row["arg"])
    if row["call"] == "connect":
        argument = argument.rpartition(":")[2]
    elif row["call"] == "poll":
        patience, *events = argument.split()
        argument = " ".join(["for ever" if float(patience) < 0 else "with a limit", *events])
    return row["call"], argument


def _got(row: _Row) -> object:
    return row.get("err", row.get("ret"))


def _said(row: _Row | None) -> str:
    return "makes none" if row is None else f"{' '.join(_asked(row))} = {_got(row)}"


def _of_segments(theirs: Sequence[_Row], events: Sequence[Event]) -> Iterator[str]:
    ours: dict[tuple[int, str], list[tuple[str, int, bool]]] = {}
    for event in events:
        if isinstance(event, Sent) and (event.segment.flags != ACK or event.segment.len):
            end = "client" if event.side == names(1)[event.leg] else "server"
            flags = flag_letters(event.segment.flags)
            ours.setdefault((event.leg, end), []).append((flags, event.segment.len, not event.arrives_us))
    real: dict[tuple[int, str], list[tuple[str, int, bool]]] = {}
    for row in theirs:
        if row["flags"] != "A" or row["len"]:
            real.setdefault((row["leg"], row["end"]), []).append(
                (row["flags"], row["len"], row.get("lost", "vanished") != "vanished")
            )
    for leg, end in sorted(ours.keys() | real.keys()):
        mine, its = ours.get((leg, end), []), real.get((leg, end), [])
        pairs = zip_longest(its, mine)
        number = next((at for at, (its_one, own) in enumerate(pairs, 1) if its_one != own), None)
        if number is not None:
            kernel, own = (_segment(each[number - 1 : number]) for each in (its, mine))
            yield f"leg {leg + 1}, {end}, segment {number}: the kernel sends {kernel}, the simulator {own}"


def _segment(found: Sequence[tuple[str, int, bool]]) -> str:
    return ", ".join(f"{flags} of {size}{', lost' * lost}" for flags, size, lost in found) or "none"


def _of_states(theirs: Sequence[_Row], events: Sequence[Event], ended: Pair) -> Iterator[str]:
    ours: dict[tuple[str, bool], list[str]] = {}
    for event in events:
        if isinstance(event, StateChanged) and event.new not in (None, State.LISTEN):
            left = _accepted(events, event)
            words = _LINUX.get(event.new) or event.new.name
            told_of = ours.setdefault((event.side, left), [])
            told_of += [] if told_of[-1:] == [words] else [words]
    real: dict[tuple[str, bool], list[str]] = {}
    for row in theirs:
        states = real.setdefault((row["who"], row["ports"][0] in (5_000, 5_001)), [])
        states += [] if states[-1:] == [row["state"]] else [row["state"]]
    for who, accepted in sorted(ours.keys() | real.keys()):
        mine, its = ours.get((who, accepted), []), real.get((who, accepted), [])
        rest = iter(mine)
        if not all(state in rest for state in its) or mine[-1:] != its[-1:]:
            leg = "accepted" if accepted else "opened"
            yield f"{who}, the connection that it {leg}: the kernel {its}, the simulator {mine}"


def _accepted(events: Sequence[Event], change: StateChanged) -> bool:
    """Whether a socket was made by a listener."""
    changes = [each for each in events if isinstance(each, StateChanged) and each.side == change.side]
    first = next(each for each in changes if each.socket == change.socket)
    return first.old is State.LISTEN or first.new is State.SYN_RECEIVED
