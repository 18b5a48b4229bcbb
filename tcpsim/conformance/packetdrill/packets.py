"""The grammar of packets: ``dir [ip-info] flags seq:end(len) [ack N] [win N] [urg N] [<options>]`` and ICMP.

Owns: reading one packet. Refuses to know: events and times (parser), and what the numbers mean
(number_mapping).
"""

from __future__ import annotations

import re

from tcpsim.conformance.packetdrill.cursor import Cursor
from tcpsim.conformance.packetdrill.icmp import TYPES
from tcpsim.conformance.packetdrill.script import (
    IcmpPacket,
    Option,
    ScriptError,
    Sequence,
    TcpPacket,
    Unsupported,
)
from tcpsim.tcp.options import SIZE

_FLAGS = re.compile(r"[SFRPEWUA.]+(?![A-Za-z0-9_])|-")
_ANY_SEQUENCE = re.compile(r"\.\.\.\s*(?=\()")
_PORTS = re.compile(r"([0-9]+)\s*>\s*([0-9]+)")
_OTHER = re.compile(r"(udp|sctp|gre|mpls|ipv4|ipv6|gue|vxlan|geneve)\b", re.IGNORECASE)
_LIST_END = re.compile(r"[^\]]*")
_BRACKET_OF_NUMBERS = re.compile(r"\[\s*[0-9.]")
_ARGUMENT = re.compile(r"[^,<>]*")
_INTERVAL = re.compile(r"([0-9]+)\s*:\s*([0-9]+)")
_CODE = re.compile(r"[a-z][a-z_0-9]*")  # whether the type has it, icmp says
_ICMP_WORD = re.compile(r"[a-z_]+|[0-9]+")
_MODULUS = 1 << 32


def packet(cursor: Cursor, inbound: bool) -> TcpPacket | IcmpPacket:
    """What stands behind ``<`` or ``>``."""
    ip: tuple[str, ...] = ()
    quoted: Sequence | None = None
    while cursor.sees("["):
        if cursor.peek(_BRACKET_OF_NUMBERS):
            quoted = _quoted(cursor)
        else:
            ip += _ip_info(cursor)
    if cursor.keyword("icmp") or cursor.keyword("icmpv6"):
        return _icmp(cursor, inbound, ip, quoted)
    other = cursor.peek(_OTHER)
    if other is not None:
        raise Unsupported(cursor.place(), f"{other[1].lower()} packets")
    ports = None
    if cursor.peek(_PORTS):
        ports = (cursor.number("port", 1, 65535), _after_arrow(cursor))
    place = cursor.place()
    flags = cursor.match(_FLAGS)
    if flags is None:
        raise cursor.wrong("the flags of a packet (S F R P U E W . or -)")
    letters = flags[0]
    if len(set(letters)) != len(letters):
        raise ScriptError(place, f"parse error at {letters!r}: a flag is there twice")
    seq = _sequence(cursor)
    ack = cursor.number("TCP ack sequence number") if cursor.keyword("ack") else None
    win = cursor.number("TCP window value", 0, 65535) if cursor.keyword("win") else None
    urgent = cursor.number("urgent pointer", 0, 65535) if cursor.keyword("urg") else None
    place = cursor.place()
    options = _options(cursor)
    if options is None and inbound:
        raise ScriptError(place, "<...> for TCP options can only be used with outbound packets")
    excess = sum(_octets(option) for option in options or ()) % 4
    if excess:
        words = "TCP options are not padded correctly with EOL or NOP to multiple of 4 bytes"
        raise ScriptError(place, f"{words}: {excess} excess bytes")
    if seq.start is None and inbound:
        raise ScriptError(place, "...(N) can only be used with outbound packets")
    return TcpPacket(inbound, letters, seq, ack, win, urgent, options, ip, ports)


def _after_arrow(cursor: Cursor) -> int:
    cursor.expect(">")
    return cursor.number("port", 1, 65535)


def _quoted(cursor: Cursor) -> Sequence:
    cursor.expect("[")
    seq = _sequence(cursor)
    cursor.expect("]")
    return seq


