"""Segments, system calls and their results as text.

Owns: sequence numbers relative to the initial ones, as tcpdump and wireshark show them, and how a call is
written. Refuses to know: where the text stands in a ladder. A segment that repeats bytes is marked "again".
An empty segment with a sequence number below them is marked "probe".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tcpsim.draw.ladder_rows import Side, other
from tcpsim.sockets.calls import Call, Poll, Recv, Reply, SendAll
from tcpsim.tcp.segment import ACK, FIN, PSH, RST, SYN, URG, Segment

_FLAG_WORDS = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (URG, "URG"), (ACK, "ACK"))
_MODULUS = 1 << 32


def call_words(call: Call) -> str:
    """A call as it is written in C, without the size of a buffer and other details.

    >>> call_words(Recv(4, 65536)), call_words(Poll((4, 5))), call_words(SendAll(4, 100))
    ('recv(4)', 'poll(4, 5)', 'send(4, 100)')
    """
    name = "send" if isinstance(call, SendAll) else type(call).__name__.lower()
    said: Iterable[object] = call
    if isinstance(call, Poll):
        said = call.fds
    elif isinstance(call, Recv):
        said = (call.fd, "MSG_PEEK") if call.peek else (call.fd,)
    return f"{name}({', '.join(map(str, said))})"


def reply_words(call: Call, reply: Reply) -> str:
    """The result of a call: errno or the value.

    >>> reply_words(Recv(4, 4096), Reply(0)), reply_words(Recv(4, 4096), Reply(None, "ECONNRESET"))
    ('0 (EOF)', 'ECONNRESET')
    """
    if reply.errno is not None:
        return reply.errno
    if isinstance(call, Recv) and reply.value == 0:
        return "0 (EOF)"
    if isinstance(reply.value, tuple):
        return ", ".join(f"{fd} {bits}" for fd, bits in reply.value) or "timeout"
    return str(reply.value)


def reads_in_words(reads: Sequence[int | str]) -> str:
    """The results of the reads of a program.

    >>> reads_in_words([1000, 0]), reads_in_words(["ECONNRESET"]), reads_in_words([])
    ('1000 bytes, end-of-file', 'ECONNRESET', 'nothing')
    """
    return ", ".join(_read(read) for read in reads) or "nothing"


def _read(read: int | str) -> str:
    if isinstance(read, str):
        return read
    return f"{read} bytes" if read else "end-of-file"


class Numbers:
    """Sequence numbers of one run, by direction of each 4-tuple: the first one seen, and the highest sent."""

    def __init__(self) -> None:
        self._first: dict[tuple[Side, int, int], int] = {}
        self._beyond: dict[tuple[Side, int, int], int] = {}

    def copy(self) -> Numbers:
        """The same numbers, to go on from here."""
        twin = Numbers()
        twin._first = dict(self._first)
        twin._beyond = dict(self._beyond)
        return twin

    def beyond(self) -> tuple[tuple[tuple[Side, int, int], int], ...]:
        """The highest number sent in each direction of each 4-tuple: all of the past that a label tells."""
        return tuple(sorted(self._beyond.items()))

    def label(self, sender: Side, segment: Segment, hearer: Side | None = None) -> tuple[str, str]:
        """The words on a segment's arrow, long and short, as it is sent."""
        here = (sender, segment.src_port, segment.dst_port)
        there = (hearer or other(sender), segment.dst_port, segment.src_port)
        if segment.syn and self._first.get(here) != segment.seq:
            self._first[here] = segment.seq
            self._beyond[here] = 0
        seq = (segment.seq - self._first.setdefault(here, segment.seq)) % _MODULUS
        ack = (segment.ack - self._first.get(there, segment.ack - 1)) % _MODULUS
        beyond = self._beyond.get(here, 0)
        self._beyond[here] = max(beyond, seq + segment.seg_len) if seq < _MODULUS // 2 else beyond
        words = [word for bit, word in _FLAG_WORDS if segment.flags & bit] or ["no flags"]
        carries = segment.seg_len > 0 or segment.rst
        probe = not carries and seq + 1 == beyond
        if not segment.syn and (carries or probe):
            words.append(f"seq {seq}:{seq + segment.len}" if segment.len else f"seq {seq}")
        if segment.has_ack and not segment.syn:
            words.append(f"ack {ack}" if carries or probe else str(ack))
        for block in segment.options.sack[:1]:
            more = f" +{len(segment.options.sack) - 1}" if len(segment.options.sack) > 1 else ""
            words.append(f"sack {self._span(there, *block)}{more}")
        if segment.wnd == 0 and not segment.rst:
            words.append("window 0")
        if probe:
            words.append("probe")
        elif segment.seg_len and seq < beyond:
            words.append("again")
        short = [*words[: words.index("ACK") + 1], str(seq)] if carries and segment.has_ack else words[:2]
        if segment.len:
            short[-1] += f":{seq + segment.len}"
        return " ".join(words), " ".join(short) + (" again" if words[-1] == "again" else "")

    def _span(self, stream: tuple[Side, int, int], left: int, right: int) -> str:
        first = self._first.get(stream, 0)
        return f"{(left - first) % _MODULUS}-{(right - first) % _MODULUS}"


def is_minor(segment: Segment) -> bool:
    """A pure acknowledgement: nothing but the ACK bit, and nothing carried."""
    return segment.flags == ACK and segment.len == 0
