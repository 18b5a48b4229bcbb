"""What a profile's numbers do: windows, options, first flights, pushes."""

from __future__ import annotations

import pytest

from tcpsim.tcp.segment import PSH, SYN
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import SocketOptions
from tests.tcp.two_ends import CLIENT, MS, SERVER, Line, S, nth, profile, segment_for
from tests.tcp.ways import reach

MSS = 1448


def after_lost_syns(stack: str, lost: int, **knobs: object) -> Line:
    """A connection whose first `lost` SYNs were lost."""
    line = Line(profile(stack, **knobs), profile(stack, **knobs))
    line.loses = nth(CLIENT, SYN, *range(1, lost + 1)) if lost else line.loses
    line.listen()
    line.connect()
    line.run_until(lambda: line.state(CLIENT) == State.ESTABLISHED)
    return line


@pytest.mark.parametrize(
    ("stack", "lost", "segments"),
    [("rfc9293", 0, 4), ("rfc9293", 1, 1), ("linux", 1, 10), ("linux", 2, 1)],
)
def test_lost_syns_shrink_the_initial_window(stack: str, lost: int, segments: int) -> None:
    """RFC 5681 3.1; Linux tcp_init_transfer forgives one."""
    line = after_lost_syns(stack, lost)
    line.send(CLIENT, 40 * MSS)
    assert sum(1 for sent in line.log(CLIENT) if sent.seg.len) == segments


def test_the_timeout_after_a_handshake_that_measured_nothing() -> None:
    """RFC 6298 5.7: three seconds when the SYN's own timer expired."""
    line = after_lost_syns("rfc9293", 1, timestamps=False)
    assert line.tcb(CLIENT).rto_us == 3 * S


@pytest.mark.parametrize(("stack", "octets"), [("linux", 46_336), ("rfc9293", 65_536)])
def test_what_a_first_send_takes(stack: str, octets: int) -> None:
    """Linux: as the first non-blocking send() of the traces."""
    line = Line(stack, stack).open()
    assert line.send(CLIENT, 1 << 20) == octets


@pytest.mark.parametrize(
    ("stack", "space", "window"), [("linux", 20_000, 11_700), ("rfc9293", 10_000, 10_000)]
)
def test_so_rcvbuf_is_a_window(stack: str, space: int, window: int) -> None:
    """Linux doubles SO_RCVBUF and counts its own overhead against it; elsewhere octets are octets."""
    line = Line(stack, stack).open(server=SocketOptions(rcvbuf=10_000))
    assert line.tcb(SERVER).rcv_space == space
    while line.send(CLIENT, 1 << 20):
        line.run(2 * S)
    line.run(600 * S)
    assert window - MSS < line.tcb(SERVER).readable <= window


@pytest.mark.parametrize(("rounding", "field"), [("up", 33), ("down", 32)])
def test_a_scaled_window_is_rounded_to_its_unit(rounding: str, field: int) -> None:
    stack = profile("rfc9293", wscale=10, rcv_space=33_000, window_rounding=rounding)
    line = Line(stack, stack).open()
    line.send(SERVER, 2_000)  # the edge that the SYN promised is behind
    line.run(1 * S)
    line.receive(CLIENT)
    line.send(CLIENT, 1)
    assert line.log(CLIENT)[-1].seg.wnd == field


@pytest.mark.parametrize(
    ("pads", "layout"),
    [
        ("linux", ("mss", "sackOK", "TS", "nop", "wscale")),
        ("bsd", ("mss", "nop", "wscale", "sackOK", "TS")),
    ],
)
def test_how_gaps_between_options_are_padded(pads: str, layout: tuple[str, ...]) -> None:
    """Linux tcp_options_write packs; FreeBSD tcp_addoptions puts each option where it may start."""
    order = ["mss", "sackOK", "TS", "wscale"] if pads == "linux" else ["mss", "wscale", "sackOK", "TS"]
    line = Line(profile("rfc9293", layout_pads=pads, layout_syn=order))
    line.connect()
    assert line.sent[0].seg.options.layout == layout
    other = Line(profile("rfc9293", layout_pads="bsd", layout_syn=["mss", "sackOK", "TS", "wscale"]))
    other.connect()
    assert other.sent[0].seg.options.layout == ("mss", "sackOK", "TS", "nop", "wscale")
    ended = Line(profile("rfc9293", layout_pads="bsd", layout_syn=[*order[:1], "sackOK"]))
    ended.connect()
    assert ended.sent[0].seg.options.layout == ("mss", "sackOK", "eol", "eol")


def test_later_syns_may_carry_less() -> None:
    """FreeBSD with rexmit_drop_options: the third retransmission carries MSS only."""
    line, side = reach("SYN-SENT", profile("rfc9293", syn_options_until=3))
    line.run(10 * S)
    full, again, third, bare = (sent.seg.options.layout for sent in line.log(side))
    assert full == again == third
    assert bare == ("mss",)


@pytest.mark.parametrize(
    ("rule", "pushes"),
    [("write", [True] * 3), ("queue", [False, False, True]), ("buffer", [False, False, True])],
)
def test_where_push_goes_when_writes_had_to_wait(rule: str, pushes: list[bool]) -> None:
    """Each SEND pushes; Linux adds to the chunk that waits; BSD pushes when nothing is left."""
    line, side = reach("ESTABLISHED", profile("rfc9293", push_rule=rule))
    line.inject(side, segment_for(line, side, "A", wnd=0))
    for _ in range(3):
        line.send(side, MSS)
    line.inject(side, segment_for(line, side, "A", wnd=60_000))
    assert [bool(s.seg.flags & PSH) for s in line.log(side) if s.seg.len] == pushes


def test_a_burst_sent_as_one_is_pushed_at_its_end() -> None:
    line = Line(profile("linux", burst_segments=5), "linux").open()
    line.send(CLIENT, 10 * MSS)
    assert [bool(s.seg.flags & PSH) for s in line.log(CLIENT) if s.seg.len] == ([False] * 4 + [True]) * 2
    line.run(100 * MS)
    assert line.receive(SERVER) == 10 * MSS
