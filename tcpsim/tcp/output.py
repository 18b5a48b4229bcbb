"""What leaves: segments built, the send queue cut into them, windows offered (RFC 9293 3.8.6).

Owns: header and option fields of every segment a TCB sends, the segmentation loop with the sender's
silly-window and Nagle rules, the receive window on offer, and resending one record of the queue.
Refuses to know: which record is lost (recovery) and when an ACK is due (acks).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcpsim.tcp import acks, recovery
from tcpsim.tcp.options import laid_out
from tcpsim.tcp.segment import ACK, FIN, NO_OPTIONS, PSH, RST, SYN, Options, Segment
from tcpsim.tcp.seqnum import MASK, diff, le, lt
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import Sent, Tcb
from tcpsim.tcp.timers import RETRY, SENT

if TYPE_CHECKING:
    from tcpsim.tcp.step import Step

_SENDING = frozenset(
    {State.ESTABLISHED, State.CLOSE_WAIT, State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK, State.FIN_WAIT_2}
)


# Building


def transmit(step: Step, flags: int, seq: int, length: int = 0) -> None:
    """Put one segment of this connection on the wire; any segment with ACK says all there is to say."""
    t = step.t
    wnd = select_window(step)
    t.rcv_wnd = wnd
    raw = min(wnd >> t.rcv_wscale, 65535)
    step.out.append(
        Segment(t.local_port, t.remote_port, flags | ACK, seq, t.rcv_nxt, length, raw, _options(step))
    )
    acks.ack_sent(t, step.s)


def _options(step: Step) -> Options:
    t = step.t
    if not t.ts_on and not t.ooo and t.dsack is None:
        return NO_OPTIONS
    blocks: tuple[tuple[int, int], ...] = ()
    if t.sack_on and (t.ooo or t.dsack is not None):
        blocks = _sack_blocks(t, 3 if t.ts_on else 4)
    val = timestamp(t, step.now) if t.ts_on else None
    return laid_out(Options(ts_val=val, ts_ecr=t.ts_recent if t.ts_on else None, sack=blocks), step.s)


def _sack_blocks(t: Tcb, room: int) -> tuple[tuple[int, int], ...]:
    """RFC 2018 section 4: the block that changed last comes first; RFC 2883: a duplicate before it, once."""
    ranges = {left: (left, (right + fin) & MASK) for left, right, fin in t.ooo}
    blocks = [ranges[left] for left in t.sack_order if left in ranges]
    if t.dsack is not None:
        blocks.insert(0, t.dsack)
        t.dsack = None
    return tuple(blocks[:room])


def timestamp(t: Tcb, now: int) -> int:
    """TSval: a millisecond clock with an offset of its own (RFC 7323 5.4)."""
    return (now // 1000 + t.ts_offset) & MASK


def send_syn(step: Step, flags: int) -> None:
    """Our SYN or SYN,ACK, first or again, with the options that are offered or agreed."""
    t, s = step.t, step.s
    agreed = bool(flags & ACK)
    bare = s.syn_options_until is not None and t.handshake_resent >= s.syn_options_until and not agreed
    options = Options(mss=t.adv_mss)
    if not bare:
        options = _negotiable(step, options, agreed)
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
    """A bare ACK: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>."""
    transmit(step, 0, step.t.snd_nxt)


def send_rst(step: Step) -> None:
    """The RST of an abort: at SND.NXT, where the peer that has heard everything accepts it."""
    t = step.t
    flags = RST | ACK if step.s.rst_has_ack else RST
    ack = t.rcv_nxt if flags & ACK else 0
    options = _options(step) if flags & ACK else NO_OPTIONS
    step.out.append(Segment(t.local_port, t.remote_port, flags, t.snd_nxt, ack, 0, 0, options))


def rst_for(seg: Segment) -> Segment | None:
    """The RST that answers `seg` where no connection takes it (RFC 9293 3.10.7.1); none for a RST."""
    if seg.flags & RST:
        return None
    if seg.flags & ACK:
        return Segment(seg.dst_port, seg.src_port, RST, seg.ack, 0, 0, 0)
    return Segment(seg.dst_port, seg.src_port, RST | ACK, 0, (seg.seq + seg.seg_len) & MASK, 0, 0)


# The receive window on offer


def select_window(step: Step) -> int:
    """RCV.WND to offer: what the buffer has room for, never taking back, never a silly bit more.

    RFC 9293 3.8.6.2.2 with Linux's roundings (tcp_output.c __tcp_select_window).
    """
    t = step.t
    offered = acks.offered_window(t)
    window = min(possible_window(t, step.s), 65535 << t.rcv_wscale)
    return _rounded(offered, t.rcv_wscale, True) if window < offered else window


def _rounded(octets: int, wscale: int, up: bool) -> int:
    """`octets` as a scaled window can say them."""
    unit = 1 << wscale
    return (octets + unit - 1 if up else octets) // unit * unit


def possible_window(t: Tcb, s: Stack) -> int:
    """What could be offered if nothing had been offered before."""
    queued = t.readable + sum((right - left) & MASK for left, right, _ in t.ooo)
    free = min(max(t.rcv_space - queued, 0), t.rcv_ssthresh)
    mss = min(t.rcv_mss, t.rcv_space) or 1
    if free < t.rcv_space // 2 and (free < t.rcv_space // 16 or free < mss):
        return 0
    if t.rcv_wscale:
        return _rounded(free, t.rcv_wscale, s.window_rounding == "up" and free >= t.rcv_space // 2)
    if t.rcv_wnd <= free - mss or t.rcv_wnd > free:
        return free // mss * mss if free >= mss else free
    return t.rcv_wnd


# Sending what is queued


def push(step: Step, probe: bool = False) -> bool:
    """Send what the windows and Nagle allow, FIN included; `probe`: one segment whatever cwnd says."""
    t = step.t
    sent = False
    idle = t.snd_una == t.snd_nxt  # BSD asks once per call (tcp_output.c), the RFC before each segment
    while t.snd_nxt != t.write_seq and t.state in _SENDING:
        quota = t.cwnd - recovery.in_flight(t)
        if quota <= 0 and not (probe and not sent):
            break
        length, fin = _burst(step, max(quota, 1), idle)
        if length < 0:
            break
        _send_burst(step, length, fin)
        sent = True
        if probe:
            break
    if sent and step.restart != RETRY:
        step.restart = step.restart or SENT
    return sent


def _burst(step: Step, quota: int, idle: bool) -> tuple[int, bool]:
    """Octets of data to send as one burst, and whether our FIN rides on it; (-1, False): nothing may go."""
    t, s = step.t, step.s
    queued = sum(t.unsent)
    usable = diff((t.snd_una + t.snd_wnd) & MASK, t.snd_nxt)
    mss = t.snd_mss
    if queued == 0:
        return (0, True) if usable >= 1 and t.close_called else (-1, False)
    limit = min(quota, s.burst_segments) * mss
    chunk, chunks = t.unsent[0], 1
    while chunk < limit and chunks < len(t.unsent):  # small writes that wait are sent together
        chunk += t.unsent[chunks]
        chunks += 1
    last = chunks == len(t.unsent)
    fin = last and t.close_called
    if s.nagle != "minshall":
        length = min(chunk, limit, max(usable, 0))
        idle = idle if s.nagle == "bsd" else t.snd_una == t.snd_nxt
        if not _rfc_may_send(t, length, queued, fin, idle or t.options.nodelay):
            return -1, False
    else:
        first = min(chunk, mss)
        if first + (fin and chunk <= mss) > usable:
            return -1, False
        partial = chunk < mss and last and not fin
        if partial and _nagle_holds(step):
            return -1, False
        length = min(chunk, limit)
        if length > mss:
            length = min(length, usable)
            rest = length % mss
            if rest and length < chunk and _nagle_holds(step):
                length -= rest
    fin = fin and length == queued and length < usable
    return length, fin


def _rfc_may_send(t: Tcb, length: int, queued: int, fin: bool, small_may: bool) -> bool:
    """RFC 9293 3.8.6.2.1 with 3.7.4 (Nagle): full segments, all there is, or half the largest window."""
    if length <= 0:
        return False
    if length >= t.snd_mss:
        return True
    if length == queued and (small_may or fin):
        return True
    return length >= t.max_window // 2 and small_may


def _nagle_holds(step: Step) -> bool:
    """Minshall's variant of Nagle: a small segment waits only for the ACK of another (tcp_minshall_check)."""
    t = step.t
    if t.options.nodelay or not t.sent:
        return False
    return lt(t.snd_una, t.snd_sml) and le(t.snd_sml, t.snd_nxt)


