"""One connection of a real population: programs, stacks and path, from the settings of the run.

Owns: what the two kinds of clients do, and at which phase of the timer wheel a connection starts. Refuses to
know: how many there are, and what happens to them (expected).

A kernel's timers fire when its wheel turns, so the history of a connection depends on the phase at which it
starts. Both hosts are on one machine, so they share one wheel. Programs wait until the phase. The relay takes
a little longer than its delay, because the machine itself needs time, as the RTT of real sockets shows (20.2
ms where twice the delay is 20).
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, Final, Literal

from tcpsim.app import Program, find
from tcpsim.app.program import Step
from tcpsim.app.receive_steps import receive_to_eof
from tcpsim.app.steps import close, connect, send
from tcpsim.app.wait_steps import ignore, wait, wait_if_any
from tcpsim.conformance.populations.schema import Config, Run
from tcpsim.conformance.traces.schema import Unsupported
from tcpsim.conformance.traces.setup import PROFILE, knob, route_knobs
from tcpsim.errors import InputError
from tcpsim.pair import Pair, new_pair
from tcpsim.path import Loss, Path, make_path
from tcpsim.tcp.stack import Stack, stack

Kind = Literal["closer", "never-closer"]
KINDS: Final[tuple[Kind, ...]] = ("closer", "never-closer")

HZ: Final = 250  # CONFIG_HZ of the machine
WHEEL_US: Final = 2_048_000  # the coarsest bucket of timers up to two minutes: after that it all comes again
_MACHINE_US: Final = 100  # of one way, beside the relay's delay


def stack_of(run: Run) -> Stack:
    """The profile of both hosts.

    Raises:
        InputError: a sysctl, a value or a route option that is not known here.
    """
    try:
        return _profile(tuple(run.config.sysctls_written.items()), run.config.route or "")
    except Unsupported as missing:
        raise InputError(f"{run.run}: sysctls and route", str(missing), "what the profile models") from None


@cache
def _profile(sysctls: tuple[tuple[str, int | str], ...], route: str) -> Stack:
    knobs: dict[str, Any] = {"timer_hz": HZ, "caches_metrics": True}
    for name, value in sysctls:
        knobs |= knob(name, str(value))
    return stack(PROFILE).with_knobs(knobs | route_knobs(route))


def connection(
    run: Run,
    kind: Kind,
    phase_us: int,
    think_us: tuple[int, int] = (0, 0),
    vanish_us: int | None = None,
    alone: bool = False,
) -> Pair:
    """A connection of that kind that begins `phase_us` after its clock.

    One that is `alone` knows and leaves nothing of others, whatever was set. `think_us` is what the client
    and the server wait; from `vanish_us` on nothing arrives any more.

    Raises:
        InputError: see `stack_of`.
    """
    config = run.config
    client_us, server_us = think_us
    profile = stack_of(run)
    if alone:
        profile = profile.with_knobs({"caches_metrics": False})
    path = lossy_path(config, round(config.delay_ms * 1_000) + _MACHINE_US, vanish_us)
    answers = _server(config.req, config.resp, server_us)
    return new_pair(_client(config, kind, phase_us, client_us), answers, profile, profile, path)


@lru_cache(256)
def _server(request: int, response: int, think_us: int) -> Program:
    behaviour = find("server", "responds-then-closes")
    return behaviour.program(request=request, response=response, think=think_us)


def lossy_path(config: Config, delay_us: int, vanish_us: int | None) -> Path:
    """The line of a run; from `vanish_us` on nothing arrives any more."""
    path = make_path(delay_us, config.p, config.p)
    if vanish_us is None:
        return path
    lossy = Loss(config.p, 0, vanish_us), Loss(1.0, vanish_us)
    return path._replace(to_client=(*lossy, path.to_client[-1]), to_server=(*lossy, path.to_server[-1]))


def _client(config: Config, kind: Kind, phase_us: int, think_us: int) -> Program:
    options = _keepalive(config.ka) if config.ka_all or kind == "never-closer" else ()
    steps: list[Step] = [wait(phase_us), connect(options=options)]
    steps += [*wait_if_any(think_us), send(config.req), receive_to_eof()]
    if kind == "never-closer":
        return Program([*steps, ignore()], on_error=[ignore()])
    return Program([*steps, wait(round(config.close_ms * 1_000)), close()])


def _keepalive(ka: tuple[int, int, int] | None) -> tuple[tuple[str, int], ...]:
    names = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
    return () if ka is None else (("SO_KEEPALIVE", 1), *zip(names, ka, strict=True))
