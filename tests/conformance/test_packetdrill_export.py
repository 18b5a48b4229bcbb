"""A run as a script: every scenario of the catalogue, either end, written and replayed."""

from __future__ import annotations

from functools import cache

import pytest

from tcpsim.catalogue import build, run, scenario, scenarios
from tcpsim.conformance.packetdrill import Verdict, judge, survey
from tcpsim.conformance.packetdrill.export import exported
from tcpsim.errors import InputError
from tcpsim.pair import SIDES, Arrived, Event, Pair, Sent, Side
from tcpsim.path import Seeded

NAMES = [each.name for each in scenarios()]

SEVERAL, PROCESSES, VANISHES, REBOOTS, STACK = (
    "several connections",
    "several processes",
    "vanishes",
    "reboots",
    "no dialect of its own",
)
NOT_REPEATED = "does not repeat"
# What cannot be written, and why
CANNOT = {
    ("page-with-images", "client"): SEVERAL,
    ("page-with-images", "server"): SEVERAL,
    ("port-reuse-into-close-wait", "client"): SEVERAL,
    ("port-reuse-into-close-wait", "server"): SEVERAL,
    ("port-reuse-behind-a-nat", "client"): SEVERAL,
    ("port-reuse-behind-a-nat", "server"): SEVERAL,
    ("last-rst-dropped-by-a-firewall", "server"): STACK,
    ("inherited-descriptor", "server"): PROCESSES,
    ("accept-queue-overflow", "client"): SEVERAL,
    ("accept-queue-overflow", "server"): SEVERAL,
    ("one-rst-stack", "server"): STACK,
    ("vanished-client", "client"): VANISHES,
    ("fin-wait-2-until-another-is-opened", "client"): SEVERAL,
    ("fin-wait-2-until-another-is-opened", "server"): PROCESSES,
    ("fin-wait-2-until-the-timer-fires", "server"): STACK,
    ("dial-up-client-vanishes", "client"): VANISHES,
    ("keepalive-in-fin-wait-2", "client"): VANISHES,
    ("fin-wait-2-on-netbsd", "server"): STACK,
    ("fin-wait-2-on-openbsd-2024", "server"): STACK,
    ("fin-wait-2-on-solaris-8", "server"): STACK,
    ("fin-wait-2-on-linux-2.2", "server"): STACK,
    ("fin-wait-2-on-hpux-11", "server"): STACK,
    ("fin-wait-2-on-sunos-4", "server"): STACK,
    ("lingering-close-4.4bsd", "server"): STACK,
    ("post-without-authorisation", "client"): STACK,
    ("vanished-clients-stay-established", "client"): VANISHES,
    ("last-ack-on-the-server", "client"): VANISHES,
    ("last-ack-on-the-client", "server"): VANISHES,
    ("fin-wait-1-towards-a-full-accept-queue", "client"): PROCESSES,
    ("fin-wait-1-towards-a-full-accept-queue", "server"): SEVERAL,
    ("pipelining-error", "client"): STACK,
    ("half-open-discovery", "client"): REBOOTS,
    ("half-open-discovery", "server"): SEVERAL,
    ("half-open-meets-data", "client"): REBOOTS,
    ("old-duplicate-syn", "client"): PROCESSES,
    ("port-of-the-nat-goes-to-another-host", "client"): REBOOTS,
    ("port-of-the-nat-goes-to-another-host", "server"): SEVERAL,
    ("relay-waits-for-both-ends", "client"): VANISHES,
    ("relay-with-a-one-hour-idle-timeout", "client"): VANISHES,
    ("relay-pool-and-idle-timeouts", "server"): PROCESSES,
    ("sidecar-on-both-sides", "client"): VANISHES,
}


@cache
def ran(name: str, stack: str | None = None) -> tuple[Pair, list[Event]]:
    """A scenario's pair at its start and what happened, on its own stacks or on one."""
    chosen = scenario(name)
    pair = build(chosen) if stack is None else build(chosen, stack_client=stack, stack_server=stack)
    events: list[Event] = []
    run(pair, Seeded(1), chosen.horizon_us, events.append)
    return pair, events


def script(name: str, side: Side, stack: str | None = None) -> str:
    pair, events = ran(name, stack)
    machine = pair.client if side == "client" else pair.server
    return exported(events, side, machine.system.end.stack, name)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_as_a_script_passes_or_says_why_not(name: str, side: Side) -> None:
    if (name, side) in CANNOT:
        with pytest.raises(InputError, match=CANNOT[name, side]) as raised:
            script(name, side)
        assert "\n" not in str(raised.value)
        return
    text = script(name, side)
    assert judge(text).verdict is Verdict.PASS
    packets = [line for line in text.splitlines() if " > " in line or " < " in line]
    happened = {type(event) for event in ran(name)[1] if getattr(event, "side", None) == side}
    assert {line.split()[1] for line in packets} == {
        sign for sign, kind in (("<", Arrived), (">", Sent)) if kind in happened
    }
    assert all(" win " in line for line in packets), "an expectation that is not written checks nothing"


@pytest.mark.parametrize("stack", ["freebsd", "rfc9293"])
def test_on_other_stacks_too(stack: str) -> None:
    written, reasons = 0, []
    for name in NAMES:
        for side in SIDES:
            try:
                judged = judge(script(name, side, stack))
            except InputError as error:
                reasons.append(error.found)
            else:
                assert (judged.verdict, judged.stack) == (Verdict.PASS, stack)
                written += 1
    assert written > len(NAMES)
    known = (
        SEVERAL,
        PROCESSES,
        VANISHES,
        REBOOTS,
        NOT_REPEATED,
        "which does not return",
        "which no sysctl says",
    )
    assert [reason for reason in reasons if not any(word in reason for word in known)] == []


@pytest.mark.parametrize("side", SIDES)
def test_no_expectation_of_a_script_is_idle(side: Side) -> None:
    found = survey(script("data-after-close", side))
    assert found.tried > 20
    assert found.alive == ()