def _send_burst(step: Step, length: int, fin: bool) -> None:
    """Cut `length` octets into segments; PSH where a write ends, or at the end of a burst sent as one."""
    t, s = step.t, step.s
    mss = t.snd_mss
    ends = _take(t, length)
    sent_records = list(t.sent)
    start = t.snd_nxt
    offset = 0
    while True:
        size = min(mss, length - offset)
        offset += size
        last = offset >= length
        pushed = not t.unsent and last if s.push_rule == "buffer" else offset in ends
        kept = PSH if size and pushed else 0
        # a burst sent as one is pushed at its end, but a single segment of it resent is not (Linux)
        burst_push = PSH if last and length > mss and s.burst_segments > 1 else 0
        if last and fin:
            kept |= FIN
        seq = t.snd_nxt
        end = (seq + size + (kept & FIN)) & MASK
        t.snd_nxt = end
        transmit(step, kept | burst_push, seq, size)
        sent_records.append(Sent(seq, end, kept, step.now, 1))
        if last:
            break
    t.sent = tuple(sent_records)
    if length % mss:
        t.snd_sml = (start + length) & MASK
    if length:
        acks.data_sent(step)


def _take(t: Tcb, length: int) -> frozenset[int]:
    """Remove `length` octets from the chunks; returns the offsets at which a chunk ended."""
    unsent = list(t.unsent)
    ends: set[int] = set()
    offset = 0
    while offset < length:
        if unsent[0] <= length - offset:
            offset += unsent.pop(0)
            ends.add(offset)
        else:
            unsent[0] -= length - offset
            offset = length
    t.unsent = tuple(unsent)
    return frozenset(ends)


