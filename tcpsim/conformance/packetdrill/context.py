"""The context of a running script: the bench, and the script's names for its objects.

Owns: the flow under test with its numbers, descriptors, the call that is waited for, tolerances, the
record of what crossed the wire. Refuses to know: what the events do (the modules beside it).
"""

from __future__ import annotations

from typing import NamedTuple

from tcpsim import sockets
from tcpsim.conformance.packetdrill.arguments import PORT, Asked
from tcpsim.conformance.packetdrill.bench import PID, Bench
from tcpsim.conformance.packetdrill.dialect import Dialect
from tcpsim.conformance.packetdrill.number_mapping import Flow, Numbers, script_packet
from tcpsim.conformance.packetdrill.script import Call, Place, TcpPacket, spelt
from tcpsim.conformance.packetdrill.settings import Settings
from tcpsim.conformance.packetdrill.verdict import Crossing, Failed

_NO_FD = 1_000_000  # a descriptor that no process has


class Waiting(NamedTuple):
    """A call that has not returned; `returns_us` None where the script expects it to return at once."""

    place: Place
    call: Call
    asked: Asked
    made_us: int
    returns_us: int | None


class Stage:
    """One run of one script."""

    __slots__ = (
        "_injected",
        "before_us",
        "bench",
        "dialect",
        "fds",
        "flow",
        "numbers",
        "settings",
        "sid",
        "waiting",
    )

    def __init__(self, bench: Bench, dialect: Dialect, settings: Settings) -> None:
        self.bench = bench
        self.dialect = dialect
        self.settings = settings
        self.flow = Flow(PORT, None)
        self.numbers = Numbers()
        self.sid: int | None = None  # the socket that connect() opened the flow with
        self.fds: dict[int, int] = {}  # the script's -> the endpoint's
        self.waiting: Waiting | None = None
        self.before_us = 0  # when the event before this one was over
        self._injected: list[tuple[int, int, Crossing]] = []

    def live_fd(self, script_fd: int) -> int:
        """The endpoint's descriptor for one of the script's; one that is closed for one that has none."""
        return self.fds.get(script_fd, _NO_FD)

    def follow(self, flow: Flow) -> None:
        """The script's packets are about another connection from now on."""
        self.flow = flow
        self.numbers = Numbers()
        self.sid = None

    def follow_connect(self, live_fd: int) -> None:
        """connect() made a socket: its ports, unless it is the one that is followed already."""
        system = self.bench.system
        sid = sockets.socket_of(system, PID, live_fd)
        tcb = None if sid is None else system.end.sockets.get(sid)
        if tcb is not None and sid != self.sid:
            self.follow(Flow(tcb.local_port, tcb.remote_port))
            self.sid = sid

    def injected(self, packet: TcpPacket, line: int) -> None:
        """Keep a record of what the peer sent."""
        order = 2 * len(self.bench.sent)  # behind what was sent, before what will be
        self._injected.append((self.bench.now_us, order, Crossing(self.bench.now_us, spelt(packet), line)))

    def crossings(self) -> tuple[Crossing, ...]:
        """Everything that crossed the wire, in order."""
        rows = list(self._injected)
        numbers = self.numbers
        if numbers.isn is None:  # nothing was matched yet: the first SYN is 0
            syns = [sent.segment.seq for sent in self.bench.sent if sent.segment.syn]
            numbers = numbers._replace(isn=syns[0] if syns else None)
        for order, sent in enumerate(self.bench.sent):
            text = spelt(script_packet(sent.segment, numbers))
            rows.append((sent.t_us, 2 * order + 1, Crossing(sent.t_us, text, sent.line)))
        return tuple(row[2] for row in sorted(rows, key=lambda row: row[:2]))

    def check_time(
        self, place: Place, what: str, expected_us: int, actual_us: int, until_us: int | None = None
    ) -> None:
        """Raise unless `what` happened when it should have, or within the range that ends at `until_us`."""
        slack_us = self.settings.slack_us(expected_us - self.before_us)
        last_us = expected_us if until_us is None else until_us
        if expected_us - slack_us <= actual_us <= last_us + slack_us:
            return
        at = f"at {seconds(expected_us)} sec"
        if until_us is not None:
            at = f"in time range {seconds(expected_us)}~{seconds(until_us)} sec"
        message = (
            f"timing error: expected {what} {at} but happened at {seconds(actual_us)} sec; "
            f"tolerance {seconds(slack_us)} sec"
        )
        raise Failed(place, message, f"{what} {at}", f"at {seconds(actual_us)} sec")


def seconds(us: int) -> str:
    """Microseconds as seconds with six digits.

    >>> seconds(1_500_000), seconds(-1)
    ('1.500000', '-0.000001')
    """
    sign, us = ("-", -us) if us < 0 else ("", us)
    return f"{sign}{us // 1_000_000}.{us % 1_000_000:06d}"
