"""Writes one end of a run as a script that passes when it is replayed.

Owns: which events of a run belong to one end's script, their numbers and times, the set-up that describes the
stack, and what a script cannot express. Refuses to know: how a call is written (export_calls), and how files
are written (cli).

The end under test keeps its calls and what it sends. The other end and the path become arriving segments with
times. Sequence numbers are relative to the first SYN of either side. Windows are the raw fields. Timestamps
are as sent, in ticks of a millisecond. An accept(), recv() or poll() that never returned becomes a comment,
because a script would wait for it. A process that ends closes what it has open. A script is replayed before
it is returned. If the player does not have the same order within one instant, this is an error here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tcpsim import sockets
from tcpsim.conformance.packetdrill.context import seconds
from tcpsim.conformance.packetdrill.dialect import dialect_of, turned
from tcpsim.conformance.packetdrill.export_calls import call_in_words
from tcpsim.conformance.packetdrill.judge import judge
from tcpsim.conformance.packetdrill.number_mapping import MASK, flag_letters
from tcpsim.conformance.packetdrill.script import Option, Place, ScriptError, TcpPacket, Unsupported, spelt
from tcpsim.conformance.packetdrill.script import Sequence as Octets
from tcpsim.conformance.packetdrill.verdict import Verdict
from tcpsim.errors import InputError
from tcpsim.pair import Arrived, Called, Event, Happened, Returned, Sent, Side, TimerFired
from tcpsim.profile import Knob
from tcpsim.sockets import Reply
from tcpsim.tcp.segment import Options, Segment
from tcpsim.tcp.stack import Stack, knobs, stack

_HEADERS = 40  # octets of IPv4 and TCP header
# What tells the player which stack a script is for; each changes nothing there
_FOR = {
    "linux": "sysctl -w net.ipv4.tcp_ecn=0",
    "freebsd": "sysctl -w net.inet.tcp.ecn.enable=0",
    "rfc9293": ": rfc9293",
}
_UNITS = {"us": 1, "ms": 1_000, "s": 1_000_000}
_NOWHERE = Place(0, 0)


class _Isns(NamedTuple):
    """Where either side's numbers begin: the end's own and its peer's; None: it sent no SYN."""

    own: int | None
    peer: int | None


def exported(events: Sequence[Event], side: Side, profile: Stack, title: str) -> str:
    """The script of one side of a run.

    Raises:
        InputError: the run has what a script cannot say, or a stack that no script is written for.
    """
    mine = [event for event in events if event.side == side]
    isns = _isns(mine, side)
    lines = [
        f"// The {side}'s end of {' '.join(title.split())}",
        *_setup(profile),
        *_events(mine, side, isns),
    ]
    text = "\n".join(lines) + "\n"
    judged = judge(text)
    if judged.verdict is not Verdict.PASS:
        where = f"line {judged.line}" if judged.line else "its end"
        raise _unsayable(f"a run that its script does not repeat ({where}: {judged.reason})")
    return text


def _unsayable(found: str) -> InputError:
    return InputError("--packetdrill", found, "what a script can say (docs/packetdrill.md, Export)")


# The set-up


def _setup(profile: Stack) -> list[str]:
    """Option lines and commands after which the player's stack is `profile`."""
    if profile.name not in _FOR:
        raise _unsayable(f"the stack {profile.name}, which has no dialect of its own")
    lines = ["--tcp_ts_tick_usecs=1000"]
    base = stack(profile.name)
    if profile.mss != base.mss:
        lines.append(f"--mtu={profile.mss + _HEADERS}")
        base = base.with_knobs({"mss": profile.mss})
    commands = [_FOR[profile.name]]
    for knob in knobs(profile.name):
        if getattr(base, knob.field) == getattr(profile, knob.field):
            continue
        key, value = _key(profile, knob), _sysctl_value(getattr(profile, knob.field), knob)
        try:
            base = turned(base, dialect_of(profile.name), key, value, _NOWHERE)
        except (ScriptError, Unsupported) as error:
            raise _unsayable(f"{knob.field}: {error}") from error
        commands.append(f"sysctl -w {key}={value}")
    for knob in knobs(profile.name):
        if getattr(base, knob.field) != getattr(profile, knob.field):
            raise _unsayable(f"{knob.field} = {getattr(profile, knob.field)}, which no sysctl says")
    return [*lines, *(f"0.000000 `{command}`" for command in commands)]


def _key(profile: Stack, knob: Knob) -> str:
    """The sysctl behind a field."""
    prefixes = dialect_of(profile.name).prefixes
    if not knob.own_name or not prefixes:
        raise _unsayable(f"{knob.field} = {getattr(profile, knob.field)}, which no sysctl says")
    return prefixes[0] + knob.own_name


