"""Probes of loss recovery before the timer: the tail-loss probe, RACK, duplicates, collapsing."""

from __future__ import annotations

from tcpsim.tcp.segment import SYN
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.tcb import SocketOptions
from tests.tcp.probes.battery import (
    CLIENT,
    MS,
    SERVER,
    Line,
    S,
    after,
    alone,
    flags_of,
    plain,
    probe,
    sent_at,
    turned,
)
from tests.tcp.two_ends import nth, segment_for
from tests.tcp.ways import reach


@probe("linux", "loss_probe")
def a_tail_loss_probe(s: Stack) -> None:
    """RFC 8985 7.2, tcp_output.c tcp_schedule_loss_probe: twice the RTT plus 2 ms with two segments out."""
    line = Line(s).open()
    since = alone(line)
    line.send(CLIENT, 2 * 1_448)
    line.run(100 * MS)
    assert sent_at(line, CLIENT, since) == [0, 0, 42 * MS]


@probe("linux", "rack")
def one_sack_and_a_reordering_window(s: Stack) -> None:
    """RFC 8985 6.2: one SACK is enough: lost after a quarter of the RTT, and TCP_TIMEOUT_MIN 2 ms."""
    line = Line(s).open()
    since = alone(line)
    line.send(CLIENT, 2 * 1_448)
    line.run(20 * MS)
    second = line.log(CLIENT, since)[1].seg.seq
    line.inject(CLIENT, segment_for(line, CLIENT, "A", ack=-2 * 1_448, sack=((second, second + 1_448),)))
    line.run(10 * MS)
    assert sent_at(line, CLIENT, since) == [0, 0, 27 * MS]


@probe("linux", "dupthresh")
def three_duplicate_acks(s: Stack) -> None:
    """RFC 5681 3.2: the third, not the second, resends the first segment."""
    line = Line(plain(s)).open()
    since = alone(line)
    line.send(CLIENT, 8 * 1_448)
    line.inject(CLIENT, segment_for(line, CLIENT, "A", ack=-8 * 1_448))  # another window, so no duplicate
    answers = [line.inject(CLIENT, segment_for(line, CLIENT, "A", ack=-8 * 1_448)) for _ in range(3)]
    assert [flags_of(answer) for answer in answers] == ["", "", "A"]
    assert answers[2][0].seq == line.log(CLIENT, since)[0].seg.seq


def after_acks_of_nothing_new(s: Stack, acks: int) -> list[str]:
    """Answers to so many ACKs in a row that bring nothing, not even another window, and no SACK."""
    line = Line(turned(s, sack=False, window_scaling=False)).open()
    alone(line)
    line.send(CLIENT, 3 * 1_448)
    same = segment_for(line, CLIENT, "A", ack=-3 * 1_448, wnd=line.tcb(CLIENT).snd_wnd)
    return [flags_of(line.inject(CLIENT, same)) for _ in range(acks)]


@probe("linux", "duplicate_ack")
def the_first_ack_behind_the_syn_is_no_duplicate(s: Stack) -> None:
    """tcp_input.c tcp_may_update_window: a later sequence number may bring a window, so it is not counted."""
    assert after_acks_of_nothing_new(s, 4) == ["", "", "", "A"]


@probe("rfc9293", "duplicate_ack")
def every_ack_with_the_same_window_is_a_duplicate(s: Stack) -> None:
    """RFC 5681 section 2 (e)."""
    assert after_acks_of_nothing_new(s, 3) == ["", "", "A"]


def answers_behind_an_episode(s: Stack) -> list[str]:
    """To three duplicates of the ACK that ends an episode without SACK, while more is outstanding."""
    line = Line(turned(plain(s), initial_window=10)).open()
    alone(line)
    line.send(CLIENT, 8 * 1_448)
    for _ in range(4):
        line.inject(CLIENT, segment_for(line, CLIENT, "A", ack=-8 * 1_448))
    line.inject(CLIENT, segment_for(line, CLIENT, "A"))
    line.send(CLIENT, 2 * 1_448)
    return [flags_of(line.inject(CLIENT, segment_for(line, CLIENT, "A", ack=-2 * 1_448))) for _ in range(3)]


@probe("linux", "recovery_ends")
def an_episode_is_held_until_something_beyond_it_is_acknowledged(s: Stack) -> None:
    """tcp_input.c tcp_try_undo_recovery: the duplicates may be of what was resent."""
    assert answers_behind_an_episode(s) == ["", "", ""]


@probe("rfc9293", "recovery_ends")
def an_episode_ends_with_its_last_segment(s: Stack) -> None:
    """RFC 6582 3.2 step 3, where duplicates count again."""
    assert answers_behind_an_episode(s) == ["", "", "A"]


