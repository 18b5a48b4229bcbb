"""When two programs are the same but for the clock, and what they may still do.

Owns: a running program seen from a moment, whether it will act again, and whether it may yet open a
connection. Refuses to know: what its calls do.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from tcpsim.app.program import Program, Running, relative


class _Text(NamedTuple):
    """What is in a program's text."""

    last: dict[str, int]  # the last operation that opens a connection, sends, tunes (see may); -1: none
    loops: bool
    clocks_us: tuple[int, ...]  # times on the connection's clock that it waits until


@lru_cache(maxsize=256)
def _text(program: Program) -> _Text:
    ops: tuple[Any, ...] = program.ops
    last = dict.fromkeys(("opens", "sends", "tunes"), -1)
    for index, op in enumerate(ops):
        last.update(dict.fromkeys(getattr(op, "does", ()), index))
    back = any(getattr(op, "target", index + 1) <= index for index, op in enumerate(ops))
    clocks = sorted({op.clock_us for op in ops if hasattr(op, "clock_us")})
    return _Text(last, back, tuple(clocks))


def key(r: Running, now_us: int) -> tuple[object, ...]:
    """Programs of equal key answer the same from `now_us` on; a time ahead that it may wait for counts."""
    clocks_us = _text(r.program).clocks_us
    if not clocks_us:
        return relative(r, now_us)
    return (*relative(r, now_us), *[max(at_us - now_us, 0) for at_us in clocks_us])


def may(r: Running, what: str) -> bool:
    """Whether this program may yet begin a call that "opens", "sends", or "tunes" the giving up.

    By the order of its text: what is behind it comes again only in a loop. A call that it waits in has begun.
    """
    last, loops, _ = _text(r.program)
    at = last[what]
    if at < 0:
        return False
    if loops or r.pc < at:
        return True
    op: Any = r.program.ops[at]
    return r.pc == at and r.phase < op.calls