def _sysctl_value(value: object, knob: Knob) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and knob.unit:
        whole, rest = divmod(value, _UNITS[knob.unit])
        if rest:
            raise _unsayable(f"{knob.field} = {value} us, which is no whole number of {knob.unit}")
        return str(whole)
    return str(int(value)) if isinstance(value, bool | int) else str(value)


# The events


def _isns(mine: Iterable[Event], side: Side) -> _Isns:
    """The first numbers, and that there is one connection of one process on a machine that stays up."""
    own: set[int] = set()
    peer: set[int] = set()
    ports: set[tuple[int, int]] = set()
    for event in mine:
        if isinstance(event, Sent | Arrived):
            segment, sent = event.segment, isinstance(event, Sent)
            here, there = segment.src_port, segment.dst_port
            ports.add((here, there) if sent else (there, here))
            if segment.syn:
                (own if sent else peer).add(segment.seq)
        elif isinstance(event, Called) and isinstance(event.call, sockets.Fork):
            raise _unsayable(f"several processes on the {side}")
        elif isinstance(event, Happened) and event.what in ("vanishes", "reboots"):
            raise _unsayable(f"a {side} that {event.what}")
    if max(len(own), len(peer), len(ports)) > 1:
        raise _unsayable(f"several connections of the {side}")
    return _Isns(next(iter(own), None), next(iter(peer), None))


def _events(mine: Sequence[Event], side: Side, isns: _Isns) -> list[str]:
    lines: list[str] = []
    fds: set[int] = set()  # open ones
    for index, event in enumerate(mine):
        at = seconds(event.t_us)
        match event:
            case Sent(segment=segment):
                lines.append(f"{at} {spelt(_packet(segment, isns, inbound=False))}")
            case Arrived(segment=segment):
                lines.append(f"{at} {spelt(_packet(segment, isns, inbound=True))}")
            case Called(call=sockets.Exit()):
                lines += _closing(at, fds)
            case Called():
                lines.append(_call(event, mine[index + 1 :]))
            case Returned(call=sockets.Socket() | sockets.Accept(), reply=Reply(value=int() as fd)):
                fds.add(fd)
            case Returned(call=sockets.Close(fd)):
                fds.discard(fd)
            case Happened(what=what) if what.endswith("is killed"):
                lines += _closing(at, fds)
    return lines


def _closing(at: str, fds: set[int]) -> list[str]:
    """The end of a process: its descriptors are closed, the lowest first."""
    lines = [f"{at} close({fd}) = 0" for fd in sorted(fds)]
    fds.clear()
    return lines


def _call(called: Called, later: Iterable[Event]) -> str:
    """The line of a call; ``a...b`` if it did not return before anything else happened to its host."""
    at, blocked = seconds(called.t_us), False
    for event in later:
        if isinstance(event, Returned) and (event.pid, event.call) == (called.pid, called.call):
            words = call_in_words(called.call, event.reply)
            if words is None:
                raise _unsayable(f"{type(called.call).__name__.lower()}() on the {called.side}")
            return f"{at}...{seconds(event.t_us)} {words}" if blocked else f"{at} {words}"
        blocked = blocked or event.t_us > called.t_us or isinstance(event, Arrived | TimerFired)
    if not isinstance(called.call, sockets.Accept | sockets.Recv | sockets.Poll):
        raise _unsayable(
            f"{type(called.call).__name__.lower()}() on the {called.side}, which does not return"
        )
    return f"// {at} {call_in_words(called.call, Reply())}".partition(" = ")[0] + " does not return"


def _packet(segment: Segment, isns: _Isns, inbound: bool) -> TcpPacket:
    """A segment in the script's numbers: what each side sends counts from its own SYN."""
    sender, receiver = (isns.peer, isns.own) if inbound else (isns.own, isns.peer)
    start = (segment.seq - (sender or 0)) & MASK
    stray = not inbound and segment.rst and segment.has_ack and segment.seq == 0  # of no connection
    octets = Octets(None if stray else start, (start + segment.len) & MASK, segment.len)
    return TcpPacket(
        inbound=inbound,
        flags=flag_letters(segment.flags),
        seq=octets,
        ack=(segment.ack - (receiver or 0)) & MASK if segment.has_ack else None,
        win=segment.wnd,
        options=tuple(_option(kind, segment.options, receiver or 0) for kind in segment.options.layout),
    )


def _option(kind: str, options: Options, receiver: int) -> Option:
    """One option; the blocks of a SACK are numbers of who hears of them."""
    if kind == "mss":
        return Option(kind, text=f"mss {options.mss}")
    if kind == "wscale":
        return Option(kind, text=f"wscale {options.wscale}")
    if kind == "TS":
        return Option(kind, text=f"TS val {options.ts_val} ecr {options.ts_ecr}")
    if kind == "sack":
        blocks = (f"{(left - receiver) & MASK}:{(right - receiver) & MASK}" for left, right in options.sack)
        return Option(kind, text="sack " + " ".join(blocks))
    return Option(kind, text=kind)
