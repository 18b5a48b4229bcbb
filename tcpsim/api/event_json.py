"""Events and sockets as JSON objects. docs/json.md describes this stable form.

Owns: keys and their order. Refuses to know: texts for people (draw).
"""

from __future__ import annotations

from typing import Any

from tcpsim.app.behaviour import Parameter
from tcpsim.draw.segment_text import call_words, reply_words
from tcpsim.pair import (
    Answered,
    Arrived,
    Called,
    Duplicated,
    Event,
    Happened,
    Held,
    Lost,
    Noted,
    Returned,
    Sent,
    StateChanged,
    TimerFired,
)
from tcpsim.tcp.segment import Segment, flag_letters

_KINDS: dict[type[Event], str] = {
    Sent: "sent",
    Lost: "lost",
    Duplicated: "duplicated",
    Answered: "answered",
    Arrived: "arrived",
    StateChanged: "state",
    TimerFired: "timer",
    Noted: "note",
    Called: "call",
    Returned: "return",
    Happened: "happened",
}


def event_record(event: Event) -> dict[str, Any]:
    """One event. Every record has t_us, side and kind."""
    record: dict[str, Any] = {"t_us": event.t_us, "side": event.side, "kind": _KINDS[type(event)]}
    if leg := getattr(event, "leg", 0):  # beyond a relay
        record["leg"] = leg
    match event:
        case Sent() | Arrived():
            return record | _segment(event.segment)
        case Lost() | Duplicated():
            return record | _segment(event.segment) | {"why": event.why}
        case Answered():
            return record | _segment(event.segment) | {"who": event.who}
        case StateChanged():
            states = {"old": _name(event.old), "new": _name(event.new)}
            return record | {"socket": event.socket} | states | {"holder": event.holder, "rule": event.what}
        case TimerFired():
            return record | {"socket": event.socket, "timer": event.timer}
        case Noted():
            return record | {"socket": event.socket, "note": event.kind, "what": event.what}
        case Called():
            return record | {"pid": event.pid, "call": call_words(event.call)}
        case Returned():
            returned = {"value": reply_words(event.call, event.reply), "errno": event.reply.errno}
            return record | {"pid": event.pid, "call": call_words(event.call)} | returned
        case Happened():
            return record | {"what": event.what}


def held_record(held: Held) -> dict[str, Any]:
    """One socket that a host holds."""
    return {
        "state": str(held.state),
        "holder": str(held.holder),
        "descriptor": held.fd,
        "readable": held.readable,
        "unacked": held.unacked,
    }


def parameter_record(name: str, parameter: Parameter) -> dict[str, Any]:
    """A parameter of a behaviour: the allowed values, and the default as a user writes it."""
    return {"name": name, "allowed": parameter.kind.allowed, "default": str(parameter.default)}


def _segment(segment: Segment) -> dict[str, Any]:
    flags = flag_letters(segment.flags)
    return {"flags": flags, "seq": segment.seq, "ack": segment.ack, "len": segment.len, "wnd": segment.wnd}


def _name(state: object) -> str | None:
    return None if state is None else str(state)
