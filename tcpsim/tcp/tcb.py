"""The transmission control block (RFC 9293 section 3.3.1).

Owns: the fields, their initial values, and the questions about them that others may ask. Refuses to
know: how they change. A `Tcb` is copied once at the start of a step, changed within it, and never visible
in between. Other code only reads it.

Names are the RFC's where it has one (``snd_una``, ``rcv_nxt``, ``irs`` ...). The others say in a
comment where they come from. Times are absolute microseconds of the simulation's clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tcpsim.tcp.event import Timer
from tcpsim.tcp.segment import FIN, SYN
from tcpsim.tcp.seqnum import MASK
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import CLOSED, SYN_RECEIVED, Holder, State


class SocketOptions(NamedTuple):
    """What a program may set; ``None`` means that the stack's own value holds."""

    keepalive: bool = False
    keep_idle_us: int | None = None
    keep_intvl_us: int | None = None
    keep_cnt: int | None = None
    user_timeout_us: int | None = None
    linger: tuple[bool, int] | None = None  # (on, time)
    linger2_us: int | None = None  # Linux TCP_LINGER2; negative: RST instead of FIN-WAIT-2
    nodelay: bool = False
    quickack: bool | None = None
    rcvbuf: int | None = None  # bytes as given to SO_RCVBUF
    sndbuf: int | None = None
    keep_init_us: int | None = None  # BSD TCP_KEEPINIT
    noopt: bool = False  # BSD TCP_NOOPT: no options in a SYN
    defer_accept_us: int = 0  # Linux TCP_DEFER_ACCEPT
    maxseg: int | None = None
    reuseaddr: bool = False


class Sent(NamedTuple):
    """One segment of the retransmission queue (what was sent when, RFC 9293 3.10.7.4 and RFC 8985)."""

    seq: int
    end: int  # SEG.SEQ + SEG.LEN
    flags: int  # SYN, FIN and PSH as sent
    sent_us: int  # of the latest transmission
    xmits: int  # transmissions so far
    sacked: bool = False
    lost: bool = False
    resent: bool = False  # a retransmission of it is in flight
    joined: bool = False  # and what follows were sent as one, and may be again (Linux TSO)

    @property
    def payload(self) -> int:
        """Bytes of data: SYN and FIN take a sequence number each and no byte."""
        return ((self.end - self.seq) & MASK) - (self.flags & FIN) - (self.flags >> 1 & 1)

    def given_up(self) -> Sent:
        """The same, marked lost; so is a retransmission of it."""
        seq, end, flags, sent_us, xmits, sacked, _, _, joined = self
        return Sent(seq, end, flags, sent_us, xmits, sacked, True, False, joined)


class Chunk(NamedTuple):
    """A buffer of the send queue that was not sent yet; `pushed`: PSH is at its end."""

    octets: int
    pushed: bool = True


class Held(NamedTuple):
    """One buffer of the receive queue: octets in it, what it is charged, and octets that it still takes."""

    octets: int
    charge: int
    room: int


class Ahead(NamedTuple):
    """One buffer of the out-of-order queue, from `left` to `right`."""

    left: int
    right: int
    charge: int
    room: int


class RightSizing(NamedTuple):
    """What a receive buffer that follows the reads of its program is measured by (Linux rcvq_space,
    rcv_rtt_est)."""

    seq: int  # as far as the program had read at the last measurement
    space: int  # octets that it copies in a round trip at most
    since_us: int  # when that was
    clock_us: int  # Linux tcp_mstamp: the time that reads use
    rtt8: int = 0  # the receiver's estimate, by 8; 0: none
    edge: int = 0  # a round trip is over when data reach this number
    edge_us: int | None = None  # when it began
    echoed: int | None = None  # the last timestamp of ours that came back


# The state of congestion control, as Linux names it (include/net/tcp.h)
OPEN, DISORDER, RECOVERY, LOSS = 0, 1, 2, 3

# What an acknowledgement waits for (Linux inet_connection_sock.h ICSK_ACK_*)
ACK_SCHED, ACK_TIMER, ACK_PUSHED, ACK_PUSHED2, ACK_NOW, ACK_NOMEM = 1, 2, 4, 8, 16, 32

