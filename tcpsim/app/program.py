"""A program as a value: its next action, given the result of its last system call. No I/O.

Owns: the compiled form of a list of steps, the registers of a running program, and `run`, which takes a
running program from one action to the next. Refuses to know: what a call does (sockets), when the clock moves
and who decides a random event (pair), and the named programs (clients, servers).

A `Program` is a flat list of operations. Every operation has an index, and a branch names the index of its
target. A `Running` is a program and its registers. It is immutable and hashable, so two pairs whose programs
are at the same place are equal. `run` never draws a random number. A program that has to choose returns an
`Ask` (or a `Draw`), and its driver passes the outcome as the next reply. So the same program can be simulated
with a seed, driven by a script, or explored branch by branch.

The end of the steps is not the end of the process: a worker continues with other work. A descriptor that was
not closed stays open. Most sockets in CLOSE-WAIT arise in this way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from tcpsim.errors import InputError
from tcpsim.sockets import Call, Close, Reply

NO_FD = -1
_MOST_STEPS_AT_ONCE = 10_000  # a loop that never acts is a mistake in the program, not a long computation


class Until(NamedTuple):
    """Nothing to do until `wake_us`; ``None``: until the outside resumes this program."""

    wake_us: int | None


class Ask(NamedTuple):
    """Choose one outcome; the next reply's value is its index. The first one is called "pass"."""

    what: str
    outcomes: tuple[str, ...]
    weights: tuple[float, ...]


class Draw(NamedTuple):
    """Draw a duration; the next reply's value is in microseconds. Only the chooser looks inside."""

    distribution: Any


class Spawn(NamedTuple):
    """fork(): a new process, which inherits the descriptors, runs `child`."""

    child: Running


class Vanish(NamedTuple):
    """The whole machine loses power, or its line is cut for good: it never sends or hears again."""


class Reboot(NamedTuple):
    """The machine forgets everything and is back `down_us` later; then a new process goes on behind it."""

    down_us: int


class KillOthers(NamedTuple):
    """Every other process of the machine is killed, as when a service is restarted."""


class Done(NamedTuple):
    """No step is left. The process lives on and keeps whatever descriptors it did not close."""


Action = Call | Until | Ask | Draw | Spawn | Vanish | Reboot | KillOthers | Done
DONE = Done()
ASLEEP = Until(None)


class Memory(Protocol):
    """An immutable, hashable value; of its instants the distance counts."""

    def key(self) -> tuple[tuple[object, ...], tuple[int, ...]]:
        """What is the same at every moment, and its instants."""


class Running(NamedTuple):
    """A program and its registers. `client_port` and `server_port` are what connect and listen use."""

    program: Program
    pc: int
    phase: int  # which call of the present step has been made; 0 = none
    fds: tuple[int, ...]  # one register per socket name of the program
    got: int  # bytes received so far in the present step
    wake_us: int | None  # set while the program sleeps
    until_us: int | None  # the present step's own deadline, once it has begun
    error: str | None  # the first errno (or "EOF" where more was expected) that left the normal course
    client_port: int
    server_port: int
    memory: Memory | None = None  # what the present step, an event loop, has to remember

    def at(self, pc: int) -> Running:
        """The same program, about to begin the step at `pc`."""
        program, _, _, fds, _, _, _, error, client_port, server_port, _ = self
        return Running(program, pc, 0, fds, 0, None, None, error, client_port, server_port)

    def sleep(self, phase: int, wake_us: int | None) -> Running:
        """The same step in another phase, asleep until `wake_us`."""
        program, pc, _, fds, got, _, until_us, error, near, far, memory = self
        return Running(program, pc, phase, fds, got, wake_us, until_us, error, near, far, memory)

    def phase_to(self, phase: int) -> Running:
        """The same step, one call further."""
        return self.sleep(phase, None)

    def deadline(self, until_us: int) -> Running:
        """The same step, with a deadline of its own."""
        return self._replace(until_us=until_us)

    def remembering(self, memory: Memory | None) -> Running:
        """The same step, further in its event loop."""
        return self._replace(memory=memory)

    def receiving(self, got: int) -> Running:
        """The same step, with so many bytes in."""
        return self._replace(got=got)

    def reborn(self, wake_us: int) -> Running:
        """Another process that begins at `wake_us` with the step behind this one, and has no socket."""
        fresh = start(self.program, self.client_port, self.server_port, wake_us)
        return fresh._replace(pc=self.pc + 1)

    def holding(self, slot: int, fd: int) -> Running:
        """The same place, with another descriptor in a register."""
        return self._replace(fds=(*self.fds[:slot], fd, *self.fds[slot + 1 :]))

    @property
    def finished(self) -> bool:
        """True at the end of the steps."""
        return self.program.ops[self.pc] is END

    @property
    def paused(self) -> bool:
        """It sleeps until the outside resumes it."""
        return self.phase == 1 and getattr(self.program.ops[self.pc], "resumable", False)

    def describe(self) -> str:
        """What the program is doing, in the words of the step."""
        return self.program.ops[self.pc].describe()


