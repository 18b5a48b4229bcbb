"""When a socket ends by itself, from the timer column of the dump or from the stack's profile.

Owns: the earliest, the expected and the latest time, for each state, holder and timer. Refuses to know: what
programs may do before that. "Latest" is None if nothing ends the socket as long as no program acts.

The timer column shows the time to the next expiry and how often the timer has fired, but not the RTO. The RTO
lies between the smallest value that fits the column and the value on a slow path, and so does the time of
giving up. A timer of Linux may fire late by an eighth of its length (kernel/time/timer.c). The latest time
includes this.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tcpsim.dumps import Socket, Timer
from tcpsim.tcp import rto
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import State
from tcpsim.tcp.timer_wheel import bucket_width_us

_HZ = 250  # the ticks of most Linux kernels; with more of them timers are less late
_LATE = 8  # one part in so many of a timer's length
_USUAL_RTT_US = 20_000
_SLOW_RTT_US = 300_000
_PROBED = (
    "a keepalive probe that meets a RST, once the peer's kernel has dropped FIN-WAIT-2; the descriptor stays"
)
_ORPHANS = (State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK)


class Ends(NamedTuple):
    """When it ends, in microseconds from the dump, and what ends it. None: not by itself."""

    earliest_us: int
    expected_us: int | None
    latest_us: int | None
    by: str

    @property
    def never(self) -> bool:
        """Nothing ends it."""
        return self.expected_us is None


NEVER = Ends(0, None, None, "")


def ends(socket: Socket, stack: Stack, orphan: bool | None, linux: bool = True) -> Ends:
    """When this socket ends; `orphan` is None where the dump does not tell whether a program holds it."""
    state, timer = socket.state, socket.timer
    if state is State.TIME_WAIT:
        return _wait(timer, stack.time_wait_us, "the TIME-WAIT timer")
    if state is State.SYN_SENT:
        return _opening(
            timer, stack, stack.syn_retries, stack.syn_linear_timeouts, "the limit of SYN retransmissions"
        )
    if state is State.SYN_RECEIVED:
        return _syn_received(timer, stack)
    if state is State.FIN_WAIT_2:
        return _fin_wait_2(timer, stack, orphan)
    if timer is not None and timer.kind == "persist":
        return _persist(timer, stack, orphan if orphan is not None else state in _ORPHANS)
    if timer is not None and timer.kind == "keepalive":
        found = _keepalive(timer, stack)
        if state is State.CLOSE_WAIT and timer.fired == 0:
            return found._replace(by=_PROBED)
        return found
    if timer is not None and timer.kind == "on" and timer.fired >= 1:
        return _retransmission(
            timer, stack, orphan if orphan is not None else state in _ORPHANS, socket.rto_us
        )
    if state in _ORPHANS:
        if timer is not None and timer.kind == "on":
            return _retransmission(timer, stack, orphan is not False, socket.rto_us)
        return _whole_budget(stack)
    return NEVER


def _late(length_us: int) -> int:
    return bucket_width_us(length_us, _HZ) + 1_000_000 // _HZ if length_us > 0 else 0


def _wait(timer: Timer | None, whole_us: int, by: str) -> Ends:
    """A timer that runs once."""
    if timer is not None and timer.kind == "timewait":
        latest = timer.left_us + timer.step_us + _late(max(whole_us, timer.left_us))
        return Ends(timer.left_us, (timer.left_us + latest) // 2, latest, by)
    return Ends(0, whole_us // 2, whole_us + _late(whole_us), by)


def _fin_wait_2(timer: Timer | None, stack: Stack, orphan: bool | None) -> Ends:
    if timer is not None and timer.kind == "timewait":
        return _wait(timer, stack.fin_wait_2_us or stack.time_wait_us, "the FIN-WAIT-2 timer")
    if stack.fin_wait_2_us is None:
        return NEVER
    limited = orphan is True or (orphan is not False and stack.fin_wait_2_on_fin_acked != "never")
    if orphan is False:
        limited = stack.fin_wait_2_on_fin_acked == "always"
    if not limited:
        return _keepalive(timer, stack) if timer is not None and timer.kind == "keepalive" else NEVER
    whole_us = stack.fin_wait_2_us
    more_us = stack.fin_wait_2_idle_check_us or 0
    return Ends(0, whole_us // 2, whole_us + more_us + _late(whole_us), "the FIN-WAIT-2 timer")


def _keepalive(timer: Timer, stack: Stack) -> Ends:
    """Probes that are answered go on for ever.

    Unanswered ones are counted, and their distance a program may set.
    """
    by = "keepalive, if the peer's host does not answer"
    left = timer.left_us + timer.step_us
    if timer.fired == 0:
        rest = stack.keep_cnt * stack.keep_intvl_us
        return Ends(timer.left_us, None, left + rest + (stack.keep_cnt + 1) * _late(stack.keep_intvl_us), by)
    more = max(stack.keep_cnt - timer.fired, 0)
    usual = timer.left_us + more * stack.keep_intvl_us
    interval = max(stack.keep_intvl_us, left)
    return Ends(timer.left_us, usual, left + more * interval + (more + 1) * _late(interval), "keepalive")


# Retransmission


def _retransmission(timer: Timer, stack: Stack, orphan: bool, rto_us: int | None) -> Ends:
    by = "the limit of retransmissions" + (" for orphans" if orphan else "")
    known = rto_us >> min(timer.fired, 40) if rto_us else None  # -i shows the RTO after backing off
    if known is not None and known >= stack.rto_min_us // 2:
        found = [_rest(timer, stack, orphan, base) for base in (known, known + known // 8)]
    else:
        found = [_rest(timer, stack, orphan, base) for base in _bases(timer, stack)]
    rests = [each for each in found if each is not None]
    if not rests:
        return NEVER
    usual = _rest(timer, stack, orphan, max(_least_base(timer, stack), _usual_base(stack)))
    latest = max(rests) + timer.step_us
    return Ends(min(rests), max(min(rests), usual or rests[0]), latest + latest // _LATE, by)


def _usual_base(stack: Stack) -> int:
    return stack.rto_min_us + _USUAL_RTT_US


def _least_base(timer: Timer, stack: Stack) -> int:
    """The first RTO must be so long that what is left now fits into it after backing off."""
    return max(stack.rto_min_us, timer.left_us * 8 // 9 >> min(timer.fired, 40))


def _bases(timer: Timer, stack: Stack) -> Iterator[int]:
    """RTOs before any backing off that fit the column, from the least to that of a slow path."""
    least = _least_base(timer, stack)
    most = max(stack.rto_min_us + 3 * _SLOW_RTT_US, least)
    for step in range(25):
        yield least + (most - least) * step // 24


def _rest(timer: Timer, stack: Stack, orphan: bool, base_us: int) -> int | None:
    """From now to the expiry that gives up, with this first RTO; None: there is no limit."""
    limit = _limit(stack, orphan)
    if limit is None:
        return None
    count, rest_us = timer.fired, timer.left_us
    budget_us = rto.budget(limit, stack.retry_budget_base_us, stack) if stack.retry_rule == "budget" else 0
    waited_us = sum(
        _interval(base_us, n, stack) for n in range(1, count + 1)
    )  # since the first retransmission
    while count < 200:
        if stack.retry_rule == "count":
            if count >= limit:
                break
        elif count and waited_us >= budget_us:
            break
        count += 1
        interval_us = _interval(base_us, count, stack)
        waited_us += interval_us
        rest_us += interval_us
    return rest_us


def _interval(base_us: int, count: int, stack: Stack) -> int:
    """The RTO after so many retransmissions."""
    times = stack.backoff[min(count, len(stack.backoff) - 1)] if stack.backoff else 1 << min(count, 40)
    return min(base_us * times, stack.rto_max_us)


def _limit(stack: Stack, orphan: bool) -> int | None:
    if not orphan:
        return stack.retries
    return stack.orphan_retries_safe if stack.orphan_retries == 0 else stack.orphan_retries


def _whole_budget(stack: Stack) -> Ends:
    """An orphan whose timer the dump does not show."""
    limit = _limit(stack, True)
    if limit is None:
        return NEVER
    whole = _rest(Timer("on", _usual_base(stack), 0, 0), stack, True, _usual_base(stack)) or 0
    slow = _rest(Timer("on", 0, 0, 0), stack, True, stack.rto_min_us + 3 * _SLOW_RTT_US) or 0
    return Ends(0, whole // 2, max(whole, slow) * 9 // 8, "the limit of retransmissions for orphans")


def _persist(timer: Timer, stack: Stack, orphan: bool) -> Ends:
    """The peer's window is shut: an owner's probes go on while they are answered, an orphan's back off."""
    limit = stack.persist_limit
    base = _usual_base(stack)
    if orphan and stack.orphan_persist_retries:
        intervals = [stack.rto_min_us]
        while intervals[-1] < stack.persist_max_us:
            intervals.append(min(intervals[-1] * 2, stack.persist_max_us))
        first = next(
            (n for n, each in enumerate(intervals) if each * 9 // 8 >= timer.left_us), len(intervals) - 1
        )
        usual = timer.left_us + sum(intervals[first + 1 :])
        latest = timer.left_us + timer.step_us + (sum(intervals[first + 1 :]) + intervals[-1]) * 9 // 8
        return Ends(timer.left_us, usual, latest, "the limit of zero-window probes for orphans")
    if timer.fired == 0 or limit is None:
        return Ends(timer.left_us, None, None, "nothing, while the peer's host answers the probes")
    rest = sum(min(base << min(n, 40), stack.persist_max_us) for n in range(timer.fired + 1, limit + 1))
    most = sum(
        min((base + _SLOW_RTT_US) << min(n, 40), stack.persist_max_us) for n in range(timer.fired, limit + 1)
    )
    return Ends(
        timer.left_us, timer.left_us + rest, timer.left_us + most * 9 // 8, "the limit of zero-window probes"
    )


def _opening(timer: Timer | None, stack: Stack, retries: int | None, linear: int, by: str) -> Ends:
    first = stack.syn_rto_us
    if retries is None:
        whole = stack.syn_give_up_us
        return NEVER if whole is None else Ends(0, whole // 2, whole + _late(whole), by)
    intervals = [first] * (linear + 1) + [min(first << n, stack.rto_max_us) for n in range(1, retries + 1)]
    count = timer.fired if timer is not None and timer.kind == "on" else 0
    if timer is None or timer.kind != "on":
        whole = sum(intervals)
        return Ends(0, whole // 2, whole * 9 // 8, by)
    rest = sum(intervals[count + 1 :])
    latest = timer.left_us + timer.step_us + rest
    return Ends(
        timer.left_us + rest, timer.left_us + rest + rest // 16, latest * 9 // 8 + intervals[-1] // _LATE, by
    )


def _syn_received(timer: Timer | None, stack: Stack) -> Ends:
    """The column counts answers to repeated SYNs too; and a SYN that comes after the end begins it anew."""
    by = "the limit of SYN-ACK retransmissions, unless the client sends its SYN again"
    if timer is None or stack.synack_retries is None:
        found = _opening(timer, stack, stack.synack_retries, 0, by)
    else:
        widths = [min(stack.syn_rto_us << n, stack.rto_max_us) for n in range(stack.synack_retries + 1)]
        least = next(
            (n for n, each in enumerate(widths) if each * 9 // 8 >= timer.left_us), stack.synack_retries
        )
        early = _opening(timer, stack, stack.synack_retries, 0, by)
        late = _opening(timer._replace(fired=least), stack, stack.synack_retries, 0, by)
        found = early._replace(expected_us=late.expected_us, latest_us=late.latest_us)
    client = _opening(None, stack, stack.syn_retries, stack.syn_linear_timeouts, "")
    if found.latest_us is None or client.latest_us is None:
        return found
    return found._replace(latest_us=found.latest_us + client.latest_us)
