"""The profile of a stack: every difference between implementations as data with a source.

Owns: the type of a profile, with the domain of every field, and where its files are (``stacks/NAME.toml``).
Refuses to know: what a value does (other modules read it), and how a profile is read (profile).

If two stacks differ in the same state and event, the difference is one field here. No code in tcpsim asks for
the name of a stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from tcpsim.domain import Duration, Several, Spelled, Whole, Word, check
from tcpsim.profile import Knob, Profiles, toml
from tcpsim.tcp.icmp_messages import MESSAGES
from tcpsim.tcp.state import Holder, State, parse_state

LEAST_MSS = 48  # 40 octets of options, and data (Linux TCP_MIN_SND_MSS)
OPTIONS = ("mss", "sackOK", "TS", "wscale", "sack")

Time = Annotated[int, Duration()]
Wait = Annotated[int, Duration(1)]  # of a timer: it never fires in the instant that arms it
Retries = Annotated[int, Whole(0, 255)]
Count = Annotated[int, Whole(0, 1 << 31)]
Octets = Annotated[int, Whole(1, 1 << 30)]  # of a buffer; a window has no more (RFC 7323 2.3)
_Size = Annotated[int, Whole(0, 1 << 30)]
_STATE = Spelled(tuple(State), parse_state)


class Memory(NamedTuple):
    """What sockets cost: bytes that each pins, by who holds it (see `Holder`), and what is queued in it.

    Where `page` is not 0, queues are charged in pages of so many octets (Linux sk_mem_schedule), and each
    queued segment costs `head` octets beside its data (an sk_buff and its head).
    """

    owned: _Size
    orphan: _Size
    mini: _Size
    request: _Size
    page: _Size = 0
    head: _Size = 0

    def of(self, holder: Holder) -> int:
        """Bytes for a socket held by `holder`; one in an accept queue costs what an orphan does.

        >>> Memory(4800, 4000, 256, 320).of(Holder.MINI)
        256
        """
        return self.orphan if holder is Holder.QUEUE else self[holder]

    def pages(self, octets: int, segments: int) -> int:
        """Pages for what a socket has queued, both ways together.

        >>> Memory(4900, 3000, 256, 320, page=4096, head=832).pages(0, segments=1)
        1
        """
        return -(-(octets + segments * self.head) // self.page) if self.page else 0


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack profile. Times in microseconds; ``None`` in a limit means that the stack has none."""

    name: str
    # opening
    syn_rto_us: Wait
    syn_retries: Retries | None  # retransmissions of a SYN
    syn_linear_timeouts: Retries  # Linux tcp_syn_linear_timeouts: that many more, before back-off starts
    syn_again_after_reset_us: Time | None  # the peer's old connection was reset: the SYN again after so long
    synack_retries: Retries | None
    syn_give_up_us: Wait | None  # by time: BSD keepinit, the RFC's R2 for SYN
    syn_received_us: Wait | None  # a limit of SYN-RECEIVED alone (lwIP)
    simultaneous_open: bool  # a SYN without ACK in SYN-SENT opens the connection; else it is ignored (lwIP)
    rto_without_handshake_sample_us: Wait  # RFC 6298 5.7
    requests: bool  # embryonic connections are reduced records (request_sock, syncache)
    # more SYN or SYN-ACK retransmissions than this: IW is 1 (RFC 6298 note)
    syn_loss_cuts_cwnd_after: Retries
    syn_loss_proved: bool  # only after a timeout, and no timestamp tells that the first SYN came (Linux)
    syn_backlog: Count  # embryonic connections per listener
    somaxconn: Count | None  # the most that listen() grants: a larger or a negative backlog is cut to it
    # SYN-RECEIVED: "full" (RFC), "request" (Linux), "syncache" (FreeBSD)
    embryo_checks: Literal["full", "request", "syncache"]
    # of the backlog: an accept queue that is longer is full
    accept_queue_percent: Annotated[int, Whole(0, 1_000)]
    # a SYN while the accept queue is full: "drop" it, or "answer" it
    syn_meets_full_queue: Literal["drop", "answer"]
    # the final ACK of a handshake meets a full accept queue: "drop" it, "reset" the sender, or "forget" the
    # handshake too (FreeBSD without rst_on_sock_fail)
    accept_overflow: Literal["drop", "reset", "forget"]
    # text and FIN beside the peer's SYN: "process" (RFC), "queue" the text (BSD), or "discard"
    syn_text: Literal["process", "queue", "discard"]
    # retransmission timer
    rto_min_us: Wait
    rto_max_us: Wait
    # "floor": max(min, SRTT + 4 RTTVAR); "variance": SRTT + max(4 RTTVAR, min) (Linux)
    rto_rule: Literal["floor", "variance"]
    rto_tick_us: Wait  # clock granularity G: RTOs are rounded up to it
    # within a tick: "middle"; a span is counted in ticks, and "early" or "late" it has other ones
    ticks_begin: Literal["early", "middle", "late"]
    # by which equal round trips differ on a real machine (RACK asks whether the later one is shorter)
    rtt_noise_us: Annotated[int, Whole(-1_000, 1_000_000)]
    # a kernel's timer wheel delays every timer to its buckets; 0: timers fire on time
    timer_hz: Annotated[int, Whole(0, 1_000_000)]
    rto_slop_us: Time  # added to every RTO (FreeBSD rexmit_slop)
    syn_options_until: Retries | None  # SYNs sent with all options; later ones carry MSS only (FreeBSD)
    # multipliers per retransmission, the last one repeated; () doubles for ever
    backoff: Annotated[tuple[int, ...], Several(Whole(1, 65_536), empty="doubling")]
    # RFC 3168 6.1.1: who "offers" it in a SYN, who only "answers", who does it "never"
    ecn: Literal["never", "answers", "offers"]
    ecn_syn_retries: Retries | None  # SYN retransmissions that still offer it; None: all
    # giving up
    # "count" of retransmissions, or "budget": a count turned into a time (Linux)
    retry_rule: Literal["count", "budget"]
    retries: Retries | None  # retransmissions of data and FIN of an owned socket
    orphan_retries: Retries | None  # the same when no application holds the socket
    retry_budget_base_us: Wait  # what a budget's terms start from (Linux TCP_RTO_MIN)
    orphan_retries_safe: Retries  # what 0 orphan retries mean while RTO is below its largest value (Linux: 8)
    user_timeout_us: Time | None  # default of TCP_USER_TIMEOUT; where limits are times it is R2 (3.8.3)
    # "timer" of its own (RFC 9293 3.10.8); "checked" when another timer fires (Linux)
    user_timeout_rule: Literal["timer", "checked"]
    rst_on_give_up: bool  # RST when data or FIN retries run out
    rst_on_keepalive_give_up: bool
    rst_on_user_timeout: bool
    fin_retransmitted: bool  # a FIN without data is sent again until it is acknowledged
    # keepalive
    keepalive_default: bool  # probes without being asked (FreeBSD always_keepalive)
    keep_idle_us: Wait
    # TCP_KEEPIDLE, set while it probes: from the last segment "heard" (Linux), or "now"
    keep_idle_from: Literal["heard", "now"]
    keep_intvl_us: Wait
    keep_cnt: Annotated[int, Whole(1, 255)]
    # where an owned socket probes
    keepalive_states: Annotated[frozenset[State], Several(_STATE, distinct=True, made=frozenset)]
    keepalive_orphans: bool  # and whether an orphan does, if it was asked for
    # an orphan in FIN-WAIT-2 is probed after so long, asked for or not (HP-UX)
    orphan_keep_idle_us: Wait | None
    keepalive_probe_len: Annotated[int, Whole(0, 1)]  # 0, or one garbage octet (RFC 1122 4.2.3.6)
    # zero window
    persist_min_us: Wait
    persist_max_us: Wait
    # of SRTT and RTTVAR in a wait that is bounded after backing off (BSD)
    persist_weights: Annotated[tuple[int, ...], Several(Whole(0, 64), lengths=(0, 2))]
    # "window": an octet of data past the window; "old": SND.UNA-1 without data (Linux)
    persist_probe: Literal["window", "old"]
    orphan_persist_retries: bool  # an orphan's unanswered probes count, and back-off at its end kills it
    persist_limit: Retries | None  # unanswered probes of an owned socket; RFC 9293: none
    # acknowledging
    # "second" full segment (RFC), "alternate": second segment (BSD), "adaptive" (Linux)
    ack_rule: Literal["second", "alternate", "adaptive"]
    delayed_ack_us: Time
    delayed_ack_max_us: Time
    quick_acks: Count  # Linux TCP_MAX_QUICKACKS
    quickack_route: bool  # ip route ... quickack 1
    # ACKs of what came out of order: so many may wait for one, this long at most, and a timer's slack (Linux)
    comp_sack_nr: Count
    comp_sack_delay_us: Time
    comp_sack_slack_us: Time
    acks_repeat_controls: bool  # while our SYN (of a passive side) or FIN is outstanding (BSD tcp_output)
    fin_ack_now: bool  # the ACK of a FIN is not delayed
    # closing
    rst_on_unread_close: bool  # RFC 2525 2.17
    rst_on_abort_of_unsent: bool  # ABORT in CLOSING and LAST-ACK resets where data or FIN is unsent (Linux)
    # an operator's kill (ss -K, tcpdrop) resets where ABORT does ("abort", Linux: listeners and embryos as
    # well), or in all that heard a SYN but TIME-WAIT ("drop", BSD: connections alone)
    destroy_rule: Literal["abort", "drop"]
    shut_rd_discards: bool  # what arrives after shutdown(SHUT_RD) is thrown away, what waits as well (BSD)
    # "orphan" (RFC 9293 3.6.1), "cannot-receive": SHUT_RD too (Linux), "never", "anywhere": an orphan's,
    # outside the window and without ACK too (FreeBSD)
    rst_on_data_after_close: Literal["orphan", "cannot-receive", "never", "anywhere"]
    fin_wait_2_us: Time | None  # None: no limit
    # armed when our FIN is acked: "never", an "orphan"'s, "always", or of who "cannot-receive": an orphan, or
    # after SHUT_RD
    fin_wait_2_on_fin_acked: Literal["never", "orphan", "cannot-receive", "always"]
    fin_wait_2_on_close: bool  # armed when close() finds the socket in FIN-WAIT-2
    fin_wait_2_idle_check_us: Wait | None  # 4.4BSD: at expiry, wait on by this much unless idle long enough
    fin_wait_2_rto_floor: bool  # at least 3.5 RTO (Linux tcp_fin_time)
    fin_wait_2_two_stages: bool  # above TIME-WAIT's length: first the excess, then the excess again (Linux)
    fin_wait_2_rst: bool  # RST at expiry
    # errno at expiry, where a program still holds the socket
    fin_wait_2_error: Literal["ETIMEDOUT", "ECONNRESET"]
    linger2_max_us: Wait | None  # cap of TCP_LINGER2; None: the option does not exist
    # silence that ends LAST-ACK, whatever the retransmissions (lwIP); None: no limit
    last_ack_us: Wait | None
    time_wait_us: Time
    rfc1337: bool  # a RST does not kill TIME-WAIT
    # "full": as in every state (RFC); "short": BSD's; "resets-syn": a SYN in the window draws a RST, and
    # nothing ends the wait (lwIP); a timewait socket has Linux's
    time_wait_checks: Literal["full", "short", "resets-syn"]
    time_wait_reuse: bool  # a new SYN beyond RCV.NXT, or with a newer timestamp, reopens
    # to such a SYN: where somebody "listens", or "always" (FreeBSD)
    time_wait_yields: Literal["listens", "always"]
    mini_sockets: bool  # orphaned FIN-WAIT-2 and TIME-WAIT shrink to a reduced record
    so_linger: bool  # the option exists; without it an abort is a FIN (lwIP's LWIP_SO_LINGER 0)
    linger_reads_eagain: bool  # close() whose linger time runs out returns EWOULDBLOCK (4.4BSD), else 0
    # what a system call returns
    linger_blocks_nonblocking: bool  # close() lingers on a non-blocking socket too (Linux)
    recv_end_first: bool  # after the peer's FIN recv() returns 0 though an error is pending (Linux SOCK_DONE)
    peek_takes_error: bool  # recv(MSG_PEEK) that returns the pending error clears it, as any recv() does
    send_epipe_first: bool  # once nothing can be sent: EPIPE, and the pending error is left alone (BSD)
    send_unconnected_error: Literal["EPIPE", "ENOTCONN"]  # errno of send() where there is no connection
    send_lowat: Octets | None  # free octets that make a buffer writable; None: a third of it is free (Linux)
    poll_err: bool  # a pending error is POLLERR; else it only makes the socket ready (BSD)
    accept_inherits_nonblocking: bool  # O_NONBLOCK of the listener (BSD)
    # defence
    challenge_rst: bool  # RFC 5961 3.2: a RST has to hit RCV.NXT; else any in the window resets
    challenge_syn: bool  # RFC 5961 4.2: a SYN is challenged; else one in the window resets
    challenge_ack: bool  # RFC 5961 5.2: an ACK far in the past is challenged
    # read by challenge_ack: a "window" back (RFC); nothing but "octets" sent (FreeBSD), or what was
    # "acknowledged" (Linux)
    least_ack: Literal["window", "octets", "acknowledged"]
    rst_at_last_ack: bool  # the exact number of a RST is the last ACK sent, not RCV.NXT (FreeBSD)
    rst_behind_fin: bool  # a RST one below RCV.NXT resets when the peer's FIN was received (Linux)
    # where a SYN resets: "segment": RST at SEG.ACK; "active": RST at SND.NXT (BSD)
    syn_reset_answer: Literal["segment", "active"]
    # a SYN with FIN: a listener may "drop" it, or "accept" the SYN; or every state drops it ("drop-anywhere":
    # FreeBSD drop_synfin)
    syn_fin: Literal["drop", "accept", "drop-anywhere"]
    # a SYN,ACK for a listener: "reset" the sender, or "drop" it
    syn_ack_at_listener: Literal["reset", "drop"]
    ack_rate_limit_us: Time  # at most one pure answer to unacceptable segments per this time and socket
    unsent_ack_answered: bool  # in ESTABLISHED too, an ACK of what was never sent draws an ACK (3.10.7.4)
    reads_old_acks: bool  # the ACK field of a segment left of the window counts (BSD)
    drops_unstamped: bool  # a segment without the timestamp that was agreed on (RFC 7323 3.2)
    # of RTO by which the timestamp of an overtaken ACK may be old (Linux)
    paws_replay_percent: Annotated[int, Whole(0, 10_000)] | None
    paws_answers_empty: bool  # PAWS answers a segment without data too (RFC 7323 5.3)
    # TS.Recent: of an acceptable segment, "first" (RFC), or if its "ack" is (Linux)
    timestamp_taken: Literal["first", "ack"]
    # segments have to fit what was "offered", or there is "room" for (FreeBSD)
    window_checked: Literal["offered", "room"]
    # what begins there is "outside" (RFC), "inside" (Linux), or "no-rst": outside if a RST
    right_edge: Literal["outside", "inside", "no-rst"]
    # octets past the window: "trim" them, or take them "if-empty" (Linux 6.17 on)
    window_overrun: Literal["trim", "if-empty"]
    rst_flushes_reader: bool  # a RST throws away what the application has not read yet
    # errno of an active opener's SYN-RECEIVED
    reset_syn_received_error: Literal["ECONNREFUSED", "ECONNRESET"]
    reset_close_wait_error: Literal["ECONNRESET", "EPIPE"]  # errno in CLOSE-WAIT; elsewhere ECONNRESET
    rst_has_ack: bool  # an abort's RST carries ACK
    rst_answer_has_ack: bool  # and so does one that answers a segment with ACK (lwIP)
    # messages that end a connection (see icmp)
    icmp_hard: Annotated[tuple[str, ...], Several(Word(tuple(sorted(MESSAGES))), distinct=True)]
    # "any" state, "opening" (Linux), "syn-sent" (FreeBSD)
    icmp_hard_while: Literal["any", "opening", "syn-sent"]
    icmp_errnos: Literal["linux", "bsd"]  # "linux" or "bsd"
    soft_error_is_told: bool  # SO_ERROR tells of a message that ended nothing (Linux sk_err_soft)
    # windows, segments, options
    mss: Annotated[int, Whole(LEAST_MSS, 65_495)]  # offered, IPv4 over an MTU of 1500
    default_mss: Annotated[int, Whole(LEAST_MSS, 65_495)]  # without the option (RFC 9293 MUST-15)
    # TCP_MAXSEG and tcp_info say what fits beside options ("effective"), or the MSS ("agreed")
    mss_told: Literal["effective", "agreed"]
    rcv_space: Octets  # receive buffer: octets, or where `skb_heads` says so memory
    rcv_space_max: Octets | None  # up to which it grows by itself (Linux tcp_rmem[2])
    rcv_space_follows_reads: bool  # and while its program keeps up with the peer (right_sizing)
    # sizes of the buffers that queued segments are charged; (): octets count
    skb_heads: Annotated[tuple[int, ...], Several(Whole(1, 1 << 20))]
    # segments of so many octets make one that comes in whole (skb_shinfo(skb)->gso_size); 0: none was merged
    gso_size: Annotated[int, Whole(0, 65_535)]
    # 256ths of a receive buffer that are window before any segment tells (Linux)
    scaling_ratio: Annotated[int, Whole(1, 256)]
    rcv_space_mss_multiple: bool  # the first window offered is a multiple of the MSS (Linux)
    # what a segment offers: what is "free" (BSD), or whole "segments" of it (Linux)
    window_rule: Literal["segments", "free"]
    rcv_wnd_beyond_field: bool  # RCV.WND is what was chosen, though the header can say less of it (Linux)
    window_rounding: Literal["up", "down"]  # a scaled window is rounded "up" (Linux) or "down" to the unit
    rcvbuf_percent: Annotated[int, Whole(1, 1_000)]  # of the buffer per 100 of SO_RCVBUF
    sndbuf_percent: Annotated[int, Whole(1, 1_000)]  # of the buffer per 100 of SO_SNDBUF
    sockbuf_doubled: bool  # getsockopt(SO_RCVBUF, SO_SNDBUF) returns twice what was set (Linux)
    buffers_hold_whole_segments: bool  # both are rounded up to the MSS when the connection opens (FreeBSD)
    # a SO_RCVBUF set by hand decides the shift (Linux); else the system's largest
    wscale_follows_rcvbuf: bool
    snd_space: Octets  # send buffer: octets, or where `skb_heads` says so memory
    snd_space_max: Octets | None  # up to which it grows by itself (Linux tcp_wmem[2])
    snd_limit: Octets | None  # octets that a socket may queue while its host has no memory for more
    window_scaling: bool
    wscale: Annotated[int, Whole(0, 14)]
    timestamps: bool
    sack: bool
    dsack: bool
    sack_of_fin: bool  # a FIN counts like an octet in SACK and D-SACK blocks (Linux)
    fin_clears_dsack: bool  # the FIN that is taken takes away what was to be reported (Linux tcp_sack_reset)
    # option order of a SYN with everything on; absent options fall out
    layout_syn: Annotated[tuple[str, ...], Several(Word(OPTIONS), distinct=True)]
    # which word an option begins in, and what fills the gaps: as "linux" or as "bsd" does
    layout_pads: Literal["linux", "bsd"]
    mss_within_half_window: bool  # a segment is no larger than half of the largest window seen (Linux)
    # what holds a small segment: "rfc": anything outstanding; "bsd": outstanding at the call; "minshall": a
    # small segment outstanding (Linux)
    nagle: Literal["rfc", "bsd", "minshall"]
    # "write": end of each; "buffer": when nothing is left (BSD); "queue": Linux's chunks
    push_rule: Literal["write", "buffer", "queue"]
    # SEG.SEQ of bare ACKs and RSTs: "next" is SND.NXT; "window": no further than that (Linux)
    control_seq: Literal["next", "window"]
    resends_beyond_window: bool  # what was sent before the peer took its window back (RFC 9293 MAY-7)
    retransmit_collapse: bool  # a resent segment swallows small ones queued behind it
    caches_metrics: bool  # a connection's round-trip time makes the first RTO of the next one to that peer
    # congestion and loss recovery
    initial_window: Annotated[int, Whole(1, 65_535)]  # segments
    # after an idle RTO the window is left as it is ("keep"), starts again ("restart", RFC 5681 4.1), or is
    # halved for each RTO that went by ("halve", Linux)
    after_idle: Literal["keep", "restart", "halve"]
    # the congestion window grows while half of it is outstanding in slow start, else all ("in-use"); or as
    # long as it was in use when it was last looked at ("validated", Linux tcp_cwnd_validate)
    cwnd_growth: Literal["in-use", "validated"]
    dupthresh: Annotated[int, Whole(1, 300)]
    # one with the same "window" (RFC), or one that may not "update" it (Linux)
    duplicate_ack: Literal["window", "update"]
    loss_probe: bool  # TLP
    rack: bool
    # an episode without SACK ends with an ACK "at" or "beyond" what was sent before it (RFC 6582, Linux)
    recovery_ends: Literal["at", "beyond"]
    frto: bool  # after a timeout new data is sent first, to see whether it was spurious (RFC 5682)
    # segments sent as one, PSH on the last (Linux TSO autosizing at its floor)
    burst_segments: Annotated[int, Whole(1, 65_535)]
    # the device's queue is full for ever: what is handed to it is dropped, and the stack knows (Linux
    # NET_XMIT_DROP), so new data counts as not sent
    device_refuses: bool
    # a program holds the socket: an ACK that is due waits for what arrives next (Linux tcp_backlog_ack_defer)
    acks_wait: bool
    # memory
    memory: Memory
    memory_pages: Count | None  # Linux tcp_mem[2]: pages that the queues of all sockets may take
    # no memory for another socket: "refuse" it, "reset" an orphan for it, or "crash"
    out_of_memory: Literal["refuse", "reset", "crash"]
    nofile: Count  # RLIMIT_NOFILE, soft
    max_orphans: Count | None
    max_mini: Count | None  # Linux tcp_max_tw_buckets
    ephemeral_ports: Annotated[int, Whole(0, 65_535)]

    def __post_init__(self) -> None:
        check(self)

    def with_knobs(self, knobs: Mapping[str, Any]) -> Stack:
        """This profile with knobs turned, by field or by the stack's own name: see `Profiles.turned`.

        Raises:
            InputError: an unknown knob, or a value outside its domain.
        """
        return STACKS.turned(self, knobs)


_FOLDER = Path(__file__).with_name("stacks")


@cache
def names() -> tuple[str, ...]:
    """The profiles there are, sorted."""
    return tuple(sorted(each.stem for each in _FOLDER.glob("*.toml")))


STACKS: Profiles[Stack] = Profiles(
    Stack, "stack", names, lambda name: toml(_FOLDER / f"{name}.toml"), lambda name: f"stacks/{name}.toml"
)


def stack(name: str) -> Stack:
    """The profile called `name`.

    Raises:
        InputError: there is no such profile.
    """
    return STACKS.profile(name)


def knobs(name: str) -> tuple[Knob, ...]:
    """The sources behind a profile, one `Knob` per field, in the order of the fields."""
    return STACKS.knobs(name)


def knob_names(name: str) -> dict[str, tuple[Knob, ...]]:
    """The stack's own names of its knobs; one name may turn several fields."""
    return STACKS.knob_names(name)
