"""Maps the sequence numbers and timestamps of a script to those of the endpoint, and back.

Owns: the mapping, and how it is learnt. Refuses to know: whether a packet is the expected one (compare).

The peer's numbers are those of the script, because its SYN sets its ISN. So what it sends, and what the
endpoint acknowledges or reports as SACK blocks, needs no mapping. The endpoint chooses its own ISN, and in a
script its first SYN has 0. A timestamp of the endpoint in the script stands for the real one in this place.
Only such a value can be echoed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tcpsim.conformance.packetdrill.script import Option, Place, ScriptError, Sequence, TcpPacket
from tcpsim.tcp.segment import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG, Options, Segment

MASK = 0xFFFF_FFFF
_BITS = {"F": FIN, "S": SYN, "R": RST, "P": PSH, "E": ECE, "W": CWR, ".": ACK, "U": URG}


class Flow(NamedTuple):
    """The two ports of the connection that the script's packets are about; None: not known yet."""

    local: int
    remote: int | None


class Numbers(NamedTuple):
    """What is known of one flow."""

    isn: int | None = None  # live; the script's is 0
    stamps: Mapping[int, int] = {}  # timestamps of the endpoint: script -> live
    first_stamp: tuple[int, int] | None = None  # script, live

    def script_seq(self, live: int) -> int:
        """One of the endpoint's sequence numbers as the script counts."""
        return (live - (self.isn or 0)) & MASK

    def live_seq(self, script: int) -> int:
        """The inverse of `script_seq`."""
        return (script + (self.isn or 0)) & MASK


def flag_bits(letters: str) -> int:
    """The control bits of a script's letters; A, of accurate ECN, has none here."""
    return sum(_BITS[letter] for letter in letters if letter in _BITS)


def flag_letters(flags: int) -> str:
    """Control bits as a script writes them.

    >>> flag_letters(SYN | ACK), flag_letters(0)
    ('S.', '-')
    """
    return "".join(letter for letter, bit in _BITS.items() if flags & bit) or "-"


def live_segment(packet: TcpPacket, numbers: Numbers, flow: Flow, place: Place) -> Segment:
    """What the peer sends when the script says `packet`."""
    source, destination = packet.ports or (flow.remote or 0, flow.local)
    ack = 0 if packet.ack is None else numbers.live_seq(packet.ack)
    options = _live_options(packet, numbers, place)
    start = packet.seq.start or 0
    return Segment(
        source, destination, flag_bits(packet.flags), start, ack, packet.seq.len, packet.win or 0, options
    )


def _live_options(packet: TcpPacket, numbers: Numbers, place: Place) -> Options:
    options = Options(layout=tuple(option.kind for option in packet.options or ()))
    for option in packet.options or ():
        if option.kind == "mss":
            options = options._replace(mss=option.values[0])
        elif option.kind == "wscale":
            options = options._replace(wscale=option.values[0])
        elif option.kind == "sackOK":
            options = options._replace(sack_permitted=True)
        elif option.kind == "TS":
            echo = _live_echo(option, packet, numbers, place)
            options = options._replace(ts_val=option.values[0], ts_ecr=echo)
        elif option.kind == "sack":
            edges = [numbers.live_seq(edge) for edge in option.values]
            options = options._replace(sack=tuple(zip(edges[::2], edges[1::2], strict=True)))
    return options


def _live_echo(option: Option, packet: TcpPacket, numbers: Numbers, place: Place) -> int:
    """The live timestamp that an ecr stands for; without ACK it means nothing (RFC 7323 3.2)."""
    ecr = option.values[1]
    if ecr in numbers.stamps:
        return numbers.stamps[ecr]
    if "." in packet.flags and ecr:
        raise ScriptError(place, f"unable to infer live TS ecr: the endpoint never sent TS val {ecr}")
    return ecr


def script_packet(segment: Segment, numbers: Numbers) -> TcpPacket:
    """A segment of the endpoint in the script's numbers."""
    start = numbers.script_seq(segment.seq)
    return TcpPacket(
        inbound=False,
        flags=flag_letters(segment.flags),
        seq=Sequence(start, (start + segment.len) & MASK, segment.len),
        ack=segment.ack if segment.has_ack else None,
        win=segment.wnd,
        options=tuple(_script_option(kind, segment.options, numbers) for kind in segment.options.layout),
    )


def _script_option(kind: str, options: Options, numbers: Numbers) -> Option:
    if kind == "mss":
        return Option(kind, (options.mss or 0,), f"mss {options.mss}")
    if kind == "wscale":
        return Option(kind, (options.wscale or 0,), f"wscale {options.wscale}")
    if kind == "TS":
        val = _script_stamp(options.ts_val or 0, numbers)
        return Option(kind, (val, options.ts_ecr or 0), f"TS val {val} ecr {options.ts_ecr}")
    if kind == "sack":
        edges = tuple(edge for block in options.sack for edge in block)
        return Option(kind, edges, "sack " + " ".join(f"{left}:{right}" for left, right in options.sack))
    return Option(kind, (), kind)


def _script_stamp(live: int, numbers: Numbers) -> int:
    if numbers.first_stamp is None:
        return live
    script, first = numbers.first_stamp
    return (live - first + script) & MASK


def learnt(numbers: Numbers, packet: TcpPacket, segment: Segment) -> Numbers:
    """What a matched packet tells: the endpoint's ISN, and which live timestamp the script's stands for."""
    fresh = numbers.isn is None or packet.seq.start is None
    if segment.syn and fresh:
        numbers = numbers._replace(isn=segment.seq)
    stamp = next((option.values[0] for option in packet.options or () if option.kind == "TS"), None)
    live = segment.options.ts_val
    if stamp is not None and live is not None:
        first = numbers.first_stamp or (stamp, live)
        numbers = numbers._replace(stamps={**numbers.stamps, stamp: live}, first_stamp=first)
    return numbers
