"""A run as captures in one file, one at each machine.

Owns: what each machine sees of a run, and what is said of it. Refuses to know: bytes (packet), blocks
(pcapng).

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

# Networks for documentation (RFC 5737, RFC 3849): the client's view, the server's, and that of all machines
# between. In each, hosts are numbered along the line: 1 is the client.
_IPV4: Final = ("192.0.2.", "198.51.100.", "203.0.113.")
_IPV6: Final = ("2001:db8:c::", "2001:db8:5::", "2001:db8:b::")
_APART: Final = 16  # from the hosts of one machine between to those of the next


def capture(
    events: Sequence[Event], stacks: dict[Side, str], title: str, application: str, ipv6: bool = False
) -> bytes:
    """The file: an interface for each machine, in the order of `stacks`."""
    sides = tuple(stacks)
    seen = _Seen(sides, ipv6)
    for event in events:
        seen.take(event)
    seen.rest()
    interfaces = [Interface(side, f"the {side}'s end ({stacks[side]})") for side in sides]
    packets = sorted(seen.packets, key=lambda each: each.t_us)  # of equal times the first stays first
    return written(interfaces, packets, application, title)


class _Seen:
    """What was seen so far at each end."""

    def __init__(self, sides: tuple[Side, ...], ipv6: bool) -> None:
        self.sides = sides
        self.ipv6 = ipv6
        self.packets: list[Packet] = []
        self.remarks: dict[Side, list[str]] = {side: [] for side in sides}
        self.last: dict[Side, int] = {}  # where the last packet of each end stands
        self.numbers: dict[Side, int] = dict.fromkeys(sides, 0)
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
                self.add(event, event.side, self.beyond(event), number)
            case Arrived():
                sender = self.beyond(event)
                self.add(event, sender, event.side, self.number(sender, event.segment))
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

    def beyond(self, event: Sent | Arrived) -> Side:
        """The machine at the other end of the path."""
        left, right = self.sides[event.leg : event.leg + 2]
        return right if event.side == left else left

    def add(self, event: Sent | Arrived, sender: Side, receiver: Side, number: int) -> None:
        """A packet as the machine of the event sees it, with what was to be remarked there."""
        here = event.side
        content = packet(event.segment, self.address(here, sender), self.address(here, receiver), number)
        self.last[here] = len(self.packets)
        self.packets.append(Packet(event.t_us, self.sides.index(here), content, tuple(self.remarks[here])))
        self.remarks[here] = []

    def address(self, here: Side, host: Side) -> Address:
        """Under which address a machine sees a host."""
        place, last = self.sides.index(here), len(self.sides) - 1
        network = 0 if place == 0 else 1 if place == last else 2
        number = 1 + self.sides.index(host) + (_APART * place if network == 2 else 0)
        return (
            IPv6Address(f"{_IPV6[network]}{number:x}")
            if self.ipv6
            else IPv4Address(f"{_IPV4[network]}{number}")
        )

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
