"""A link: propagation delay, jitter, and a transmitter with a rate and a queue.

Owns: when a segment arrives, and whether the queue has room for it. Refuses to know: losses (loss,
rule_syntax) and anything below IP. The size of a segment is that of its IPv4 packet.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable
from dataclasses import dataclass, replace

from tcpsim.errors import InputError
from tcpsim.path.chance import Chooser
from tcpsim.path.distribution import Distribution
from tcpsim.path.element import Passage, Side
from tcpsim.tcp.segment import Segment

HEADER_BYTES = 40  # IPv4 and TCP without options (RFC 791 section 3.1, RFC 9293 section 3.1)


def wire_bytes(segment: Segment) -> int:
    """The size of the IPv4 packet: headers, options filled up to 32-bit words, payload.

    >>> wire_bytes(Segment(40000, 80, 16, 1, 1, 1000, 64240))
    1040
    """
    options = segment.options
    size = 0
    if options.mss is not None:
        size += 4
    if options.wscale is not None:
        size += 3
    if options.sack_permitted:
        size += 2
    if options.ts_val is not None:
        size += 10
    if options.sack:
        size += 2 + 8 * len(options.sack)
    size += options.layout.count("nop") + options.layout.count("eol")
    return HEADER_BYTES + (size + 3) // 4 * 4 + segment.len


@dataclass(frozen=True, slots=True)
class Link:
    """One direction of a line.

    A segment waits for the transmitter, takes size / rate on it, then `delay_us` and a drawn `jitter` on the
    way. Without jitter the order is kept; with jitter a segment may overtake another (as in netem). Without
    a rate the transmitter takes no time. `queue_packets` may wait, the one in transmission not counted; one
    more is lost.

    Departures are kept exactly: `leaving` holds, for each packet that has not left, the end of its
    transmission times the rate, an integer of microseconds x bit/s. Rounding (up) happens once, on arrival.
    """

    delay_us: int
    jitter: Distribution | None = None
    rate_bps: int | None = None
    queue_packets: int | None = None
    leaving: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, least in (("delay_us", 0), ("rate_bps", 1), ("queue_packets", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise InputError(f"link.{name}", value, f"an integer >= {least}")
        if self.queue_packets is not None and self.rate_bps is None:
            raise InputError(
                "link.queue_packets", self.queue_packets, "a queue only together with a rate_bps"
            )

    @property
    def plain(self) -> bool:
        """Every segment takes the same time, which is not none, and no other segment's matters."""
        return bool(self.delay_us) and self.rate_bps is None and self.jitter is None

    def carry(self, sender: Side, segment: Segment, at_us: int, chooser: Chooser) -> Passage:
        if self.rate_bps is None:
            link, sent_us = self, at_us
        else:
            now = at_us * self.rate_bps
            leaving = self.leaving[bisect_right(self.leaving, now) :]
            if self.queue_packets is not None and len(leaving) > self.queue_packets:
                return replace(self, leaving=leaving), (), "queue full"
            end = (leaving[-1] if leaving else now) + wire_bytes(segment) * 8 * 1_000_000
            # Only a limited queue has to know how many wait; for the transmitter the last one is enough.
            leaving = (end,) if self.queue_packets is None else (*leaving, end)
            link, sent_us = replace(self, leaving=leaving), -(-end // self.rate_bps)
        arrival_us = sent_us + self.delay_us
        if self.jitter is not None:
            arrival_us += chooser.draw(self.jitter)
        return link, ((arrival_us, segment),), ""

    def key(self, now_us: int) -> Hashable:
        """The line, with the time that each packet still takes to leave."""
        now = now_us * (self.rate_bps or 0)
        leaving = tuple([end - now for end in self.leaving if end > now])
        return self.delay_us, self.jitter, self.rate_bps, self.queue_packets, leaving
