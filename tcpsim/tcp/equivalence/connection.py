"""The key of one connection: every value that a later rule can still read.

Owns: a TCB without the clock. Sequence numbers are distances to an origin. Values that do not change with
time are in `fixed`. The others are times, and their distances to the time of the comparison count. An elapsed
time stops at the largest limit that reads it. A value that no rule reads any more is left out. Refuses to
know: the time of the comparison, the peer, and the programs (the caller passes what follows from them in
`Around`).

Beside each omitted field, a comment names the rule that allows it. These rules use two words:

- *At rest*: nothing is outstanding and nothing will be sent (our FIN is acknowledged, or no program will send
  or close and the queue is empty).
- *Prompt*: no data can arrive any more, so every later ACK is sent at once.

Five fields are in no key: `closed_by` is for people, `ts_offset` is in the key of the endpoint, and `rmem` is
the sum of the charges in `held` and `held_ahead`. `iss` is what the numbers count from: of the sockets on the
same ports all but the newest are CLOSED, because a segment finds its socket by its ports. `fw2_armed` is read
in FIN-WAIT-2 alone, where `wait` says it if there is a limit (`timers._settle_wait`); whoever comes there
sets it (`segment_arrives._fin_acked`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from tcpsim.tcp import deadlines, rto, timers, tso
from tcpsim.tcp.acceptability import PAWS_IDLE_US
from tcpsim.tcp.equivalence.future import (
    MOST_OPTIONS,
    Around,
    all_sent,
    echoes_later,
    ends_before_keepalive,
    expiries_left,
    grows_ahead,
    hasty,
    least_fin_wait_2_us,
    pace,
    paced,
    prompt,
    racks,
    repeats,
    sizes,
)
from tcpsim.tcp.event import Timer
from tcpsim.tcp.seqnum import MASK, diff, le, lt
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import DISORDER, RECOVERY, Sent, Tcb

Key = tuple[object, ...]
Instant = tuple[int, int]  # a time, and the least distance to it that counts: longer ago is as long ago

EVER = -(1 << 62)
_BEGINNING = EVER  # an instant longer ago than any limit


class ConnectionKey(NamedTuple):
    """What is the same at every moment, the instants that count by their distance, TS.Recent if it counts."""

    fixed: Key
    instants: tuple[Instant, ...] = ()
    stamp: int | None = None


def connection_key(t: Tcb, s: Stack, around: Around, measured: bool) -> ConnectionKey:
    """Connections of equal `fixed`, at the same distances of their instants, do the same from then on.

    `measured`: what `future.measures` says.
    """
    # the peer's numbers in SYN-SENT, where none is known: they come with its SYN (3.10.7.3)
    if t.state == State.SYN_SENT:
        around = around._replace(theirs=t.irs)
    ours, theirs, idle, sends, _, tunes, complete, single, known, ordered, first, *_ = around
    error = None if idle else (t.so_error, t.soft_error)
    head = (
        t.local_port, t.remote_port, t.state, t.accepted, t.orphaned, t.options,
        t.fin_received, t.rd_shut, t.close_called, t.readable, t.snd_space, error,
    )  # fmt: skip
    # CLOSED: a call finds the queue, the errors and the options, nothing else (3.10; `Step.bury`)
    if t.state == State.CLOSED:
        return ConnectionKey(head)
    finished = all_sent(t, sends or around.closes)
    if t.keep_at_us is not None and ends_before_keepalive(t, s, finished):
        t = t.copy()
        t.keep_at_us = None
    at_rest = finished and not t.sent
    no_data = not t.unsent and (t.close_called or not sends)
    complete = complete and t.state >= State.ESTABLISHED
    at_once = prompt(t, s, complete)
    answered_us = t.last_oow_ack_us
    instants: list[Instant | None] = [
        None if at_us is None else (at_us, EVER) for at_us in deadlines.deadlines(t)
    ]
    instants.append(_probing(t, s, tunes))
    instants.append((_BEGINNING if answered_us is None else answered_us, -s.ack_rate_limit_us))
    instants.append(_silence(t, s, tunes and not idle))
    # the time since data came is read where data comes or goes (`acks.data_arrived`, `acks.data_sent`)
    pacing = pace(t, s, complete)
    unread = at_once or (single and hasty(t, s))
    unread = unread or (no_data and (complete or t.fin_received or t.mini) and not _may_turn(t, pacing))
    instants.append(None if unread else _since_data(t, s))
    # TS.Recent, once the peer knows that we have all we have: whatever we acknowledge next was sent later,
    # and replaced it (RFC 7323 4.3); or where the peer reads nothing of what it would measure, or the next
    # segment replaces it first. While nothing older is under way PAWS has nothing to reject (5.3)
    stamp = None
    told = (known and t.rcv_wup == t.rcv_nxt) or echoes_later(t, around, complete)
    told = told and not around.sized  # text echoes it whatever it acknowledges
    if t.ts_on and not (ordered and (told or not around.heeded)):
        stamp = t.ts_recent
        instants.append((_BEGINNING, 0) if ordered else (t.ts_recent_at_us, -PAWS_IDLE_US - 1))
    sizing: object = None
    if sizes(t, s, around):
        sizing = _right_sizing(t, theirs, instants)
    elif grows_ahead(t, s, around):
        sizing = t.right_sizing and t.right_sizing.space
    # loss recovery, RACK, the congestion window and retry counts are read only with something outstanding
    resending = None if at_rest else _resending(t, s, instants, around, no_data, finished, measured)
    opening = None if t.state >= State.ESTABLISHED else _opening(t, s, instants, first)
    # how many instants there are says whether there is a stamp: the rest of `fixed` says how many others are
    fixed = (
        head,
        (
            t.mini, t.deferred, t.sack_on, t.ts_on, t.slot, t.wait, _probes(t, s), t.ack_pending,
            (t.snd_una - ours) & MASK, (t.snd_nxt - ours) & MASK, (t.write_seq - ours) & MASK,
            *_window(t, s, around, at_rest, finished),
            t.max_window, t.snd_mss, t.mss_clamp, t.snd_wscale, t.unsent, t.no_space,
            (t.irs - theirs) & MASK, (t.rcv_nxt - theirs) & MASK, (t.rcv_wup - theirs) & MASK, t.rcv_wnd,
            t.rcv_wscale, t.rcv_space, t.rcv_ssthresh, t.rcv_mss, t.adv_mss,
            t.scaling_ratio, t.window_clamp, t.held,
        ),
        _out_of_order(t, theirs) if t.ooo or t.sack_order or t.dsack or t.dup_ack_counter else None,
        pacing, sizing,
        _estimate(t, s, measured, at_rest and not paced(t, s, complete, single), idle),
        resending, opening, tuple([each is None for each in instants]),
    )  # fmt: skip
    return ConnectionKey(fixed, tuple([each for each in instants if each is not None]), stamp)


def _window(t: Tcb, s: Stack, around: Around, at_rest: bool, finished: bool) -> Key:
    """SND.WND and where it was last taken from, as far as what comes does not replace it, and it is read."""
    timed = s.user_timeout_rule == "timer"
    # SND.WND is read only with something outstanding or to send
    useless = at_rest or (finished and t.orphaned and t.sack_on and not timed)
    if useless and (t.write_seq - t.iss) & MASK <= t.max_window:  # nor is any ACK too old (_least_ack)
        return None, None
    if t.state == State.SYN_SENT:  # they come with the peer's SYN
        return None, None
    # WL1 and WL2, where whatever may come begins behind them and acknowledges as much: it passes in any case.
    # Linux asks WL1 whether an ACK is a duplicate (`arrives._duplicate`), which one that begins later is not
    newer = around.newer and le(t.snd_wl2, t.snd_una)
    counted = s.duplicate_ack == "update" and not t.sack_on  # then WL1 tells which ACK is a duplicate
    if newer and (around.later or not counted) and t.state >= State.ESTABLISHED:
        return t.snd_wnd, None
    return t.snd_wnd, ((t.snd_wl1 - around.theirs) & MASK, (t.snd_wl2 - around.ours) & MASK)


def _estimate(t: Tcb, s: Stack, measured: bool, at_rest: bool, idle: bool) -> object:
    """The round-trip time as far as anything reads it: the timers of what is outstanding, FIN-WAIT-2.

    At rest, where RTO and SRTT do not bound the pace of ACKs either, it is read for the length of FIN-WAIT-2
    alone (tcp_fin_time). SRTT is read by the next sample: none will count if the one record that is
    outstanding is the last. Where a table has the back-off, each step of it begins from the estimate.
    """
    if at_rest:
        return least_fin_wait_2_us(t, s, idle)
    if measured:
        return t.srtt8, t.rto_us
    return (t.rto_us, rto.table_base_us(t, s)) if s.backoff else t.rto_us


def _right_sizing(t: Tcb, theirs: int, instants: list[Instant | None]) -> Key:
    """What a buffer is measured by that follows the reads of its program."""
    sizing = t.right_sizing
    assert sizing is not None
    seq, space, since_us, clock_us, rtt8, edge, edge_us, echoed = sizing
    # the timestamp is compared with those that come back; the time that reads use, with the last measurement
    echoed_us = None if echoed is None else diff(echoed, 0) * 1000
    instants += [(since_us, EVER), (clock_us, EVER), None if edge_us is None else (edge_us, EVER)]
    instants.append(None if echoed_us is None else (echoed_us, EVER))
    return (seq - theirs) & MASK, space, rtt8, (edge - theirs) & MASK if edge_us else None


def _out_of_order(t: Tcb, theirs: int) -> Key:
    """The queue, and how far its ACKs are on their way to be compressed."""
    return (
        tuple([((a - theirs) & MASK, (b - theirs) & MASK, fin) for a, b, fin in t.ooo]),
        tuple([(a - theirs) & MASK for a in t.sack_order]), t.dup_ack_counter, t.compressed_ack,
        t.dsack and ((t.dsack[0] - theirs) & MASK, (t.dsack[1] - theirs) & MASK),
        tuple(
            [
                each._replace(left=(each.left - theirs) & MASK, right=(each.right - theirs) & MASK)
                for each in t.held_ahead
            ]
        ),
    )  # fmt: skip


def _probing(t: Tcb, s: Stack, tunes: bool) -> Instant | None:
    """Since when a window is probed, as far as a user timeout asks (`timeouts._persist`)."""
    if t.probes_since_us is None:
        return None
    limited = s.user_timeout_rule == "checked" and (tunes or timers.user_timeout_us(t, s) is not None)
    return (t.probes_since_us, EVER) if limited else (_BEGINNING, 0)


def _probes(t: Tcb, s: Stack) -> int:
    """How many probes nobody has answered, up to the largest number that a rule compares them with.

    While data is outstanding or unsent, keepalive counts none, and the ACK that ends this counts anew. So
    only the limits of persist read it, and whether there was any (`timers.persist_us`).
    """
    if t.write_seq == t.snd_una:
        return t.probes_out
    return min(t.probes_out, max(1, s.persist_limit or 0, _orphans_limit(s)))


def _backoff(t: Tcb, s: Stack) -> int:
    """The back-off, up to where no rule tells it from a larger one.

    These read it: the table of a stack (`rto.backed_off`), the shift of persist, which is bounded or makes
    any wait longer than the largest, the test whether an orphan's back-off has come to its end, and whether
    there was any (`metrics.after`).
    """
    shift = s.persist_max_us if s.persist_weights else s.persist_max_us // s.persist_min_us
    most = max(1, _rises(s.backoff), shift.bit_length())
    if s.orphan_persist_retries:
        most = max(most, s.rto_max_us.bit_length(), _orphans_limit(s))
    return min(t.backoff, most)


@lru_cache
def _rises(table: tuple[int, ...]) -> int:
    """The step of a table from which on all are equal."""
    return next((at + 1 for at in reversed(range(len(table))) if table[at] != table[-1]), 0)


def _orphans_limit(s: Stack) -> int:
    """What probes and back-off of an orphan are compared with (`timeouts._persist_over`)."""
    return max(s.orphan_retries or 0, s.orphan_retries_safe) if s.orphan_persist_retries else 0


def _may_turn(t: Tcb, pacing: object) -> bool:
    """Whether data that are resent may end the quick ACKs, and something reads that they have not ended."""
    return isinstance(pacing, tuple) and not t.pingpong and any(r.payload for r in t.sent)


def _since_data(t: Tcb, s: Stack) -> Instant | None:
    """A gap longer than any RTO counts as one; it is counted in ticks (`acks.data_arrived`)."""
    return None if t.last_data_us is None else (t.last_data_us, -s.rto_max_us - s.rto_tick_us)


def _silence(t: Tcb, s: Stack, tunes: bool) -> Instant | None:
    """When the peer was heard last, as far as a timer asks; beyond the longest limit it is as long ago."""
    longest_us = deadlines.longest_silence_us(t, s, tunes)
    return (timers.silent_since_us(t), -longest_us) if longest_us else None


def _resending(
    t: Tcb,
    s: Stack,
    instants: list[Instant | None],
    around: Around,
    no_data: bool,
    finished: bool,
    measured: bool,
) -> Key:
    """The retransmission queue, the estimator and the episode that it is in; their times go to `instants`."""
    ours = around.ours
    synchronised = t.state >= State.ESTABLISHED
    # one record is outstanding and is the last, or only a FIN is to come: it is resent whatever the
    # congestion window (`recovery.resend_lost`)
    last = synchronised and no_data and _is_last(t, finished)
    # what RACK has heard last is compared with the times of records, so their order says all; a record sent
    # later than it is never called lost by it (RFC 8985 6.2 step 5)
    heeds = racks(t, s)
    rack = [(r.sent_us > t.rack_us) - (r.sent_us < t.rack_us) for r in t.sent] if heeds else []
    newer = not rack or min(rack) > 0
    bursts = s.burst_segments > 1  # their size depends on the least round-trip time (`tso.segments`)
    # when a record was sent last, once it was resent, so that no round trip is measured (Karn): RACK, probes
    # and bursts ask; not for the last of all, while the retransmission timer runs (`timers._loss_probe_at`)
    timed = (s.rack or s.loss_probe or bursts) and not (
        newer and last and t.slot is Timer.RETRANSMISSION and t.ca_state >= DISORDER
    )
    probe = None if t.tlp_high_seq is None else ((t.tlp_high_seq - ours) & MASK, t.tlp_resent)
    # retransmissions, where a time limits them: whether there were any; when they began, where none does so
    limited = s.user_timeout_rule == "checked" and (around.tunes or timers.user_timeout_us(t, s) is not None)
    budgeted = synchronised and s.retry_rule != "count"
    # the last segment repeats: when that began says only how often it may yet, now and once it is an orphan;
    # nor does an episode that ends with it give anything back
    repeated = budgeted and not limited and last and repeats(t, s)
    left = None
    if repeated:
        left = None if t.orphaned else expiries_left(t, s, False), expiries_left(t, s, True)
    since_us = t.retrans_since_us if (limited or budgeted) and not repeated else None
    counted = t.retransmits if s.retry_rule == "count" or not synchronised else t.retransmits > 0
    # back-off, once something is outstanding: it is counted for persist, and ends with the next sample before
    settled = not s.backoff and bool(t.sent) and (t.ts_on or (finished and len(t.sent) == 1))
    instants.append(None if since_us is None else (since_us, EVER))
    idling = not last and s.after_idle != "keep" and t.cwnd > s.initial_window
    most_us = t.rto_us * (t.cwnd.bit_length() if s.after_idle == "halve" else 1) + 1
    instants.append((t.last_sent_us, -most_us) if idling else None)
    for r in t.sent:
        instants.append((r.sent_us, EVER) if timed or r.xmits == 1 else None)
    # `high_seq` is read in an episode of recovery; `snd_sml` behind SND.UNA holds nothing (Minshall)
    return (
        tuple([_record(r, ours) for r in t.sent]), probe,
        None if last else (t.cwnd, t.cwnd_acked, t.ssthresh, _burst_pace(t, s), _in_use(t, s, ours)),
        # what an undone episode gives back is read where the congestion window is
        left if repeated or t.ca_state < RECOVERY else (
            None if last else (t.prior_cwnd, t.prior_ssthresh),
            t.prr_delivered, t.prr_out, _to_undo(t), t.frto,
        ),
        _estimator(t, ours) if measured else None,
        None if settled else _backoff(t, s), counted,
        t.ca_state, (t.high_seq - ours) & MASK if t.ca_state >= RECOVERY else None, t.dupacks,
        (t.snd_sml - ours) & MASK if lt(t.snd_una, t.snd_sml) else None,
        None if newer else (tuple(rack), (t.rack_end - ours) & MASK),
        None if (newer and last) or not (heeds or bursts) else (t.rack_rtt_us, t.min_rtt_us),
    )  # fmt: skip


def _to_undo(t: Tcb) -> int | None:
    """How many retransmissions D-SACKs have to tell of; without SACK none does, and 1 is as good as 2."""
    return t.undo_retrans if t.sack_on or not t.undo_retrans else min(t.undo_retrans, 1)


def _in_use(t: Tcb, s: Stack, ours: int) -> object:
    """What is remembered of how far the congestion window is in use."""
    if s.cwnd_growth != "validated":
        return None
    # once SND.UNA has passed the number, the next look replaces all of it
    behind = None if le(t.cwnd_usage_seq, t.snd_una) else (t.cwnd_usage_seq - ours) & MASK
    return -1 if t.cwnd_limited else t.max_packets_out, behind


def _burst_pace(t: Tcb, s: Stack) -> int | None:
    """The pace of bursts, where it makes them longer than the least; the next ACK sets it anew."""
    least = tso.segments(t, s, max(t.snd_mss - MOST_OPTIONS, 1)) <= s.burst_segments
    return None if least else t.pacing_rate


def _estimator(t: Tcb, ours: int) -> Key:
    """The inside of the round-trip estimate; `rtt_seq` while a sample may come before it is passed."""
    ahead = t.srtt8 and not lt(t.rtt_seq, t.snd_una)
    return t.mdev4, t.mdev_max4, t.rttvar4, (t.rtt_seq - ours) & MASK if ahead else None


def _is_last(t: Tcb, finished: bool) -> bool:
    """One segment is outstanding, nothing follows it, and it is never cut; or none is, and a FIN may come."""
    if not t.sent:
        return True
    return len(t.sent) == 1 and finished and t.sent[0].payload <= t.snd_mss - MOST_OPTIONS


def _record(r: Sent, ours: int) -> Key:
    """One record; of how often it was sent it counts whether more than once (Karn)."""
    seq, end, flags, _, xmits, sacked, lost, resent, joined = r
    return (seq - ours) & MASK, (end - ours) & MASK, flags, xmits > 1, sacked, lost, resent, joined


def _opening(t: Tcb, s: Stack, instants: list[Instant | None], first: bool) -> Key:
    """The handshake, read before ESTABLISHED: how often it was tried, as far as a stack asks; when it began.

    That is asked while a time limits the handshake or its timestamp may be echoed (`opening._syn_lost`).
    """
    most = max(s.syn_loss_cuts_cwnd_after + 1, s.syn_options_until or 0)
    if s.ecn == "offers" and s.ecn_syn_retries is not None:
        most = max(most, s.ecn_syn_retries + 1)
    limited = s.user_timeout_rule == "timer" or s.syn_give_up_us is not None
    limited = limited or s.syn_received_us is not None
    timed = limited or (s.syn_loss_proved and first)
    instants.append((t.handshake_sent_us, EVER) if timed else None)
    return min(t.handshake_resent, most), t.wscale_on, t.ecn_on
