"""TCP options on the wire: their order, padding and size (RFC 9293 3.1, RFC 2018, RFC 7323).

Owns: the layout of an option list under a stack's rules, and its length in octets. Refuses to know:
which options a segment carries (output) and what they mean (segment_arrives).
"""

from __future__ import annotations

from functools import cache

from tcpsim.tcp.segment import NO_OPTIONS, Options
from tcpsim.tcp.stack import Stack

SIZE = {"mss": 4, "wscale": 3, "sackOK": 2, "TS": 10, "nop": 1, "eol": 1}

# Where in a 32-bit word each option starts: the no-operations before it follow from that.
# "linux": net/ipv4/tcp_output.c tcp_options_write; "bsd": FreeBSD netinet/tcp_output.c tcp_addoptions.
_STARTS: dict[str, dict[str, tuple[int, ...]]] = {
    "linux": {"mss": (0,), "sackOK": (2,), "TS": (2,), "wscale": (1,), "sack": (2,)},
    "bsd": {"mss": (0,), "sackOK": (0, 2), "TS": (2,), "wscale": (1, 3), "sack": (2,)},
}


@cache
def layout(order: tuple[str, ...], pads: str, present: tuple[str, ...], sack_blocks: int) -> tuple[str, ...]:
    """The options `present`, in the stack's `order`, padded to whole 32-bit words.

    >>> layout(("mss", "sackOK", "TS", "wscale", "sack"), "linux", ("mss", "wscale"), 0)
    ('mss', 'nop', 'wscale')
    """
    starts = _STARTS[pads]
    words: list[str] = []
    size = 0
    for name in order:
        if name not in present:
            continue
        # Linux packs SACK-permitted and the timestamp into one 12-octet block
        packed = pads == "linux" and {"sackOK", "TS"} <= {*present} and name in ("sackOK", "TS")
        while not packed and size % 4 not in starts[name]:
            words.append("nop")
            size += 1
        words.append(name)
        size += 2 + 8 * sack_blocks if name == "sack" else SIZE[name]
    while size % 4:
        words.append("eol")
        size += 1
    return tuple(words)


def size(options: Options) -> int:
    """Octets of an option list in the header."""
    blocks = len(options.sack)
    return sum(2 + 8 * blocks if name == "sack" else SIZE[name] for name in options.layout)


def laid_out(options: Options, stack: Stack) -> Options:
    """`options` with its layout filled in by the stack's rules."""
    mss, wscale, sack_permitted, ts_val, ts_ecr, sack, _ = options
    present = []
    if mss is not None:
        present.append("mss")
    if wscale is not None:
        present.append("wscale")
    if sack_permitted:
        present.append("sackOK")
    if ts_val is not None:
        present.append("TS")
    if sack:
        present.append("sack")
    if not present:
        return NO_OPTIONS
    order = layout(stack.layout_syn, stack.layout_pads, tuple(present), len(sack))
    return Options(mss, wscale, sack_permitted, ts_val, ts_ecr, sack, order)