_INITIAL: dict[str, Any] = {
    # identity
    "local_port": 0,
    "remote_port": 0,
    "state": CLOSED,
    "parent": 0,  # the listener it came from, or 0
    "deferred": False,  # its handshake is complete but for data (Linux TCP_DEFER_ACCEPT)
    "accepted": True,  # False while it waits in the accept queue
    "orphaned": False,  # no application holds it any more
    "mini": False,  # reduced to a timewait socket
    "options": SocketOptions(),
    # send sequence space
    "iss": 0,
    "snd_una": 0,
    "snd_nxt": 0,
    "snd_wnd": 0,
    "snd_wl1": 0,
    "snd_wl2": 0,
    "max_window": 0,  # largest SND.WND seen (RFC 9293 3.8.6.2.1)
    "snd_sml": 0,  # Linux: end of the last small segment (Minshall's Nagle)
    "snd_mss": 0,  # Eff.snd.MSS: payload of a full segment
    "mss_clamp": 0,  # what both ends agreed on; SND.MSS is less while the peer's window is small (Linux)
    "snd_wscale": 0,
    "sent": (),  # tuple[Sent, ...]: the retransmission queue
    "unsent": (),  # tuple[Chunk, ...]: buffers not sent yet
    "write_seq": 0,  # behind everything the program has written, our FIN included (Linux's name)
    "snd_space": 0,  # send buffer, in what the stack counts (sndbuf)
    "no_space": False,  # a writer waits for room in it (Linux SOCK_NOSPACE)
    "close_called": False,  # our FIN has its place behind the data
    # receive sequence space
    "irs": 0,
    "rcv_nxt": 0,
    "rcv_wnd": 0,
    "rcv_wup": 0,  # Linux: RCV.NXT as last advertised, so RCV.WUP + RCV.WND is the edge offered
    "rcv_wscale": 0,
    "rcv_space": 0,  # receive buffer, in what the stack counts (rcvbuf)
    "rmem": 0,  # Linux sk_rmem_alloc: what is queued is charged so much
    "held": (),  # tuple[Held, ...]: the buffers of the receive queue, where they are charged
    "held_ahead": (),  # tuple[Ahead, ...]: the same of the out-of-order queue
    "scaling_ratio": 0,  # Linux: 256ths of the buffer that are window
    "window_clamp": 0,  # Linux: the largest window to offer
    "rcv_ssthresh": 0,  # Linux: the window that is offered at most for now; grows with full segments
    "right_sizing": None,  # RightSizing, once the connection is open, where the buffer follows the reads
    "rcv_mss": 0,  # estimate of the peer's segment size
    "last_seg_size": 0,  # Linux: of the segment before, if it may be a full one
    "adv_mss": 0,
    "readable": 0,  # octets in order that the program has not taken
    "ooo": (),  # tuple[(left, right, fin), ...]: queued out of order, sorted
    "sack_order": (),  # left edges of `ooo`, most recently changed first (RFC 2018 section 4)
    "dsack": None,  # (left, right) to report once (RFC 2883)
    "fin_received": False,
    "rd_shut": False,  # SHUT_RD or close()
    # negotiated
    "ts_on": False,
    "ts_offset": 0,  # of our timestamp clock, microseconds
    "ts_recent": 0,
    "ts_recent_at_us": 0,
    "sack_on": False,
    "wscale_on": False,
    "ecn_on": False,
    # RTT (RFC 6298; scaled as in Linux tcp_rtt_estimator: srtt by 8, mdev and rttvar by 4)
    "srtt8": 0,
    "mdev4": 0,
    "mdev_max4": 0,
    "rttvar4": 0,
    "rtt_seq": 0,
    "min_rtt_us": None,
    "rto_us": 0,
    "backoff": 0,
    "handshake_sent_us": 0,  # first transmission of our SYN or SYN-ACK
    "handshake_resent": 0,
    # loss recovery
    "cwnd": 0,  # segments
    "cwnd_acked": 0,
    "cwnd_limited": False,  # Linux: the window was in use when it was last looked at
    "max_packets_out": 0,  # Linux: segments outstanding at most since then, if it was not
    "cwnd_usage_seq": 0,  # Linux: SND.NXT then; it is looked at anew when that is acknowledged
    "pacing_rate": 0,  # octets per second (Linux sk_pacing_rate); 0: no limit
    "last_sent_us": 0,  # data, the last time (Linux lsndtime)
    "ssthresh": 0x7FFF_FFFF,
    "ca_state": OPEN,
    "high_seq": 0,  # SND.NXT when the episode began ("recover" of RFC 6582)
    "dupacks": 0,
    "prior_cwnd": 0,  # CWND and SSTHRESH before the episode
    "prior_ssthresh": 0,
    "prr_delivered": 0,  # RFC 6937: segments delivered, and sent, in the episode
    "prr_out": 0,
    "undo_retrans": None,  # Linux: resent segments that no D-SACK has told of; -1: none was resent yet
    "frto": False,  # RFC 5682: new data may yet tell that the timeout was spurious
    "retransmits": 0,  # RTO retransmissions since the last progress
    "retrans_since_us": None,  # Linux retrans_stamp: what a retry budget counts from
    "tlp_high_seq": None,
    "tlp_resent": False,
    "rack_us": -1,  # RFC 8985 RACK.xmit_ts (of nothing yet), RACK.end_seq, RACK.rtt
    "rack_end": 0,
    "rack_rtt_us": 0,
    # acknowledging
    "ack_pending": 0,
    "quick": 0,
    "pingpong": False,
    "ato_us": 0,
    "last_data_us": None,  # Linux lrcvtime
    "last_oow_ack_us": None,  # last rate-limited answer
    "dup_ack_counter": 0,  # Linux: ACKs of the present RCV.NXT that went at once though text is missing
    "compressed_ack": 0,  # Linux: those that wait to be one
    # probing
    "probes_out": 0,
    "probes_since_us": None,
    "last_ack_us": 0,  # Linux rcv_tstamp
    # timers: the retransmission slot, and the others
    "slot": None,  # Timer | None
    "slot_at_us": None,
    "delack_at_us": None,
    "compressed_at_us": None,
    "keep_at_us": None,
    "user_at_us": None,
    "wait": None,  # Timer.FIN_WAIT_2 or TIME_WAIT
    "wait_at_us": None,
    "fw2_armed": False,  # an event on which the stack starts its FIN-WAIT-2 timer happened (see timers)
    # the end
    "so_error": None,  # errno for the program, taken once
    "soft_error": None,  # errno of an ICMP message that ended nothing
    "closed_by": None,  # cause, for people
}


