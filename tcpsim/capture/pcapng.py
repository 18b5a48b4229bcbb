"""The pcapng file format, as far as a run needs it (draft-ietf-opsawg-pcapng).

Owns: blocks and options, little-endian. Refuses to know: what is in a packet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import pack
from typing import Final, NamedTuple

RAW: Final = 101  # LINKTYPE_RAW: a packet begins with its IPv4 or IPv6 header

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_MAGIC: Final = 0x1A2B3C4D
_COMMENT, _NAME, _DESCRIPTION, _RESOLUTION, _APPLICATION = 1, 2, 3, 9, 4
_MICROSECONDS: Final = 6


class Interface(NamedTuple):
    """Where packets were seen."""

    name: str
    description: str


class Packet(NamedTuple):
    """One packet as one interface saw it. Comments are lines for people."""

    t_us: int
    interface: int
    content: bytes
    comments: tuple[str, ...] = ()


def written(
    interfaces: Sequence[Interface], packets: Iterable[Packet], application: str, comment: str
) -> bytes:
    """The file."""
    head = [(_COMMENT, comment.encode()), (_APPLICATION, application.encode())]
    blocks = [_block(_SECTION, pack("<IHHq", _MAGIC, 1, 0, -1), head)]
    for each in interfaces:
        options = [
            (_NAME, each.name.encode()),
            (_DESCRIPTION, each.description.encode()),
            (_RESOLUTION, bytes([_MICROSECONDS])),
        ]
        blocks.append(_block(_INTERFACE, pack("<HHI", RAW, 0, 0), options))
    for packet in packets:
        size = len(packet.content)
        body = pack("<IIIII", packet.interface, packet.t_us >> 32, packet.t_us & 0xFFFFFFFF, size, size)
        comments = [(_COMMENT, line.encode()) for line in packet.comments]
        blocks.append(_block(_PACKET, body + _padded(packet.content), comments))
    return b"".join(blocks)


def _block(kind: int, body: bytes, options: Sequence[tuple[int, bytes]]) -> bytes:
    listed = b"".join(pack("<HH", code, len(value)) + _padded(value) for code, value in options)
    if options:
        listed += pack("<HH", 0, 0)
    size = 12 + len(body) + len(listed)
    return pack("<II", kind, size) + body + listed + pack("<I", size)


def _padded(value: bytes) -> bytes:
    """Filled up to whole 32-bit words."""
    return value + bytes(-len(value) % 4)
