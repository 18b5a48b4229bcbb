"""The reason why a setting had no effect, as a sentence.

Owns: for each family of settings the question to ask of the runs. Refuses to know: how it was found that a
setting made none (ineffective).

A reason is given only if the runs confirm it. If none fits, the text says what is certain: whether the value
was read at all, and that every event is the same without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from tcpsim.catalogue.simulate import Played
from tcpsim.pair import SIDES, Answered, Called, Sent, Side, StateChanged, TimerFired
from tcpsim.path.flow_table import Tracker
from tcpsim.path.middlebox import middleboxes, sources
from tcpsim.sockets import SetSockOpt
from tcpsim.tcp.event import Timer
from tcpsim.tcp.stack import knob_names
from tcpsim.tcp.state import Holder, State

_SAME: Final = "without it, every event is the same"


class Seen(NamedTuple):
    """The runs, and the fields of each side's stack that were read in them."""

    runs: tuple[Played, ...]
    reads: Mapping[Side, frozenset[str]]

    def events(self, side: Side, *kinds: type) -> Iterator[Any]:
        """The events of one side."""
        for each in self.runs:
            yield from (e for e in each.events if e.side == side and isinstance(e, kinds))

    @property
    def where(self) -> str:
        """The runs, as a sentence ends."""
        return "in this run" if len(self.runs) == 1 else f"in the {len(self.runs)} connections examined"


Reason = Callable[[Seen, Side], str]  # "" if the runs do not bear it out


def why_idle(kind: str, name: str, value: Any, seen: Seen) -> str:
    """Why the setting `name` (in the mapping `kind`, or `kind` itself) made no difference."""
    if kind == "parameters" and name.rpartition(".")[2] == "backlog":
        return _never_full(seen, "server") or _SAME
    if kind.startswith("loss") and kind != "loss_side":
        return f"nothing was lost by chance {seen.where}"
    if kind != "knobs":
        return _SAME
    owner, dot, knob = name.partition(".")
    if owner == "middlebox" and dot:
        return _of_box(knob, seen)
    sides: tuple[Side, ...] = (owner,) if dot and owner in SIDES else SIDES
    told = [_of_stack(knob if dot else name, seen, side) for side in sides]
    if len(told) == 2 and told[0].replace("the client", "") == told[1].replace("the server", ""):
        return told[0].replace("of the client", "of either side").replace("the client", "either side")
    return "; ".join(dict.fromkeys(told))


def _of_stack(knob: str, seen: Seen, side: Side) -> str:
    """Why a knob of one side's stack made no difference."""
    stack = _system(seen.runs[0], side).end.stack
    turned = [each.field for each in knob_names(stack.name).get(knob, ())] or [knob]
    read = any(field in seen.reads[side] or f"{field}_us" in seen.reads[side] for field in turned)
    reason = next(
        (
            said
            for prefix, ask in _FAMILIES
            if turned[0].startswith(prefix)
            for said in [ask(seen, side)]
            if said
        ),
        "",
    )
    begins = f"read, but without effect {seen.where}" if read else f"never read {seen.where}"
    return f"{begins}: {reason or _SAME}"


def _of_box(knob: str, seen: Seen) -> str:
    """Why a knob of the middlebox made no difference."""
    box = next(each.box for each in seen.runs[0].begun.path.shared if isinstance(each, Tracker))
    own = (
        {each.own_name: each.field for each in sources(box.name) if each.own_name}
        if box.name in middleboxes()
        else {}
    )
    field = own.get(knob, knob).removesuffix("_us")
    flows = [
        flow
        for each in seen.runs
        for element in each.ended.pair.path.shared
        if isinstance(element, Tracker)
        for flow in element.flows
    ]
    if not flows:
        return f"never read {seen.where}: the {box.role} saw no flow"
    if field == "answers":
        return f"it decided nothing {seen.where}: the {box.role} stopped nothing that it would answer"
    if hasattr(box, f"{field}_us"):
        return (
            f"it decided nothing {seen.where}: no flow was silent in {field.upper()} for so long that this"
            " value, and not the profile's, decides"
        )
    return f"it decided nothing {seen.where}: {_SAME}"


def _system(played: Played, side: Side) -> Any:
    return played.begun.machine(side).system


# Families of knobs


