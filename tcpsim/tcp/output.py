"""Builds segments (RFC 9293 3.1, 3.10.7.1).

Owns: header and option fields of every segment that leaves. Refuses to
know: what is sent when (sending) and when an ACK is due (acks).
"""

from __future__ import annotations

from tcpsim.tcp import acks, rcvbuf, window
from tcpsim.tcp.options import laid_out, layout
from tcpsim.tcp.segment import ACK, CWR, ECE, FIN, NO_OPTIONS, RST, SYN, Options, Segment
from tcpsim.tcp.seqnum import MASK, diff, lt
from tcpsim.tcp.state import SYN_RECEIVED
from tcpsim.tcp.step import Step
from tcpsim.tcp.tcb import Tcb

# Building


def transmit(step: Step, flags: int, seq: int, length: int = 0) -> None:
    """Put one segment of this connection on the wire; any segment with ACK says all there is to say."""
    t = step.t
    if rcvbuf.is_tight(t, step.s):
        t.quick = 0
    wnd = window.to_offer(step.t, step.s)
    t.rcv_wnd = wnd
    raw = min(wnd >> t.rcv_wscale, 65535)
    step.out.append(
        Segment(t.local_port, t.remote_port, flags | ACK, seq, t.rcv_nxt, length, raw, _options(step))
    )
    acks.ack_sent(t, step.s)


def _options(step: Step) -> Options:
    t, s = step.t, step.s
    to_report = t.ooo or t.dsack is not None
    if not t.ts_on and not to_report:
        return NO_OPTIONS
    blocks = _sack_blocks(step, _most_blocks(t)) if to_report and t.sack_on else ()
    if not t.ts_on:
        return laid_out(Options(sack=blocks), s)
    order = layout(s.layout_syn, s.layout_pads, ("TS", "sack") if blocks else ("TS",), len(blocks))
    return Options(None, None, False, timestamp(t, step.now), t.ts_recent, blocks, order)


def segment_room(t: Tcb) -> int:
    """Octets of data in a full segment, beside the options that it has to carry (RFC 9293 3.7.1)."""
    blocks = len(t.ooo) + (t.dsack is not None)
    if not blocks or not t.sack_on:
        return t.snd_mss
    return t.snd_mss - 4 - 8 * min(blocks, _most_blocks(t))


def _most_blocks(t: Tcb) -> int:
    """SACK blocks that 40 octets of options hold."""
    return 3 if t.ts_on else 4


def _sack_blocks(step: Step, room: int) -> tuple[tuple[int, int], ...]:
    """RFC 2018 section 4: the block that changed last comes first; RFC 2883: a duplicate before it, once.

    A FIN alone is no block where a FIN does not count.
    """
    t, counts = step.t, step.s.sack_of_fin
    ranges = {left: (left, (right + (fin and counts)) & MASK) for left, right, fin in t.ooo}
    blocks = [ranges[left] for left in t.sack_order if left in ranges]
    blocks = [block for block in blocks if block[0] != block[1]]
    if t.dsack is not None:
        blocks.insert(0, t.dsack)
        t.dsack = None
    return tuple(blocks[:room])


def timestamp(t: Tcb, now: int) -> int:
    """TSval: a millisecond clock with an offset of its own (RFC 7323 5.4)."""
    return (now + t.ts_offset) // 1000 & MASK


def send_syn(step: Step, flags: int) -> None:
    """Our SYN or SYN,ACK, first or again, with the options that are offered or agreed."""
    t, s = step.t, step.s
    agreed = bool(flags & ACK)
    bare = s.syn_options_until is not None and t.handshake_resent >= s.syn_options_until and not agreed
    options = NO_OPTIONS if t.options.noopt else Options(mss=t.adv_mss)
    if not bare and not t.options.noopt:
        options = _negotiable(step, options, agreed)
    if agreed:
        flags |= ECE if t.ecn_on else 0
    elif s.ecn == "offers" and (s.ecn_syn_retries is None or t.handshake_resent <= s.ecn_syn_retries):
        flags |= ECE | CWR
    raw = min(t.rcv_wnd, 65535)  # never scaled in a SYN (RFC 7323 2.2)
    step.out.append(
        Segment(
            t.local_port,
            t.remote_port,
            flags,
            t.iss,
            t.rcv_nxt if agreed else 0,
            0,
            raw,
            laid_out(options, s),
        )
    )
    if agreed:
        acks.ack_sent(t, s)