class Op(Protocol):
    """One operation: the present step of a running program, as a function of the last reply."""

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> tuple[Running, Action | None]:
        """The next registers and the next action; action ``None`` goes on to the operation at ``r.pc``."""

    def describe(self) -> str:
        """One line, as one would say it."""


class Step(Protocol):
    """What a user writes in a list; it lays itself out as one operation or several."""

    def emit(self, asm: Assembler) -> None: ...

    def describe(self) -> str: ...


class Program:
    """A program: a list of steps. Equal steps make equal programs.

    `steps` is what the program does. `on_error` is what it does after a call has failed, or after the peer
    has closed before `receive` was complete (default: close the socket).
    """

    __slots__ = ("_hash", "error_pc", "handlers", "name", "on_error", "ops", "slots", "sockets", "steps")

    def __init__(self, steps: Iterable[Step], on_error: Iterable[Step] | None = None, name: str = "") -> None:
        self.name = name
        self.steps = tuple(steps)
        self.on_error = None if on_error is None else tuple(on_error)
        asm = Assembler()
        asm.lay(self.steps)
        asm.add(END)
        self.error_pc = asm.here
        if self.on_error is None:
            asm.add(_CLOSE_ALL)
        else:
            asm.lay(self.on_error)
        asm.add(END)
        self.ops: tuple[Op, ...] = tuple(asm.ops)
        self.slots: tuple[int, ...] = tuple(asm.slots)
        self.sockets: tuple[str, ...] = tuple(asm.names)
        self.handlers = tuple(asm.handlers)  # inner ones first
        self._hash = hash((self.steps, self.on_error))

    def behind_error(self, pc: int) -> int:
        """Where the program goes on when the operation at `pc` fails."""
        for begin, end, target in self.handlers:
            if begin <= pc < end:
                return target
        return self.error_pc if pc < self.error_pc else len(self.ops) - 1

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        """Compiled anew where it arrives: hashes of words differ from one process to the next."""
        return type(self), (self.steps, self.on_error, self.name)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Program) and (self.steps, self.on_error) == (other.steps, other.on_error)

    def __repr__(self) -> str:
        return f"<Program {self.name or '; '.join(self.describe())}>"

    def describe(self) -> tuple[str, ...]:
        """One line per step, readable aloud."""
        return tuple(step.describe() for step in self.steps)


def told(steps: Sequence[Step]) -> str:
    """Steps inside another one, in words; what is repeated three times or more is told once."""
    words = [step.describe() for step in steps]
    found, place = [], 0
    while place < len(words):
        period, times = _repetition(words, place)
        once = words[place : place + period]
        found.append(f"{times} times {{{', '.join(once)}}}" if times > 1 else once[0])
        place += period * times
    return ", ".join(found)


