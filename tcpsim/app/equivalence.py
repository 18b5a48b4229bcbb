"""When two programs are equal except for the clock, and what they may still do.

Owns: a running program without the clock, whether it will act again, and whether it may still open a
connection. Refuses to know: what its calls do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from tcpsim.app.program import END, Program, Running
from tcpsim.tcp.equivalence.connection import EVER, Instant

_ALWAYS = 1 << 30  # of a step that makes its calls as long as it is there


@lru_cache(maxsize=256)
def _clocks_us(program: Program) -> tuple[int, ...]:
    """Times on the connection's clock that a program waits until."""
    return tuple(sorted({op.clock_us for op in program.ops if hasattr(op, "clock_us")}))


@lru_cache(maxsize=4096)
def _behind(program: Program, pc: int, alive: bool) -> frozenset[int]:
    """The operations behind the one at `pc`, wherever the program may go from there.

    `alive`: the connection that this operation waits for stays alive, so a mere reader of it never fails.
    """
    seen: set[int] = set()
    open_ = list(_next(program, pc, alive))
    while open_:
        index = open_.pop()
        if index not in seen:
            seen.add(index)
            open_.extend(_next(program, index, False))
    return frozenset(seen)


@lru_cache(maxsize=4096)
def _ahead(program: Program, pc: int, alive: bool) -> frozenset[str]:
    """What the operations behind the one at `pc` do."""
    ops = (program.ops[index] for index in _behind(program, pc, alive))
    return frozenset(what for op in ops for what in getattr(op, "does", ()))


def _next(program: Program, index: int, alive: bool) -> Iterator[int]:
    """The operations that may follow another."""
    op: Any = program.ops[index]
    if op is END:
        return
    if hasattr(op, "target"):
        yield op.target
        return
    yield from getattr(op, "targets", ())
    yield index + 1
    yield from [at for name in ("late_pc", "eof_pc", "pc") if (at := getattr(op, name, None)) is not None]
    if getattr(op, "errs", False) and not (alive and getattr(op, "reads_on", False)):
        yield program.behind_error(index)


def key(r: Running) -> tuple[tuple[object, ...], tuple[Instant, ...]]:
    """What a program is at any moment, and the instants whose distance counts: those it may yet wait for."""
    own = [None if at_us is None else (at_us, EVER) for at_us in (r.wake_us, r.until_us)]
    instants = [each for each in own if each is not None] + [(at_us, 0) for at_us in _clocks_us(r.program)]
    asleep = tuple([each is None for each in own])
    fixed = (r.program, r.pc, r.phase, r.fds, r.got, asleep, r.client_port, r.server_port)
    if r.memory is None:
        return fixed, tuple(instants)
    held, deadlines = r.memory.key()
    return (*fixed, held), (*instants, *[(at_us, EVER) for at_us in deadlines])


def ahead(r: Running, alive: bool = False) -> frozenset[str]:
    """What kinds of call this program may yet begin: "opens", "sends", "closes", "tunes" the giving up.

    A call that it waits in has begun. `alive`: while the connection that it reads from lives.
    """
    op: Any = r.program.ops[r.pc]
    behind = _ahead(r.program, r.pc, alive)
    does = getattr(op, "does", ())
    return behind.union(does) if does and not _begun(r) else behind


def _begun(r: Running) -> bool:
    """Whether all calls of the present step have begun."""
    return r.phase >= getattr(r.program.ops[r.pc], "calls", _ALWAYS)


@lru_cache(maxsize=4096)
def _one_send(program: Program, pc: int, begun: bool) -> int | None:
    """See `one_send`; `begun`: the call of the operation at `pc` has begun."""
    ops: Any = program.ops
    ahead = _behind(program, pc, False) | (frozenset() if begun else {pc})
    senders = [index for index in ahead if "sends" in getattr(ops[index], "does", ())]
    if len(senders) != 1:
        return None
    (sender,) = senders
    octets: int | None = getattr(ops[sender], "octets", None)
    return None if _again(program, sender, ahead) else octets


def _again(program: Program, index: int, among: Iterable[int]) -> bool:
    """Whether an operation may begin twice: by a loop around it, or in children that a loop forks."""
    ops: Any = program.ops
    forks = [each for each in among if hasattr(ops[each], "pc")]
    loops = [behind for each in [index, *forks] if each in (behind := _behind(program, each, False))]
    return any(index in behind for behind in loops)


def one_send(r: Running) -> int | None:
    """The octets of the only send that this program may yet begin; None: more than one, or nobody knows."""
    return _one_send(r.program, r.pc, _begun(r))


@lru_cache(maxsize=256)
def most_octets(program: Program) -> int | None:
    """How many octets a program sends at most in its life; None: it may go on for ever."""
    most = 0
    for index, op in enumerate(program.ops):
        if "sends" in getattr(op, "does", ()):
            octets = getattr(op, "octets", None)
            if octets is None or _again(program, index, range(len(program.ops))):
                return None
            most += octets
    return most


def options(r: Running) -> tuple[tuple[str, object], ...]:
    """The socket options that this program may yet set, by their names, each with its value."""
    indices = _behind(r.program, r.pc, False) | {r.pc}
    return tuple(each for index in indices for each in getattr(r.program.ops[index], "options", ()))


def reading(r: Running) -> int | None:
    """The descriptor that the program reads from until there is no more, if that is what it is doing."""
    op: Any = r.program.ops[r.pc]
    return r.fds[r.program.slots[r.pc]] if getattr(op, "reads_on", False) else None