def _keepalive(seen: Seen, side: Side) -> str:
    stack = _system(seen.runs[0], side).end.stack
    calls = [e.call for e in seen.events(side, Called) if isinstance(e.call, SetSockOpt)]
    asked = any(call.name == "SO_KEEPALIVE" and call.value for call in calls)
    if not asked and not stack.keepalive_default:
        return f"no socket of the {side} has SO_KEEPALIVE"
    if any(call.name.startswith("TCP_KEEP") for call in calls):
        return f"the program of the {side} sets its own times (TCP_KEEPIDLE and its likes)"
    return _never_fired(seen, side, Timer.KEEPALIVE)


def _fin_wait_2(seen: Seen, side: Side) -> str:
    there = [e for e in seen.events(side, StateChanged) if e.new is State.FIN_WAIT_2]
    if not there:
        return f"no socket of the {side} was in FIN-WAIT-2"
    if all(e.holder == str(Holder.OWNED) for e in there):
        return f"in FIN-WAIT-2 a program held the socket of the {side}, and the limit is one for orphans"
    return _never_fired(seen, side, Timer.FIN_WAIT_2)


def _time_wait(seen: Seen, side: Side) -> str:
    if not any(e.new is State.TIME_WAIT for e in seen.events(side, StateChanged)):
        return f"no socket of the {side} was in TIME-WAIT"
    return _never_fired(seen, side, Timer.TIME_WAIT)


def _never_fired(seen: Seen, side: Side, timer: Timer) -> str:
    fired = any(e.timer == str(timer) for e in seen.events(side, TimerFired))
    return "" if fired else f"the {timer} timer of the {side} never fired"


def _never_again(what: str, syn: bool, ack: bool) -> Reason:
    def ask(seen: Seen, side: Side) -> str:
        for each in seen.runs:
            sent = [
                (e.segment.src_port, e.segment.dst_port, e.segment.seq)
                for e in each.events
                if isinstance(e, Sent) and e.side == side and _is(e.segment, syn, ack)
            ]
            if len(set(sent)) < len(sent):
                return ""
        return f"no {what} of the {side} was sent again"

    return ask


def _is(segment: Any, syn: bool, ack: bool) -> bool:
    if syn:
        return bool(segment.syn and segment.has_ack is ack)
    return bool(segment.seg_len and not segment.syn and not segment.rst)


def _unacknowledged(seen: Seen, side: Side) -> str:
    return _never_again("octet or FIN", False, False)(seen, side)


def _zero_window(seen: Seen, side: Side) -> str:
    other = SIDES[side == "client"]
    closed = any(not e.segment.wnd and not e.segment.rst for e in seen.events(other, Sent))
    return "" if closed else f"the {other} never closed its window"


def _never_full(seen: Seen, side: Side) -> str:
    dropped = any(
        getattr(e, "what", "") in ("queue full", "accept queue full") for e in seen.events(side, object)
    )
    return "" if dropped else f"the accept queue of the {side} was never full"


def _of_a_host(seen: Seen, side: Side) -> str:
    return "it limits a whole host, and this is one connection: see tcpsim population"


def _no_rst(seen: Seen, side: Side) -> str:
    sent = any(e.segment.rst for each in SIDES for e in seen.events(each, Sent, Answered))
    return "" if sent else "nobody sent a RST"


_FAMILIES: Final[tuple[tuple[str, Reason], ...]] = (
    ("keep", _keepalive),
    ("fin_wait_2", _fin_wait_2),
    ("time_wait", _time_wait),
    ("rfc1337", _time_wait),
    ("synack_", _never_again("SYN-ACK", True, True)),
    ("syn_backlog", _never_full),
    ("somaxconn", _never_full),
    ("accept_overflow", _never_full),
    ("syn_", _never_again("SYN", True, False)),
    ("retr", _unacknowledged),
    ("orphan_retries", _unacknowledged),
    ("orphan_keep", _fin_wait_2),
    ("backoff", _unacknowledged),
    ("user_timeout", _unacknowledged),
    ("rto_max", _unacknowledged),
    ("persist_", _zero_window),
    ("challenge_rst", _no_rst),
    ("max_orphans", _of_a_host),
    ("max_mini", _of_a_host),
    ("memory", _of_a_host),
    ("out_of_memory", _of_a_host),
    ("nofile", _of_a_host),
    ("ephemeral_ports", _of_a_host),
)
