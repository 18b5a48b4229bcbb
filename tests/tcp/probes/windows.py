"""Probes of the flow of data: buffers and windows, when ACKs are sent, how data is cut, SACK."""

from __future__ import annotations

from typing import Any

from tcpsim.sockets import GetSockOpt, Reply, Socket
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.tcb import SocketOptions
from tests.sockets import two_hosts
from tests.tcp.probes.battery import CLIENT, MS, SERVER, Line, S, alone, probe, sent_at, turned
from tests.tcp.two_ends import data, segment_for
from tests.tcp.ways import reach


def taken_unread(s: Stack, **options: Any) -> int:
    """Octets that a client takes from a sender without end before its window is shut."""
    line = Line(s, s).open(client=SocketOptions(**options))
    for _ in range(30):
        line.send(SERVER, 1 << 20)
        line.run(100 * MS)
    return line.receive(CLIENT)


@probe("linux", "rcv_space", "rcv_space_max", "skb_heads")
def an_unread_buffer(s: Stack) -> None:
    """A sender without end on 6.18 brought 89,776 octets into the queue, 62 buffers of 2,304, and then as
    much as the window was rounded up (tcp_input.c tcp_clamp_window, tcp_output.c tcp_select_window)."""
    assert 89_776 <= taken_unread(s) <= 89_776 + 1_448


@probe("linux", "rcvbuf_percent", "skb_heads")
def an_unread_buffer_set_by_hand(s: Stack) -> None:
    """net/core/sock.c doubles SO_RCVBUF; what is taken while no more than that is charged: of 20,000 and
    2,304 each nine are taken, of 80,000 thirty-five (34 rounded up to what a window says)."""
    assert 8 * 1_448 <= taken_unread(s, rcvbuf=10_000) <= 9 * 1_448
    assert 34 * 1_448 <= taken_unread(s, rcvbuf=40_000) <= 35 * 1_448


@probe("linux", "gso_size")
def a_segment_that_was_not_merged_tells_the_peers_size(s: Stack) -> None:
    """net/ipv4/tcp_input.c tcp_measure_rcv_mss: gso_size if a device has merged segments, else skb->len."""
    line, side = reach("ESTABLISHED", s)
    line.inject(side, segment_for(line, side, "A", length=1_400))
    assert line.tcb(side).rcv_mss == 1_400


def first_segments(s: Stack) -> list[int]:
    """The sizes of what 2,000 octets are cut into for a peer whose buffer is 4,000."""
    line = Line(s, s).open(server=SocketOptions(rcvbuf=2_000))
    since = line.now
    line.send(CLIENT, 2_000)
    line.run(S)
    return [record.seg.len for record in line.log(CLIENT, since)][:2]


@probe("linux", "mss_within_half_window")
def two_segments_fit_a_small_window(s: Stack) -> None:
    """include/net/tcp.h tcp_bound_to_half_wnd: of a window of 1,448 a segment takes 724."""
    assert first_segments(s) == [724, 724]


@probe("rfc9293", "mss_within_half_window")
def a_segment_is_what_the_mss_says(s: Stack) -> None:
    """RFC 9293 3.7.1."""
    assert first_segments(s)[0] == 1_448


def window_taken_back(s: Stack) -> tuple[Line, int]:
    """The client has five segments under way, and hears that there is no room for them; SND.UNA."""
    line, side = reach("ESTABLISHED", s)
    line.cut()
    first = line.tcb(side).snd_nxt
    line.send(side, 5 * 1_448)
    line.inject(side, segment_for(line, side, "A", ack=first - line.tcb(side).snd_nxt, wnd=0))
    return line, first


@probe("linux", "control_seq", "resends_beyond_window")
def a_window_that_was_taken_back(s: Stack) -> None:
    """tcp_output.c __tcp_retransmit_skb: nothing beyond it is sent again, so there is no tail-loss probe, and
    the first octet probes; tcp_acceptable_seq: what carries nothing is numbered where it ends."""
    line, first = window_taken_back(s)
    since = line.now
    line.run(S)
    assert {record.seg.seq for record in line.log(CLIENT, since + 1)} == {first}
    line.abort(CLIENT)
    assert line.log(CLIENT)[-1].seg.seq == first


