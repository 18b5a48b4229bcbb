"""Plays a script into one endpoint in virtual time, and stops at the first difference.

Owns: the order of events and the time of each, commands and assertions. Refuses to know: the language
(parser), packets (packet_exchange), system calls (syscalls), and the meaning of a command (shell).

The rules are packetdrill's. Inbound packets, calls, commands and assertions happen at their time. An outbound
packet is compared with the next segment that the endpoint has sent and no event has claimed, whenever that
was. So an unexpected segment is reported at the next ``>``, and segments after the last one are not checked.
A relative time counts from the end of the previous event.
"""

from __future__ import annotations

from tcpsim.conformance.packetdrill import shell
from tcpsim.conformance.packetdrill.assertions import broken
from tcpsim.conformance.packetdrill.bench import Bench
from tcpsim.conformance.packetdrill.context import Stage
from tcpsim.conformance.packetdrill.dialect import Dialect
from tcpsim.conformance.packetdrill.packet_exchange import expect, inject, inject_icmp
from tcpsim.conformance.packetdrill.script import (
    Call,
    Code,
    Command,
    Event,
    IcmpPacket,
    Place,
    Script,
    TcpPacket,
    Unsupported,
)
from tcpsim.conformance.packetdrill.settings import Settings, settings
from tcpsim.conformance.packetdrill.socket_kills import Held, Host
from tcpsim.conformance.packetdrill.syscalls import perform, settle, wait_for_last
from tcpsim.conformance.packetdrill.tcpinfo import constant, field
from tcpsim.conformance.packetdrill.verdict import Failed
from tcpsim.sockets import new_system
from tcpsim.sockets.processes import Phase
from tcpsim.tcp.endpoint import new_end
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import State

# Secrets of the endpoint: neither 0 nor alike, so that a number that was not mapped is seen
_ISS, _TS_OFFSET = 0xF000_0001, 123_456_789


def stage_for(script: Script, stack: Stack, dialect: Dialect) -> Stage:
    """An endpoint without sockets, as the script's options want it.

    Raises:
        ScriptError, Unsupported: an option.
    """
    chosen = settings(script.options)
    knobs = {"mss": chosen.mss, **(dialect.ipv6 if chosen.ip_version == "ipv6" else {})}
    own = stack if chosen.mss == Settings().mss else stack.with_knobs(knobs)
    if chosen.gso_size:
        own = own.with_knobs({"gso_size": chosen.gso_size})
    return Stage(Bench(new_system(new_end(own, _ISS, _TS_OFFSET))), dialect, chosen)


def play(script: Script, stage: Stage) -> None:
    """Every event in order.

    Raises:
        Failed, ScriptError, Unsupported: where it stopped, and why.
    """
    for place, command in script.setup:
        _command(stage, command, place)
    for event in script.events:
        _play(stage, event)
        settle(stage)
        stage.before_us = stage.bench.now_us
    wait_for_last(stage)
    for place, command in script.cleanup:
        _command(stage, command, place)


def _play(stage: Stage, event: Event) -> None:
    when, what, place = event.when, event.what, event.place
    base_us = stage.bench.now_us if when.relative or when.any else 0
    expected_us = base_us + when.us
    if isinstance(what, TcpPacket) and not what.inbound:
        expect(stage, what, when, expected_us, place)
        return
    stage.bench.advance(expected_us)
    stage.check_time(place, "event", expected_us, stage.bench.now_us)
    settle(stage)
    match what:
        case TcpPacket():
            inject(stage, what, place)
        case Call():
            perform(stage, what, place, None if when.returns_us is None else base_us + when.returns_us)
        case Command():
            _command(stage, what, place)
        case Code():
            _assert(stage, what, place)
        case IcmpPacket(inbound=True):
            inject_icmp(stage, what, place)
        case IcmpPacket():
            raise Unsupported(place, "an ICMP message from the endpoint")


def _command(stage: Stage, command: Command, place: Place) -> None:
    done = shell.run(command.text, stage.bench.stack, stage.dialect, _host(stage), place)
    if done.failed:
        message = f"error executing command '{command.text}': non-zero status 1"
        raise Failed(place, message, "status 0", done.output)
    if done.stack is not stage.bench.stack:
        stage.bench.turn(done.stack)


def _host(stage: Stage) -> Host:
    """What a command may look at and do."""

    def kill(held: Held) -> None:
        if held.sid is not None:
            stage.bench.destroy(held.sid)

    return Host(lambda: _held(stage), kill)


def _held(stage: Stage) -> tuple[Held, ...]:
    """Every socket of the endpoint, as ``sockstat`` lists them."""
    chosen, system = stage.settings, stage.bench.system
    held = [
        Held(State.LISTEN, f"*:{listener.port}", "*:*", listener.port, None, number)
        for number, listener in system.end.listeners.items()
    ]
    held += [
        Held(State.CLOSED, f"*:{file.port}", "*:*", file.port, None, None)
        for file in system.files.values()
        if file.phase is Phase.FRESH and file.port is not None
    ]
    for number, tcb in system.end.sockets.items():
        local = f"{chosen.local_ip}:{tcb.local_port}"
        foreign = f"{chosen.remote_ip}:{tcb.remote_port}"
        held.append(Held(tcb.state, local, foreign, tcb.local_port, tcb.remote_port, number))
    return tuple(held)


def _assert(stage: Stage, code: Code, place: Place) -> None:
    """Assertions are about the socket of the flow; before there is one, about the listener."""
    bench = stage.bench
    tcb = bench.tcb(*stage.flow)

    def lookup(name: str) -> int | None:
        if tcb is not None and name.startswith("tcpi_"):
            return field(name, tcb, bench.stack, stage.dialect)
        if name == "tcpi_state":
            state = State.LISTEN if bench.listens(stage.flow.local) else State.CLOSED
            return stage.dialect.tcpi_state[state]
        return constant(name, stage.dialect)

    found = broken(code.text, lookup, place)
    if found is not None:
        raise Failed(place, f"error in code: AssertionError: {found[0]}", found[0], found[1])