def _repetition(words: Sequence[str], place: int) -> tuple[int, int]:
    """The length of what is repeated from here on, and how often; (1, 1) if nothing is."""
    for period in range(1, (len(words) - place) // 3 + 1):
        once, times = words[place : place + period], 1
        while words[place + times * period : place + (times + 1) * period] == once:
            times += 1
        if times >= 3:
            return period, times
    return 1, 1


class Assembler:
    """Lays steps out flat. A step calls `add` for an operation, `lay` for the steps inside it."""

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.slots: list[int] = []
        self.names: list[str] = []
        self.loops: list[list[int]] = []  # of each repeat around the present step, what leaves it
        self.handlers: list[tuple[int, int, int]] = []  # operations from, to, and where an error of one leads

    @property
    def here(self) -> int:
        return len(self.ops)

    def add(self, op: Op, sock: str | None = None) -> int:
        """Append an operation that works on the socket called `sock`; its index."""
        self.ops.append(op)
        self.slots.append(NO_FD if sock is None else self.slot(sock))
        return len(self.ops) - 1

    def reserve(self) -> int:
        """Keep a place for a jump whose target is not known yet."""
        return self.add(END)

    def jump(self, place: int, target: int) -> None:
        """Fill a reserved place."""
        self.ops[place] = _Jump(target)

    def lay(self, steps: Iterable[Step]) -> None:
        """The operations of `steps`, one after the other.

        Raises:
            InputError: no step, or one behind another that is the last for ever.
        """
        last: Step | None = None
        for step in steps:
            if not hasattr(step, "emit"):
                raise InputError("program", repr(step), "steps such as connect(), send(100), close()")
            if last is not None:
                found = f"{step.describe()!r} behind {last.describe()!r}, where it is never reached"
                raise InputError("program", found, "no step behind vanish(), crash() or ignore()")
            step.emit(self)
            last = step if getattr(step, "final", False) else None

    def slot(self, sock: str) -> int:
        """The register of a socket name."""
        if sock not in self.names:
            self.names.append(sock)
        return self.names.index(sock)


class _End(NamedTuple):
    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> tuple[Running, Action | None]:
        return r, DONE

    def describe(self) -> str:
        return "no step is left"


END = _End()


class _Jump(NamedTuple):
    target: int

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> tuple[Running, Action | None]:
        return r.at(self.target), None

    def describe(self) -> str:
        return "go on"


class _CloseAll(NamedTuple):
    """The sound way out of an error: close what is open."""

    @property
    def does(self) -> tuple[str, ...]:
        return ("closes",)

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> tuple[Running, Action | None]:
        for index, fd in enumerate(r.fds):
            if fd != NO_FD:
                return r.holding(index, NO_FD).phase_to(1), Close(fd)
        return r.at(r.pc + 1), None

    def describe(self) -> str:
        return "close what is open"


_CLOSE_ALL = _CloseAll()


def start(program: Program, client_port: int = 40_000, server_port: int = 5_000, now_us: int = 0) -> Running:
    """A program about to begin its first step at `now_us`, with no socket yet."""
    fds = (NO_FD,) * len(program.sockets)
    return Running(program, 0, 0, fds, 0, now_us, None, None, client_port, server_port)


def number(reply: Reply) -> int:
    """The value of a reply that is a count, a descriptor, an index or a duration."""
    assert isinstance(reply.value, int)
    return reply.value


def fail(r: Running, errno: str) -> tuple[Running, None]:
    """Leave the normal course: to the steps for an error, or to the end if they failed too."""
    program, pc = r.program, r.program.behind_error(r.pc)
    handled = pc not in (program.error_pc, len(program.ops) - 1)
    return (r if handled else r._replace(error=r.error or errno)).at(pc), None


def run(r: Running, reply: Reply | None, now_us: int) -> tuple[Running, Action]:
    """From the reply to the last action (``None``: a wake-up) to the next action.

    Returns the program's next registers and one of: a call of `tcpsim.sockets`, `Until`, `Ask`,
    `Draw`, `Spawn`, `Vanish`, `Reboot`, `KillOthers`, `Done`.

    Raises:
        InputError: the program loops without ever acting.
    """
    program = r.program
    ops, slots = program.ops, program.slots
    for _ in range(_MOST_STEPS_AT_ONCE):
        pc = r.pc
        r, action = ops[pc].act(r, slots[pc], reply, now_us)
        if action is not None:
            return r, action
        reply = None
    raise InputError(
        "program", program.name or "a loop without a call or a wait", "loops that wait somewhere"
    )


def relative(r: Running, now_us: int) -> tuple[object, ...]:
    """What of a running program its future depends on, with times relative to `now_us`."""
    wake_us = None if r.wake_us is None else r.wake_us - now_us
    until_us = None if r.until_us is None else r.until_us - now_us
    fixed = r.program, r.pc, r.phase, r.fds, r.got, wake_us, until_us, r.client_port, r.server_port
    if r.memory is None:
        return fixed
    held, instants = r.memory.key()
    return (*fixed, held, tuple([at_us - now_us for at_us in instants]))
