"""The plan of a recording: what a real host needs to do the same as a pair of the simulator.

Owns: which pairs can be recorded, the sysctls for changed knobs, and the expected time. Refuses to know: how
a pair is recorded. A pair that cannot be recorded is refused in one line before anything is set up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tcpsim.app.program import Program, Reboot, Running
from tcpsim.catalogue import run
from tcpsim.errors import InputError
from tcpsim.pair import FIRST_PID, SIDES, Machine, Pair, Side
from tcpsim.path import Link, Path, Seeded, Tracker
from tcpsim.tcp.stack import Stack, knobs, stack
from tcpsim.units import format_duration

KERNEL = "linux"
MTU = 1500
BASE_SYSCTLS: Mapping[str, int | str] = {"tcp_congestion_control": "reno"}  # the one that is modelled
LONGEST_US = 10 * 60 * 1_000_000  # in real time, unless somebody asks for more
_UNITS_US = {"us": 1, "ms": 1_000, "s": 1_000_000}
# Fields that are sysctls only in some of their values
_SWITCHES: dict[str, tuple[str, dict[Any, int]]] = {
    "loss_probe": ("tcp_early_retrans", {False: 0, True: 3}),
    "rack": ("tcp_recovery", {False: 0, True: 1}),
    "accept_overflow": ("tcp_abort_on_overflow", {"drop": 0, "reset": 1}),
}
_NO_SYSCTL = ("hz", "quickack")  # names of knobs that are no files under net.ipv4


class Job(NamedTuple):
    """Two programs about to begin, each host's sysctls, the line, and until when to watch."""

    name: str
    title: str
    programs: Mapping[Side, Running]
    sysctls: Mapping[Side, Mapping[str, int]]
    path: Path
    delay_us: int
    seed: int
    horizon_us: int
    expected_us: int  # how long the simulator says it takes


def job(name: str, title: str, pair: Pair, *, seed: int, horizon_us: int, asked_us: int | None = None) -> Job:
    """How to record `pair`; `asked_us` is a horizon that the user has given, in place of `horizon_us`.

    Raises:
        InputError: it cannot be recorded here, or takes long and nobody has asked for that.
    """
    machines: dict[Side, Machine] = {"client": pair.client, "server": pair.server}
    programs: dict[Side, Running] = {side: dict(machines[side].programs)[FIRST_PID] for side in SIDES}
    for side in SIDES:
        check_program(side, programs[side].program)
    sysctls: dict[Side, dict[str, int]] = {
        side: sysctls_of(side, machines[side].system.end.stack) for side in SIDES
    }
    limit_us = horizon_us if asked_us is None else asked_us
    expected_us = run(pair, Seeded(seed), limit_us).t_us
    if asked_us is None and expected_us > LONGEST_US:
        took = format_duration(round(expected_us / 1_000_000) * 1_000_000)
        allowed = f"up to {format_duration(LONGEST_US)}, a --horizon, or shorter times with --set and --with"
        raise InputError(f"lab {name}", f"a recording of {took} in real time", allowed)
    delay_us = one_delay_us(pair.path)
    return Job(name, title, programs, sysctls, pair.path, delay_us, seed, limit_us, expected_us)


def sysctls_of(side: Side, profile: Stack) -> dict[str, int]:
    """The sysctls under which this machine's kernel is `profile`: one for each knob that was turned.

    >>> sysctls_of("client", stack("linux").with_knobs({"tcp_fin_timeout": "1s", "rack": False}))
    {'tcp_fin_timeout': 1, 'tcp_recovery': 0}
    """
    if profile.name != KERNEL:
        raise InputError(f"lab stack_{side}", profile.name, f"{KERNEL}, the kernel of this machine")
    found = {}
    default = stack(KERNEL)
    for knob in knobs(KERNEL):
        value = getattr(profile, knob.field)
        if value == getattr(default, knob.field):
            continue
        if knob.field in _SWITCHES:
            name, values = _SWITCHES[knob.field]
            found[name] = values[value]
        elif not knob.own_name or knob.own_name in _NO_SYSCTL or not isinstance(value, int):
            raise InputError(f"lab {side}.{knob.own_name or knob.field}", value, "knobs with a sysctl")
        else:
            found[knob.own_name] = int(value) // _UNITS_US.get(knob.unit, 1)
    return dict(sorted(found.items()))


def check_program(side: Side, program: Program) -> None:
    """Raises InputError for a program that a process cannot be."""
    for op in program.ops:
        if isinstance(getattr(op, "action", None), Reboot):
            allowed = "steps that a process can take (UNSUPPORTED)"
            raise InputError(f"lab {side}", "a machine that reboots", allowed)
        if "kills" in getattr(op, "does", ()):
            raise InputError(f"lab {side}", "a program that kills others", "one that acts on itself alone")


def one_delay_us(path: Path) -> int:
    """The exact one-way delay, which a trace must have."""
    delays = set()
    for element in (*path.shared, *path.to_server, *path.to_client):
        if isinstance(element, Tracker):
            raise InputError("lab path", "a middlebox", "none: a trace has no place for one")
        if isinstance(element, Link):
            if element.jitter is not None or element.rate_bps is not None:
                raise InputError("lab path", "jitter or a rate", "an exact delay")
            delays.add(element.delay_us)
    (delay_us,) = delays
    return delay_us
