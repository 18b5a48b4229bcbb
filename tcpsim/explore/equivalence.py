"""When two pairs are equal if time is ignored.

Owns: the key of a pair and of a segment on the path, for `untimed`. Refuses to know: which steps are possible
next.

The key contains which timers run, but not until when. It contains how often a segment was retransmitted,
because stacks count it, but not how long that took. It contains whether a timer that asks how long the peer
was silent will find the silence that it waits for. Other rules read a duration: a limit on retries that
stands for a time, PAWS after 24 days, the pace of delayed ACKs, the next ISN. They see only the history by
which a state was first reached. So a counterexample is a run that can happen, and "holds" means that the
property holds in every state that was explored.
"""

from __future__ import annotations

from collections.abc import Hashable

from tcpsim.app.program import Running
from tcpsim.pair import Machine, Pair
from tcpsim.path.path import Flight
from tcpsim.sockets import Call, Poll
from tcpsim.tcp import deadlines
from tcpsim.tcp.segment import ACK
from tcpsim.tcp.seqnum import diff, le
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import RECOVERY, Tcb

# measured, paced by the clock, or for people
_BLANK = {
    "srtt8", "mdev4", "mdev_max4", "rttvar4", "rtt_seq", "min_rtt_us", "rto_us", "backoff",
    "handshake_sent_us", "rack_us", "rack_end", "rack_rtt_us", "ato_us", "quick", "pingpong", "last_data_us",
    "last_oow_ack_us", "last_ack_us", "ts_offset", "ts_recent", "ts_recent_at_us", "cwnd", "cwnd_acked",
    "ssthresh", "snd_sml", "rcv_mss", "rcv_ssthresh", "closed_by", "rmem", "held", "scaling_ratio",
    "prior_cwnd", "prior_ssthresh", "prr_delivered", "prr_out", "undo_retrans", "frto",
    "window_clamp", "last_seg_size", "cwnd_limited", "max_packets_out", "cwnd_usage_seq", "pacing_rate",
    "right_sizing",
}  # fmt: skip
# counted from an ISN, or of interest only as long as something is outstanding
_NUMBERS = {
    "iss", "irs", "snd_una", "snd_nxt", "snd_wl1", "snd_wl2", "write_seq", "high_seq", "tlp_high_seq",
    "rcv_nxt", "rcv_wup", "sent", "ooo", "sack_order", "dsack", "held_ahead", "handshake_resent",
}  # fmt: skip
# of these it counts whether they run, not until or since when
_CLOCKS = (*deadlines.DEADLINES, "retrans_since_us", "probes_since_us")
_EXACT = tuple(name for name in Tcb.__slots__ if name not in {*_BLANK, *_NUMBERS, *_CLOCKS})


