"""Packets in and out: inbound packets are injected, and outbound ones are claimed by the next ``>``.

Owns: which segment is compared, how one packet of the script covers a burst, and what can be neither sent nor
expected. Refuses to know: single fields (compare), and the mapping of numbers (number_mapping).
"""

from __future__ import annotations

from tcpsim.conformance.packetdrill.bench import Sent
from tcpsim.conformance.packetdrill.compare import difference
from tcpsim.conformance.packetdrill.context import Stage, seconds
from tcpsim.conformance.packetdrill.icmp import message_of
from tcpsim.conformance.packetdrill.number_mapping import (
    MASK,
    Flow,
    flag_bits,
    flag_letters,
    learnt,
    live_segment,
    script_packet,
)
from tcpsim.conformance.packetdrill.script import IcmpPacket, Place, TcpPacket, Unsupported, When, spelt
from tcpsim.conformance.packetdrill.verdict import Failed
from tcpsim.tcp.segment import FIN, PSH, Segment

REMOTE_PORT = 40_001  # of a peer that connects to the endpoint
_PATIENCE_US = 7 * 86_400_000_000  # for a packet at any time "*": longer than any timer of a stack
_IP_WORDS = {"noecn", "ect0", "ect1", "ect01", "ce", "tos", "ttl", "flowlabel"}
_OPTIONS = {"mss", "wscale", "sackOK", "TS", "nop", "eol", "sack"}


def inject(stage: Stage, packet: TcpPacket, place: Place) -> None:
    """The peer sends a segment."""
    _speaks(packet, place)
    if packet.ports is not None:
        ports = Flow(packet.ports[1], packet.ports[0])
        if ports != stage.flow:
            stage.follow(ports)
    elif stage.flow.remote is None:
        stage.flow = stage.flow._replace(remote=REMOTE_PORT)
    tcb = stage.bench.tcb(*stage.flow)
    if tcb is not None and tcb.ecn_on and "ce" in packet.ip:
        raise Unsupported(place, "marks of congestion (ECN is negotiated, and no more)")
    segment = live_segment(packet, stage.numbers, stage.flow, place)
    stage.injected(packet, place.line)
    stage.bench.deliver(segment)


def inject_icmp(stage: Stage, packet: IcmpPacket, place: Place) -> None:
    """The network reports on the segment at the quoted number; without one, on the first."""
    message = message_of(packet, stage.settings.ip_version, place)
    if message is None:
        return  # it is no concern of TCP's
    quoted = 0 if packet.quoted is None else packet.quoted.start or 0
    isn = stage.numbers.isn
    seq = stage.numbers.live_seq(quoted) if isn is not None else quoted
    room = None if packet.mtu is None else stage.settings.mss_over(packet.mtu)
    stage.bench.icmp(stage.flow.local, stage.flow.remote or 0, seq, message, room)


def _speaks(packet: TcpPacket, place: Place) -> None:
    """Raise Unsupported for what the endpoint has no notion of."""
    for word in packet.ip:
        if word.lower() not in _IP_WORDS and not word[0].isdigit():
            raise Unsupported(place, f"ip-info [{word}]")
    for option in packet.options or ():
        if option.kind not in _OPTIONS:
            raise Unsupported(place, f"TCP option {option.text}")
    if "A" in packet.flags:
        raise Unsupported(place, "accurate ECN (flag A)")
    if not packet.inbound:
        beyond = [word for word in packet.ip if word.lower() != "noecn"]
        if beyond:
            raise Unsupported(place, "fields of the IP header of what the endpoint sends, ECN's too")
    if packet.inbound and packet.win is None:
        raise Unsupported(place, "an inbound packet without a window ('win N')")


