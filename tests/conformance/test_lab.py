"""The lab without a lab: what is refused, how a recording is written down, how packets are read."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

import msgspec
import pytest

from tcpsim.app import Program, close, connect, listen, reboot
from tcpsim.catalogue import build, scenario
from tcpsim.conformance.lab import job, missing, small
from tcpsim.conformance.lab.calls import answered, told
from tcpsim.conformance.lab.ipv4 import segment_of
from tcpsim.conformance.lab.population import plans, record_population
from tcpsim.conformance.lab.recording_plan import sysctls_of
from tcpsim.conformance.lab.situations import find, names
from tcpsim.conformance.lab.trace import Told, rows_of, rule_as_data
from tcpsim.conformance.populations import read
from tcpsim.conformance.populations.transitions import ending
from tcpsim.conformance.traces import calls as replayed
from tcpsim.conformance.traces.schema import Row
from tcpsim.errors import InputError
from tcpsim.path import Rule, parse_rule, rule_from_trace
from tcpsim.sockets import (
    POLLIN,
    POLLRDHUP,
    Accept,
    Bind,
    Call,
    Close,
    Connect,
    GetSockOpt,
    Listen,
    Poll,
    Recv,
    Reply,
    Send,
    SendAll,
    SetNonblocking,
    SetSockOpt,
    Shutdown,
)
from tcpsim.tcp.segment import ACK, FIN, PSH, SYN, Options
from tcpsim.tcp.stack import stack
from tests.conformance.kernel import POPULATIONS

SECOND = 1_000_000


def packet(tcp: bytes, octets: int = 0) -> bytes:
    """An IPv4 packet around a TCP header and so many octets."""
    addresses = socket.inet_aton("10.9.0.1") + socket.inet_aton("10.9.0.2")
    total = 20 + len(tcp) + octets
    return struct.pack("!BBHHHBBH", 0x45, 0, total, 0, 0, 64, 6, 0) + addresses + tcp + bytes(octets)


def header(flags: int, options: bytes = b"") -> bytes:
    """A TCP header."""
    words = (20 + len(options)) // 4
    return struct.pack("!HHIIBBHHH", 40_000, 5_000, 7, 9, words << 4, flags, 512, 0, 0) + options


def test_a_packet_is_read_as_a_segment() -> None:
    segment = segment_of(packet(header(PSH | ACK), 100))
    assert segment is not None
    assert segment[:7] == (40_000, 5_000, PSH | ACK, 7, 9, 100, 512)


def test_options_are_read_and_padding_is_not() -> None:
    mss, wscale, sack_ok = b"\x02\x04\x05\xb4", b"\x01\x03\x03\x0a", b"\x01\x01\x04\x02"
    stamps = b"\x01\x01\x08\x0a" + struct.pack("!II", 5, 6)
    segment = segment_of(packet(header(SYN, mss + wscale + sack_ok + stamps)))
    assert segment is not None
    assert segment.options == Options(1460, 10, True, 5, 6)
    assert segment.len == 0
    blocks = b"\x01\x01\x05\x12" + struct.pack("!4I", 1, 2, 3, 4)
    segment = segment_of(packet(header(ACK, blocks + b"\x00\xff\xff\xff")))
    assert segment is not None
    assert segment.options.sack == ((1, 2), (3, 4))


def test_what_is_no_tcp_is_no_segment() -> None:
    udp = bytearray(packet(header(FIN)))
    udp[9] = 17
    assert segment_of(bytes(udp)) is None
    assert segment_of(b"\x60" + bytes(50)) is None


@pytest.mark.parametrize(
    "words",
    [
        "server FIN 2", "every client SYN", "client ACK 1-3,5 after 1s before 2s", "client after 300ms",
        "server #7", "both DATA 2",
    ],
)  # fmt: skip
def test_a_rule_survives_being_written_in_a_trace(words: str) -> None:
    rule = parse_rule(words)
    again = rule_from_trace(rule_as_data(rule))
    numbers = {n for first, last in rule.nth for n in range(first, last + 1)}
    assert again._replace(nth=()) == rule._replace(nth=())
    assert {n for n, _ in again.nth} == numbers


def test_a_rule_that_delays_survives_too() -> None:
    rule = Rule("late", "client", conn=1, seq=101, action="delay", delay_us=30_000)
    assert rule_from_trace(rule_as_data(rule)) == rule


@pytest.mark.parametrize(
    ("call", "reply"),
    [
        (Bind(3, 5_000), "0"), (Connect(3, 5_000), "0"), (Listen(3, 7), "0"), (Accept(3), "0"),
        (Send(3, 10), "10"), (SendAll(3, 10), "0"), (Recv(3, 10), "10"), (Shutdown(3, "RD"), "0"),
        (Close(3), "0"), (SetSockOpt(3, "SO_LINGER", (1, 2)), "0"), (SetSockOpt(3, "TCP_LINGER2", -1), "0"),
        (GetSockOpt(3, "SO_ERROR"), "10"), (SetNonblocking(3), "0"), (SetNonblocking(3, False), "0"),
        (Poll((3,), 2_500_000, POLLIN | POLLRDHUP), "POLLIN"), (Poll((3,), None), "POLLIN"),
    ],
)  # fmt: skip
def test_a_call_told_in_a_trace_is_replayed_as_the_same_call(call: Call, reply: str) -> None:
    name, argument = told(call, "10.9.0.2")
    row = Row(0, 0, 0, "client", "c", name, argument, None)
    assert replayed.calls_of(row, 3) == (call,)
    value: Any = ((3, "POLLIN"),) if isinstance(call, Poll) else 10
    assert str(answered(call, Reply(value))["ret"]) == reply == replayed.said(call, Reply(value))
    assert answered(call, Reply(None, "EPIPE")) == {"err": "EPIPE"}


def test_sockets_are_called_by_what_they_became() -> None:
    rows = [
        Told(1.0, "B", None, "socket", made="2.1"),
        Told(1.1, "B", "2.1", "listen", 16, 1.2, 0),
        Told(2.0, "A", None, "socket", made="3.1"),
        Told(2.1, "A", "3.1", "connect", "10.9.0.2:5000", 22.0, 0),
        Told(1.3, "B", "2.1", "accept", None, 32.0, 0, made="2.2"),
        Told(32.1, "B", "2.2", "dup", None, 32.1, 0, made="2.3"),
        Told(50.0, "B", "2.3", "close"),
    ]
    told_rows = [(row["sock"], row["call"], row.get("arg")) for row in rows_of(reversed(rows))]
    assert told_rows == [
        ("listener", "listen", 16), ("listener", "accept", None), ("c", "connect", "10.9.0.2:5000"),
        ("s", "dup", "s'"), ("s'", "close", None),
    ]  # fmt: skip


def test_a_small_trace_keeps_changes_of_state_and_holder_only() -> None:
    states = [
        {"t": 1.0, "side": "A", "id": 1, "st": "ESTABLISHED", "kind": "sock", "rq": 0},
        {"t": 2.0, "side": "A", "id": 1, "st": "ESTABLISHED", "kind": "sock", "rq": 9},
        {"t": 3.0, "side": "A", "id": 1, "st": "ESTABLISHED", "kind": "orphan", "rq": 9},
        {"t": 4.0, "side": "A", "id": 1, "st": "GONE", "from": "ESTABLISHED", "kind": "orphan"},
    ]
    packets = [{"i": 0, "t": 1.0, "dir": "A>B", "flags": "S", "opt": {"mss": 1460}, "drop": "loss"}]
    kept = small(
        {
            **{key: key for key in ("id", "title", "meta", "app", "notes")},
            "states": states,
            "packets": packets,
            "stats": {"sampler": {"samples": 9}, "watched_ms": 3.0, "late_us": 1},
        }
    )
    assert [row["t"] for row in kept["states"]] == [1.0, 3.0, 4.0]
    assert kept["packets"] == [{"t": 1.0, "dir": "A>B", "flags": "S", "drop": "loss"}]
    assert kept["stats"] == {"sampler": {"samples": 9}, "watched_ms": 3.0}


def test_a_turned_knob_is_a_sysctl_in_its_own_unit() -> None:
    turned = {"tcp_fin_timeout": "7s", "tcp_rto_max_ms": "2s", "tcp_retries2": 3, "loss_probe": False}
    profile = stack("linux").with_knobs(turned | {"accept_overflow": "reset"})
    assert sysctls_of("client", profile) == {
        "tcp_abort_on_overflow": 1,
        "tcp_early_retrans": 0,
        "tcp_fin_timeout": 7,
        "tcp_retries2": 3,
        "tcp_rto_max_ms": 2_000,
    }
    assert sysctls_of("server", stack("linux")) == {}


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        ({"stack_server": "freebsd"}, "lab stack_server: found freebsd, allowed: linux"),
        ({"knobs": {"client.hz": 250}}, "lab client.hz: found 250, allowed: knobs with a sysctl"),
        ({"knobs": {"delayed_ack_us": "9ms"}}, "lab client.delayed_ack_us: found 9000"),
        ({"jitter": "uniform(1ms,2ms)"}, "lab path: found jitter or a rate, allowed: an exact delay"),
        ({"client": Program([connect(), reboot(), close()])}, "lab client: found a machine that reboots"),
        ({"server": Program([listen(), reboot("5s")])}, "(UNSUPPORTED)"),
    ],
)
def test_what_cannot_be_recorded_is_refused_in_one_line(overrides: dict[str, Any], complaint: str) -> None:
    pair = build(scenario("normal-close"), **overrides)
    with pytest.raises(InputError) as error:
        job("normal-close", "", pair, seed=1, horizon_us=SECOND, asked_us=SECOND)
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_hours_are_recorded_only_if_somebody_asks_for_them() -> None:
    chosen = scenario("keepalive-rescues")
    pair = build(chosen)
    with pytest.raises(InputError, match="a recording of 2h in real time, allowed: up to 10min"):
        job(chosen.name, "", pair, seed=1, horizon_us=chosen.horizon_us)
    made = job(chosen.name, "", pair, seed=1, horizon_us=chosen.horizon_us, asked_us=3 * SECOND)
    assert (made.horizon_us, made.expected_us) == (3 * SECOND, 3 * SECOND)
    knobs = {"client.tcp_keepalive_time": "2s", "tcp_fin_timeout": "1s"}
    shrunk = build(chosen, knobs=knobs, parameters={"client.idle": "2s"})
    assert job(chosen.name, "", shrunk, seed=1, horizon_us=chosen.horizon_us).expected_us < 4 * SECOND


@pytest.mark.parametrize("name", names())
def test_every_situation_can_be_recorded_within_seconds(name: str) -> None:
    situation = find(name)
    made = job(name, situation.title, situation.pair({}), seed=1, horizon_us=situation.horizon_us)
    assert made.horizon_us <= 6 * SECOND


def test_a_population_is_planned_by_its_seed() -> None:
    config = read((POPULATIONS / "vanish60_think.json").read_bytes(), "v").config
    drawn = plans(config)
    assert drawn == plans(config)
    assert drawn != plans(msgspec.structs.replace(config, seed=config.seed + 1))
    assert max(each.at_s for each in drawn) < 60
    assert max(max(each.client_s, each.server_s) for each in drawn) < 2
    assert 0.85 < sum(each.closes for each in drawn) / len(drawn) < 0.95


@pytest.mark.skipif(missing() is not None, reason=f"the lab needs Linux, root and TUN: {missing()}")
def test_a_population_of_a_real_kernel_is_counted() -> None:
    """Forty connections without loss: each ends as one does, and the file is read as any other."""
    config = read((POPULATIONS / "p00.json").read_bytes(), "p00").config
    told = record_population(msgspec.structs.replace(config, n=40, t_end=3.0, seed=3))
    run = read(json.dumps(told).encode(), "recorded")
    never = run.config.n_never_closers
    assert run.arrivals_ms is not None
    assert len(run.arrivals_ms) == 40
    assert run.end["A"] == {"CW": never}
    assert run.end["B"] == {"TW/ms": 40 - never, "FW2/ms": never}
    assert {ending(name).server_last for name, _ in run.outcomes} == {"TW/ms", "FW2/ms"}
    assert len(run.times_us) == 4
