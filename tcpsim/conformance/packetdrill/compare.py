"""Compares a segment of the endpoint with the packet that the script expects.

Owns: which fields are compared, in which order, and how a difference is worded. Refuses to know: when
(times), and which segment is compared with which packet (expect).

The words are packetdrill's own, so that a script that has to fail (``// Failure:``) fails with the
message that its author saw.
"""

from __future__ import annotations

from tcpsim.conformance.packetdrill.number_mapping import Numbers, flag_bits, script_packet
from tcpsim.conformance.packetdrill.script import Option, TcpPacket
from tcpsim.tcp.segment import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG, Segment

_FLAGS = (
    ("fin", FIN), ("syn", SYN), ("rst", RST), ("psh", PSH), ("ack", ACK), ("urg", URG),
    ("ece", ECE), ("cwr", CWR),
)  # fmt: skip
_HALF = 1 << 31


def difference(
    expected: TcpPacket, segment: Segment, numbers: Numbers, tick_us: int, tolerance_us: int
) -> str | None:
    """The first field that differs, or None. Payload sizes are the caller's (a burst may come in parts)."""
    if segment.syn and numbers.isn is None:
        numbers = numbers._replace(isn=segment.seq)  # the first SYN is 0
    actual = script_packet(segment, numbers)
    if expected.seq.start is not None and expected.seq.start != actual.seq.start:
        return _field("tcp_seq", expected.seq.start, actual.seq.start or 0)
    ack = segment.ack if expected.ack is None else expected.ack
    if expected.ack is None and "." in expected.flags:
        ack = 0
    if ack != segment.ack:
        return _field("tcp_ack_seq", ack, segment.ack)
    bits = flag_bits(expected.flags)
    for name, bit in _FLAGS:
        if (bits ^ segment.flags) & bit:
            return _field(f"tcp_{name}", int(bool(bits & bit)), int(bool(segment.flags & bit)))
    if expected.win is not None and expected.win != segment.wnd:
        return _field("tcp_window", expected.win, segment.wnd)
    if expected.urgent:
        return _field("tcp_urg_ptr", expected.urgent, 0)
    if expected.options is None:
        return None
    return _options_differ(expected.options, actual.options or (), numbers, tick_us, tolerance_us)


def _field(name: str, expected: int, actual: int) -> str:
    return f"live packet field {name}: expected: {expected} ({expected:#x}) vs actual: {actual} ({actual:#x})"


def _options_differ(
    expected: tuple[Option, ...],
    actual: tuple[Option, ...],
    numbers: Numbers,
    tick_us: int,
    tolerance_us: int,
) -> str | None:
    """The list and its order are compared exactly; of a timestamp the value alone, if its tick is known."""
    if tuple(option.kind for option in expected) != tuple(option.kind for option in actual):
        return f"bad outbound TCP options: expected <{_list(expected)}> vs actual <{_list(actual)}>"
    for index, (wanted, got) in enumerate(zip(expected, actual, strict=True)):
        if wanted.kind == "TS":
            if _stamps_differ(wanted.values[0], got.values[0], numbers, tick_us, tolerance_us):
                return (
                    f"bad outbound TCP timestamp value: expected {wanted.values[0]} vs actual {got.values[0]}"
                )
        elif wanted.values != got.values:
            return (
                f"bad value outbound TCP option {index + 1}: expected <{wanted.text}> vs actual <{got.text}>"
            )
    return None


def _list(options: tuple[Option, ...]) -> str:
    return ",".join(option.text for option in options)


def _stamps_differ(wanted: int, got: int, numbers: Numbers, tick_us: int, tolerance_us: int) -> bool:
    """Relative to the first timestamp, within the tolerance of times, and never finer than one tick."""
    if not tick_us or numbers.first_stamp is None:
        return False
    apart = (wanted - got + _HALF) % (2 * _HALF) - _HALF
    return abs(apart) > 1 and abs(apart) * tick_us > tolerance_us
