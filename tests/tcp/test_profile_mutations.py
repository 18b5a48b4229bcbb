"""Each field of a profile is noticed: with another legal value in its place, some probe of the battery fails.

The probes are real events with an expectation and its source (tests/tcp/probes). Here each of them holds on
its profile, each field is watched by at least one, and each mutant of the field is caught by one of those
that watch it. Tables and generated pages do not count.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tcpsim.tcp.stack import Stack, stack
from tests.tcp.probes import (
    calls,
    closing,
    defence,
    giving_up,
    habits,
    host,
    icmp,
    losses,
    opening,
    resets,
    small,
    syns,
    windows,
)
from tests.tcp.probes.battery import PROBES, Probe
from tests.tcp.probes.mutants import FIELDS, mutants

MODULES = (
    calls,
    closing,
    defence,
    giving_up,
    habits,
    host,
    icmp,
    losses,
    opening,
    resets,
    small,
    syns,
    windows,
)

# Values that cannot be told from the profile's own, whatever is done: (profile, field) -> values, and why.
_OF_FREEBSD = stack("freebsd")
ALIKE: dict[tuple[str, str], tuple[tuple[Any, ...], str]] = {
    ("rfc9293", "backoff"): (
        (_OF_FREEBSD.backoff,),
        "FreeBSD's table doubles as often as the RFC's 60 s allow",
    ),
    ("linux", "rcv_space_max"): (
        (1 << 24, 1 << 26),
        "no probe fills megabytes; that a buffer grows at all is watched",
    ),
    ("linux", "snd_space_max"): (
        (1 << 21, 1 << 23),
        "no probe fills megabytes; that a buffer grows at all is watched",
    ),
    ("freebsd", "push_rule"): (("queue",), "both push where nothing is left in the buffer"),
}


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.run.__name__)
def test_a_probe_holds_on_its_profile(probe: Probe) -> None:
    probe.run(stack(probe.profile))


def test_every_probe_names_its_source() -> None:
    assert all(probe.run.__doc__ for probe in PROBES)
    assert all(field in FIELDS for probe in PROBES for field in probe.fields)


@pytest.mark.parametrize("field", FIELDS)
def test_a_changed_field_is_noticed(field: str) -> None:
    watching: dict[str, list[Probe]] = {}
    for probe in PROBES:
        if field in probe.fields:
            watching.setdefault(probe.profile, []).append(probe)
    assert watching, f"no probe watches {field}"
    for name, probes in watching.items():
        for value in mutants(stack(name), field):
            if value in ALIKE.get((name, field), ((), ""))[0]:
                continue
            mutant = replace(stack(name), **{field: value})
            assert not all(holds(probe, mutant) for probe in probes), f"{name} with {field} = {value!r}"


def test_what_is_said_to_be_alike_is() -> None:
    for (name, field), (values, _) in ALIKE.items():
        for value in values:
            mutant = replace(stack(name), **{field: value})
            watching = [probe for probe in PROBES if probe.profile == name and field in probe.fields]
            assert all(holds(probe, mutant) for probe in watching), f"{name} with {field} = {value!r}"


def holds(probe: Probe, profile: Stack) -> bool:
    """Whether everything that a probe expects is so under a profile."""
    try:
        probe.run(profile)
    except AssertionError:
        return False
    return True