def expect(stage: Stage, packet: TcpPacket, when: When, expected_us: int, place: Place) -> None:
    """The next segment of this flow that nobody has claimed has to be this packet, and in time.

    One packet may be a burst: segments that follow each other, of one size but the last. FIN is on the last
    alone, and so is PSH where a device cuts a burst; where the stack does it, PSH ends each chunk.
    """
    _speaks(packet, place)
    if packet.ports is not None:
        ports = Flow(*packet.ports)
        if ports != stage.flow:
            stage.follow(ports)
    limit_us = _limit_us(stage, when, expected_us)
    rest, first = packet.seq.len, None
    seq = packet.seq.start
    while True:
        sent = _next_sent(stage, max(limit_us, stage.bench.now_us))
        if sent is None or sent.t_us > limit_us:
            raise _nothing(packet, place, expected_us, limit_us)
        sent.line = place.line
        size = sent.segment.len
        first = size if first is None else first
        part = _part(packet, sent.segment, seq, rest)
        _judge(stage, part, packet, sent, place)
        if size > rest or size > first or (size == 0 and rest) or (size < first and size < rest):
            raise _differs(
                stage,
                packet,
                sent,
                place,
                f"live packet payload: expected {rest} bytes vs actual {size} bytes",
            )
        if not when.any:
            until_us = None if when.until_us is None else when.until_us - when.us + expected_us
            stage.check_time(place, "outbound packet", expected_us, sent.t_us, until_us)
        stage.numbers = learnt(stage.numbers, packet, sent.segment)
        rest -= size
        if not rest:
            return
        seq = (stage.numbers.script_seq(sent.segment.seq) + size) & MASK


def _limit_us(stage: Stage, when: When, expected_us: int) -> int:
    """How long to wait for a segment."""
    if when.any:
        return stage.bench.now_us + _PATIENCE_US
    last_us = expected_us + ((when.until_us or when.us) - when.us)
    return last_us + stage.settings.slack_us(expected_us - stage.before_us)


def _next_sent(stage: Stage, limit_us: int) -> Sent | None:
    """The next segment of the flow; those of other connections are not the script's business."""
    while True:
        while stage.bench.unseen:
            sent = stage.bench.unseen.popleft()
            if _belongs(sent.segment, stage.flow):
                return sent
        if not stage.bench.step(limit_us):
            return None


def _belongs(segment: Segment, flow: Flow) -> bool:
    return segment.src_port == flow.local and flow.remote in (None, segment.dst_port)


def _part(packet: TcpPacket, segment: Segment, seq: int | None, rest: int) -> TcpPacket:
    """What this segment of a burst has to look like."""
    wanted = packet._replace(seq=packet.seq._replace(start=seq))
    if segment.len < rest:
        bits = flag_bits(packet.flags) & ~FIN
        wanted = wanted._replace(flags=flag_letters(bits & ~PSH | bits & segment.flags & PSH))
    return wanted


def _judge(stage: Stage, part: TcpPacket, packet: TcpPacket, sent: Sent, place: Place) -> None:
    settings = stage.settings
    tolerance_us = settings.slack_us(max(sent.t_us - stage.before_us, 0))
    wrong = difference(part, sent.segment, stage.numbers, settings.tick_us, tolerance_us)
    if wrong is not None:
        raise _differs(stage, packet, sent, place, wrong)


def _differs(stage: Stage, packet: TcpPacket, sent: Sent, place: Place, wrong: str) -> Failed:
    numbers = stage.numbers
    if sent.segment.syn and numbers.isn is None:
        numbers = numbers._replace(isn=sent.segment.seq)
    actual = f"{spelt(script_packet(sent.segment, numbers))} at {seconds(sent.t_us)} sec"
    return Failed(place, f"error handling packet: {wrong}", spelt(packet), actual)


def _nothing(packet: TcpPacket, place: Place, expected_us: int, limit_us: int) -> Failed:
    message = "error handling packet: timed out waiting for packet"
    return Failed(
        place,
        message,
        f"{spelt(packet)} at {seconds(expected_us)} sec",
        f"nothing until {seconds(limit_us)} sec",
    )
