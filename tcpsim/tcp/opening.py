"""Opening: OPEN, a SYN at a listener, and SYN-SENT (RFC 9293 3.10.1, 3.10.7.2, 3.10.7.3).

Owns: how a TCB is created, and what both ends agree on. Refuses to know: who listens and how long the
queues are (endpoint), and the checks of synchronised states (segment_arrives).
"""

from __future__ import annotations

from tcpsim.tcp import output, rcvbuf, recovery, right_sizing, sending, sndbuf, tso, window
from tcpsim.tcp.event import Fact
from tcpsim.tcp.segment import ACK, CWR, ECE, FIN, RST, SYN, Segment
from tcpsim.tcp.seqnum import MASK, le, lt
from tcpsim.tcp.stack import LEAST_MSS, Stack
from tcpsim.tcp.state import State
from tcpsim.tcp.step import Step
from tcpsim.tcp.tcb import Sent, SocketOptions, Tcb

_LINUX_RCV_MSS = 536  # first guess of the peer's segment size (tcp_initialize_rcv_mss)
_DEFAULT_MSS = 536


def new_tcb(
    s: Stack,
    local_port: int,
    remote_port: int,
    iss: int,
    now: int,
    options: SocketOptions,
    ts_offset: int,
    parent: int = 0,
) -> Tcb:
    """A TCB before anything was sent or heard; every field that depends on the stack is set here.

    With a `parent` it is a listener's child: in LISTEN for the moment, and not accepted.
    """
    mss = min(options.maxseg or s.mss, s.mss)
    space = rcvbuf.buffer_for(s, options.rcvbuf)
    full = space * s.scaling_ratio // rcvbuf.SHARES
    offer = window.first(s, full, mss)
    scale = window.scale_for(s, options, full)
    return Tcb(
        local_port=local_port,
        remote_port=remote_port,
        state=State.LISTEN if parent else State.CLOSED,
        parent=parent,
        accepted=not parent,
        options=options,
        iss=iss,
        snd_una=iss,
        snd_nxt=iss,
        write_seq=iss,
        snd_sml=iss,
        cwnd_usage_seq=iss,
        snd_space=sndbuf.buffer_for(s, options),
        rcv_space=space,
        rcv_ssthresh=offer if s.rcv_space_mss_multiple else space,
        rcv_wnd=offer,
        rcv_wscale=scale,
        scaling_ratio=s.scaling_ratio,
        window_clamp=65535 << scale if options.rcvbuf is None else full,
        adv_mss=mss,
        rcv_mss=min(mss, _LINUX_RCV_MSS) if s.ack_rule == "adaptive" else mss,
        rto_us=s.syn_rto_us,
        cwnd=s.initial_window,
        ts_offset=ts_offset,
        handshake_sent_us=now,
        last_ack_us=now,
    )


def active_open(step: Step) -> None:
    """OPEN: send the SYN."""
    t = step.t
    step.fact(Fact.ACTIVE_OPEN)
    output.send_syn(step, SYN)
    _syn_sent(t, step.now)


def passive_open(step: Step, seg: Segment) -> None:
    """A SYN at a listener: a child in SYN-RECEIVED, and SYN,ACK."""
    t, s = step.t, step.s
    step.fact(Fact.PEER_SYN)
    _heard_syn(step, seg)
    if not s.requests:
        _knows_mss(step)
        _keep_text(step, seg)  # a reduced record has no room for it
    output.send_syn(step, SYN | ACK)
    _syn_sent(t, step.now)


def _syn_sent(t: Tcb, now: int) -> None:
    t.snd_nxt = t.write_seq = (t.iss + 1) & MASK
    t.retrans_since_us = now if t.state == State.SYN_SENT else None  # Linux tcp_connect
    t.sent = (Sent(t.iss, t.snd_nxt, SYN, now, 1),)


def _heard_syn(step: Step, seg: Segment) -> None:
    """Take the peer's ISN, window and options; what both offered is agreed (RFC 7323, RFC 2018)."""
    t, s = step.t, step.s
    offer = seg.options
    t.irs = seg.seq
    t.rcv_nxt = t.rcv_wup = (seg.seq + 1) & MASK
    t.wscale_on = s.window_scaling and offer.wscale is not None and not t.options.noopt
    t.snd_wscale = min(offer.wscale or 0, 14) if t.wscale_on else 0
    if not t.wscale_on:
        t.rcv_wscale = 0
        t.window_clamp = min(t.window_clamp, 65535)
    t.sack_on = s.sack and offer.sack_permitted and not t.options.noopt
    t.ts_on = s.timestamps and offer.ts_val is not None and not t.options.noopt
    if t.ts_on:
        t.ts_recent = offer.ts_val or 0
        t.ts_recent_at_us = step.now
    asked = seg.flags & (ECE | CWR)
    if seg.flags & ACK:
        t.ecn_on = asked == ECE and s.ecn == "offers"
    else:
        t.ecn_on = asked == ECE | CWR and s.ecn != "never"
    t.snd_wnd = seg.wnd
    t.snd_wl1 = seg.seq
    t.snd_wl2 = seg.ack if seg.flags & ACK else t.iss
    room = max(min(offer.mss or s.default_mss, t.adv_mss), LEAST_MSS)
    t.mss_clamp = room - 12 if t.ts_on else room  # RFC 6691: options count against it
    window_seen(t, s, seg.wnd)
    if seg.flags & ACK == 0 and s.rcv_space_mss_multiple:  # a passive opener knows the options by now
        mss = t.adv_mss - 12 if t.ts_on else t.adv_mss
        t.rcv_wnd = t.rcv_ssthresh = window.first(s, rcvbuf.full_window(t), mss)


