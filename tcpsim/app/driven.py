"""Client programs that wait for orders, for the connections of a browser or of a pool.

Owns: the step that waits for an order and executes it, the orders that a connection accepts, and the client
that accepts them. Refuses to know: who gives orders and why (host).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from tcpsim.app.behaviour import Bytes, Count, Seconds, Time, client
from tcpsim.app.control_flow import Acted, Single, leave, repeat
from tcpsim.app.program import ASLEEP, Assembler, Program, Running, Step, number
from tcpsim.app.receive_steps import receive, receive_to_eof
from tcpsim.app.steps import close, connect, keepalive, send
from tcpsim.sockets import Reply


class Order(IntEnum):
    """What a connection can be told."""

    ASK = 0  # a request and its response; then it waits for the next order
    ASK_LAST = 1  # the same with a response that says "Connection: close": read it to the end, and close
    CLOSE = 2


@dataclass(frozen=True, slots=True)
class _Obey:
    courses: tuple[tuple[Step, ...], ...]

    def emit(self, asm: Assembler) -> None:
        here = asm.reserve()
        targets, jumps = [], []
        for course in self.courses:
            targets.append(asm.here)
            asm.lay(course)
            jumps.append(asm.reserve())
        asm.ops[here] = AwaitOrder(tuple(targets))
        for jump in jumps:
            asm.jump(jump, asm.here)

    def describe(self) -> str:
        return f"obey {{{'; '.join(', '.join(step.describe() for step in each) for each in self.courses)}}}"


@dataclass(frozen=True, slots=True)
class AwaitOrder(Single):
    """Asleep until the outside says which course to take."""

    resumable: ClassVar[bool] = True
    targets: tuple[int, ...]

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        if r.phase == 0:
            return r.sleep(1, None), ASLEEP
        assert reply is not None
        return r.at(self.targets[number(reply)]), None

    def describe(self) -> str:
        return "wait for an order"


def obey(courses: Sequence[Sequence[Step]]) -> Step:
    """Sleep until the outside gives an order, the number of a course; carry it out."""
    return _Obey(tuple(tuple(steps) for steps in courses))


def awaits_order(r: Running) -> bool:
    """Whether a program stands where it takes an order."""
    return r.phase == 1 and isinstance(r.program.ops[r.pc], AwaitOrder)


def takes_orders(program: Program) -> bool:
    """Whether a program ever does."""
    return any(isinstance(op, AwaitOrder) for op in program.ops)


def _obeying(opening: list[Step], request: int, response: int, patience: str | int) -> list[Step]:
    asking = [send(request), receive(response, within=patience)]
    courses: dict[Order, list[Step]] = {
        Order.ASK: asking,
        Order.ASK_LAST: [*asking, receive_to_eof(within=patience), close(), leave()],
        Order.CLOSE: [close(), leave()],
    }
    return [*opening, repeat([obey([courses[order] for order in Order])])]


@client
def obeys(request: Bytes = 100, response: Bytes = 1000, patience: Time = "60s") -> list[Step]:
    """Does what its browser or pool says: sends a request, sends the last request, or closes. Closes on
    errors.
    """
    return _obeying([connect()], request, response, patience)


@client
def keepalive_obeys(
    request: Bytes = 100,
    response: Bytes = 1000,
    patience: Time = "60s",
    idle: Seconds = "2h",
    interval: Seconds = "75s",
    count: Count = 9,
) -> list[Step]:
    """Does what its pool says, and has set SO_KEEPALIVE."""
    opening = [connect(), *keepalive(idle, interval, count)]
    return _obeying(opening, request, response, patience)
