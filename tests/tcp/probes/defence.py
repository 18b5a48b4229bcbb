"""Probes of segments that nobody expected: RFC 5961, RFC 7323, the edges of the window."""

from __future__ import annotations

from tcpsim.tcp.segment import NO_OPTIONS
from tcpsim.tcp.seqnum import diff
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import State
from tests.tcp.probes.battery import (
    CLIENT,
    MS,
    SERVER,
    Line,
    S,
    alone,
    flags_of,
    probe,
)
from tests.tcp.two_ends import segment_for
from tests.tcp.ways import reach


def answer(line: Line, side: str, flags: str, **fields: int) -> str:
    """The flags of what a made-up segment draws."""
    return flags_of(line.inject(side, segment_for(line, side, flags, **fields)))  # type: ignore[arg-type]


@probe("linux", "challenge_rst")
def a_rst_in_the_window(s: Stack) -> None:
    """RFC 5961 3.2: a challenge, and the connection lives."""
    line, side = reach("ESTABLISHED", s)
    assert answer(line, side, "R", at=100) == "A"
    assert line.state(side) == State.ESTABLISHED


@probe("4.4bsd", "challenge_rst")
def any_rst_in_the_window_once_did(s: Stack) -> None:
    """RFC 793 3.4, 4.4BSD-Lite2 tcp_input.c: in the window is enough."""
    line, side = reach("ESTABLISHED", s)
    assert answer(line, side, "R", at=100) == ""
    assert line.state(side) == State.CLOSED


@probe("linux", "challenge_syn")
def a_syn_in_the_window(s: Stack) -> None:
    """RFC 5961 4.2."""
    line, side = reach("ESTABLISHED", s)
    assert answer(line, side, "S", at=100) == "A"
    assert line.state(side) == State.ESTABLISHED


@probe("4.4bsd", "challenge_syn", "syn_reset_answer")
def a_syn_in_the_window_of_44bsd(s: Stack) -> None:
    """tcp_input.c: tcp_drop(tp, ECONNRESET), an abort with a RST of its own at SND.NXT."""
    line, side = reach("ESTABLISHED", s)
    nxt = line.log(side)[-1].seg.seq
    (rst,) = line.inject(side, segment_for(line, side, "S", at=100))
    assert (flags_of((rst,)), rst.seq) == ("RA", nxt)


@probe("hpux-11", "syn_reset_answer")
def a_syn_in_the_window_of_rfc_793(s: Stack) -> None:
    """RFC 793 3.9: a reset in answer to the segment: without ACK it begins at 0."""
    line, side = reach("ESTABLISHED", s)
    (rst,) = line.inject(side, segment_for(line, side, "S", at=100))
    assert (flags_of((rst,)), rst.seq) == ("RA", 0)


@probe("linux", "challenge_ack", "least_ack")
def an_ack_of_what_came_before_all(s: Stack) -> None:
    """RFC 5961 5.2; tcp_input.c tcp_ack (6.7): older than min(max_window, bytes_acked), of which the SYN is
    one."""
    line, side = reach("ESTABLISHED", s)
    assert answer(line, side, "A", ack=-1) == ""
    assert answer(line, side, "A", ack=-2) == "A"


@probe("freebsd", "challenge_ack", "least_ack")
def a_ghost_ack_at_freebsd(s: Stack) -> None:
    """tcp_input.c tcp_do_segment: seq_min is at least ISS + 1."""
    line, side = reach("ESTABLISHED", s)
    assert answer(line, side, "A", ack=-1) == "A"


@probe("rfc9293", "challenge_ack", "least_ack")
def an_ack_a_window_old(s: Stack) -> None:
    """RFC 9293 3.10.7.4 fifth: acceptable down to SND.UNA - MAX.SND.WND, which is 65,535 here."""
    line, side = reach("ESTABLISHED", s)
    assert answer(line, side, "A", ack=-65_535) == ""
    assert answer(line, side, "A", ack=-65_536) == "A"


def echoed_after_a_syn(s: Stack) -> int:
    """How much TS.Recent grows by a SYN in the window that draws a challenge ACK."""
    line, side = reach("ESTABLISHED", s)
    before = line.tcb(side).ts_recent
    (challenge,) = line.inject(side, segment_for(line, side, "S", ts_age=-50))
    assert challenge.options.ts_ecr == line.tcb(side).ts_recent
    return line.tcb(side).ts_recent - before


@probe("linux", "timestamp_taken")
def a_challenged_syn_is_not_echoed(s: Stack) -> None:
    """tcp_input.c tcp_validate_incoming comes before tcp_ack, which alone sets ts_recent."""
    assert echoed_after_a_syn(s) == 0


@probe("rfc9293", "timestamp_taken")
def a_challenged_syn_is_echoed(s: Stack) -> None:
    """RFC 7323 appendix D.2: TS.Recent is set with the first check, and the SYN bit is the fourth."""
    assert echoed_after_a_syn(s) == 50


