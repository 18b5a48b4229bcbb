"""A TCP header as a value (RFC 9293 section 3.1), with a byte count in place of the data.

Owns: the header fields, the flag bits and the order in which flags are spelled. Refuses to know: what
a segment means (segment_arrives), how it is built (output), and how option bytes are laid out (options; the
stack profile says it, the segment only carries the result).
"""

from __future__ import annotations

from typing import NamedTuple

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128

_LETTERS = (
    (SYN, "S"), (FIN, "F"), (RST, "R"), (PSH, "P"), (ACK, "A"), (URG, "U"), (ECE, "E"), (CWR, "W"),
)  # fmt: skip


def flag_letters(flags: int) -> str:
    """The control bits in the customary order S F R P A U E W; ``-`` for none.

    >>> flag_letters(FIN | ACK)
    'FA'
    """
    return "".join(letter for bit, letter in _LETTERS if flags & bit) or "-"


def parse_flags(letters: str) -> int:
    """The inverse of `flag_letters`; raises ValueError for a letter that is no control bit."""
    flags = 0
    for letter in letters.replace("-", ""):
        for bit, name in _LETTERS:
            if name == letter:
                flags |= bit
                break
        else:
            raise ValueError(f"flags {letters!r}: {letter!r} is none of SFRPAUEW")
    return flags


class Options(NamedTuple):
    """TCP options as values; `layout` names them in wire order, padding (``nop``, ``eol``) included."""

    mss: int | None = None
    wscale: int | None = None
    sack_permitted: bool = False
    ts_val: int | None = None
    ts_ecr: int | None = None
    sack: tuple[tuple[int, int], ...] = ()
    layout: tuple[str, ...] = ()


NO_OPTIONS = Options()


class Segment(NamedTuple):
    """One TCP segment: `seq` and `ack` are 32-bit, `len` counts payload bytes, `wnd` is the raw field."""

    src_port: int
    dst_port: int
    flags: int
    seq: int
    ack: int
    len: int
    wnd: int
    options: Options = NO_OPTIONS

    @property
    def syn(self) -> bool:
        return bool(self.flags & SYN)

    @property
    def fin(self) -> bool:
        return bool(self.flags & FIN)

    @property
    def rst(self) -> bool:
        return bool(self.flags & RST)

    @property
    def has_ack(self) -> bool:
        return bool(self.flags & ACK)

    @property
    def seg_len(self) -> int:
        """SEG.LEN: octets in sequence space, SYN and FIN included."""
        return self.len + (self.flags & FIN) + (self.flags >> 1 & 1)
