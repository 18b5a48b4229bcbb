"""Loss detection and retransmission (RFC 6582, RFC 6675, RFC 8985).

Owns: what an acknowledgement does to the retransmission queue: removal, SACK marks, round-trip
samples, loss detection by duplicates (DupThresh) or by time (RACK), the episodes of recovery and the
congestion window as far as recovery needs it. Refuses to know: other congestion control (out of scope),
and when the retransmission timer runs (timers).

Segments are counted, not octets, as Linux does. The names of the four states are Linux's.
"""

from __future__ import annotations

from typing import NamedTuple

from tcpsim.tcp import output, prr, rto, sending, undo
from tcpsim.tcp.segment import SYN, Segment
from tcpsim.tcp.seqnum import MASK, le, lt
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.step import Step
from tcpsim.tcp.tcb import DISORDER, LOSS, OPEN, RECOVERY, Sent, Tcb
from tcpsim.tcp.timers import PROGRESS, RETRY


class _Heard(NamedTuple):
    """What one acknowledgement said about the queue."""

    acked: int  # records gone
    sacked: int  # records newly marked
    delivered: int  # records of both kinds that nobody had told of
    fresh: bool  # one of these was never resent, and sent before the episode
    rtt_us: int | None
    dsack: bool


def acknowledged(step: Step, seg: Segment, prior_una: int, duplicate: bool) -> None:
    """`seg`'s ACK (SND.UNA is already its) and SACK blocks, seen by the retransmission queue."""
    t, s = step.t, step.s
    if not t.sent:
        return
    in_queue, told = len(t.sent), t.dupacks
    advanced = t.snd_una != prior_una
    undo.duplicate_told(t, seg, prior_una)
    heard = _clean(step, seg)
    if heard.rtt_us is not None:
        rto.sample(t, heard.rtt_us, s)
    if heard.acked or advanced:
        step.restart = PROGRESS
    _tail_probe_acked(t, seg, advanced, heard.dsack)
    if advanced:
        t.dupacks = max(t.dupacks - heard.acked + 1, 0) if t.ca_state == RECOVERY else 0
        if t.ca_state == OPEN and not heard.sacked:
            _grow(t, s, heard.acked, in_queue)
            return
    lost = _unsent_losses(t)
    _alert(step, seg, heard, advanced, duplicate)
    delivered = _delivered(t, heard, told, duplicate)
    if t.ca_state == RECOVERY:
        prr.reduce(t, delivered, not _unsent_losses(t) <= lost, advanced)
    elif heard.acked:
        _grow(t, s, delivered, in_queue if t.ca_state < RECOVERY else t.cwnd)
    if t.ca_state >= RECOVERY and not (t.frto and lt(t.high_seq, t.snd_nxt)):
        if t.frto and advanced and sending.push(step, nagle=False):
            return  # new data first: if that arrives, nothing was lost (RFC 5682 2.1 step 2b)
        t.frto = t.frto and not advanced
        resend_lost(step)


def _delivered(t: Tcb, heard: _Heard, told: int, duplicate: bool) -> int:
    """Segments that nobody had told of; without SACK, each of the duplicates before `told` of one."""
    if t.sack_on:
        return heard.delivered
    return max(heard.acked - told, 1) if heard.acked else int(duplicate)


def _unsent_losses(t: Tcb) -> frozenset[int]:
    """What is marked lost and not resent."""
    return frozenset([r.end for r in t.sent if r.lost and not r.resent])


