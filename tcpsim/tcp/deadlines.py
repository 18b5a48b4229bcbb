"""The list of timers, and what follows from it.

Owns: for each deadline of a TCB, which timer it belongs to, how far ahead it may lie, which limits on the
peer's silence its rule reads, and which timer of the kernel it is (`DECLARED`). Everything that asks for
timers asks here: what is due next, keys of states, dumps and pages. Refuses to know: when a timer runs
(timers), and what happens when it fires (timeouts).
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Literal, NamedTuple

from tcpsim.tcp import timers
from tcpsim.tcp.event import Timer
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import CLOSE_WAIT, ESTABLISHED, FIN_WAIT_2, LAST_ACK, TIME_WAIT
from tcpsim.tcp.tcb import Tcb

ANY_US = 1 << 62  # longer than any time
_WAITS_FOR_FIN = frozenset({ESTABLISHED, CLOSE_WAIT, LAST_ACK})


class Bounds(NamedTuple):
    """What bounds the timers that are yet to be set.

    `option_us` is the longest time that a program may yet set as an option (None: no program will set one
    that a timer reads), `rto_us` the largest RTO that there may be (None: nothing is resent any more).
    `sends`: something may yet be sent that was not sent before.
    """

    option_us: int | None
    rto_us: int | None
    sends: bool


class Declared(NamedTuple):
    """A deadline, and the timer, or the timers of which one runs at a time, that it belongs to.

    `longest_us` says how far ahead a connection may ever set it. Whatever a rule of `timers` arms has to lie
    within it.

    `silences_us` are the limits that this timer's act compares with the time since the peer was heard, now or
    later. It gets whether a program may yet set an option that a timer reads. States in which the peer was
    heard at different times are the same to every rule when both times lie beyond all these limits.
    """

    deadline: str  # a field of the TCB
    timer: Callable[[Tcb], Timer | None]  # which of them runs
    kernel: Literal["icsk_retransmit_timer", "sk_timer"] | None  # that `ss` shows; None: it shows none
    longest_us: Callable[[Tcb, Stack, Bounds], int]
    silences_us: Callable[[Tcb, Stack, bool], tuple[int, ...]] | None = None


class Running(NamedTuple):
    """A timer that runs."""

    timer: Timer
    at_us: int
    declared: Declared


def _longest_slot_us(t: Tcb, s: Stack, bounds: Bounds) -> int:
    """RTO, persist, a SYN after a reset; a probe and a reordering wait count from the round-trip time."""
    if bounds.rto_us is None:
        return 0
    probe_us = (t.srtt8 >> 2) + s.rto_min_us
    if not bounds.sends:
        return max(bounds.rto_us, probe_us)
    opening = max(s.syn_rto_us, s.rto_without_handshake_sample_us, s.syn_again_after_reset_us or 0)
    asks_us = max(s.persist_max_us, timers.RESOURCE_PROBE_US if s.device_refuses else 0)
    return max(opening, bounds.rto_us, asks_us, probe_us)


def _longest_delay_us(t: Tcb, s: Stack, bounds: Bounds) -> int:
    return max(s.delayed_ack_us, s.delayed_ack_max_us, 1)


def _longest_compressed_us(t: Tcb, s: Stack, bounds: Bounds) -> int:
    return s.comp_sack_delay_us + s.comp_sack_slack_us + 1 if s.comp_sack_nr else 0


def _longest_keep_us(t: Tcb, s: Stack, bounds: Bounds) -> int:
    """Zero where nobody asks for probes, or will."""
    orphan_us = s.orphan_keep_idle_us or 0
    if not (t.options.keepalive or s.keepalive_default or bounds.option_us is not None or orphan_us):
        return 0
    own_us = t.options.keep_idle_us or 0, t.options.keep_intvl_us or 0
    return max(s.keep_idle_us, s.keep_intvl_us, orphan_us, *own_us, bounds.option_us or 0)


def _silences_kept_us(t: Tcb, s: Stack, tunes: bool) -> tuple[int, ...]:
    """Keepalive's idle time, the one that it may have as an orphan, and a user timeout that it checks.

    A keepalive timer that starts later fires when its idle time is over in any case, but finds that of an
    orphan if the socket has become one.
    """
    checks = s.user_timeout_rule == "checked"
    if tunes and (checks or s.keep_idle_from == "heard"):
        return ANY_US, 0, 0  # what is yet to be set counts from then, however long it is
    timeout_us = timers.user_timeout_us(t, s) or 0 if checks else 0
    idle_us = 0 if t.keep_at_us is None else timers.keep_silence_us(t, s)
    return idle_us, s.orphan_keep_idle_us or 0, timeout_us


def _longest_user_us(t: Tcb, s: Stack, bounds: Bounds) -> int:
    opening_us = s.syn_give_up_us if t.options.keep_init_us is None else t.options.keep_init_us
    checks = s.user_timeout_rule == "timer"
    limit_us = max(timers.user_timeout_us(t, s) or 0, bounds.option_us or 0) if checks else 0
    return max(limit_us, max(opening_us or 0, s.syn_received_us or 0) if t.state < ESTABLISHED else 0)


def _longest_wait_us(t: Tcb, s: Stack, bounds: Bounds) -> int:
    """TIME-WAIT, LAST-ACK; FIN-WAIT-2 with its extensions, 3.5 RTO of the RTO that there may be then."""
    closed_us = max(s.time_wait_us, s.last_ack_us or 0)
    if s.fin_wait_2_us is None or t.state in (CLOSE_WAIT, LAST_ACK, TIME_WAIT):
        return closed_us
    rto_us = 0
    if s.fin_wait_2_rto_floor:
        # with timestamps the ACK of the FIN has measured a round trip, which ends all back-off
        settled = t.state is FIN_WAIT_2 or t.ts_on
        rto_us = t.rto_us if settled or bounds.rto_us is None else bounds.rto_us
    asked_us = max(s.fin_wait_2_us, t.options.linger2_us or 0, bounds.option_us or 0)
    return max(closed_us, asked_us, 4 * rto_us - rto_us // 2, s.fin_wait_2_idle_check_us or 0)


def _silences_closing_us(t: Tcb, s: Stack, tunes: bool) -> tuple[int, ...]:
    """The limit of LAST-ACK, and the idle check of FIN-WAIT-2, a state that begins when the peer is heard."""
    last_us = s.last_ack_us or 0 if t.state in _WAITS_FOR_FIN else 0
    if s.fin_wait_2_idle_check_us is None or t.state is not FIN_WAIT_2:
        return last_us, 0
    return last_us, ANY_US if tunes else timers.fin_wait_2_us(t, s) + 1


# In the order in which they fire
DECLARED = (
    Declared("slot_at_us", attrgetter("slot"), "icsk_retransmit_timer", _longest_slot_us),
    Declared("delack_at_us", lambda _: Timer.DELAYED_ACK, None, _longest_delay_us),
    Declared("compressed_at_us", lambda _: Timer.COMPRESSED_ACK, None, _longest_compressed_us),
    Declared("keep_at_us", lambda _: Timer.KEEPALIVE, "sk_timer", _longest_keep_us, _silences_kept_us),
    Declared("user_at_us", lambda _: Timer.USER_TIMEOUT, None, _longest_user_us),
    # a full socket waits by the timer that keepalive has, too
    Declared("wait_at_us", attrgetter("wait"), "sk_timer", _longest_wait_us, _silences_closing_us),
)
DEADLINES = tuple(each.deadline for each in DECLARED)
deadlines = attrgetter(*DEADLINES)  # of a connection, in this order
_HEEDFUL = tuple(each for each in DECLARED if each.silences_us is not None)


def _generate_next_time() -> Callable[[Tcb], int | None]:
    """A comparison written out deadline by deadline: every step asks."""
    first, *others = DEADLINES
    lines = "".join(
        f"    new = t.{name}\n    if new is not None and (at is None or new < at):\n        at = new\n"
        for name in others
    )
    scope: dict[str, Any] = {}
    exec(f"def next_time(t):\n    at = t.{first}\n{lines}    return at", scope)
    found: Callable[[Tcb], int | None] = scope["next_time"]
    return found


next_time = _generate_next_time()  # the earliest deadline, or None when nothing will ever happen by itself


def stop_all(t: Tcb) -> None:
    """A closed connection has no timers."""
    t.slot = t.wait = None
    for name in DEADLINES:
        setattr(t, name, None)


def running(t: Tcb) -> list[Running]:
    """The timers of a connection that run, in the order in which they fire."""
    found = []
    for each in DECLARED:
        timer, at_us = each.timer(t), getattr(t, each.deadline)
        if timer is not None and at_us is not None:
            found.append(Running(timer, at_us, each))
    return found


def longest_us(t: Tcb, s: Stack, bounds: Bounds) -> int:
    """The farthest ahead that any timer of a connection may ever be set.

    One thing is beyond it: a path on which a segment takes a minute, where a loss probe waits longer than
    any RTO (RFC 8985 7.2: twice the SRTT).
    """
    return max([each.longest_us(t, s, bounds) for each in DECLARED])


def longest_silence_us(t: Tcb, s: Stack, tunes: bool) -> int:
    """The longest silence of the peer that a rule tells from a shorter one; 0: no rule asks."""
    return max([max(each.silences_us(t, s, tunes)) for each in _HEEDFUL if each.silences_us is not None])


def silences_met(t: Tcb, s: Stack) -> tuple[bool, ...]:
    """Of each limit on silence, whether it will be met when the timer that reads it fires."""
    heard_us = timers.silent_since_us(t)
    found: list[bool] = []
    for each in _HEEDFUL:
        at_us = getattr(t, each.deadline)
        if at_us is not None and each.silences_us is not None:
            found += [at_us - heard_us >= limit_us for limit_us in each.silences_us(t, s, False)]
    return tuple(found)
