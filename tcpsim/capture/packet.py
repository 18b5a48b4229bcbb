"""A segment as bytes: the TCP header and its options (RFC 9293 3.1), in an IPv4 or IPv6 packet.

Owns: the layout and the checksums. Refuses to know: files (pcapng), and what a segment means. The payload is
zeros: the simulation counts bytes and carries none.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from struct import pack
from typing import Final

from tcpsim.tcp.segment import Options, Segment

Address = IPv4Address | IPv6Address

_TCP: Final = 6
_HOPS: Final = 64
_DO_NOT_FRAGMENT: Final = 0x4000
_PLAIN = {"nop": b"\x01", "eol": b"\x00"}


def packet(segment: Segment, source: Address, destination: Address, number: int = 0) -> bytes:
    """The IP packet; `number` is the identification of an IPv4 packet."""
    options = option_bytes(segment.options)
    words = 5 + len(options) // 4
    header = pack(
        ">HHIIBBHHH",
        segment.src_port,
        segment.dst_port,
        segment.seq,
        segment.ack,
        words << 4,
        segment.flags,
        segment.wnd,
        0,
        0,
    )
    tcp = header + options + bytes(segment.len)
    pseudo = source.packed + destination.packed + _upper(source, len(tcp))
    tcp = tcp[:16] + pack(">H", checksum(pseudo + tcp)) + tcp[18:]
    return _ip(source, destination, number, len(tcp)) + tcp


def option_bytes(options: Options) -> bytes:
    """The option list, in the order and with the padding of its layout."""
    found = []
    for name in options.layout:
        if name in _PLAIN:
            found.append(_PLAIN[name])
        elif name == "mss":
            found.append(pack(">BBH", 2, 4, options.mss))
        elif name == "wscale":
            found.append(pack(">BBB", 3, 3, options.wscale))
        elif name == "sackOK":
            found.append(pack(">BB", 4, 2))
        elif name == "TS":
            found.append(pack(">BBII", 8, 10, options.ts_val, options.ts_ecr or 0))
        elif name == "sack":
            found.append(pack(">BB", 5, 2 + 8 * len(options.sack)))
            found += [pack(">II", left, right) for left, right in options.sack]
    listed = b"".join(found)
    return listed + bytes(-len(listed) % 4)


def checksum(content: bytes) -> int:
    """The Internet checksum (RFC 1071).

    >>> hex(checksum(bytes.fromhex("0001f203f4f5f6f7")))
    '0x220d'
    """
    padded = content + b"\x00" * (len(content) % 2)
    total = sum(int.from_bytes(padded[at : at + 2], "big") for at in range(0, len(padded), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _upper(source: Address, size: int) -> bytes:
    """The rest of the pseudo-header: the length and the protocol (RFC 9293 3.1)."""
    return pack(">II", size, _TCP) if source.version == 6 else pack(">BBH", 0, _TCP, size)


def _ip(source: Address, destination: Address, number: int, size: int) -> bytes:
    if source.version == 6:
        return pack(">IHBB", 6 << 28, size, _TCP, _HOPS) + source.packed + destination.packed
    plain = (
        pack(">BBHHHBBH", 0x45, 0, 20 + size, number & 0xFFFF, _DO_NOT_FRAGMENT, _HOPS, _TCP, 0)
        + source.packed
        + destination.packed
    )
    return plain[:10] + pack(">H", checksum(plain)) + plain[12:]