def probe_window(step: Step) -> None:
    """A zero-window probe (RFC 9293 3.8.6.1), or Linux's: an old octet's number and no data."""
    t, s = step.t, step.s
    usable = diff((t.snd_una + t.snd_wnd) & MASK, t.snd_nxt)
    if t.unsent and usable > 0:
        size = min(usable, t.snd_mss, sum(t.unsent))  # the window is open but silly: use it
        _send_burst(step, size, False)
    elif s.persist_probe == "old":
        transmit(step, 0, (t.snd_una - 1) & MASK)
    elif t.unsent:
        _send_burst(step, 1, False)
    else:
        _send_burst(step, 0, True)


def probe_keepalive(step: Step) -> None:
    """<SEQ=SND.NXT-1>, with or without one garbage octet (RFC 9293 3.8.4)."""
    t = step.t
    transmit(step, 0, (t.snd_nxt - 1) & MASK, step.s.keepalive_probe_len)


def resend(step: Step, index: int) -> None:
    """Send record `index` of the queue again, with small ones behind it where the stack collapses them."""
    t, s = step.t, step.s
    record = t.sent[index]
    if record.flags & SYN:
        send_syn(step, SYN if t.state == State.SYN_SENT else SYN | ACK)
        t.handshake_resent += 1
    else:
        if s.retransmit_collapse:
            record = _collapse(t, index)
        transmit(step, record.flags, record.seq, record.payload)
    again = record._replace(sent_us=step.now, xmits=record.xmits + 1, resent=record.lost)
    t.sent = (*t.sent[:index], again, *t.sent[index + 1 :])


def _collapse(t: Tcb, index: int) -> Sent:
    """Let record `index` swallow its small neighbours (Linux tcp_retrans_try_collapse)."""
    record = t.sent[index]
    room = t.snd_mss - record.payload
    behind = index + 1
    while behind < len(t.sent):
        following = t.sent[behind]
        if following.sacked or following.payload > room:
            break
        room -= following.payload
        record = record._replace(end=following.end, flags=record.flags | following.flags)
        behind += 1
    t.sent = (*t.sent[:index], record, *t.sent[behind:])
    return record
