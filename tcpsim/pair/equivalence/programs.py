"""What the programs of a host may still do to its connections.

Owns: on which sockets a program may still act, send, close or set a timeout, and whether any may open a
connection. Refuses to know: what follows for a connection (context, tcp), and when.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tcpsim.app import equivalence as app
from tcpsim.app.program import Running
from tcpsim.sockets import Send, SendAll
from tcpsim.sockets import equivalence as sockets
from tcpsim.sockets.options import timed_us
from tcpsim.sockets.processes import System, pid_of

_ENDLESS = 1 << 40


class Ahead(NamedTuple):
    """What a host's programs may yet do: open connections, and the sockets on which they may act at all,
    send, close or shut down while they live, or set an option that a timer reads; `later_us` is the longest
    time of such an option, of any socket there may be (None: none will be set). An operator's kill
    closes all of them. `once`: sockets on which they send at most one write more, and its octets.
    `most_octets`: what they send in their lives, at most; at least 1, as it counts only where one sends."""

    opens: bool
    busy: frozenset[int]
    sends: frozenset[int]
    closes: frozenset[int]
    tunes: frozenset[int]
    later_us: int | None
    once: Mapping[int, int]
    most_octets: int


def ahead(system: System, programs: tuple[tuple[int, Running], ...]) -> Ahead:
    """See `Ahead`; a program that sleeps for ever does nothing."""
    opens = kills = False
    waiting = {pid_of(each.caller) for each in system.blocked}
    sending = {pid_of(each.caller) for each in system.blocked if isinstance(each.call, Send | SendAll)}
    awake: set[int] = set()
    does: dict[str, set[int]] = {"sends": {*sending}, "tunes": set()}
    writes: dict[int, int | None] = dict.fromkeys(sending)
    closes: frozenset[int] = frozenset()
    later_us: list[int] = []
    for pid, running in programs:
        may = app.ahead(running)
        opens = opens or "opens" in may
        if running.wake_us is None and pid not in waiting:
            continue
        awake.add(pid)
        later_us += [us for option in app.options(running) if (us := timed_us(*option)) is not None]
        if "kills" in may:  # which closes whatever the others hold
            awake.update(other for other, _ in programs)
            closes |= sockets.reached(system, awake)
        for what in may & does.keys():
            does[what].add(pid)
        if "sends" in may and pid not in sending:
            writes[pid] = app.one_send(running)
        if "closes" in may:
            closes |= _closes(system, pid, running)
        kills = kills or "destroys" in may
    busy, sends, tunes = (sockets.reached(system, pids) for pids in (awake, does["sends"], does["tunes"]))
    if kills:
        busy = closes = frozenset(system.end.sockets)
    longest_us, once = max(later_us, default=None), _once(system, writes)
    return Ahead(opens, busy, sends, closes, tunes, longest_us, once, _most_octets(programs))


def _most_octets(programs: tuple[tuple[int, Running], ...]) -> int:
    """See `Ahead`."""
    most = [app.most_octets(running.program) for _, running in programs]
    return _ENDLESS if None in most else max(sum(each or 0 for each in most), 1)


def _once(system: System, writes: Mapping[int, int | None]) -> dict[int, int]:
    """`Ahead.once`, from the only write of each process that may send (None: it may make more)."""
    found: dict[int, int] = {}
    several: set[int] = set()
    for pid, octets in writes.items():
        for number in sockets.reached(system, {pid}):
            if octets is None or number in found:
                several.add(number)
            else:
                found[number] = octets
    return {number: octets for number, octets in found.items() if number not in several}


def _closes(system: System, pid: int, running: Running) -> frozenset[int]:
    """The sockets that a program may yet close or shut down while they live.

    One that it reads to its end is closed after an error only when it is dead.
    """
    reached = sockets.reached(system, {pid})
    if "closes" in app.ahead(running, alive=True):
        return reached
    return reached - sockets.untimed(system, pid, app.reading(running))