@probe("rfc9293", "control_seq", "resends_beyond_window")
def a_window_that_was_taken_back_by_the_rfc(s: Stack) -> None:
    """RFC 9293 3.8.6 MAY-7: data beyond it may be sent again; 3.10.7.4: SND.NXT, whatever the window is."""
    line, first = window_taken_back(s)
    line.run(3 * S)
    sent = line.tcb(CLIENT).snd_nxt
    again = line.inject(CLIENT, segment_for(line, CLIENT, "A", ack=first + 1_448 - sent, wnd=0))
    assert [seg.seq - first for seg in again] == [1_448, 2_896]
    line.abort(CLIENT)
    assert line.log(CLIENT)[-1].seg.seq == sent


@probe("linux", "scaling_ratio", "rcv_space_mss_multiple")
def a_first_window(s: Stack) -> None:
    """tcp_output.c tcp_select_initial_window: half of tcp_rmem in whole segments, 44 of 1,460; the peer's SYN
    has told of timestamps, so its are 45 of 1,448."""
    line = Line(s, s).open()
    assert [record.seg.wnd for record in line.log(CLIENT)][:1] == [64_240]
    assert [record.seg.wnd for record in line.log(SERVER)][:1] == [65_160]


@probe("freebsd", "rcv_space", "rcvbuf_percent", "buffers_hold_whole_segments")
def an_unread_buffer_of_freebsd(s: Stack) -> None:
    """net.inet.tcp.recvspace 65536 up to 45 whole segments; SO_RCVBUF counts as it is, 40,000 up to 28."""
    assert 65_700 - 1_460 < taken_unread(s) <= 65_700
    assert 40_880 - 1_460 < taken_unread(s, rcvbuf=40_000) <= 40_880


def sent_into_the_void(s: Stack, **options: Any) -> int:
    """Octets that a send buffer takes while nothing is acknowledged."""
    line = Line(s).open(client=SocketOptions(**options))
    alone(line)
    return line.send(CLIENT, 1 << 20)


@probe("linux", "rcv_space_follows_reads")
def a_buffer_follows_a_reader_who_keeps_up(s: Stack) -> None:
    """tcp_rcv_space_adjust: 21 segments of 1,400 octets in a round trip of 20 ms; more than ten full ones."""
    line = Line(s, s).open()
    for _ in range(120):
        line.send(SERVER, 1_400)
        line.run(MS)
        line.receive(CLIENT)
    assert line.tcb(CLIENT).rcv_space > 131_072


@probe("linux", "acks_wait")
def an_ack_while_no_program_holds_the_socket(s: Stack) -> None:
    """tcp_input.c __tcp_ack_snd_check: it waits where a program does (tcp_backlog_ack_defer)."""
    line = Line(s, s).open()
    assert len(line.inject(CLIENT, segment_for(line, CLIENT, "PA", length=1_448))) == 1


@probe("linux", "skb_heads")
def a_full_send_buffer(s: Stack) -> None:
    """46,336 octets: what the first non-blocking send() took in traces of 6.18."""
    assert sent_into_the_void(s) == 46_336


@probe("linux", "sndbuf_percent")
def a_send_buffer_set_by_hand(s: Stack) -> None:
    """net/core/sock.c __sock_set_sndbuf doubles: 80,000 of memory has room for a third buffer of 31,856."""
    assert sent_into_the_void(s, sndbuf=40_000) == 46_336 + 31_856


@probe("freebsd", "snd_space", "sndbuf_percent", "buffers_hold_whole_segments")
def a_full_send_buffer_of_freebsd(s: Stack) -> None:
    """net.inet.tcp.sendspace 32768, up to 23 whole segments (tcp_input.c tcp_mss); SO_SNDBUF as it is."""
    assert sent_into_the_void(s) == 23 * 1_460
    assert sent_into_the_void(s, sndbuf=10_000) == 7 * 1_460


def window_after(s: Stack, octets: int) -> int:
    """The raw window in the ACK of so many unread octets."""
    line = Line(s).open()
    line.cut()
    line.inject(CLIENT, segment_for(line, CLIENT, "PA", length=octets))
    line.run(S)
    return line.log(CLIENT)[-1].seg.wnd