def _ip_info(cursor: Cursor) -> tuple[str, ...]:
    """``[noecn]``, ``[ect0]``, ``[tos 0x2, ttl 64]``: the words, as written."""
    cursor.expect("[")
    place = cursor.place(cursor.at - 1)
    found = cursor.match(_LIST_END)
    words = tuple(found[0].replace(",", " ").split()) if found else ()
    if not cursor.take("]") or not words:
        raise ScriptError(place, "parse error: expected [ip-info], such as [noecn] or [ttl 64]")
    return words


def _sequence(cursor: Cursor) -> Sequence:
    """``1:1001(1000)``, whose parts have to agree, or ``...(0)``."""
    if cursor.match(_ANY_SEQUENCE):
        return Sequence(None, 0, _length(cursor))
    place = cursor.place()
    start = cursor.number("TCP sequence number")
    cursor.expect(":")
    end = cursor.number("TCP sequence number")
    length = _length(cursor)
    if (start + length) % _MODULUS != end:
        raise ScriptError(place, "inconsistent TCP sequence numbers and payload size")
    return Sequence(start, end, length)


def _length(cursor: Cursor) -> int:
    cursor.expect("(")
    length = cursor.number("TCP payload size", 0, 65535)
    cursor.expect(")")
    return length


def _options(cursor: Cursor) -> tuple[Option, ...] | None:
    """``<...>`` is None; nothing, and ``<>``, the empty list. (The next event begins with a time.)"""
    if not cursor.take("<"):
        return ()
    if cursor.take("..."):
        cursor.expect(">")
        return None
    options: list[Option] = []
    while not cursor.take(">"):
        if options:
            cursor.expect(",")
        options.append(_option(cursor))
    return tuple(options)


def _option(cursor: Cursor) -> Option:
    cursor.skip()
    start = cursor.at
    place = cursor.place()
    kind = cursor.word("a TCP option (mss, sackOK, TS, nop, eol, wscale, sack)")
    values: tuple[int, ...] = ()
    if kind == "mss":
        values = (cursor.number("mss value", 0, 65535),)
    elif kind == "wscale":
        values = (cursor.number("window scale shift count", 0, 255),)
    elif kind in ("TS", "ts"):
        if not cursor.keyword("val"):
            raise cursor.wrong("'val'")
        value = cursor.number("ts val")
        if not cursor.keyword("ecr"):
            raise cursor.wrong("'ecr'")
        kind, values = "TS", (value, cursor.number("ts ecr"))
    elif kind == "sack":
        while found := cursor.match(_INTERVAL):
            if max(len(found[1]), len(found[2])) > 10:
                raise ScriptError(place, f"SACK edge out of range: {found[0]}")
            values += (int(found[1]) % _MODULUS, int(found[2]) % _MODULUS)
        if not values:
            raise cursor.wrong("the blocks of a SACK option, such as 1:1001")
    elif kind not in ("nop", "eol", "sackOK"):
        cursor.match(_ARGUMENT)
        if kind not in ("FO", "FOEXP", "md5", "exp", "unknown", "ACCECN", "mptcp"):
            raise ScriptError(place, f"unknown TCP option {kind!r}")
    return Option(kind, values, " ".join(cursor.text[start : cursor.at].split()))


def _octets(option: Option) -> int:
    """The size of an option; one that the endpoint does not speak is taken for padded."""
    return 2 + 4 * len(option.values) if option.kind == "sack" else SIZE.get(option.kind, 0)


def _icmp(cursor: Cursor, inbound: bool, ip: tuple[str, ...], quoted: Sequence | None) -> IcmpPacket:
    """``icmp unreachable port_unreachable [0:0(0)]``; the quoted range may stand in front as well."""
    found = cursor.match(_ICMP_WORD)
    if found is None or found[0] not in TYPES:
        raise cursor.wrong("an ICMP type, such as unreachable")
    code, mtu = "", None
    while True:
        if cursor.keyword("mtu"):
            mtu = cursor.number("ICMP mtu", 0, 65535)
        elif cursor.peek(_BRACKET_OF_NUMBERS):
            quoted = _quoted(cursor)
        elif not code and (named := cursor.match(_CODE)):
            code = named[0]
        else:
            return IcmpPacket(inbound, found[0], code, mtu, quoted, ip)
