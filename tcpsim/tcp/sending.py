"""Sending: the send queue cut into segments, probes, and retransmission (RFC 9293 3.8.6.2.1, 3.7.4).

Owns: the segmentation loop with the sender's silly-window and Nagle rules, where PSH and FIN ride, and
sending one record of the retransmission queue again. Refuses to know: header fields (output), which
record is lost (recovery), and when a timer runs (timers).
"""

from __future__ import annotations

from tcpsim.tcp import acks, idle_period, output, right_sizing, tso, write_queue
from tcpsim.tcp.segment import ACK, FIN, PSH, SYN
from tcpsim.tcp.seqnum import MASK, diff, le, lt
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import CLOSE_WAIT, CLOSING, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, LAST_ACK, SYN_SENT
from tcpsim.tcp.step import Step
from tcpsim.tcp.tcb import RECOVERY, Chunk, Sent, Tcb
from tcpsim.tcp.timers import RETRY, SENT

_SENDING = frozenset({ESTABLISHED, CLOSE_WAIT, FIN_WAIT_1, CLOSING, LAST_ACK, FIN_WAIT_2})


def push(step: Step, probe: bool = False, nagle: bool = True, one: bool = False) -> bool:
    """Send what the windows and Nagle allow, FIN included; `probe`: one segment whatever cwnd says.

    Without `nagle` nothing waits for it (Linux TCP_NAGLE_OFF: a close(), a tail-loss probe); `one`: one
    burst at once (Linux tcp_push_one).
    """
    t = step.t
    if step.s.device_refuses:
        return False
    sent = step.cwnd_limits = False
    waits = t.snd_nxt != t.write_seq
    if waits:
        right_sizing.clock_read(t, step.now)
    idle = t.snd_una == t.snd_nxt  # BSD asks once per call (tcp_output.c), the RFC before each segment
    if idle and t.unsent and step.s.after_idle == "restart":
        idle_period.over(step)
    while t.snd_nxt != t.write_seq and t.state in _SENDING:
        quota = t.cwnd - t.pipe
        if quota <= 0 and not (probe and not sent):
            break
        length, fin = _burst(step, max(quota, 1), idle, nagle and not (probe or one), probe or one)
        if length < 0:
            break
        _send_burst(step, length, fin)
        sent = True
        if probe or one:
            break
    if waits:
        _validate(t, sent, step.cwnd_limits or t.pipe >= t.cwnd)
    if sent and step.restart != RETRY:
        step.restart = step.restart or SENT
    return sent


def _validate(t: Tcb, sent: bool, limited: bool) -> None:
    """Remember whether the congestion window is in use (Linux tcp_cwnd_validate)."""
    if not (sent or limited):
        return
    more = not t.cwnd_limited and len(t.sent) > t.max_packets_out
    if limited or more or not lt(t.snd_una, t.cwnd_usage_seq):
        t.cwnd_limited, t.max_packets_out, t.cwnd_usage_seq = limited, len(t.sent), t.snd_nxt


def _burst(step: Step, quota: int, idle: bool, nagle: bool, alone: bool) -> tuple[int, bool]:
    """Octets of data to send as one burst, and whether our FIN rides on it; (-1, False): nothing may go.

    It goes `alone`: it does not wait for more to go with it.
    """
    t, s = step.t, step.s
    queued = write_queue.octets(t.unsent)
    usable = diff((t.snd_una + t.snd_wnd) & MASK, t.snd_nxt)
    mss = output.segment_room(t)
    if queued == 0:
        return (0, True) if usable >= 1 and t.close_called else (-1, False)
    burst = tso.segments(t, s, mss)
    limit = min(quota, burst, max(t.cwnd >> 1, 1) if s.burst_segments > 1 else burst) * mss
    chunk, last = _waiting(t, s, limit)
    fin = last and t.close_called
    if s.nagle != "minshall":
        length = min(chunk, limit, max(usable, 0))
        idle = idle if s.nagle == "bsd" else t.snd_una == t.snd_nxt
        if length < mss and not _rfc_may_send(t, length, queued, fin, idle or t.options.nodelay):
            return -1, False
    else:
        first = min(chunk, mss)
        if first + (fin and chunk <= mss) > usable:
            return -1, False
        partial = chunk < mss and last and not fin
        if partial and nagle and _nagle_holds(step):
            return -1, False
        length = min(chunk, limit)
        if chunk > mss and not alone and tso.defers(step, chunk, last, burst, quota):
            step.cwnd_limits = quota * mss < usable
            return -1, False
        if length > mss and (last or limit > usable):
            length = min(length, usable)
            rest = length % mss
            if rest and nagle and _nagle_holds(step):
                length -= rest  # its tail waits, and may yet take a FIN (Linux tcp_mss_split_point)
    fin = fin and length == queued and length < usable
    return length, fin


