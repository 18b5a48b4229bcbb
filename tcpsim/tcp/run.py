"""One step of one connection: it takes a TCB and returns a new TCB, segments and notes.

Owns: the frame of every step: copy the TCB, act, and settle the timers. Refuses to know: what the act is, and
what it may change (step).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tcpsim.tcp import deadlines, timer_wheel, timers
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import CLOSED
from tcpsim.tcp.step import Step
from tcpsim.tcp.tcb import Tcb


def run(tcb: Tcb, now: int, stack: Stack, socket: int, act: Callable[..., Any], *arguments: Any) -> Step:
    """Do `act(step, *arguments)` on a copy of `tcb` and settle its timers; the result is in the Step."""
    step = Step(tcb.copy(), now, stack, socket)
    step.value = act(step, *arguments)
    t = step.t
    if stack.device_refuses:
        step.out.clear()
    if t.state is CLOSED:
        deadlines.stop_all(t)
        return step
    timers.settle(step)
    if stack.timer_hz:
        timer_wheel.turn(tcb, t, now, stack.timer_hz)
    if t.mini and not tcb.mini:
        step.reheld()
    return step