def window_seen(t: Tcb, s: Stack, window: int) -> None:
    """The largest window so far bounds the size of a segment, where the stack sees to that two fit it."""
    t.max_window = max(t.max_window, window)
    half = t.max_window >> 1 if t.max_window > _DEFAULT_MSS else t.max_window
    bound = s.mss_within_half_window and 0 < half < t.mss_clamp
    t.snd_mss = max(half, LEAST_MSS) if bound else t.mss_clamp


def agreed(step: Step, seg: Segment) -> None:
    """The handshake is complete: start the transfer (Linux tcp_init_transfer; RFC 5681 3.1, RFC 6298 5.7)."""
    t, s = step.t, step.s
    if t.parent and s.requests:  # its socket is made now (FreeBSD syncache_socket; Linux tcp_check_req)
        _knows_mss(step)
        t.last_oow_ack_us = None
    if not t.srtt8:
        t.rto_us = s.rto_without_handshake_sample_us
    t.cwnd = 1 if _syn_lost(step, seg) else s.initial_window
    t.backoff = t.retransmits = 0
    t.retrans_since_us = None
    full = t.adv_mss - 12 if t.ts_on else t.adv_mss  # of the peer's segments, timestamps beside it
    t.rcv_mss = max(min(t.rcv_mss, full, t.rcv_wnd // 2), 1)
    # a client reads the ACK of its SYN with the window that a timeout has left (Linux tcp_enter_loss)
    tso.acknowledged(t, s, t.cwnd if t.parent or not t.handshake_resent else 1)
    sndbuf.expand(t, s)
    rcvbuf.opened(t, s)
    right_sizing.opened(step)
    t.last_ack_us = t.last_data_us = step.now


def _syn_lost(step: Step, seg: Segment) -> bool:
    """Whether so many of our SYNs count as lost that the transfer begins with one segment."""
    t, s = step.t, step.s
    if t.handshake_resent <= s.syn_loss_cuts_cwnd_after:
        return False
    if not s.syn_loss_proved:
        return True
    first = t.ts_on and seg.options.ts_ecr == output.timestamp(t, t.handshake_sent_us)
    return t.retransmits > 0 and not first


def _knows_mss(step: Step) -> None:
    """Both buffers grow to whole segments where the stack does that (FreeBSD tcp_input.c tcp_mss)."""
    t = step.t
    if not step.s.buffers_hold_whole_segments:
        return
    mss = t.mss_clamp + 12 if t.ts_on else t.mss_clamp
    t.rcv_space = t.rcv_ssthresh = -(-t.rcv_space // mss) * mss
    t.snd_space = -(-t.snd_space // mss) * mss
    options = t.options
    t.options = options._replace(
        rcvbuf=None if options.rcvbuf is None else t.rcv_space,
        sndbuf=None if options.sndbuf is None else t.snd_space,
    )


def syn_sent(step: Step, seg: Segment) -> bool:
    """A segment arrives in SYN-SENT (3.10.7.3); returns whether its text or FIN remain to be read."""
    t, s = step.t, step.s
    if seg.flags & ACK and (le(seg.ack, t.iss) or lt(t.snd_nxt, seg.ack)):
        output.refuse(step, seg)
        if not t.retransmits:
            step.hurry_us = s.syn_again_after_reset_us
        return False
    if seg.flags & RST:
        if seg.flags & ACK:
            step.end(Fact.RESET, "refused", "ECONNREFUSED")
        return False
    if not seg.flags & SYN:
        step.drop("neither SYN nor RST in SYN-SENT")
        return False
    if not seg.flags & ACK and not s.simultaneous_open:
        step.drop("SYN in SYN-SENT")
        return False
    _heard_syn(step, seg)
    _knows_mss(step)
    if not seg.flags & ACK:
        step.fact(Fact.PEER_SYN)
        _keep_text(step, seg)
        output.send_syn(step, SYN | ACK)
        return False
    prior_una = t.snd_una
    t.snd_una = seg.ack
    recovery.acknowledged(step, seg, prior_una, False)
    step.fact(Fact.SYN_ACKED)
    agreed(step, seg)
    if (seg.len or seg.flags & FIN) and s.syn_text != "discard":
        return True
    if not sending.push(step):
        output.send_ack(step)
    return False


def _keep_text(step: Step, seg: Segment) -> None:
    """Text and FIN beside a SYN that acknowledges nothing wait until the handshake is over."""
    t, rule = step.t, step.s.syn_text
    fin = bool(seg.flags & FIN) and rule == "process"
    right = (t.rcv_nxt + min(seg.len, t.rcv_wnd)) & MASK
    if rule != "discard" and (seg.len or fin):
        t.ooo = ((t.rcv_nxt, right, fin and seg.len <= t.rcv_wnd),)
