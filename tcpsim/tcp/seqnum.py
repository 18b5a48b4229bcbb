"""Sequence number arithmetic modulo 2**32 (RFC 9293 section 3.4).

Owns: comparison and distance of 32-bit sequence numbers. Refuses to know: what the numbers count.
"""

from __future__ import annotations

MASK = 0xFFFF_FFFF
_HALF = 0x8000_0000


def add(a: int, n: int) -> int:
    """`a` advanced by `n` octets (n may be negative)."""
    return (a + n) & MASK


def diff(a: int, b: int) -> int:
    """The signed distance a - b, in -2**31 .. 2**31 - 1.

    >>> diff(5, 0xFFFF_FFFF)
    6
    """
    d = (a - b) & MASK
    return d - 0x1_0000_0000 if d & _HALF else d


def lt(a: int, b: int) -> bool:
    """a < b on the circle."""
    return (a - b) & _HALF != 0


def le(a: int, b: int) -> bool:
    """a =< b on the circle."""
    return (b - a) & _HALF == 0


def latest(a: int, b: int) -> int:
    """The later of the two."""
    return b if (a - b) & _HALF else a