@probe("linux", "window_rounding", "wscale")
def windows_are_rounded_up(s: Stack) -> None:
    """tcp_output.c __tcp_select_window ALIGN: 64,512 octets, grown by 2,896, are 65.8 units of 1024; 66 are
    said, and were on 6.18."""
    assert window_after(s, 1_448) == 66


@probe("rfc9293", "rcv_space", "wscale", "scaling_ratio")
def windows_of_the_rfc(s: Stack) -> None:
    """RFC 9293 3.1: 65,535 octets are all that a window without scaling can say."""
    assert window_after(s, 5_000) == 65_535 - 5_000
    assert Line(s).open().log(CLIENT)[0].seg.wnd == 65_535
    hosts = two_hosts.Hosts(client=s)
    fresh = hosts.value(CLIENT, Socket())
    assert hosts.call(CLIENT, GetSockOpt(fresh, "SO_RCVBUF")) == Reply(65_535)


def ack_delays(s: Stack, count: int, length: int, every_us: int, delay_us: int = 10 * MS) -> list[int]:
    """How long each of so many segments from the peer waits for its ACK; nobody reads them."""
    line = Line(s, delay_us=delay_us).open()
    alone(line)
    delays = []
    for _ in range(count):
        since = line.now
        line.inject(CLIENT, segment_for(line, CLIENT, "PA", length=length))
        line.run(every_us)
        times = sent_at(line, CLIENT, since)
        delays.append(times[0] if times else -1)
    return delays


@probe("linux", "quick_acks", "quickack_route", "delayed_ack_us", "ack_rule")
def quick_acks_and_then_delayed_ones(s: Stack) -> None:
    """tcp.h TCP_MAX_QUICKACKS 16 at once, the others after TCP_DELACK_MIN 40 ms."""
    assert ack_delays(s, 19, 100, 100 * MS) == [0] * 16 + [40 * MS] * 3


@probe("linux", "delayed_ack_max_us")
def the_delay_grows_to_its_maximum(s: Stack) -> None:
    """tcp_timer.c tcp_delack_timer_handler doubles `ato`; tcp.h TCP_DELACK_MAX 200 ms. RTT 300 ms."""
    delays = ack_delays(s, 22, 100, 400 * MS, delay_us=150 * MS)
    assert delays == [0] * 16 + [at * MS for at in (40, 80, 160, 200, 200, 200)]


def acks_out_of_order(s: Stack, count: int, delay_us: int = 10 * MS) -> list[int]:
    """When ACKs go after so many segments of one instant came behind one that is missing."""
    line = Line(s, delay_us=delay_us).open()
    since = alone(line)
    at = 1_448
    for place in range(count):
        length = 1_448 if place < 8 else 10
        line.inject(CLIENT, segment_for(line, CLIENT, "A", at=at, length=length))
        at += length
    line.run(5 * MS)
    return sent_at(line, CLIENT, since)


@probe("linux", "comp_sack_nr", "comp_sack_delay_us", "comp_sack_slack_us")
def acks_of_what_is_out_of_order_are_compressed(s: Stack) -> None:
    """tcp_input.c __tcp_ack_snd_check: five while the window grows and three more go at once, the others as
    one after 5 % of the RTT, a millisecond at most, and 100 us of slack; a 45th does not wait (6.18: 53.162
    ms for 52.018 at 20 ms, 65.485 for 65.219 at 2 ms)."""
    assert acks_out_of_order(s, 20, delay_us=30 * MS) == [0] * 8 + [1_100]
    assert acks_out_of_order(s, 20, delay_us=1 * MS) == [0] * 8 + [200]
    assert acks_out_of_order(s, 8 + 44) == [0] * 8 + [1_100]
    assert acks_out_of_order(s, 8 + 45) == [0] * 9
    assert acks_out_of_order(turned(s, timestamps=False), 20)[-1] == 100
    assert acks_out_of_order(turned(s, sack=False), 20) == [0] * 20