class Tcb:
    """One connection's state; read-only outside a step."""

    __slots__ = tuple(_INITIAL)

    local_port: int
    remote_port: int
    state: State
    parent: int
    deferred: bool
    accepted: bool
    orphaned: bool
    mini: bool
    options: SocketOptions
    iss: int
    snd_una: int
    snd_nxt: int
    snd_wnd: int
    snd_wl1: int
    snd_wl2: int
    max_window: int
    snd_sml: int
    snd_mss: int
    mss_clamp: int
    snd_wscale: int
    sent: tuple[Sent, ...]
    unsent: tuple[Chunk, ...]
    write_seq: int
    snd_space: int
    no_space: bool
    close_called: bool
    irs: int
    rcv_nxt: int
    rcv_wnd: int
    rcv_wup: int
    rcv_wscale: int
    rcv_space: int
    rmem: int
    held: tuple[Held, ...]
    held_ahead: tuple[Ahead, ...]
    scaling_ratio: int
    window_clamp: int
    rcv_ssthresh: int
    right_sizing: RightSizing | None
    rcv_mss: int
    last_seg_size: int
    adv_mss: int
    readable: int
    ooo: tuple[tuple[int, int, bool], ...]
    sack_order: tuple[int, ...]
    dsack: tuple[int, int] | None
    fin_received: bool
    rd_shut: bool
    ts_on: bool
    ts_offset: int
    ts_recent: int
    ts_recent_at_us: int
    sack_on: bool
    wscale_on: bool
    ecn_on: bool
    srtt8: int
    mdev4: int
    mdev_max4: int
    rttvar4: int
    rtt_seq: int
    min_rtt_us: int | None
    rto_us: int
    backoff: int
    handshake_sent_us: int
    handshake_resent: int
    cwnd: int
    cwnd_acked: int
    cwnd_limited: bool
    max_packets_out: int
    cwnd_usage_seq: int
    pacing_rate: int
    last_sent_us: int
    ssthresh: int
    ca_state: int
    high_seq: int
    dupacks: int
    prior_cwnd: int
    prior_ssthresh: int
    prr_delivered: int
    prr_out: int
    undo_retrans: int | None
    frto: bool
    retransmits: int
    retrans_since_us: int | None
    tlp_high_seq: int | None
    tlp_resent: bool
    rack_us: int
    rack_end: int
    rack_rtt_us: int
    ack_pending: int
    quick: int
    pingpong: bool
    ato_us: int
    last_data_us: int | None
    last_oow_ack_us: int | None
    dup_ack_counter: int
    compressed_ack: int
    probes_out: int
    probes_since_us: int | None
    last_ack_us: int
    slot: Timer | None
    slot_at_us: int | None
    delack_at_us: int | None
    compressed_at_us: int | None
    keep_at_us: int | None
    user_at_us: int | None
    wait: Timer | None
    wait_at_us: int | None
    fw2_armed: bool
    so_error: str | None
    soft_error: str | None
    closed_by: str | None

    def __init__(self, **values: Any) -> None:
        for name, value in _INITIAL.items():
            setattr(self, name, values.get(name, value))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tcb) and all(getattr(self, n) == getattr(other, n) for n in _INITIAL)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in _INITIAL))

    def __repr__(self) -> str:
        told = (f"{n}={getattr(self, n)!r}" for n, first in _INITIAL.items() if getattr(self, n) != first)
        return f"Tcb({', '.join(told)})"

    def copy(self) -> Tcb:
        """A TCB of its own with equal fields."""
        return _copy(self)

    # Questions that other rooms may ask

    def holder(self, stack: Stack) -> Holder:
        """Who pays for this socket."""
        if self.mini:
            return Holder.MINI
        if self.orphaned:
            return Holder.ORPHAN
        if self.parent and self.state is SYN_RECEIVED:
            return Holder.REQUEST if stack.requests else Holder.OWNED
        return Holder.OWNED if self.accepted else Holder.QUEUE

    def told_mss(self, stack: Stack) -> int:
        """What TCP_MAXSEG returns; before the peer's SYN told, the default (RFC 9293 MUST-15)."""
        if not self.snd_mss:
            return stack.default_mss
        return self.snd_mss if stack.mss_told == "effective" else self.mss_clamp + 12 * self.ts_on

    @property
    def eof(self) -> bool:
        """A read returns zero: the peer's FIN is in order and nothing is left to read."""
        return self.fin_received and self.readable == 0

    @property
    def wr_shut(self) -> bool:
        """Nothing more can be sent: SHUT_WR or close() was called."""
        return self.close_called

    @property
    def fin_sent(self) -> bool:
        """Our FIN has been on the wire."""
        return self.close_called and self.snd_nxt == self.write_seq

    @property
    def fin_acked(self) -> bool:
        """Our FIN has been acknowledged."""
        return self.close_called and self.snd_una == self.write_seq

    @property
    def unacked(self) -> int:
        """Octets of data written and not acknowledged yet."""
        octets = ((self.write_seq - self.snd_una) & MASK) - self.close_called
        if self.sent and self.sent[0].flags & SYN:
            octets -= 1
        return max(octets, 0)

    @property
    def pipe(self) -> int:
        """Segments believed to be in the network (RFC 6675); without SACK each duplicate ACK tells of one."""
        if self.ca_state == OPEN:
            return len(self.sent)
        left = sum(1 for r in self.sent if r.sacked or r.lost)
        resent = sum(1 for r in self.sent if r.resent)
        arrived = 0 if self.sack_on else min(self.dupacks, len(self.sent) - left)
        return len(self.sent) - left + resent - arrived


def _generate_copy() -> Callable[[Tcb], Tcb]:
    """A copy written out field by field: a tenth of the time of `copy.copy`, and every step makes one."""
    lines = "".join(f"    new.{name} = old.{name}\n" for name in _INITIAL)
    scope: dict[str, Any] = {"Tcb": Tcb}
    exec(f"def copy(old):\n    new = Tcb.__new__(Tcb)\n{lines}    return new", scope)
    copy: Callable[[Tcb], Tcb] = scope["copy"]
    return copy


_copy = _generate_copy()
