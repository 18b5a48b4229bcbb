"""The set-up of a trace: sysctls, routes, MTU and loss rules, as profiles and a path.

Owns: the table from a kernel's names to the knobs of a profile. Refuses to know: what a knob does.

A sysctl that is in the profile under its own name needs no row here. One whose other values would ask
for a mechanism that is not modelled is accepted with the values that do not, and UNSUPPORTED otherwise.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from tcpsim.conformance.traces.recorded_line import as_recorded
from tcpsim.conformance.traces.schema import SIDES, Trace, Unsupported, us
from tcpsim.errors import InputError
from tcpsim.path import Element, Path, Side, make_path, rule_from_trace
from tcpsim.tcp.stack import Stack, knob_names, stack

PROFILE = "linux"
_IPV4_AND_TCP_HEADERS = 40
_SENDING = ("send", "sendall", "shutdown", "close")  # what these send acknowledges what came before them


class _Switch(NamedTuple):
    """A sysctl whose numbers select a mechanism: the profile's field for each of its values."""

    field: str
    values: dict[str, Any]


class _Both(NamedTuple):
    """A sysctl that bounds more than the profile's field of that name."""

    also: str
    unit: str


class _Fixed(NamedTuple):
    """A sysctl that is not modelled: the values under which that makes no difference, and why."""

    values: tuple[str, ...]
    why: str


_SYSCTLS: dict[str, _Switch | _Both | _Fixed] = {
    "tcp_rto_max_ms": _Both("persist_max_us", "ms"),  # net/ipv4/tcp.h tcp_rto_max() in tcp_probe0_when()
    "tcp_early_retrans": _Switch("loss_probe", {"0": False, "3": True, "4": True}),
    "tcp_recovery": _Switch("rack", {"0": False, "1": True}),
    "tcp_abort_on_overflow": _Switch("accept_overflow", {"0": "drop", "1": "reset"}),
    "tcp_congestion_control": _Fixed(("reno",), "congestion control is Reno's"),
    "tcp_available_congestion_control": _Fixed(("reno",), "congestion control is Reno's"),
    "tcp_ecn": _Fixed(("0", "2"), "no host asks for ECN"),
    "tcp_tw_reuse": _Fixed(("0", "1", "2"), "it concerns ports that the host chooses; a trace binds its own"),
    "tcp_no_metrics_save": _Switch("caches_metrics", {"0": True, "1": False}),
    "tcp_autocorking": _Fixed(("0", "1"), "it merges writes only while the device is busy"),
}
_ROUTE: dict[str, tuple[str, dict[str, int]]] = {
    "quickack": ("quickack_route", {}),
    "rto_min": ("rto_min_us", {"us": 1, "ms": 1_000, "s": 1_000_000}),
    "initcwnd": ("initial_window", {}),
}


def stack_of(trace: Trace, host: str) -> Stack:
    """The profile of host "A" or "B" with the trace's knobs turned.

    Raises:
        Unsupported: a sysctl, a value or a route option that is not known here.
    """
    given: dict[str, int | str] = dict(trace.meta.base_sysctls)
    for hosts, sysctls in trace.meta.sysctls.items():
        if set(hosts) - {"A", "B"}:
            raise Unsupported(f"meta.sysctls.{hosts}: no such host")
        if host in hosts:
            given |= sysctls
    knobs: dict[str, Any] = {"mss": trace.meta.mtu - _IPV4_AND_TCP_HEADERS}
    knobs["caches_metrics"] = True  # tcp_no_metrics_save 0, unless the trace says otherwise
    knobs["timer_hz"] = 0  # exact timers: how late each one was is in the trace
    for name, value in given.items():
        knobs |= knob(name, str(value))
    try:
        return stack(PROFILE).with_knobs(knobs | route_knobs(trace.meta.route or ""))
    except InputError as error:
        raise Unsupported(f"the profile cannot be set so: {error}") from None


def knob(name: str, value: str) -> dict[str, Any]:
    """One sysctl as a knob; nothing where it makes no difference."""
    entry = _SYSCTLS.get(name)
    if isinstance(entry, _Switch):
        if value not in entry.values:
            raise Unsupported(f"sysctl {name} = {value}: only {', '.join(entry.values)} are modelled")
        return {entry.field: entry.values[value]}
    if isinstance(entry, _Fixed):
        if value not in entry.values:
            raise Unsupported(f"sysctl {name} = {value}: not modelled ({entry.why} here)")
        return {}
    if name not in knob_names(PROFILE):
        raise Unsupported(f"sysctl {name}: the profile has no such knob")
    return {name: value} | ({entry.also: f"{value}{entry.unit}"} if entry else {})


def route_knobs(options: str) -> dict[str, Any]:
    """Options of `ip route`, as pairs of words."""
    words = options.split()
    knobs: dict[str, Any] = {}
    for name, value in zip(words[::2], words[1::2], strict=False):
        number = re.fullmatch(r"(\d+)([a-z]*)", value)
        if name not in _ROUTE or number is None or number[2] not in (_ROUTE[name][1] or {"": 1}):
            raise Unsupported(f"route option {name} {value}: not modelled")
        field, units = _ROUTE[name]
        knobs[field] = number[1] if not units else int(number[1]) * units[number[2]]
    if len(words) % 2:
        raise Unsupported(f"route option {words[-1]}: not modelled")
    return knobs


def path_of(trace: Trace, first: tuple[Element, ...] = (), apart: bool = False) -> Path:
    """The relay: the loss rules, and a line on which everything arrives when it arrived in the trace.

    What is sent passes the elements `first` before them. A burst arrives as one, or its segments `apart`.

    Raises:
        Unsupported: a rule that does not say what a rule may say.
    """
    delay_us = us(trace.meta.delay_ms)
    calls_us = {
        side: sorted(row.t_us for row in trace.rows if row.who == side and row.call in _SENDING)
        for side in SIDES.values()
    }
    to_server, to_client = (
        as_recorded(side, delay_us, trace.carried, calls_us[other(side)], apart) for side in SIDES.values()
    )
    try:
        path = make_path(delay_us, drops=[rule_from_trace(rule) for rule in trace.meta.rules])
        shared = (*first, *path.shared)
        return path._replace(shared=shared, to_server=(to_server,), to_client=(to_client,))
    except InputError as error:
        raise Unsupported(f"meta.rules: {error}") from None


def other(side: Side) -> Side:
    """The side at the other end."""
    return "server" if side == "client" else "client"