def _waiting(t: Tcb, s: Stack, limit: int) -> tuple[int, bool]:
    """Octets that may go as one, and whether they are all: small writes that wait are sent together."""
    if s.burst_segments > 1:
        t.unsent = write_queue.grown(t.unsent, limit)
        return t.unsent[0].octets, len(t.unsent) == 1
    chunk, chunks = t.unsent[0].octets, 1
    while chunk < limit and chunks < len(t.unsent):
        chunk += t.unsent[chunks].octets
        chunks += 1
    return chunk, chunks == len(t.unsent)


def _rfc_may_send(t: Tcb, length: int, queued: int, fin: bool, small_may: bool) -> bool:
    """RFC 9293 3.8.6.2.1 with 3.7.4 (Nagle): less than a segment may go if it is all, or half a window."""
    if length <= 0:
        return False
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
    mss = output.segment_room(t)
    ends = _take(t, s, length)
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
        output.transmit(step, kept | burst_push, seq, size)
        joined = not last and s.burst_segments > 1
        sent_records.append(Sent(seq, end, kept, step.now, 1, joined=joined))
        if last:
            break
    if t.ca_state == RECOVERY:
        t.prr_out += len(sent_records) - len(t.sent)
    t.sent = tuple(sent_records)
    if length % mss:
        t.snd_sml = (start + length) & MASK
    if length:
        acks.data_sent(step)


def _take(t: Tcb, s: Stack, length: int) -> frozenset[int]:
    """Remove `length` octets from the queue; returns the offsets at which PSH lies."""
    if s.burst_segments > 1 and length:
        pushed, t.unsent = write_queue.cut(t.unsent, length)
        return frozenset([length] if pushed else [])
    ends, t.unsent = write_queue.taken(t.unsent, length)
    return ends


def probe_window(step: Step) -> None:
    """A zero-window probe (RFC 9293 3.8.6.1), or Linux's: an old octet's number and no data."""
    t, s = step.t, step.s
    usable = diff((t.snd_una + t.snd_wnd) & MASK, t.snd_nxt)
    if t.unsent and usable > 0:
        _use_silly_window(step, usable)
    elif s.persist_probe == "old":
        output.transmit(step, 0, (t.snd_una - 1) & MASK)
    else:
        # SND.NXT stays in front of it (4.4BSD tcp_output): beyond the window no ACK of ours would be read
        output.transmit(step, _probe_flags(t), t.snd_nxt, 1 if t.unsent else 0)


def _use_silly_window(step: Step, usable: int) -> None:
    """The window is open, though less than what waits: Linux sends as much of the first buffer, pushed."""
    t = step.t
    room = min(usable, output.segment_room(t))
    if step.s.burst_segments < 2:
        _send_burst(step, min(room, write_queue.octets(t.unsent)), False)
        return
    first, *rest = t.unsent
    size = min(room, first.octets)
    left = (Chunk(first.octets - size, first.pushed),) if size < first.octets else ()
    t.unsent = (Chunk(size), *left, *rest)
    _send_burst(step, size, False)