@probe("linux", "comp_sack_nr")
def a_third_hole_is_told_at_once(s: Stack) -> None:
    """tcp_input.c tcp_sack_new_ofo_skb: what waits goes before a third block takes its place."""
    line = Line(s).open()
    since = alone(line)
    for place in (2, 4, 4, 4, 4, 4, 4, 4):
        line.inject(CLIENT, segment_for(line, CLIENT, "A", at=place * 1_448, length=1_448))
    before = len(sent_at(line, CLIENT, since))
    line.inject(CLIENT, segment_for(line, CLIENT, "A", at=4 * 1_448, length=1_448))
    line.inject(CLIENT, segment_for(line, CLIENT, "A", at=6 * 1_448, length=1_448))
    assert len(sent_at(line, CLIENT, since)) == before + 1


@probe("rfc9293", "ack_rule", "delayed_ack_us")
def every_second_full_segment(s: Stack) -> None:
    """RFC 9293 SHLD-19: at once for the second full segment; 200 ms, whatever else there is."""
    assert ack_delays(s, 2, 1_448, 50 * MS) == [-1, 0]
    assert ack_delays(s, 2, 100, 50 * MS) == [-1, -1]
    assert ack_delays(s, 3, 100, 300 * MS) == [200 * MS] * 3
    line = Line(s).open()
    alone(line)
    line.inject(CLIENT, segment_for(line, CLIENT, "A", length=1_448))
    assert line.inject(CLIENT, segment_for(line, CLIENT, "PA", length=1)) == ()


@probe("freebsd", "ack_rule", "delayed_ack_us")
def every_second_segment(s: Stack) -> None:
    """tcp_input.c DELAY_ACK: not while the delayed ACK timer runs; net.inet.tcp.delacktime 40 ms."""
    assert ack_delays(s, 2, 100, 10 * MS) == [-1, 0]
    assert ack_delays(s, 2, 100, 100 * MS) == [40 * MS] * 2


def writes(s: Stack, *sizes: int) -> list[tuple[str, int]]:
    """Flags and lengths that go at once when a program makes these calls; nothing is acknowledged."""
    line = Line(s).open()
    since = alone(line)
    for size in sizes:
        line.send(CLIENT, size)
    return [(sent.flags, sent.seg.len) for sent in line.log(CLIENT, since)]


@probe("linux", "nagle", "push_rule")
def only_a_small_segment_holds_a_small_one(s: Stack) -> None:
    """tcp_output.c tcp_minshall_check."""
    assert writes(s, 1_448, 100, 50) == [("PA", 1_448), ("PA", 100)]


@probe("rfc9293", "nagle")
def anything_outstanding_holds_a_small_segment(s: Stack) -> None:
    """RFC 9293 3.7.4, though the full segment is of the same call."""
    assert writes(s, 1_548) == [("A", 1_448)]


@probe("freebsd", "nagle")
def what_was_outstanding_at_the_call_holds_a_small_segment(s: Stack) -> None:
    """tcp_output.c: idle is asked once, before the loop."""
    assert writes(s, 1_548) == [("A", 1_448), ("PA", 100)]
    assert writes(s, 1_448, 100) == [("PA", 1_448)]


@probe("linux", "burst_segments")
def two_segments_are_one_burst(s: Stack) -> None:
    """tcp_output.c tcp_tso_autosize at its floor: PSH on each second one."""
    assert writes(s, 6 * 1_448) == [("A", 1_448), ("PA", 1_448)] * 3


def queued_writes(s: Stack) -> list[str]:
    """PSH of all that is sent of two writes of three segments each behind a full congestion window."""
    line = Line(s, "rfc9293").open()
    since = line.now
    line.send(CLIENT, 10 * 1_448)
    line.send(CLIENT, 3 * 1_448)
    line.send(CLIENT, 3 * 1_448)
    line.run(S)
    return [sent.flags for sent in line.log(CLIENT, since) if sent.seg.len][10:]


@probe("linux", "push_rule")
def writes_that_wait_become_one_chunk(s: Stack) -> None:
    """tcp.c tcp_sendmsg_locked, tcp_push: appended to the buffer that waits, whose end alone is pushed.
    Its size is what a reopened window is measured by (tcp_output.c tcp_ack_probe)."""
    line = Line(s).open(client=SocketOptions(nodelay=True))
    since = alone(line)
    line.inject(CLIENT, segment_for(line, CLIENT, "A", wnd=0))
    line.send(CLIENT, 100)
    line.send(CLIENT, 2_000)
    line.run(S)  # probes at 220 and 660 ms; the next is due after 880 ms more
    line.inject(
        CLIENT, segment_for(line, CLIENT, "A", wnd=1)
    )  # 1024 octets: 100 would fit, a full segment not
    line.run(S)
    assert sent_at(line, CLIENT, since) == [220 * MS, 660 * MS, 1_880 * MS]
    assert line.log(CLIENT)[-1].seg.len == 1_024