def _negotiable(step: Step, options: Options, agreed: bool) -> Options:
    """What may be used if both SYNs carry it: offered, or agreed already."""
    t, s = step.t, step.s
    options = options._replace(
        wscale=t.rcv_wscale if (t.wscale_on if agreed else s.window_scaling) else None,
        sack_permitted=t.sack_on if agreed else s.sack,
    )
    if t.ts_on if agreed else s.timestamps:
        options = options._replace(ts_val=timestamp(t, step.now), ts_ecr=t.ts_recent if agreed else 0)
    return options


def send_ack(step: Step) -> None:
    """A bare ACK: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>; BSD's carries our outstanding SYN or FIN again."""
    t = step.t
    if step.s.acks_repeat_controls and t.state is SYN_RECEIVED:
        send_syn(step, SYN | ACK)
    elif step.s.acks_repeat_controls and t.fin_sent and not t.fin_acked:
        transmit(step, FIN, (t.snd_nxt - 1) & MASK)
    else:
        send_challenge(step)


def send_challenge(step: Step) -> None:
    """The same, and nothing beside it."""
    transmit(step, 0, control_seq(step))


def control_seq(step: Step) -> int:
    """SEG.SEQ of what carries nothing: SND.NXT, or where a window that was taken back ends (Linux)."""
    t = step.t
    edge = (t.snd_una + t.snd_wnd) & MASK
    if step.s.control_seq == "next" or not lt(edge, t.snd_nxt):
        return t.snd_nxt
    within_a_unit = t.wscale_on and diff(t.snd_nxt, edge) < 1 << t.rcv_wscale
    return t.snd_nxt if within_a_unit else edge


def send_rst(step: Step) -> None:
    """The RST of an abort: at SND.NXT, where the peer that has heard everything accepts it."""
    t = step.t
    flags = RST | ACK if step.s.rst_has_ack else RST
    ack = t.rcv_nxt if flags & ACK else 0
    options = _options(step) if flags & ACK else NO_OPTIONS
    step.out.append(Segment(t.local_port, t.remote_port, flags, control_seq(step), ack, 0, 0, options))


def rst_for(seg: Segment, has_ack: bool = False) -> Segment | None:
    """The RST that answers `seg` where no connection takes it (RFC 9293 3.10.7.1); none for a RST.

    `has_ack`: it acknowledges `seg` in any case.
    """
    if seg.flags & RST:
        return None
    if seg.flags & ACK and has_ack:
        end = (seg.seq + seg.seg_len) & MASK
        return Segment(seg.dst_port, seg.src_port, RST | ACK, seg.ack, end, 0, 0)
    if seg.flags & ACK:
        return Segment(seg.dst_port, seg.src_port, RST, seg.ack, 0, 0, 0)
    return Segment(seg.dst_port, seg.src_port, RST | ACK, 0, (seg.seq + seg.seg_len) & MASK, 0, 0)


def probe_keepalive(step: Step) -> None:
    """<SEQ=SND.NXT-1>, with or without one garbage octet (RFC 9293 3.8.4)."""
    t = step.t
    transmit(step, 0, (t.snd_nxt - 1) & MASK, step.s.keepalive_probe_len)


def refuse(step: Step, seg: Segment) -> None:
    """Answer `seg` as if there were no connection for it."""
    answer = rst_for(seg, step.s.rst_answer_has_ack)
    if answer is not None:
        step.out.append(answer)