@probe("linux", "rst_behind_fin")
def a_rst_at_the_peers_fin(s: Stack) -> None:
    """tcp_input.c tcp_reset_check: one below RCV.NXT counts in CLOSE-WAIT."""
    line, side = reach("CLOSE-WAIT", s)
    answer(line, side, "R", at=-1)
    assert line.state(side) == State.CLOSED


@probe("linux", "rst_at_last_ack")
def the_number_of_a_rst_is_rcv_nxt(s: Stack) -> None:
    """RFC 5961 3.2: RCV.NXT, though the last octets are not acknowledged yet."""
    line = Line(s).open()
    line.send(SERVER, 100)
    line.run(100 * MS)
    line.inject(CLIENT, segment_for(line, CLIENT, "FA"))  # its ACK waits
    assert answer(line, CLIENT, "R") == ""
    assert line.state(CLIENT) == State.CLOSED


@probe("freebsd", "rst_at_last_ack")
def the_number_of_a_rst_is_the_last_ack(s: Stack) -> None:
    """tcp_input.c tcp_do_segment: last_ack_sent == th_seq."""
    line = Line(s).open()
    line.inject(CLIENT, segment_for(line, CLIENT, "PA", length=100))
    assert answer(line, CLIENT, "R") == "A"
    line.inject(CLIENT, segment_for(line, CLIENT, "PA", length=100))  # the challenge was an ACK
    assert line.state(CLIENT) == State.ESTABLISHED
    answer(line, CLIENT, "R", at=-100)
    assert line.state(CLIENT) == State.CLOSED


@probe("linux", "ack_rate_limit_us")
def two_challenges_a_second(s: Stack) -> None:
    """ip-sysctl.rst tcp_invalid_ratelimit 500 ms."""
    line, side = reach("ESTABLISHED", s)
    answers = []
    for _ in range(4):
        answers.append(answer(line, side, "R", at=100))
        line.run(250 * MS)
    assert answers == ["A", "", "A", ""]


@probe("linux", "unsent_ack_answered")
def an_ack_of_the_future(s: Stack) -> None:
    """tcp_input.c tcp_ack: TCP_ACK_UNSENT_DATA, with a challenge in ESTABLISHED too; certified on 6.18."""
    line, side = reach("ESTABLISHED", s)
    assert answer(line, side, "A", ack=1_000) == "A"


@probe("linux-2.2", "unsent_ack_answered")
def an_ack_of_the_future_at_linux_2(s: Stack) -> None:
    """tcp_input.c tcp_ack of 2.2: dropped in ESTABLISHED, without an answer."""
    line, side = reach("ESTABLISHED", s)
    assert answer(line, side, "A", ack=1_000) == ""


@probe("rfc9293", "unsent_ack_answered")
def an_ack_of_the_future_at_the_rfc(s: Stack) -> None:
    """RFC 9293 3.10.7.4 fifth: send an ACK, drop the segment."""
    line, side = reach("ESTABLISHED", s)
    assert answer(line, side, "A", ack=1_000) == "A"


def old_segment_with_news(s: Stack) -> list[int]:
    """When data was sent, where a segment left of the window has acknowledged it."""
    line = Line(s).open()
    since = alone(line)
    line.send(CLIENT, 100)
    line.run(50 * MS)
    line.inject(CLIENT, segment_for(line, CLIENT, "A", at=-10))
    line.run(S)
    return [sent.t_us - since for sent in line.log(CLIENT, since) if sent.seg.len]


@probe("linux", "reads_old_acks")
def the_ack_of_an_old_segment_is_not_read(s: Stack) -> None:
    """RFC 9293 3.10.7.4 first: dropped whole, so the data is sent again."""
    assert len(old_segment_with_news(s)) > 1


@probe("freebsd", "reads_old_acks")
def the_ack_of_an_old_segment_is_read(s: Stack) -> None:
    """tcp_input.c tcp_do_segment: but keep on processing for RST or ACK."""
    assert old_segment_with_news(s) == [0]


@probe("linux", "paws_answers_empty")
def an_old_timestamp(s: Stack) -> None:
    """RFC 7323 5.3 R1: an acknowledgment, for an empty segment too."""
    line, side = reach("ESTABLISHED", s)
    assert answer(line, side, "A", at=1, ts_age=100) == "A"


@probe("linux", "paws_replay_percent")
def an_overtaken_ack(s: Stack) -> None:
    """tcp_input.c tcp_disordered_ack_check: a repeated ACK may be 1.2 RTO old (RTO: 224 ms); what lies left
    of the window is no news to anybody."""
    line, side = reach("ESTABLISHED", s)
    wnd = line.tcb(side).snd_wnd >> line.tcb(side).snd_wscale
    line.inject(side, segment_for(line, side, "A", wnd=wnd))  # what comes first may update the window
    for age, flags in ((200, ""), (400, "A")):
        seg = segment_for(line, side, "A", ts_age=age, wnd=wnd)
        assert flags_of(line.inject(side, seg)) == flags
    assert line.inject(side, segment_for(line, side, "A", at=-1, ts_age=400, wnd=wnd)) == ()