@probe("linux", "retransmit_collapse")
def small_segments_are_resent_as_one(s: Stack) -> None:
    """ip-sysctl.rst tcp_retrans_collapse; tcp_output.c tcp_retrans_try_collapse."""
    line = Line(plain(s)).open(client=SocketOptions(nodelay=True))
    since = alone(line)
    line.send(CLIENT, 100)
    line.send(CLIENT, 50)
    line.run(300 * MS)
    assert [sent.seg.len for sent in line.log(CLIENT, since)] == [100, 50, 150]


def first_flight(s: Stack, *lost_syns: int, of: str = CLIENT, sender: str = CLIENT) -> int:
    """Segments that `sender` sends at once after so many SYNs `of` a side were lost."""
    line = Line(s)
    line.loses = nth(of, SYN, *lost_syns) if lost_syns else line.loses
    line.open()
    since = alone(line)
    line.send(sender, 40_000)
    return len(line.log(sender, since))


@probe("linux", "initial_window", "syn_loss_cuts_cwnd_after")
def the_first_flight(s: Stack) -> None:
    """RFC 6928: ten; tcp_input.c tcp_init_transfer: one, once SYNs were resent more than once."""
    assert [first_flight(s), first_flight(s, 1), first_flight(s, 1, 2)] == [10, 10, 1]


@probe("linux", "syn_loss_proved")
def the_first_flight_unless_nothing_was_lost(s: Stack) -> None:
    """tcp_minisocks.c: SYN-ACKs drawn by repeated SYNs prove nothing, nor do SYNs that a timestamp clears."""
    lost_twice = [first_flight(s, 1, 2, of=SERVER, sender=side) for side in (SERVER, CLIENT)]
    blind = turned(s, timestamps=False)
    assert [*lost_twice, first_flight(blind, 1, 2, of=SERVER)] == [10, 10, 1]


@probe("rfc9293", "initial_window", "syn_loss_cuts_cwnd_after")
def the_first_flight_of_the_rfc(s: Stack) -> None:
    """RFC 5681 3.1: four, and one when a SYN was lost."""
    assert [first_flight(s), first_flight(s, 1)] == [4, 1]


@probe("linux", "rto_without_handshake_sample_us")
def no_sample_from_the_handshake(s: Stack) -> None:
    """RFC 6298 (5.7): a SYN was resent and nothing measured, so data waits 3 s."""
    line = Line(turned(plain(s), timestamps=False))
    line.loses = nth(CLIENT, SYN, 1)
    line.open()
    since = alone(line)
    line.send(CLIENT, 100)
    line.run(4 * S)
    assert sent_at(line, CLIENT, since) == [0, *after(3_000)]


def resent_on_news_of_a_probe(s: Stack, later_us: int) -> int:
    """Of three segments the first is lost; the tail-loss probe repeats the last, and the peer tells of the
    last two so much later than the shortest round trip; how many are resent at once."""
    line, side = reach("ESTABLISHED", s)
    alone(line)
    first = line.tcb(side).snd_nxt
    line.send(side, 3 * 1_448)
    line.run_until(lambda: len(line.log(side)) and line.tcb(side).tlp_high_seq is not None)
    shortest = line.tcb(side).min_rtt_us
    assert shortest is not None
    line.run(shortest + later_us)
    edges = ((first + 1_448, first + 3 * 1_448),)
    ack = segment_for(line, side, "A", ack=first - line.tcb(side).snd_nxt, sack=edges)
    return len(line.inject(side, ack))


@probe("linux", "rtt_noise_us")
def which_round_trip_was_shorter(s: Stack) -> None:
    """tcp_recovery.c tcp_rack_advance: a retransmission that was answered sooner than any is ambiguous."""
    assert [resent_on_news_of_a_probe(s, later_us) for later_us in (0, 50)] == [0, 1]


@probe("linux", "frto")
def new_data_after_a_timeout(s: Stack) -> None:
    """tcp_input.c tcp_process_loss: RFC 5682 2.1 step 2b; 10 segments are lost, the tail-loss probe
    too, and one waits."""
    line, side = reach("ESTABLISHED", s)
    alone(line)
    first = line.tcb(side).snd_nxt
    line.send(side, 12 * 1_448)
    line.run_until(lambda: line.tcb(side).retransmits > 0)
    ack = segment_for(line, side, "A", ack=first + 1_448 - line.tcb(side).snd_nxt)
    assert [seg.seq - first for seg in line.inject(side, ack)] == [11 * 1_448]


@probe("linux", "ticks_begin")
def a_pause_in_ticks(s: Stack) -> None:
    """tcp_output.c tcp_event_data_sent counts jiffies: 37 ms are nine of 4 ms or ten, as they fall."""
    for pause_us, talks in ((37 * MS, True), (39_900, False)):
        line, side = reach("ESTABLISHED", s)
        line.inject(side, segment_for(line, side, "PA", length=100))
        line.run(pause_us)
        line.send(side, 10)
        assert line.tcb(side).pingpong == talks