class Timeless:
    """A pair seen without its clock: sequence numbers count from the ISN of the newest socket on the ports.

    A number beyond what its sender has sent there belongs to an older connection; of such it is only known
    whether it lies behind or ahead.
    """

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.newest: list[dict[tuple[int, int], Tcb]] = []  # of each machine, from the client to the server
        for machine in pair.machines:
            live = [tcb for tcb in machine.system.end.sockets.values() if tcb.state != State.CLOSED]
            self.newest.append({(tcb.local_port, tcb.remote_port): tcb for tcb in live})

    def key(self) -> tuple[Hashable, ...]:
        """Pairs of equal key have the same moves."""
        found = [self.machine(at, machine) for at, machine in enumerate(self.pair.machines)]
        for leg, path in enumerate(self.pair.paths):
            found.append(frozenset([(each.receiver, self.segment(leg, each)) for each in path.flights]))
            found.append((path.shared, path.to_server, path.to_client))
        return tuple(found)

    def machine(self, at: int, machine: Machine) -> Hashable:
        """A machine of that number in the line, without its clock."""
        system, programs, up, back_us = machine
        end = system.end
        sockets = tuple(
            [
                (n, self.socket(at, tcb), deadlines.silences_met(tcb, end.stack))
                for n, tcb in end.sockets.items()
            ]
        )
        blocked = tuple(
            [(each.caller, _call(each.call), each.files, each.deadline_us is None) for each in system.blocked]
        )
        tables = tuple([(pid, tuple(table.items())) for pid, table in system.tables.items()])
        running = tuple(
            [
                (pid, r.program, r.pc, r.phase, r.fds, r.got, r.wake_us is None, r.until_us is None, _loop(r))
                for pid, r in programs
            ]
        )
        listeners = tuple(end.listeners.items())
        return sockets, listeners, tables, tuple(system.files.items()), blocked, running, up, back_us is None

    def socket(self, at: int, tcb: Tcb) -> Hashable:
        """A socket of the machine of that number."""
        if tcb.state == State.CLOSED:
            return (
                tcb.local_port,
                tcb.remote_port,
                tcb.state,
                tcb.accepted,
                tcb.orphaned,
                tcb.readable,
                tcb.so_error,
            )
        other = self.opposite(at, (tcb.remote_port, tcb.local_port))
        ours, theirs = tcb.iss, tcb.irs
        return (
            tuple([getattr(tcb, name) for name in _EXACT]),
            tcb.handshake_resent if tcb.state < State.ESTABLISHED else None,
            tuple([getattr(tcb, name) is not None for name in _CLOCKS]),
            diff(tcb.snd_una, ours), diff(tcb.snd_nxt, ours), diff(tcb.write_seq, ours),
            diff(tcb.rcv_nxt, theirs), diff(tcb.rcv_wup, theirs),
            diff(tcb.high_seq, ours) if tcb.ca_state >= RECOVERY else None,
            tcb.tlp_high_seq is None,
            tuple([(diff(r.seq, ours), diff(r.end, ours), r.flags, *r[5:]) for r in tcb.sent]),
            tuple([(diff(a, theirs), diff(b, theirs), fin) for a, b, fin in tcb.ooo]),
            None if other is None else (_sign(diff(other.iss, tcb.irs)), _sign(diff(other.irs, tcb.iss))),
        )  # fmt: skip

    def opposite(self, at: int, ports: tuple[int, int]) -> Tcb | None:
        """The newest socket of a neighbour on these ports; a port stands for the machine that has it."""
        neighbours = [each for each in (at - 1, at + 1) if 0 <= each < len(self.newest)]
        return next((self.newest[each][ports] for each in neighbours if ports in self.newest[each]), None)

    def segment(self, leg: int, flight: Flight) -> Hashable:
        """A segment in flight; of timestamps whether it is older than what its receiver knows."""
        _, to, seg = flight
        sender, hearer = (leg, leg + 1) if to == "server" else (leg + 1, leg)
        source = self.newest[sender].get((seg.src_port, seg.dst_port))
        target = self.newest[hearer].get((seg.dst_port, seg.src_port))
        val = seg.options.ts_val
        stale = target is not None and val is not None and diff(val, target.ts_recent) < 0
        return (
            seg.src_port, seg.dst_port, seg.flags, seg.len, seg.wnd > 0, stale,
            _place(seg.seq, source, target),
            _place(seg.ack, target, source) if seg.flags & ACK else None,
        )  # fmt: skip


def _call(call: Call) -> Call:
    """A call that waits; how long poll() waits is what is left of a relay's patience."""
    return call._replace(timeout_us=None) if isinstance(call, Poll) else call


def _loop(running: Running) -> Hashable:
    """What an event loop remembers, without its clock."""
    return None if running.memory is None else running.memory.key()[0]


def _place(number: int, sender: Tcb | None, receiver: Tcb | None) -> Hashable:
    """Where a number lies: in the space of its sender, or as the receiver knows that; else on which side."""
    spaces = []
    if sender is not None:
        spaces.append((sender.iss, sender.snd_nxt))
    if receiver is not None and receiver.state != State.SYN_SENT:
        spaces.append((receiver.irs, receiver.rcv_nxt))
    for first, last in spaces:
        if le(first, number) and le(number, last):
            return diff(number, first)
    return _sign(diff(number, spaces[0][0])) if spaces else None


def _sign(distance: int) -> int:
    return (distance > 0) - (distance < 0)