@probe("linux", "drops_unstamped")
def a_missing_timestamp(s: Stack) -> None:
    """tcp_input.c tcp_validate_incoming: what has no timestamp cannot be too old."""
    line, side = reach("ESTABLISHED", s)
    seg = segment_for(line, side, "PA", length=10)._replace(options=NO_OPTIONS)
    assert [ack.ack for ack in line.inject(side, seg)] == [line.tcb(side).rcv_nxt]


@probe("freebsd", "drops_unstamped")
def a_missing_timestamp_at_freebsd(s: Stack) -> None:
    """tcp_input.c tcp_do_segment, tcp_timewait.c tcp_twcheck: tolerate_missing_ts 0; a RST needs none."""
    for way in ("ESTABLISHED", "TIME-WAIT"):
        line, side = reach(way, s)
        seg = segment_for(line, side, "PA", at=-10, length=10)
        assert line.inject(side, seg._replace(options=NO_OPTIONS)) == ()
        assert len(line.inject(side, seg)) == 1
    line, side = reach("ESTABLISHED", s)
    line.inject(side, segment_for(line, side, "R")._replace(options=NO_OPTIONS))
    assert line.state(side) == State.CLOSED


@probe("freebsd", "paws_answers_empty")
def an_old_timestamp_at_freebsd(s: Stack) -> None:
    """tcp_input.c tcp_do_segment: only if (tlen)."""
    line, side = reach("ESTABLISHED", s)
    assert answer(line, side, "A", at=1, ts_age=100) == ""
    assert answer(line, side, "A", at=1, ts_age=100, length=10) == "A"


def edge(line: Line, side: str) -> int:
    """The right edge that a side has offered, in octets from RCV.NXT."""
    t = line.tcb(side)
    return diff(t.rcv_wup + t.rcv_wnd, t.rcv_nxt)


@probe("linux", "right_edge")
def what_begins_at_the_edge_is_inside(s: Stack) -> None:
    """tcp_input.c tcp_sequence: after(seq, RCV.NXT + window), so the edge itself is in: a challenge."""
    line, side = reach("ESTABLISHED", s)
    assert answer(line, side, "R", at=edge(line, side) + 1) == ""
    assert answer(line, side, "R", at=edge(line, side)) == "A"


@probe("rfc9293", "right_edge")
def what_begins_at_the_edge_is_outside(s: Stack) -> None:
    """RFC 9293 3.10.7.4 first, Table 6: SEG.SEQ < RCV.NXT + RCV.WND."""
    line, side = reach("ESTABLISHED", s)
    assert answer(line, side, "R", at=edge(line, side)) == ""
    assert answer(line, side, "A", at=edge(line, side)) == "A"


@probe("freebsd", "right_edge", "buffers_hold_whole_segments")
def what_begins_at_the_edge_depends(s: Stack) -> None:
    """tcp_input.c tcp_do_segment: SEQ_LT for a RST, todrop > 0 for the rest; the buffer is 45 times 1460."""
    line, side = reach("ESTABLISHED", s)
    assert answer(line, side, "R", at=65_700) == ""
    assert answer(line, side, "R", at=65_699) == "A"
    assert answer(line, side, "A", at=65_700) == ""


def room_without_offer(s: Stack, taken: int) -> Line:
    """The program has read a little of a full buffer, too little for the window to be opened again."""
    line = Line(s).open()
    line.send(SERVER, 1 << 20)
    for _ in range(200):
        line.run(100 * MS)
        line.send(SERVER, 1 << 20)
    line.cut()
    line.receive(CLIENT, taken)
    assert edge(line, CLIENT) < 400
    return line


@probe("linux", "window_checked")
def room_is_no_offer(s: Stack) -> None:
    """RFC 9293 3.10.7.4 first: what was not advertised is not acceptable."""
    line = room_without_offer(s, 3_000)
    before = line.log(CLIENT)[-1].seg.ack
    (ack,) = line.inject(CLIENT, segment_for(line, CLIENT, "A", length=500))
    assert ack.ack == before


@probe("freebsd", "window_checked")
def room_is_enough(s: Stack) -> None:
    """tcp_input.c tcp_do_segment: rcv_wnd is what sbspace says, advertised or not."""
    line = room_without_offer(s, 1_000)
    before = line.log(CLIENT)[-1].seg.ack
    line.inject(CLIENT, segment_for(line, CLIENT, "A", length=500))
    line.run(S)
    assert line.log(CLIENT)[-1].seg.ack == before + 500


@probe("linux", "window_overrun")
def more_than_fits_at_an_empty_queue(s: Stack) -> None:
    """tcp_input.c tcp_sequence (6.17): where nothing waits to be read, a segment over the edge is taken
    whole."""
    line, side = reach("ESTABLISHED", s)
    size = edge(line, side) + 1_000
    line.inject(side, segment_for(line, side, "A", length=size))
    assert line.receive(side) == size


@probe("rfc9293", "window_overrun")
def more_than_fits_is_cut(s: Stack) -> None:
    """RFC 9293 3.10.7.4 first: trim what lies outside."""
    line, side = reach("ESTABLISHED", s)
    size = edge(line, side)
    line.inject(side, segment_for(line, side, "A", length=size + 1_000))
    assert line.receive(side) == size
