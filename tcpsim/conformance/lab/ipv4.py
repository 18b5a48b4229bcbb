"""IPv4 packets from a TUN device, converted into the simulator's segments.

Owns: reading headers (RFC 791 section 3.1, RFC 9293 section 3.1) and options. Refuses to know: what happens
to a packet. Its payload is forwarded unread. Checksums are the kernel's.
"""

from __future__ import annotations

import struct

from tcpsim.tcp.segment import Options, Segment

_TCP = 6
_HEADER = struct.Struct("!HHIIBBHHH")
_EOL, _NOP, _MSS, _WSCALE, _SACK_PERMITTED, _SACK, _TIMESTAMPS = 0, 1, 2, 3, 4, 5, 8
_KNOWN_FLAGS = 0x3F  # ECN's two are not modelled and not switched on


def protocol(packet: bytes) -> int | None:
    """The protocol number of an IPv4 packet; None: not IPv4."""
    return packet[9] if len(packet) >= 20 and packet[0] >> 4 == 4 else None


def segment_of(packet: bytes) -> Segment | None:
    """The TCP segment in an IPv4 packet; None if there is none."""
    if protocol(packet) != _TCP:
        return None
    start, total = (packet[0] & 15) * 4, struct.unpack_from("!H", packet, 2)[0]
    source, target, seq, ack, offset, flags, window, _, _ = _HEADER.unpack_from(packet, start)
    header = (offset >> 4) * 4
    options = _options(packet[start + _HEADER.size : start + header])
    octets = total - start - header
    return Segment(source, target, flags & _KNOWN_FLAGS, seq, ack, octets, window, options)


def _options(octets: bytes) -> Options:
    found = Options()
    place = 0
    while place < len(octets) and octets[place] != _EOL:
        if octets[place] == _NOP:
            place += 1
            continue
        kind, length = octets[place], octets[place + 1]
        value = octets[place + 2 : place + length]
        if kind == _MSS:
            found = found._replace(mss=int.from_bytes(value, "big"))
        elif kind == _WSCALE:
            found = found._replace(wscale=value[0])
        elif kind == _SACK_PERMITTED:
            found = found._replace(sack_permitted=True)
        elif kind == _TIMESTAMPS:
            ts_val, ts_ecr = struct.unpack("!II", value)
            found = found._replace(ts_val=ts_val, ts_ecr=ts_ecr)
        elif kind == _SACK:
            edges = struct.unpack(f"!{len(value) // 4}I", value)
            found = found._replace(sack=tuple(zip(edges[::2], edges[1::2], strict=True)))
        place += max(length, 2)
    return found