@probe("linux", "push_rule")
def a_long_write_is_pushed_in_parts(s: Stack) -> None:
    """tcp.c tcp_sendmsg_locked, forced_push: a buffer is half of the largest window at most, and PSH is set
    where more than that was written since the last. Seen on 6.18 with SO_RCVBUF 2,000: every second
    segment."""
    line = Line(turned(s, initial_window=1), s).open(server=SocketOptions(rcvbuf=2_000))
    line.send(CLIENT, 6_000)
    for _ in range(20):
        line.run(30 * MS)
        line.receive(SERVER)
    found = [(sent.flags, sent.seg.len) for sent in line.log(CLIENT) if sent.seg.len]
    assert found == [("A", 724), ("PA", 724)] * 4 + [("PA", 208)]


@probe("freebsd", "push_rule")
def the_segment_that_empties_the_buffer_is_pushed(s: Stack) -> None:
    """tcp_output.c: PSH where the send buffer is empty behind it, not where a write ends."""
    assert queued_writes(s) == ["A"] * 5 + ["PA"]


@probe("rfc9293", "push_rule")
def each_write_is_pushed(s: Stack) -> None:
    """RFC 9293 3.9.1.2: SEND with PUSH; three writes, three pushes."""
    line = Line(s, s).open()
    line.send(CLIENT, 10 * 1_448)
    line.send(CLIENT, 3 * 1_448)
    line.send(CLIENT, 3 * 1_448)
    line.run(S)
    assert [sent.flags for sent in line.log(CLIENT) if sent.seg.len].count("PA") == 3


@probe("freebsd", "window_rule")
def a_window_of_freebsd_is_what_is_free(s: Stack) -> None:
    """tcp_output.c recwin = sbspace(): 65,700 less what waits, and no whole segments of it."""
    stack = turned(s, window_scaling=False)
    assert window_after(stack, 120) == 65_535
    assert window_after(stack, 1_221) == 65_700 - 1_221


@probe("linux", "window_rule")
def a_window_of_linux_is_whole_segments(s: Stack) -> None:
    """tcp_output.c __tcp_select_window: without scaling the window is rounded down to the peer's segments."""
    stack = turned(s, window_scaling=False, rcv_space=40_000)
    assert [window_after(stack, octets) % octets for octets in (1_448, 1_460)] == [0, 0]


def read_after_shut_rd(s: Stack) -> list[int]:
    """What waits, and what comes later, after shutdown(SHUT_RD); the peer hears of both."""
    line = Line(s).open()
    line.cut()
    line.inject(CLIENT, segment_for(line, CLIENT, "PA", length=100))
    line.shutdown(CLIENT, rd=True, wr=False)
    waiting = line.receive(CLIENT)
    line.inject(CLIENT, segment_for(line, CLIENT, "PA", length=200))
    line.run(S)
    assert line.log(CLIENT)[-1].seg.ack == line.tcb(CLIENT).rcv_nxt
    return [waiting, line.receive(CLIENT)]


@probe("linux", "shut_rd_discards")
def linux_hands_out_after_shut_rd(s: Stack) -> None:
    """tcp.c tcp_recvmsg_locked: RCV_SHUTDOWN is looked at when the queue is empty."""
    assert read_after_shut_rd(s) == [100, 200]


@probe("freebsd", "shut_rd_discards")
def freebsd_throws_away_after_shut_rd(s: Stack) -> None:
    """uipc_socket.c sorflush; tcp_input.c: SBS_CANTRCVMORE frees what comes, and it is acknowledged."""
    assert read_after_shut_rd(s) == [0, 0]


def after_a_new_fin(s: Stack) -> tuple[tuple[int, int], ...]:
    """The SACK blocks in the ACK of a FIN whose text had come before, in octets before SEG.ACK."""
    line = Line(s).open()
    line.send(SERVER, 100)
    line.run(100 * MS)
    line.cut()
    line.inject(CLIENT, segment_for(line, CLIENT, "FPA", at=-100, length=100))
    line.run(S)
    ack = line.log(CLIENT)[-1].seg
    return tuple((ack.ack - a, ack.ack - b) for a, b in ack.options.sack)