def _clean(step: Step, seg: Segment) -> _Heard:
    """Mark what SACK reports, drop what is acknowledged, take a round-trip sample (Karn's rule)."""
    t, s, now = step.t, step.s, step.now
    dsack = _is_dsack(seg)
    blocks = seg.options.sack[1:] if dsack else seg.options.sack
    rest: list[Sent] = []
    acked = sacked = delivered = 0
    fresh = False
    first_us: int | None = None
    sack_us: int | None = None
    resent_acked = False
    for record in t.sent:
        seq, end, _, sent_us, xmits, known, _, _, _ = record
        if le(end, t.snd_una):
            acked += 1
            resent_acked |= xmits > 1
            if xmits == 1 and not known and first_us is None:
                first_us = sent_us
            if not known:
                delivered += 1
                fresh |= xmits == 1 and le(end, t.high_seq)
                _rack_heard(t, record, now, s.rtt_noise_us)
            continue
        if lt(seq, t.snd_una):
            record = record._replace(seq=t.snd_una)  # part of it: what is left may be resent
        elif blocks and not known and any(le(a, seq) and le(end, b) for a, b in blocks):
            sacked += 1
            delivered += 1
            fresh |= xmits == 1 and le(end, t.high_seq)
            if xmits == 1 and sack_us is None:
                sack_us = sent_us
            _rack_heard(t, record, now, s.rtt_noise_us)
            record = record._replace(sacked=True, lost=False, resent=False)
        rest.append(record)
    t.sent = tuple(rest)
    rtt: int | None = None
    if first_us is not None and not resent_acked:
        rtt = now - first_us
    elif sack_us is not None:
        rtt = now - sack_us
    elif acked and t.ts_on and seg.options.ts_ecr and s.timestamps:
        rtt = ((output.timestamp(t, now) - seg.options.ts_ecr) & MASK) * 1000 or 1000
    return _Heard(acked, sacked, delivered, fresh, rtt, dsack)


def _is_dsack(seg: Segment) -> bool:
    """RFC 2883 section 4: the first block repeats what is acknowledged, or lies within the second."""
    sack = seg.options.sack
    if not sack:
        return False
    left, right = sack[0]
    if lt(left, seg.ack):
        return True
    return len(sack) > 1 and le(sack[1][0], left) and le(right, sack[1][1])


def _rack_heard(t: Tcb, record: Sent, now: int, noise_us: int) -> None:
    """RFC 8985 6.2 steps 1 and 2: the latest-sent segment that is known to have arrived."""
    rtt_us = now - record.sent_us
    if record.xmits > 1 and rtt_us <= (t.min_rtt_us or 0) + noise_us:
        return  # ambiguous: the original may have been the one
    t.rack_rtt_us = rtt_us
    if record.sent_us > t.rack_us or (record.sent_us == t.rack_us and lt(t.rack_end, record.end)):
        t.rack_us, t.rack_end = record.sent_us, record.end


