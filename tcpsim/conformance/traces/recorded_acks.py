"""Acknowledgements of a recording in which a program ran while a burst arrived.

Owns: the element of the path that takes out what the kernel did not send. Refuses to know: in which
recordings that is necessary (not_compared), and when a segment arrives (recorded_line).

A segment that arrives while a program holds the socket waits for the program, together with the next ones:
they are merged (tcp_add_backlog), and one ACK answers all of them (tcp_backlog_ack_defer). How many a
kernel merged differs from run to run, and the trace shows it. The peer reacts to each ACK that it hears,
for example a closed socket with a RST. So a replay lets through the ACKs that the kernel sent, and takes
out those for which it sent a later one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tcpsim.conformance.traces.lateness import EARLY_US, LATE_US
from tcpsim.conformance.traces.observation import Packet, relative
from tcpsim.conformance.traces.schema import Trace
from tcpsim.path import Chooser, Side
from tcpsim.path.element import Passage
from tcpsim.tcp.segment import ACK, Segment

MERGED = "merged with what came later"


@dataclass(frozen=True, slots=True)
class AsAcknowledged:
    """The segments of `sender` on its first connection; `said` in their order, of which `count` have passed.

    `peer_isn` is known once the peer's SYN has passed; `resets_us` are the times at which a RST reached it.
    """

    sender: Side
    said: tuple[Packet, ...]
    resets_us: tuple[int, ...]
    count: int = 0
    peer_isn: int | None = None

    def carry(self, sender: Side, segment: Segment, at_us: int, chooser: Chooser) -> Passage:
        passes: Passage = self, ((at_us, segment),), ""
        if sender != self.sender and segment.syn and self.peer_isn is None:
            return replace(self, peer_isn=segment.seq), ((at_us, segment),), ""
        ack = relative(segment.ack, self.peer_isn)
        if sender != self.sender or segment.flags != ACK or segment.len or ack is None:
            return passes
        for place in range(self.count, len(self.said)):
            told = self.said[place]
            if told.ack is None or not at_us - EARLY_US <= told.t_us <= at_us + LATE_US:
                continue
            if told.pure_ack and told.ack == ack:
                return replace(self, count=place + 1), ((at_us, segment),), ""
            later = told.ack > ack or (told.ack == ack and not told.pure_ack)
            if later and told.t_us >= at_us:
                return self, (), MERGED
        # what was sent since answers this as well, although it was counted for another
        answered = any(
            told.ack is not None and told.ack >= ack and at_us <= told.t_us <= at_us + LATE_US
            for told in self.said[: self.count]
        )
        reset = any(0 <= reset_us - at_us <= LATE_US for reset_us in self.resets_us)
        return (self, (), MERGED) if reset or answered else passes


def as_acknowledged(sender: Side, trace: Trace) -> AsAcknowledged:
    """The element for the segments of one sender."""
    said = [each for each in trace.seen.packets if each.sender == sender and each.conn == 0]
    resets = [each.out_us for each in trace.carried if each.sender != sender and "R" in each.flags]
    return AsAcknowledged(sender, tuple(said), tuple(resets))
