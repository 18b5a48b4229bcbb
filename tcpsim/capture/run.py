"""A run as two captures in one file, one at each end.

Owns: what each end sees of a run, and what is said of it. Refuses to know: bytes (packet), blocks (pcapng).

A segment is in the file twice, as it leaves its sender and as it reaches its receiver; one that is lost is
there once, with a comment. What happens at an end without a segment (a state, a timer) stands as a comment
on the next packet that this end sees, or on its last one.

The two views have addresses of their own, as if they were translated on the way. In one conversation a reader
of the file would take each arrival for a retransmission; in two, what it calls a retransmission is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from tcpsim.capture.packet import Address, packet
from tcpsim.capture.pcapng import Interface, Packet, written
from tcpsim.pair import (
    SIDES,
    Answered,
    Arrived,
    Event,
    Happened,
    Lost,
    Noted,
    Sent,
    Side,
    StateChanged,
    TimerFired,
)
from tcpsim.tcp.segment import Segment

# Networks for documentation (RFC 5737, RFC 3849), one for each end. Host 1 is the client, 2 the server.
_IPV4: Final = {"client": "192.0.2.", "server": "198.51.100."}
_IPV6: Final = {"client": "2001:db8:c::", "server": "2001:db8:5::"}


def capture(
    events: Sequence[Event], stacks: dict[Side, str], title: str, application: str, ipv6: bool = False
) -> bytes:
    """The file: interface 0 is the client's end, 1 the server's."""
    seen = _Seen(ipv6)
    for event in events:
        seen.take(event)
    seen.rest()
    interfaces = [Interface(side, f"the {side}'s end ({stacks[side]})") for side in SIDES]
    packets = sorted(seen.packets, key=lambda each: each.t_us)  # of equal times the first stays first
    return written(interfaces, packets, application, title)


class _Seen:
    """What was seen so far at each end."""

    def __init__(self, ipv6: bool) -> None:
        self.ipv6 = ipv6
        self.packets: list[Packet] = []
        self.remarks: dict[Side, list[str]] = {"client": [], "server": []}
        self.last: dict[Side, int] = {}  # where the last packet of each end stands
        self.numbers: dict[Side, int] = {"client": 0, "server": 0}
        self.identified: list[tuple[Side, Segment, int]] = []  # packets under way
        self.left: list[tuple[Side, Segment, int]] = []  # packets as they left, and where they stand

    def take(self, event: Event) -> None:
        """One event."""
        match event:
            case Sent():
                self.numbers[event.side] += 1
                number = self.numbers[event.side]
                self.identified += [(event.side, event.segment, number)] * len(event.arrives_us)
                self.left.append((event.side, event.segment, len(self.packets)))
                self.add(event.t_us, event.side, event.side, event.segment, number)
            case Arrived():
                sender: Side = "server" if event.side == "client" else "client"
                self.add(event.t_us, event.side, sender, event.segment, self.number(sender, event.segment))
            case Lost():
                self.lose(event.side, event.segment, f"lost: {event.why}")
            case Answered() if not event.arrives_us:
                self.remarks[event.side].append(f"lost: what the {event.who} answered")
            case StateChanged():
                old, new = event.old or "CLOSED", event.new or "CLOSED"
                self.remarks[event.side].append(f"{old} -> {new} ({event.what})")
            case TimerFired():
                self.remarks[event.side].append(f"{event.timer} timer")
            case Noted():
                self.remarks[event.side].append(event.what)
            case Happened():
                self.remarks[event.side].append(event.what)

    def lose(self, side: Side, segment: Segment, remark: str) -> None:
        """A remark on the latest packet that left with this segment; that of a box left from no end."""
        for sender, sent, place in reversed(self.left):
            if sender == side and sent == segment:
                here = self.packets[place]
                self.packets[place] = here._replace(comments=(*here.comments, remark))
                return

    def add(self, t_us: int, end: Side, sender: Side, segment: Segment, number: int) -> None:
        """A packet at one end, with what was to be remarked there."""
        receiver: Side = "server" if sender == "client" else "client"
        content = packet(segment, self.address(end, sender), self.address(end, receiver), number)
        self.last[end] = len(self.packets)
        self.packets.append(Packet(t_us, SIDES.index(end), content, tuple(self.remarks[end])))
        self.remarks[end] = []

    def address(self, end: Side, host: Side) -> Address:
        """Under which address an end sees a host."""
        number = 1 + SIDES.index(host)
        return IPv6Address(f"{_IPV6[end]}{number}") if self.ipv6 else IPv4Address(f"{_IPV4[end]}{number}")

    def number(self, sender: Side, segment: Segment) -> int:
        """The identification under which it was sent; 0 for one that a middlebox made."""
        for place, (side, sent, number) in enumerate(self.identified):
            if side == sender and sent == segment:
                del self.identified[place]
                return number
        return 0

    def rest(self) -> None:
        """What was remarked after the last packet."""
        for end, lines in self.remarks.items():
            if lines and end in self.last:
                here = self.packets[self.last[end]]
                told = tuple(f"afterwards: {line}" for line in lines)
                self.packets[self.last[end]] = here._replace(comments=(*here.comments, *told))
