"""What one stack does where stacks differ: a profile is data, and every value has a source.

Owns: the type of a profile, its loading from ``stacks/NAME.toml`` (a value, its source, the stack's
own name for the knob, and whether it is verified), and turning knobs. Refuses to know: what a value
does; the rooms beside this one read it.

A profile may name another one as its base and then states only what differs; a value inherited keeps
its source. Where two stacks differ in the same state and event, the difference is one field here, and
nowhere in tcpsim does code ask for a stack's name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from tcpsim.errors import InputError
from tcpsim.tcp.state import Holder, State, parse_state
from tcpsim.units import parse_duration


class Memory(NamedTuple):
    """What sockets cost: bytes that each pins, by who holds it (see `Holder`), and what is queued in it.

    Where `page` is not 0, queues are charged in pages of so many octets (Linux sk_mem_schedule), and each
    queued segment costs `head` octets beside its data (an sk_buff and its head).
    """

    owned: int
    orphan: int
    mini: int
    request: int
    page: int = 0
    head: int = 0

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
    syn_rto_us: int
    syn_retries: int | None  # retransmissions of a SYN
    syn_linear_timeouts: int  # Linux tcp_syn_linear_timeouts: that many more, before back-off starts
    syn_again_after_reset_us: int | None  # the peer's old connection was reset: the SYN again after so long
    synack_retries: int | None
    syn_give_up_us: int | None  # by time: BSD keepinit, the RFC's R2 for SYN
    syn_received_us: int | None  # a limit of SYN-RECEIVED alone (lwIP)
    simultaneous_open: bool  # a SYN without ACK in SYN-SENT opens the connection; else it is ignored (lwIP)
    rto_without_handshake_sample_us: int  # RFC 6298 5.7
    requests: bool  # embryonic connections are reduced records (request_sock, syncache)
    syn_loss_cuts_cwnd_after: int  # more SYN or SYN-ACK retransmissions than this: IW is 1 (RFC 6298 note)
    syn_loss_proved: bool  # only after a timeout, and no timestamp tells that the first SYN came (Linux)
    syn_backlog: int  # embryonic connections per listener
    somaxconn: int | None  # the most that listen() grants: a larger or a negative backlog is cut to it
    embryo_checks: str  # SYN-RECEIVED: "full" (RFC), "request" (Linux), "syncache" (FreeBSD)
    accept_queue_percent: int  # of the backlog: an accept queue that is longer is full
    syn_meets_full_queue: str  # a SYN while the accept queue is full: "drop" it, or "answer" it
    accept_overflow: str  # the final ACK of a handshake meets a full accept queue: "drop" it, "reset" the
    # sender, or "forget" the handshake too (FreeBSD without rst_on_sock_fail)
    syn_text: str  # text and FIN beside the peer's SYN: "process" (RFC), "queue" the text (BSD), or "discard"
    # retransmission timer
    rto_min_us: int
    rto_max_us: int
    rto_rule: str  # "floor": max(min, SRTT + 4 RTTVAR); "variance": SRTT + max(4 RTTVAR, min) (Linux)
    rto_tick_us: int  # clock granularity G: RTOs are rounded up to it
    ticks_begin: (
        str  # within a tick: "middle"; a span is counted in ticks, and "early" or "late" it has other ones
    )
    rtt_noise_us: int  # by which equal round trips differ on a real machine (RACK asks which is shorter)
    timer_hz: int  # a kernel's timer wheel delays every timer to its buckets; 0: timers fire on time
    rto_slop_us: int  # added to every RTO (FreeBSD rexmit_slop)
    syn_options_until: int | None  # SYNs sent with all options; later ones carry MSS only (FreeBSD)
    backoff: tuple[int, ...]  # multipliers per retransmission, the last one repeated; () doubles for ever
    ecn: str  # RFC 3168 6.1.1: who "offers" it in a SYN, who only "answers", who does it "never"
    ecn_syn_retries: int | None  # SYN retransmissions that still offer it; None: all
    # giving up
    retry_rule: str  # "count" of retransmissions, or "budget": a count turned into a time (Linux)
    retries: int | None  # retransmissions of data and FIN of an owned socket
    orphan_retries: int | None  # the same when no application holds the socket
    retry_budget_base_us: int  # what a budget's terms start from (Linux TCP_RTO_MIN)
    orphan_retries_safe: int  # what 0 orphan retries mean while RTO is below its largest value (Linux: 8)
    user_timeout_us: int | None  # default of TCP_USER_TIMEOUT; where limits are times it is R2 (3.8.3)
    user_timeout_rule: str  # "timer" of its own (RFC 9293 3.10.8); "checked" when another timer fires (Linux)
    rst_on_give_up: bool  # RST when data or FIN retries run out
    rst_on_keepalive_give_up: bool
    rst_on_user_timeout: bool
    fin_retransmitted: bool  # a FIN without data is sent again until it is acknowledged
    # keepalive
    keepalive_default: bool  # probes without being asked (FreeBSD always_keepalive)
    keep_idle_us: int
    keep_idle_from: str  # TCP_KEEPIDLE, set while it probes: from the last segment "heard" (Linux), or "now"
    keep_intvl_us: int
    keep_cnt: int
    keepalive_states: frozenset[State]  # where an owned socket probes
    keepalive_orphans: bool  # and whether an orphan does, if it was asked for
    orphan_keep_idle_us: (
        int | None
    )  # an orphan in FIN-WAIT-2 is probed after so long, asked for or not (HP-UX)
    keepalive_probe_len: int  # 0, or one garbage octet (RFC 1122 4.2.3.6)
    # zero window
    persist_min_us: int
    persist_max_us: int
    persist_weights: tuple[int, ...]  # of SRTT and RTTVAR in a wait that is bounded after backing off (BSD)
    persist_probe: str  # "window": an octet of data past the window; "old": SND.UNA-1 without data (Linux)
    orphan_persist_retries: bool  # an orphan's unanswered probes count, and back-off at its end kills it
    persist_limit: int | None  # unanswered probes of an owned socket; RFC 9293: none
    # acknowledging
    ack_rule: str  # "second" full segment (RFC), "alternate": second segment (BSD), "adaptive" (Linux)
    delayed_ack_us: int
    delayed_ack_max_us: int
    quick_acks: int  # Linux TCP_MAX_QUICKACKS
    quickack_route: bool  # ip route ... quickack 1
    acks_repeat_controls: bool  # while our SYN (of a passive side) or FIN is outstanding (BSD tcp_output)
    fin_ack_now: bool  # the ACK of a FIN is not delayed
    # closing
    rst_on_unread_close: bool  # RFC 2525 2.17
    rst_on_abort_of_unsent: bool  # ABORT in CLOSING and LAST-ACK resets where data or FIN is unsent (Linux)
    destroy_rule: (
        str  # an operator's kill (ss -K, tcpdrop) resets where ABORT does ("abort", Linux: listeners
    )
    # and embryos as well), or in all that heard a SYN but TIME-WAIT ("drop", BSD: connections alone)
    shut_rd_discards: bool  # what arrives after shutdown(SHUT_RD) is thrown away, what waits as well (BSD)
    rst_on_data_after_close: str  # "orphan" (RFC 9293 3.6.1), "cannot-receive": SHUT_RD too (Linux), "never",
    # "anywhere": an orphan's, outside the window and without ACK too (FreeBSD)
    fin_wait_2_us: int | None  # None: no limit
    fin_wait_2_on_fin_acked: str  # armed when our FIN is acked: "never", an "orphan"'s, "always", or of who
    # "cannot-receive": an orphan, or after SHUT_RD
    fin_wait_2_on_close: bool  # armed when close() finds the socket in FIN-WAIT-2
    fin_wait_2_idle_check_us: int | None  # 4.4BSD: at expiry, wait on by this much unless idle long enough
    fin_wait_2_rto_floor: bool  # at least 3.5 RTO (Linux tcp_fin_time)
    fin_wait_2_two_stages: bool  # above TIME-WAIT's length: first the excess, then the excess again (Linux)
    fin_wait_2_rst: bool  # RST at expiry
    fin_wait_2_error: str  # errno at expiry, where a program still holds the socket
    linger2_max_us: int | None  # cap of TCP_LINGER2; None: the option does not exist
    last_ack_us: int | None  # silence that ends LAST-ACK, whatever the retransmissions (lwIP); None: no limit
    time_wait_us: int
    rfc1337: bool  # a RST does not kill TIME-WAIT
    time_wait_checks: (
        str  # "full": as in every state (RFC); "short": BSD's; "resets-syn": a SYN in the window
    )
    # draws a RST, and nothing ends the wait (lwIP); a mini-socket has Linux's
    time_wait_reuse: bool  # a new SYN beyond RCV.NXT, or with a newer timestamp, reopens
    time_wait_yields: str  # to such a SYN: where somebody "listens", or "always" (FreeBSD)
    mini_sockets: bool  # orphaned FIN-WAIT-2 and TIME-WAIT shrink to a reduced record
    so_linger: bool  # the option exists; without it an abort is a FIN (lwIP's LWIP_SO_LINGER 0)
    linger_reads_eagain: bool  # close() whose linger time runs out returns EWOULDBLOCK (4.4BSD), else 0
    # what a system call returns
    linger_blocks_nonblocking: bool  # close() lingers on a non-blocking socket too (Linux)
    recv_end_first: bool  # after the peer's FIN recv() returns 0 though an error is pending (Linux SOCK_DONE)
    peek_takes_error: bool  # recv(MSG_PEEK) that returns the pending error clears it, as any recv() does
    send_epipe_first: bool  # once nothing can be sent: EPIPE, and the pending error is left alone (BSD)
    send_unconnected_error: str  # errno of send() where there is no connection
    send_lowat: int | None  # free octets that make a buffer writable; None: a third of it is free (Linux)
    poll_err: bool  # a pending error is POLLERR; else it only makes the socket ready (BSD)
    accept_inherits_nonblocking: bool  # O_NONBLOCK of the listener (BSD)
    # defence
    challenge_rst: bool  # RFC 5961 3.2: a RST has to hit RCV.NXT; else any in the window resets
    challenge_syn: bool  # RFC 5961 4.2: a SYN is challenged; else one in the window resets
    challenge_ack: bool  # RFC 5961 5.2: an ACK far in the past is challenged
    least_ack: str  # read by challenge_ack: a "window" back (RFC); nothing but "octets" sent (FreeBSD),
    # or what was "acknowledged" (Linux)
    rst_at_last_ack: bool  # the exact number of a RST is the last ACK sent, not RCV.NXT (FreeBSD)
    rst_behind_fin: bool  # a RST one below RCV.NXT resets when the peer's FIN was received (Linux)
    syn_reset_answer: str  # where a SYN resets: "segment": RST at SEG.ACK; "active": RST at SND.NXT (BSD)
    syn_fin: str  # a SYN with FIN: a listener may "drop" it, or "accept" the SYN; or every state drops it
    # ("drop-anywhere": FreeBSD drop_synfin)
    syn_ack_at_listener: str  # a SYN,ACK for a listener: "reset" the sender, or "drop" it
    ack_rate_limit_us: int  # at most one pure answer to unacceptable segments per this time and socket
    unsent_ack_answered: bool  # in ESTABLISHED too, an ACK of what was never sent draws an ACK (3.10.7.4)
    reads_old_acks: bool  # the ACK field of a segment left of the window counts (BSD)
    drops_unstamped: bool  # a segment without the timestamp that was agreed on (RFC 7323 3.2)
    paws_replay_percent: int | None  # of RTO by which the timestamp of an overtaken ACK may be old (Linux)
    paws_answers_empty: bool  # PAWS answers a segment without data too (RFC 7323 5.3)
    timestamp_taken: str  # TS.Recent: of an acceptable segment, "first" (RFC), or if its "ack" is (Linux)
    window_checked: str  # segments have to fit what was "offered", or there is "room" for (FreeBSD)
    right_edge: str  # what begins there is "outside" (RFC), "inside" (Linux), or "no-rst": outside if a RST
    window_overrun: str  # octets past the window: "trim" them, or take them "if-empty" (Linux 6.17 on)
    rst_flushes_reader: bool  # a RST throws away what the application has not read yet
    reset_syn_received_error: str  # errno of an active opener's SYN-RECEIVED
    reset_close_wait_error: str  # errno in CLOSE-WAIT; elsewhere ECONNRESET
    rst_has_ack: bool  # an abort's RST carries ACK
    rst_answer_has_ack: bool  # and so does one that answers a segment with ACK (lwIP)
    icmp_hard: tuple[str, ...]  # messages that end a connection (see icmp)
    icmp_hard_while: str  # "any" state, "opening" (Linux), "syn-sent" (FreeBSD)
    icmp_errnos: str  # "linux" or "bsd"
    soft_error_is_told: bool  # SO_ERROR tells of a message that ended nothing (Linux sk_err_soft)
    # windows, segments, options
    mss: int  # offered, IPv4 over an MTU of 1500
    default_mss: int  # without the option (RFC 9293 MUST-15)
    mss_told: str  # TCP_MAXSEG and tcp_info say what fits beside options ("effective"), or the MSS ("agreed")
    rcv_space: int  # receive buffer: octets, or where `skb_heads` says so memory
    rcv_space_max: int | None  # up to which it grows by itself (Linux tcp_rmem[2])
    skb_heads: tuple[int, ...]  # sizes of the buffers that queued segments are charged; (): octets count
    scaling_ratio: int  # 256ths of a receive buffer that are window before any segment tells (Linux)
    rcv_space_mss_multiple: bool  # the first window offered is a multiple of the MSS (Linux)
    window_rule: str  # what a segment offers: what is "free" (BSD), or whole "segments" of it (Linux)
    rcv_wnd_beyond_field: bool  # RCV.WND is what was chosen, though the header can say less of it (Linux)
    window_rounding: str  # a scaled window is rounded "up" (Linux) or "down" to the unit
    rcvbuf_percent: int  # of the buffer per 100 of SO_RCVBUF
    sndbuf_percent: int  # octets of data per 100 of SO_SNDBUF
    sockbuf_doubled: bool  # getsockopt(SO_RCVBUF, SO_SNDBUF) returns twice what was set (Linux)
    buffers_hold_whole_segments: bool  # both are rounded up to the MSS when the connection opens (FreeBSD)
    wscale_follows_rcvbuf: (
        bool  # a SO_RCVBUF set by hand decides the shift (Linux); else the system's largest
    )
    snd_space: int  # send buffer
    window_scaling: bool
    wscale: int
    timestamps: bool
    sack: bool
    dsack: bool
    sack_of_fin: bool  # a FIN counts like an octet in SACK and D-SACK blocks (Linux)
    fin_clears_dsack: bool  # the FIN that is taken takes away what was to be reported (Linux tcp_sack_reset)
    layout_syn: tuple[str, ...]  # option order of a SYN with everything on; absent options fall out
    layout_pads: str  # which word an option begins in, and what fills the gaps: as "linux" or as "bsd" does
    mss_within_half_window: bool  # a segment is no larger than half of the largest window seen (Linux)
    nagle: str  # what holds a small segment: "rfc": anything outstanding; "bsd": outstanding at the call;
    # "minshall": a small segment outstanding (Linux)
    push_rule: str  # "write": end of each; "buffer": when nothing is left (BSD); "queue": Linux's chunks
    control_seq: (
        str  # SEG.SEQ of bare ACKs and RSTs: "next" is SND.NXT; "window": no further than that (Linux)
    )
    resends_beyond_window: bool  # what was sent before the peer took its window back (RFC 9293 MAY-7)
    retransmit_collapse: bool  # a resent segment swallows small ones queued behind it
    # congestion and loss recovery
    initial_window: int  # segments
    # after an idle RTO the window is left as it is ("keep"), starts again ("restart", RFC 5681 4.1), or is
    # halved for each RTO that went by ("halve", Linux)
    after_idle: str
    dupthresh: int
    duplicate_ack: str  # one with the same "window" (RFC), or one that may not "update" it (Linux)
    loss_probe: bool  # TLP
    rack: bool
    frto: bool  # after a timeout new data is sent first, to see whether it was spurious (RFC 5682)
    burst_segments: int  # segments sent as one, PSH on the last (Linux TSO autosizing at its floor)
    # the device's queue is full for ever: what is handed to it is dropped, and the stack knows (Linux
    # NET_XMIT_DROP), so new data counts as not sent
    device_refuses: bool
    # memory
    memory: Memory
    memory_pages: int | None  # Linux tcp_mem[2]: pages that the queues of all sockets may take
    out_of_memory: str  # no memory for another socket: "refuse" it, "reset" an orphan for it, or "crash"
    nofile: int  # RLIMIT_NOFILE, soft
    max_orphans: int | None
    max_mini: int | None  # Linux tcp_max_tw_buckets
    ephemeral_ports: int

    def with_knobs(self, knobs: dict[str, Any]) -> Stack:
        """This profile with knobs turned, under a field's name or the stack's own (``tcp_fin_timeout``).

        Values are what the profile's file would hold (``"60s"``, ``"never"``), a sysctl's bare number
        (seconds, unless the knob's unit says otherwise), or the field's own type.

        Raises:
            InputError: an unknown knob, or a value that the field cannot take.
        """
        own = knob_names(self.name)
        changes: dict[str, Any] = {}
        for key, value in knobs.items():
            turned = own.get(key) or (Knob(key, "", "", "", True),)
            for knob in turned:
                if knob.field not in _TYPES or knob.field == "name":
                    allowed = f"{', '.join(sorted(own))}, or a field of Stack"
                    raise InputError(f"knob {key}", "no such knob", allowed)
                changes[knob.field] = _convert(f"knob {key}", knob.field, _in_unit(value, knob.unit))
        return replace(self, **changes)


class Knob(NamedTuple):
    """Where a profile's value comes from: its field, the stack's own name and unit for it, its source."""

    field: str
    own_name: str
    unit: str
    source: str
    verified: bool

    @classmethod
    def of(cls, field: str, entry: Mapping[str, Any]) -> Knob:
        """As a profile's file has it."""
        own_name, unit = entry.get("knob", ""), entry.get("unit", "")
        return cls(field, own_name, unit, entry["source"], entry.get("verified", True))


_TYPES: dict[str, str] = {f.name: str(f.type) for f in fields(Stack)}
_SECTIONS = ("base",)


def names() -> tuple[str, ...]:
    """The profiles there are, sorted."""
    folder = resources.files("tcpsim.tcp") / "stacks"
    return tuple(sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml")))


@cache
def stack(name: str) -> Stack:
    """The profile called `name`.

    Raises:
        InputError: there is no such profile.
    """
    table = _resolved(name)
    values = {
        field: _convert(f"stacks/{name}.toml {field}", field, entry["value"])
        for field, entry in table.items()
    }
    missing = [field for field in _TYPES if field not in values and field != "name"]
    if missing:
        raise InputError(
            f"stacks/{name}.toml", f"no value for {', '.join(missing)}", "a value for every field"
        )
    return Stack(name=name, **values)


@cache
def knobs(name: str) -> tuple[Knob, ...]:
    """The sources behind a profile, one `Knob` per field, in the order of the fields."""
    table = _resolved(name)
    return tuple(Knob.of(field, table[field]) for field in _TYPES if field != "name")


@cache
def knob_names(name: str) -> dict[str, tuple[Knob, ...]]:
    """The stack's own names of its knobs; one name may turn several fields."""
    own: dict[str, tuple[Knob, ...]] = {}
    for knob in knobs(name):
        if knob.own_name:
            own[knob.own_name] = (*own.get(knob.own_name, ()), knob)
    return own


def _resolved(name: str) -> dict[str, dict[str, Any]]:
    """The profile's file laid over its base."""
    if name not in names():
        raise InputError("stack", name, f"one of {', '.join(names())}")
    text = (resources.files("tcpsim.tcp") / "stacks" / f"{name}.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    base = table.pop("base", None)
    for field, entry in table.items():
        if field not in _TYPES:
            raise InputError(f"stacks/{name}.toml {field}", "no such field", "a field of Stack")
        if "value" not in entry or not entry.get("source"):
            raise InputError(f"stacks/{name}.toml {field}", "no value or no source", "both")
    return {**_resolved(base), **table} if base else table


def _in_unit(value: Any, unit: str) -> Any:
    """A sysctl's bare number as what the profile's file would hold."""
    if unit and isinstance(value, int | str) and str(value).isdigit():
        return f"{value}{unit}"
    return value


def _convert(where: str, field: str, value: Any) -> Any:
    """`value` as written in a file or on a command line, as the type of `field`."""
    kind = _TYPES[field]
    if field == "memory" and isinstance(value, dict):
        return Memory(**value)
    if field == "keepalive_states" and not isinstance(value, frozenset):
        return frozenset(parse_state(word) for word in value)
    if kind.startswith("tuple") and not isinstance(value, tuple):
        return tuple(value)
    if value in ("none", "never") and "None" in kind:
        return None
    if kind.startswith("bool") and not isinstance(value, bool):
        if not (str(value).isdigit() or value in ("true", "false")):
            raise InputError(
                where, repr(value), "true, false, 0 or (a sysctl that is a level) another number"
            )
        return str(value) not in ("0", "false")
    if kind.startswith("int") and isinstance(value, str):
        if field.endswith("_us"):
            return parse_duration(value, where)
        if not value.lstrip("-").isdigit():
            raise InputError(where, repr(value), "a whole number")
        return int(value)
    return value