def _tail_probe_acked(t: Tcb, seg: Segment, advanced: bool, dsack: bool) -> None:
    """RFC 8985 7.4: whether the probe repaired a loss that congestion control should hear of."""
    if t.tlp_high_seq is None or lt(seg.ack, t.tlp_high_seq):
        return
    if not t.tlp_resent or dsack:
        t.tlp_high_seq = None
    elif lt(t.tlp_high_seq, seg.ack):
        t.tlp_high_seq = None
        t.ssthresh = max(t.cwnd // 2, 2)
        t.cwnd = t.ssthresh
    elif not advanced and not seg.seg_len and not seg.options.sack:
        t.tlp_high_seq = None


def _grow(t: Tcb, s: Stack, delivered: int, in_queue: int) -> None:
    """RFC 5681 3.1: slow start and congestion avoidance, only while the window is in use.

    What SACK had told of before does not count again (Linux tcp_newly_delivered).
    Where that is remembered, an episode of recovery uses it anyway.
    """
    remembers = s.cwnd_growth == "validated" and t.ca_state < RECOVERY
    if t.cwnd < t.ssthresh:
        outstanding = t.max_packets_out if remembers else in_queue
        if t.cwnd < 2 * outstanding or (remembers and t.cwnd_limited):
            t.cwnd = min(t.cwnd + delivered, t.ssthresh)
        return
    if t.cwnd_limited if remembers else in_queue >= t.cwnd:
        t.cwnd_acked += delivered
        if t.cwnd_acked >= t.cwnd:
            t.cwnd_acked -= t.cwnd
            t.cwnd += 1


def _alert(step: Step, seg: Segment, heard: _Heard, advanced: bool, duplicate: bool) -> None:
    """Linux tcp_fastretrans_alert: from duplicates and marks to an episode, and out of it."""
    t, s = step.t, step.s
    if t.ca_state >= RECOVERY:
        if _is_over(step, seg, heard, advanced):
            t.ca_state = OPEN
            t.retrans_since_us = None
            undo.forget(t)
        elif _is_held(t, s):
            t.dupacks = 0  # they tell of what was resent
            _settle_clock(t)
            return
    if duplicate and not t.sack_on:
        t.dupacks += 1
    if s.rack and t.sack_on:
        _rack_detect(step)
    if t.ca_state >= RECOVERY:
        if advanced and t.ca_state == RECOVERY and not any(r.lost and not r.sacked for r in t.sent):
            _mark_head(t)  # RFC 6582 partial acknowledgement
        return
    marked = sum([r.sacked for r in t.sent]) if t.sack_on else t.dupacks
    if any(r.lost for r in t.sent) or (marked >= s.dupthresh and not (s.rack and t.sack_on)):
        _mark_head(t)
        _enter_recovery(t)
    else:
        t.ca_state = DISORDER if marked else OPEN
    _settle_clock(t)


def _settle_clock(t: Tcb) -> None:
    """Where nothing that was resent is outstanding, a retry budget begins anew (tcp_any_retrans_done)."""
    if not any(r.xmits > 1 for r in t.sent):
        t.retrans_since_us = None


def _is_over(step: Step, seg: Segment, heard: _Heard, advanced: bool) -> bool:
    """Whether the episode ends: all of it is acknowledged, or it was for nothing, which is then undone."""
    t = step.t
    through = le(t.high_seq, t.snd_una)
    nothing = undo.was_for_nothing(t, seg)
    if t.ca_state == LOSS:
        if (advanced and nothing) or (t.frto and heard.fresh):
            undo.undo(t)
            return True
        if t.frto and lt(t.high_seq, t.snd_nxt) and (heard.sacked or not advanced):
            t.frto = False  # the loss was real (RFC 5682 2.1 step 3a)
        return through and not _is_held(t, step.s)
    if not through:
        return False
    held = _is_held(t, step.s)
    if nothing:
        undo.undo(t)
    elif not held:
        t.cwnd = t.ssthresh
    return not held


def _is_held(t: Tcb, s: Stack) -> bool:
    """All of an episode is acknowledged and nothing more: without SACK, duplicates may yet come of it."""
    return s.recovery_ends == "beyond" and not t.sack_on and t.high_seq == t.snd_una


def _enter_recovery(t: Tcb) -> None:
    """An episode of fast recovery begins (Linux tcp_enter_recovery); how far CWND falls, PRR says."""
    undo.begin(t)
    prr.begin(t)
    t.ca_state = RECOVERY
    t.high_seq = t.snd_nxt
    t.tlp_high_seq = None
    t.ssthresh = max(t.cwnd // 2, 2)


def _mark_head(t: Tcb) -> None:
    """The oldest segment that nobody has reported is the one that is missing."""
    for index, record in enumerate(t.sent):
        if not record.sacked:
            if not record.lost:
                t.sent = (*t.sent[:index], record.given_up(), *t.sent[index + 1 :])
            return


def _rack_detect(step: Step) -> None:
    """RFC 8985 6.2 step 5: lost is what was sent well before something that has arrived."""
    t, now = step.t, step.now
    window = _reordering_window_us(t, step.s)
    wait: int | None = None
    changed = False
    records = list(t.sent)
    for index, r in enumerate(records):
        if r.sacked or (r.lost and not r.resent):
            continue
        if r.sent_us > t.rack_us or (r.sent_us == t.rack_us and not lt(r.end, t.rack_end)):
            continue
        remaining = r.sent_us + t.rack_rtt_us + window - now
        if remaining <= 0:
            records[index] = r.given_up()
            changed = True
        else:
            wait = remaining if wait is None else max(wait, remaining)
    if changed:
        t.sent = tuple(records)
    if wait is not None:
        step.reorder_us = wait


def _reordering_window_us(t: Tcb, s: Stack) -> int:
    """RFC 8985 6.2 step 4: a quarter of the smallest RTT; none in recovery or at DupThresh marks."""
    if t.ca_state >= RECOVERY or sum([r.sacked for r in t.sent]) >= s.dupthresh:
        return 0
    return min((t.min_rtt_us or 0) >> 2, t.srtt8 >> 3)


def reordering_over(step: Step) -> None:
    """The reordering wait is over: look again, and start recovery if something is lost now."""
    t = step.t
    _rack_detect(step)
    if t.ca_state < RECOVERY and any(r.lost for r in t.sent):
        _enter_recovery(t)
        prr.reduce(t, 1, True, False)
    resend_lost(step)


def resend_lost(step: Step) -> None:
    """Resend what is marked lost, as far as the congestion window goes; the RTO counts from the first."""
    t = step.t
    index = 0
    pushed = False
    while index < len(t.sent):
        record = t.sent[index]
        if record.lost and not record.resent:
            if t.pipe >= t.cwnd:
                return
            joined = record.joined and _goes_along(t, index)
            if not sending.resend(step, index, joined, pushed):
                return
            pushed = joined
            if not index and step.restart != RETRY:
                step.restart = PROGRESS  # Linux tcp_xmit_retransmit_queue: rearm_timer
            if t.ca_state == RECOVERY:
                t.prr_out += 1
            _note_retransmission(step)
        index += 1


def too_big(step: Step, room: int) -> None:
    """What no path takes was not lost to congestion: again, in parts (Linux tcp_simple_retransmit)."""
    t = step.t
    if not any(r.payload > room and not r.sacked for r in t.sent):
        return
    t.sent = tuple([r.given_up() if r.payload > room and not r.sacked else r for r in t.sent])
    if t.ca_state != LOSS:
        t.ca_state = LOSS
        t.high_seq = t.snd_nxt
    resend_lost(step)


def _goes_along(t: Tcb, index: int) -> bool:
    """Whether the rest of a burst is to be resent with its first part: lost too, and the windows let both."""
    if index + 1 >= len(t.sent):
        return False
    following = t.sent[index + 1]
    room = (t.snd_una + t.snd_wnd) & MASK
    return following.lost and not following.resent and t.cwnd - t.pipe >= 2 and le(following.end, room)


def timed_out(step: Step) -> None:
    """RFC 6298 5.4 and RFC 5681 3.1: everything unreported is lost, resend the first, start over."""
    t, s = step.t, step.s
    if t.sent[0].flags & SYN == 0:
        fresh = t.ca_state < RECOVERY
        if fresh or le(t.high_seq, t.snd_una) or (t.ca_state == LOSS and not t.retransmits):
            undo.begin(t)
            t.prior_cwnd = t.cwnd
            t.ssthresh = max(t.cwnd // 2, 2)
        t.frto = s.frto and (fresh or t.retransmits > 0)
        t.sent = tuple(
            [
                r if r.sacked or (index and _sent_recently(step, r)) else r.given_up()
                for index, r in enumerate(t.sent)
            ]
        )
        t.ca_state = LOSS
        t.dupacks = 0
        t.cwnd = t.pipe + 1
        t.high_seq = t.snd_nxt
        t.tlp_high_seq = None
    _note_retransmission(step)
    t.retransmits += 1
    sending.resend(step, next((i for i, r in enumerate(t.sent) if not r.sacked), 0))


def _sent_recently(step: Step, record: Sent) -> bool:
    """RACK does not call lost at a timeout what can still be on its way (tcp_timeout_mark_lost)."""
    t = step.t
    if not (step.s.rack and t.sack_on):
        return False
    return record.sent_us + t.rack_rtt_us + _reordering_window_us(t, step.s) > step.now


def _note_retransmission(step: Step) -> None:
    """The clock of a retry budget starts with the first retransmission that is no probe."""
    t = step.t
    if t.retrans_since_us is None:
        t.retrans_since_us = step.now
    if t.undo_retrans is not None:
        t.undo_retrans = max(t.undo_retrans, 0) + 1
