"""The flow table of a NAT or a stateful firewall: it knows flows for some time and stops other segments.

Owns: the flows, when each one is forgotten, what happens to a segment, and the text about it. Refuses to
know: what a segment means to the endpoints, and the chooser, because it has no random events.

The middlebox stands in the middle of the path and sees both directions, so it belongs to `Path.shared`. There
a segment passes at the time at which it is sent. A middlebox half way along a path with equal delays sees all
segments half a delay later, so no difference of times changes. Losses before it are rules, or `OneWay`.

It has no timers. When the next segment comes, it compares the clock with the timeout of the flow. So
`next_time` of the path does not include it. A forgotten flow stays in the list, so that it can be reported.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from tcpsim.path.chance import Chooser
from tcpsim.path.conntrack import TABLE, Kind, Tracked, Unmoved, kind_of
from tcpsim.path.element import Passage, Side
from tcpsim.path.middlebox import Middlebox
from tcpsim.tcp.output import rst_for
from tcpsim.tcp.segment import Segment
from tcpsim.tcp.seqnum import MASK, diff
from tcpsim.units import format_duration

Origins = Mapping[tuple[int, int], tuple[int, int]]
"""Where the numbers of (client, server) count from, by their ports."""
_Both = tuple[int | None, int | None]  # of the client, of the server
TABLE_FULL: Final = "table full, dropping packet"  # as the kernel's log has it (__nf_conntrack_alloc)


class Flow(NamedTuple):
    """One connection as the box knows it. `opener` sent its first segment, by which directions are told."""

    client_port: int
    server_port: int
    opener: Side
    state: Tracked
    seen_us: int  # when a segment last counted for it
    limit_us: int  # how long it is remembered from then on
    replied: bool = False  # a segment came against the direction of the first
    both_opened: bool = False  # SYNs of both sides crossed
    closing: bool = False  # a FIN was seen
    reset_by: Side | None = None  # whose RST was the latest segment
    ends: _Both = (None, None)  # the highest number each side has sent, plus one
    unacked: tuple[bool, bool] = (False, False)  # whether that is still to be acknowledged
    last: tuple[Side, int, int, int, int] | None = None  # the latest acknowledgement, to count repetitions
    repeated: int = 0
    ignored: tuple[Side, int] | None = None  # a SYN just let through unbelieved: whose, and its end

    def known(self, at_us: int) -> bool:
        """Whether it is still remembered."""
        return at_us < self.seen_us + self.limit_us

    def counted_from(self, origin: tuple[int, int]) -> Flow:
        """The same with its numbers relative to `origin`, of the client's and of the server's."""
        client, server = origin
        ends = tuple(
            [end if end is None else (end - o) & MASK for end, o in zip(self.ends, origin, strict=True)]
        )
        last, ignored = self.last, self.ignored
        if last is not None:
            mine, theirs = (client, server) if last[0] == "client" else (server, client)
            seq, ack, end = (last[1] - mine) & MASK, (last[2] - theirs) & MASK, (last[3] - mine) & MASK
            last = last[0], seq, ack, end, last[4]
        if ignored is not None:
            ignored = ignored[0], (ignored[1] - (client if ignored[0] == "client" else server)) & MASK
        return self._replace(ends=(ends[0], ends[1]), last=last, ignored=ignored)

    def saw(self, state: Tracked, sender: Side, segment: Segment, at_us: int, box: Middlebox) -> Flow:
        """After a segment that counts, which brought it into `state`."""
        mine = 0 if sender == "client" else 1
        end = (segment.seq + segment.seg_len) & MASK
        ends, unacked = list(self.ends), list(self.unacked)
        highest = ends[mine]
        if highest is None or (segment.seg_len and diff(end, highest) > 0):
            ends[mine] = end
            unacked[mine] = highest is not None
        if segment.has_ack and segment.ack == ends[1 - mine]:
            unacked[1 - mine] = False
        last, repeated = self.last, self.repeated
        if kind_of(segment) == "ACK":
            now = (sender, segment.seq, segment.ack, end, segment.wnd)
            repeated = min(repeated + 1, box.max_retrans) if now == last else 0
            last = now
        after = self._replace(
            state=state, seen_us=at_us, ends=(ends[0], ends[1]), unacked=(unacked[0], unacked[1]),
            last=last, repeated=repeated, ignored=None,
            both_opened=self.both_opened or state is Tracked.SYN_SENT2,
            closing=self.closing or state is Tracked.FIN_WAIT,
            reset_by=sender if segment.rst else None,
        )  # fmt: skip
        limit_us = after._limit_us(box)  # Linux notes the first reply only after it has set the time
        return after._replace(limit_us=limit_us, replied=self.replied or sender != self.opener)

    def _limit_us(self, box: Middlebox) -> int:
        """How long silence may last now: by state, and shorter while something is not as it should be."""
        limit_us = box.limit_us(self.state)
        capped: int | None = None
        if self.repeated >= box.max_retrans:
            capped = box.max_retrans_us
        elif any(self.unacked) or (self.state is Tracked.ESTABLISHED and not self.replied):
            capped = box.unacknowledged_us
        return limit_us if capped is None else min(limit_us, capped)


@dataclass(frozen=True, slots=True)
class Tracker:
    """The box: a profile and the flows that it has met.

    `room`: how many more its table takes, where others share it; None: what the profile leaves.
    """

    box: Middlebox
    flows: tuple[Flow, ...] = ()
    room: int | None = None

    def remembered(self, at_us: int) -> tuple[Tracked, ...]:
        """The states of the flows that are known at a time, in the order of the table's states."""
        known = [flow.state for flow in self.flows if flow.known(at_us)]
        return tuple(sorted(known))

    def forgets_us(self, now_us: int) -> int | None:
        """When the next flow is forgotten, unless a segment comes before; None: there is none."""
        ends = [end for flow in self.flows if (end := flow.seen_us + flow.limit_us) > now_us]
        return min(ends, default=None)

    def full(self, at_us: int) -> bool:
        """Whether there is no place for another flow."""
        if self.room is not None:
            return self.room <= 0
        most = self.box.flows
        return most is not None and sum(flow.known(at_us) for flow in self.flows) >= most

    def carry(self, sender: Side, segment: Segment, at_us: int, chooser: Chooser) -> Passage:
        flow = self._flow(sender, segment)
        if flow is None or not flow.known(at_us):
            return self._begin(sender, segment, at_us, _forgotten(flow))
        kind, through = kind_of(segment), ((at_us, segment),)
        reply = sender != flow.opener
        after = TABLE["reply" if reply else "original", kind, flow.state]
        if after is Unmoved.INVALID:
            return self, (), f"{self.box.role}: {kind} is INVALID in {flow.state}"
        if after is Unmoved.IGNORE:
            return self._unbelieved(flow, kind, sender, segment, at_us)
        assert isinstance(after, Tracked)
        if after is Tracked.SYN_SENT and flow.state in (Tracked.TIME_WAIT, Tracked.CLOSE):
            if flow.closing or flow.reset_by == sender:  # a new connection on the same ports
                return self._begin(sender, segment, at_us, "no such flow")
            return self._unbelieved(flow, kind, sender, segment, at_us)
        if kind == "RST" and not flow.replied:
            rest = tuple([each for each in self.flows if each is not flow])
            return replace(self, flows=rest), through, ""  # refused at once: there never was a connection
        if reply and kind == "ACK" and after is Tracked.SYN_RECV and flow.both_opened:
            after = Tracked.ESTABLISHED  # in a simultaneous open both sides answer
        if kind == "ACK" and flow.state is Tracked.LAST_ACK and flow.ignored and flow.ignored[0] != sender:
            # a challenge to the SYN before it (RFC 5961), not the last ACK
            return self._with(flow._replace(ignored=None)), through, ""
        return self._with(flow.saw(after, sender, segment, at_us, self.box)), through, ""

    def answer(self, sender: Side, segment: Segment, at_us: int) -> Segment | None:
        """The RST that goes back for a segment of no known flow, if the box sends any."""
        flow = self._flow(sender, segment)
        if self.box.answers not in (sender, "both") or (flow is not None and flow.known(at_us)):
            return None
        if self._may_begin(sender, segment) and self.full(at_us):
            return None  # dropped before any rule has seen it
        return rst_for(segment)

    def key(self, now_us: int, origins: Origins) -> Hashable:
        """The box, and each flow with the time for which it is still remembered.

        Its numbers count from where those of the ends do. Where neither end knows the flow any more, they
        stand beside the time itself, from which the next ISN on its ports will be drawn.
        """
        flows: list[Hashable] = []
        for flow in self.flows:
            origin = origins.get((flow.client_port, flow.server_port))
            if not flow.known(now_us):  # nothing is left of it but what the ladder would say
                flows.append((flow.client_port, flow.server_port, flow.state, flow.limit_us))
            elif origin is None:
                flows.append((flow, now_us))
            else:
                flows.append(flow.counted_from(origin)._replace(seen_us=flow.seen_us - now_us))
        return self.box, tuple(flows), self.room

    def _unbelieved(self, flow: Flow, kind: Kind, sender: Side, segment: Segment, at_us: int) -> Passage:
        """A segment that does not fit but may be right: the ends know better than the box."""
        if not self.box.passes_ignored:
            return self, (), f"{self.box.role}: {kind} does not fit {flow.state}"
        through = ((at_us, segment),)
        flow = flow._replace(replied=flow.replied or sender != flow.opener, reset_by=None)
        if kind == "SYN":
            seen = flow._replace(ignored=(sender, (segment.seq + 1) & MASK))
            return self._with(seen), through, ""
        opener, end = flow.ignored or (sender, None)
        if kind == "SYN-ACK" and opener != sender and end == segment.ack:
            # It acknowledges the SYN: both ends agree on a new connection, so it is the box that was wrong.
            ends = (segment.ack, None) if opener == "client" else (None, segment.ack)
            fresh = Flow(*flow[:2], opener, Tracked.SYN_SENT, at_us, 0, ends=ends)
            return self._with(fresh.saw(Tracked.SYN_RECV, sender, segment, at_us, self.box)), through, ""
        return self._with(flow), through, ""

    def _begin(self, sender: Side, segment: Segment, at_us: int, why_not: str) -> Passage:
        """A segment of no known flow begins one, if it may."""
        state = TABLE["original", kind_of(segment), Tracked.NONE]
        if not self._may_begin(sender, segment) or not isinstance(state, Tracked):
            return self, (), f"{self.box.role}: {why_not}"
        ports = _ports(sender, segment)
        before = self._flow(sender, segment)
        replaced = before is not None and before.known(at_us)  # the new flow takes the place of the old one
        if not replaced and self.full(at_us):
            return self, (), f"{self.box.role}: {TABLE_FULL}"
        room = None if self.room is None else self.room - (not replaced)
        fresh = Flow(*ports, sender, Tracked.NONE, at_us, 0)
        begun = replace(self, room=room)._with(fresh.saw(state, sender, segment, at_us, self.box))
        return begun, ((at_us, segment),), ""

    def _may_begin(self, sender: Side, segment: Segment) -> bool:
        state = TABLE["original", kind_of(segment), Tracked.NONE]
        beginning = state is Tracked.SYN_SENT or (self.box.loose and isinstance(state, Tracked))
        return beginning and self.box.begins in (sender, "both")

    def _flow(self, sender: Side, segment: Segment) -> Flow | None:
        ports = _ports(sender, segment)
        return next((flow for flow in self.flows if flow[:2] == ports), None)

    def _with(self, flow: Flow) -> Tracker:
        """A flow as it is now, all of them in the order of their ports."""
        rest = [each for each in self.flows if each[:2] != flow[:2]]
        return replace(self, flows=tuple(sorted([*rest, flow], key=lambda each: each[:2])))


def _ports(sender: Side, segment: Segment) -> tuple[int, int]:
    """(the client's, the server's)."""
    if sender == "client":
        return segment.src_port, segment.dst_port
    return segment.dst_port, segment.src_port


def _forgotten(flow: Flow | None) -> str:
    if flow is None:
        return "no such flow"
    return f"forgotten after {format_duration(flow.limit_us)} in {flow.state}"