@probe("linux", "fin_clears_dsack")
def a_fin_clears_what_was_to_be_reported(s: Stack) -> None:
    """tcp_input.c tcp_fin: tcp_sack_reset."""
    assert after_a_new_fin(s) == ()


@probe("freebsd", "fin_clears_dsack")
def a_duplicate_with_a_fin_is_reported(s: Stack) -> None:
    """RFC 2883 4: the octets that came twice."""
    assert after_a_new_fin(s) == ((101, 1),)


@probe("linux", "dsack", "sack")
def a_duplicate_is_reported(s: Stack) -> None:
    """RFC 2883: what came twice is the first SACK block of the ACK."""
    line = Line(s).open()
    line.send(SERVER, 100)
    line.run(100 * MS)
    (ack,) = line.inject(CLIENT, segment_for(line, CLIENT, "PA", at=-100, length=100))
    assert ack.options.sack == ((ack.ack - 100, ack.ack),)


@probe("linux", "sack_of_fin")
def a_repeated_fin_is_reported(s: Stack) -> None:
    """tcp_input.c tcp_send_dupack: up to end_seq, the FIN included."""
    line, side = reach("CLOSE-WAIT", s)
    (ack,) = line.inject(side, segment_for(line, side, "FA", at=-1))
    assert ack.options.sack == ((ack.ack - 1, ack.ack),)


@probe("freebsd", "sack_of_fin")
def a_repeated_fin_is_not_reported_by_freebsd(s: Stack) -> None:
    """tcp_input.c tcp_do_segment: todrop counts octets, and there was none."""
    line, side = reach("CLOSE-WAIT", s)
    (ack,) = line.inject(side, segment_for(line, side, "FA", at=-1))
    assert ack.options.sack == ()
    line = Line(s).open()
    (ack,) = line.inject(CLIENT, segment_for(line, CLIENT, "FPA", at=30, length=20))
    assert ack.options.sack == ((ack.ack + 30, ack.ack + 50),)


@probe("linux", "sack")
def a_hole_is_reported(s: Stack) -> None:
    """RFC 2018 section 4."""
    line = Line(s).open()
    line.loses = data(SERVER, 1)
    line.send(SERVER, 2 * 1_448)
    line.run(30 * MS)
    ack = line.log(CLIENT)[-1].seg
    assert ack.options.sack == ((ack.ack + 1_448, ack.ack + 2 * 1_448),)


def ack_of_two(s: Stack) -> int:
    """When two segments of 1,000 octets, the second with FIN, are acknowledged; nobody reads them.

    The buffer is larger than a window without scaling can say.
    """
    line = Line(turned(s, window_scaling=False, timestamps=False, rcv_space=540_000)).open()
    line.cut()
    line.inject(CLIENT, segment_for(line, CLIENT, "PA", length=1_000))
    line.run(100 * MS)
    since = line.now
    line.inject(CLIENT, segment_for(line, CLIENT, "FPA", length=1_000))
    line.run(S)
    return sent_at(line, CLIENT, since)[0]


@probe("linux", "rcv_wnd_beyond_field")
def what_linux_would_offer_is_less_than_it_has(s: Stack) -> None:
    """tcp_output.c tcp_select_window sets rcv_wnd before it cuts the window to 16 bits, so that after small
    segments __tcp_select_window is below it, and __tcp_ack_snd_check waits; certified on 6.18."""
    assert ack_of_two(s) == 40 * MS


@probe("rfc9293", "rcv_wnd_beyond_field")
def what_the_rfc_has_is_what_it_says(s: Stack) -> None:
    """RFC 9293 3.3.1 RCV.WND, 3.10.7.4 first: what begins behind 65,535 octets is outside."""
    large = turned(s, window_scaling=False, rcv_space=200_000)
    line = Line(large).open()
    line.cut()
    line.inject(CLIENT, segment_for(line, CLIENT, "PA", at=70_000, length=10))
    assert line.tcb(CLIENT).ooo == ()
