"""The plan of a recording of a line with a relay: what three real hosts need to do the same as the simulator.

Owns: the story with all that was changed in it, so that a file can tell it; which lines can be recorded; the
sysctls of each host; until when. Refuses to know: how a line is recorded (chain), and what is compared
(conformance.chains).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from tcpsim.app import find
from tcpsim.catalogue import Relay, Scenario, build, run
from tcpsim.catalogue.relay import means
from tcpsim.catalogue.scenario import merged
from tcpsim.conformance.lab.recording_plan import LONGEST_US, check_program, one_delay_us, sysctls_of
from tcpsim.errors import InputError
from tcpsim.pair import FIRST_PID, Pair, Side
from tcpsim.path import Seeded
from tcpsim.path.rule_syntax import leg_of
from tcpsim.units import format_duration

_AFTER_US: Final = 500_000  # silence at the end
_TOLD: Final = ("client", "server", "relay", "stack_client", "stack_server", "stack_relay", "knobs")
_OF_PATH: Final = ("delay", "drops", "loss", "loss_to_client", "loss_to_server", "loss_from")


class LineJob(NamedTuple):
    """A line about to be recorded. `story` has no loss by chance: what is lost so, `lost` adds as rules."""

    name: str
    title: str
    story: Scenario
    pair: Pair
    sysctls: Mapping[Side, Mapping[str, int]]
    seed: int
    horizon_us: int
    expected_us: int  # how long the simulator says it takes


def line_job(
    story: Scenario, asked: Mapping[str, Any], *, seed: int = 1, asked_us: int | None = None
) -> LineJob:
    """How to record a story with one relay.

    Raises:
        InputError: it cannot be recorded here, or takes long and nobody has asked for that.
    """
    if len(story.relays) != 1:
        raise InputError(f"lab {story.name}", f"{len(story.relays)} relays", "at most one")
    told = _changed(story, asked)
    pair = build(story, **asked)
    sysctls = {}
    for side, machine in zip(pair.names, pair.machines, strict=True):
        check_program(side, dict(machine.programs)[FIRST_PID].program)
        sysctls[side] = sysctls_of(side, machine.system.end.stack)
    for path in pair.paths:
        one_delay_us(path)
    limit_us = story.horizon_us if asked_us is None else asked_us
    expected_us = run(pair, Seeded(seed), limit_us).t_us
    if asked_us is None and expected_us > LONGEST_US:
        took = format_duration(round(expected_us / 1_000_000) * 1_000_000)
        allowed = f"up to {format_duration(LONGEST_US)}, a --horizon, or shorter times with --set and --with"
        raise InputError(f"lab {story.name}", f"a recording of {took} in real time", allowed)
    until_us = min(limit_us, expected_us + _AFTER_US) if asked_us is None else asked_us
    return LineJob(story.name, story.title, told, pair, sysctls, seed, until_us, expected_us)


def _changed(story: Scenario, asked: Mapping[str, Any]) -> Scenario:
    """The story with the changes written into it, as far as a file can say them."""
    for name in asked:
        if name not in (*_TOLD, *_OF_PATH, "parameters"):
            raise InputError(f"lab {story.name}", name, ", ".join((*_TOLD, *_OF_PATH, "parameters")))
    arguments = merged({"all": story.arguments}, {"all": asked.get("parameters", {})})["all"]
    knobs = merged({"all": story.knobs}, {"all": asked.get("knobs", {})})["all"]
    drops: list[tuple[int, str]] = []
    for leg, drop in (*map(leg_of, asked.get("drops", ())), *[(0, each) for each in story.drops]):
        if not isinstance(drop, str):
            raise InputError(f"lab {story.name}", repr(drop), "drop rules as text, which a file can say")
        drops.append((leg, drop))
    (relay,) = story.relays
    behaviour = asked.get("relay", relay.behaviour)
    if not isinstance(behaviour, str):
        raise InputError(f"lab {story.name}", "a Program as relay", "a behaviour by its name")
    known = {each.name for each in find("relay", behaviour).parameters}
    own = {key: value for key, value in relay.arguments.items() if key in known}
    between = replace(
        relay,
        behaviour=behaviour,
        stack=asked.get("stack_relay", relay.stack),
        arguments={**own, **_of_relay(arguments, known)},
        knobs={**relay.knobs, **_of_relay(knobs, None)},
        loss=0.0,
        drops=(*[drop for leg, drop in drops if leg == 1], *relay.drops),
        delay=asked.get("delay", relay.delay),
    )
    ends = {
        name: asked[name] for name in ("client", "server", "stack_client", "stack_server") if name in asked
    }
    return replace(
        story,
        **ends,
        arguments=arguments,
        knobs={key: value for key, value in knobs.items() if not key.startswith("relay.")},
        loss=0.0,
        delay=asked.get("delay", story.delay),
        drops=tuple([drop for leg, drop in drops if leg == 0]),
        relays=(between,),
        expect=None,
        contrasts=(),
        cures=(),
        in_vain=(),
    )


def _of_relay(given: Mapping[str, Any], known: set[str] | None) -> dict[str, Any]:
    """What is said of the relay by the names of its own; a plain name too, if the relay has it."""
    found = {}
    for key, value in given.items():
        owner, dot, name = key.rpartition(".")
        if (means(owner, "relay") if dot else known is None or name in known) and owner != "middlebox":
            found[name] = value
    return found


def with_losses(story: Scenario, lost: Mapping[tuple[int, str], list[int]]) -> Scenario:
    """The story with a rule for each sender whose segments of these numbers were lost by chance."""
    rules: list[list[str]] = [[], []]
    for (leg, end), numbers in sorted(lost.items()):
        rules[leg].append(f"{end} #{','.join(map(str, numbers))}")
    (relay,) = story.relays
    between: Relay = replace(relay, drops=(*relay.drops, *rules[1]))
    return replace(story, drops=(*story.drops, *rules[0]), relays=(between,))