def _probe_flags(t: Tcb) -> int:
    """A probe is the next octet, or our FIN where no octet is left."""
    if not t.unsent:
        return FIN
    return PSH if t.unsent[0].octets == 1 else 0


def probe_acked(step: Step, ack: int) -> bool:
    """Whether `ack` takes in what a zero-window probe carried, which counts as sent from then on."""
    t = step.t
    if t.probes_since_us is None or t.sent or step.s.persist_probe == "old" or ack != (t.snd_nxt + 1) & MASK:
        return False
    flags = _probe_flags(t)
    if t.unsent:
        _take(t, step.s, 1)
    t.sent = (Sent(t.snd_nxt, ack, flags, step.now, 2),)  # sent before, so nothing to measure (Karn)
    t.snd_nxt = ack
    return True


def resend(step: Step, index: int, with_next: bool = False, pushed: bool = False) -> bool:
    """Send record `index` of the queue again, with small ones behind it where the stack collapses them.

    False: the peer has taken back the window that it was sent in, and the stack keeps to that; but the first
    octet is always sent again, as a probe (Linux __tcp_retransmit_skb). `with_next`: it is the first part of
    a burst that is sent again as one, `pushed`: the last, which is pushed as at first.
    """
    t, s = step.t, step.s
    record = t.sent[index]
    room = output.segment_room(t)
    if not s.resends_beyond_window and not record.flags & SYN:
        window = diff((t.snd_una + t.snd_wnd) & MASK, record.seq)
        if window <= 0 and record.seq != t.snd_una:
            return False
        room = min(room, window) if window > 0 else room
    if record.flags & SYN:
        t.handshake_resent += 1
        output.send_syn(step, SYN if t.state is SYN_SENT else SYN | ACK)
    else:
        more = index + 1 < len(t.sent) and record.payload < room and not record.joined and not pushed
        if s.retransmit_collapse and more:
            record = _collapse(t, index, room)
        record = _cut(t, index, record, room)
        output.transmit(step, record.flags | PSH * pushed, record.seq, record.payload)
        if record.payload:
            acks.data_sent(step)
    seq, end, flags, _, xmits, sacked, lost, _, joined = record
    again = Sent(seq, end, flags, step.now, xmits + 1, sacked, lost, lost, joined and with_next)
    t.sent = (*t.sent[:index], again, *t.sent[index + 1 :])
    return True


def _cut(t: Tcb, index: int, record: Sent, room: int) -> Sent:
    """What of a record fits one segment now: options may have come to be beside it; the rest is one more."""
    if record.payload <= room:
        return record
    edge = (record.seq + room) & MASK
    head = record._replace(end=edge, flags=record.flags & ~(PSH | FIN))
    rest, behind = [record._replace(seq=edge)], index + 1
    if record.joined and behind < len(t.sent):  # what is left of a burst is cut anew when it is sent
        rest, behind = _cut_anew(rest[0], t.sent[behind], t.snd_mss), behind + 1
    t.sent = (*t.sent[:index], head, *rest, *t.sent[behind:])
    return head


def _cut_anew(first: Sent, second: Sent, mss: int) -> list[Sent]:
    """Two records that are one buffer, in segments of full size."""
    edge = (first.seq + mss) & MASK
    if not lt(first.end, edge) or not lt(edge, second.end):
        return [first, second]
    return [first._replace(end=edge), second._replace(seq=edge)]


def _collapse(t: Tcb, index: int, room: int) -> Sent:
    """Let record `index` swallow its small neighbours (Linux tcp_retrans_try_collapse)."""
    record = t.sent[index]
    room -= record.payload
    edge = (t.snd_una + t.snd_wnd) & MASK
    behind = index + 1
    while behind < len(t.sent):
        following = t.sent[behind]
        if following.sacked or following.joined or following.payload > room or lt(edge, following.end):
            break
        room -= following.payload
        record = record._replace(end=following.end, flags=record.flags | following.flags)
        behind += 1
    t.sent = (*t.sent[:index], record, *t.sent[behind:])
    return record
