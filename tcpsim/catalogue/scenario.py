"""A scenario: a named set-up with a story, and how it becomes a pair.

Owns: what a scenario consists of, its parameters, which of its settings can be overridden, and the errors
of a wrong one. Refuses to know: the particular scenarios (catalogue) and how a pair is run (run, host).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tcpsim.app import Program, comes_once, find
from tcpsim.app.behaviour import DELAY, Behaviour, Parameter
from tcpsim.app.program_changes import closing_on_error, lingering, restarted
from tcpsim.catalogue.relay import Relay, means, role
from tcpsim.catalogue.run import Verdict
from tcpsim.catalogue.validation import check_expect, check_scenario, check_setting
from tcpsim.errors import InputError, unknown
from tcpsim.pair import SIDES, Between, Pair, Side, names, new_pair
from tcpsim.path import Distribution, Loss, Middlebox, Path, make_path, middlebox, parse_distribution
from tcpsim.path.rule_syntax import leg_of
from tcpsim.tcp.stack import STACKS, Stack, stack
from tcpsim.units import parse_duration, parse_probability


@dataclass(frozen=True, slots=True)
class Expect:
    """How a run without random events must end: the sockets of each side as text, and whether a RST was sent.

    `settled` is the range for the time of the last change of a state. `reads` is what the client's reads
    return. `relays` is what each relay holds. A field that is None is not checked.
    """

    client: str | None = None
    server: str | None = None
    verdict: Verdict | None = None
    rst: bool | None = None
    settled: tuple[str, str] | None = None
    reads: tuple[int | str, ...] | None = None
    relays: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check_expect(self)


@dataclass(frozen=True, slots=True)
class Contrast:
    """The scenario with one change, and how it must end then."""

    title: str
    overrides: Mapping[str, Any]
    expect: Expect


@dataclass(frozen=True, slots=True)
class Scenario:
    """One connection: two behaviours, two stacks, a path, and a story.

    `arguments` are parameters of the behaviours. A plain name sets the parameter on each side that has it,
    and "client.delay" sets it on one side. `knobs` are fields of a stack's profile, or names of its owner. A
    plain name changes both stacks, and "middlebox.close_wait" changes the NAT or firewall. `drops` are drop
    rules (see `tcpsim.path.rule_syntax`). `cures` are fixes (see `tcpsim.catalogue.fixes`) that free the host
    which the scenario `concerns` (None: both hosts) of its connections, or that let a failed read succeed.
    `in_vain` are fixes that do not. `within` is the time by which the host has to be free, if its sockets end
    by themselves but too late. `question` is what somebody with such sockets asks, and `source` says where
    the story comes from. `relays` are hosts between client and server, each with the path behind it.
    """

    name: str
    theme: str
    title: str
    story: str
    watch: str
    client: str | Program
    server: str | Program
    expect: Expect | None  # a user's file need not say
    horizon: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    drops: tuple[str, ...] = ()
    loss: float = 0.0
    delay: str = "10ms"
    middlebox: str | Middlebox = "none"
    stack_client: str = "linux"
    stack_server: str = "linux"
    knobs: Mapping[str, Any] = field(default_factory=dict)
    contrasts: tuple[Contrast, ...] = ()
    concerns: Side | None = None
    cures: tuple[str, ...] = ()
    in_vain: tuple[str, ...] = ()
    question: str = ""
    source: str = ""
    within: str | None = None
    relays: tuple[Relay, ...] = ()

    def __post_init__(self) -> None:
        check_scenario(self)

    @property
    def sides(self) -> tuple[Side, ...]:
        """The machines, from the client to the server."""
        return names(len(self.relays))

    @property
    def horizon_us(self) -> int:
        """The time until which a run is watched."""
        return parse_duration(self.horizon, f"{self.name}.horizon")

    def parameters(self) -> tuple[tuple[str, Parameter], ...]:
        """(qualified name, parameter with this scenario's value as the default) for each machine."""
        found = []
        for side in (*SIDES, *self.sides[1:-1]):
            own, behaviour = _own_arguments(self, side), _behaviour(self, side)
            if isinstance(behaviour, Program):
                continue
            for each in find(role(side), behaviour).parameters:
                values = [self.arguments[key] for key in _keys(each.name, side) if key in self.arguments]
                least = own.get(each.name, each.default)
                found.append((f"{side}.{each.name}", each._replace(default=[least, *values][-1])))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Setting:
    """The settings that change a scenario. None changes nothing. `drops` are added to the scenario's own.

    `knobs` changes both stacks, "client.NAME" or "server.NAME" changes one, and "middlebox.NAME" changes the
    middlebox. `loss_from` is the time at which losses begin. After 300 ms, a connection of the catalogue is
    ESTABLISHED. With a middlebox, a segment is lost before it; `loss_side` puts all losses on one side of it.
    Three settings change the program that a side already has: `close_on_error` lets it close its sockets when
    a call fails, `linger` sets SO_LINGER on each socket, and `restart` kills its processes at this time.
    `kill_sockets` is the time at which the operator of a side kills its sockets in FIN-WAIT-2, CLOSE-WAIT and
    LAST-ACK. `relay` and `stack_relay` are the program and the stack of every relay, and "relay.NAME" is a
    parameter or a knob of each relay. Settings of the path apply to every path. Only the middlebox stands on
    the client's path.
    """

    client: str | Program | None = None
    server: str | Program | None = None
    stack_client: str | Stack | None = None
    stack_server: str | Stack | None = None
    knobs: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    loss: float | str | None = None
    loss_to_client: float | str | None = None
    loss_to_server: float | str | None = None
    loss_from: str | int = 0
    delay: str | int | None = None
    jitter: str | Distribution | None = None
    rate_bps: int | None = None
    queue_packets: int | None = None
    duplicate: float | str = 0.0
    reorder: float | str = 0.0
    reorder_extra: str | int = 0
    drops: tuple[str, ...] = ()
    middlebox: str | Middlebox | None = None
    loss_side: Side | None = None
    close_on_error: Mapping[str, bool] = field(default_factory=dict)
    linger: Mapping[str, str | int] = field(default_factory=dict)
    restart: Mapping[str, str | int] = field(default_factory=dict)
    kill_sockets: Mapping[str, str | int] = field(default_factory=dict)
    client_port: int = 40_000
    server_port: int = 5_000
    relay: str | Program | None = None
    stack_relay: str | Stack | None = None

    def __post_init__(self) -> None:
        check_setting(self)


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Overrides for `build`, the later on top of the earlier; parameters and knobs one by one."""
    together: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            together[key] = {**together.get(key, {}), **value} if isinstance(value, Mapping) else value
    return together


def with_arguments(scenario: Scenario, overrides: Mapping[str, Any]) -> tuple[Scenario, dict[str, Any]]:
    """The scenario with the parameters among some overrides, and the other overrides.

    A parameter of a scenario says nothing to a behaviour that does not have it; one of an override is a
    mistake there. So whoever puts another behaviour in its place need not take the parameters back.
    """
    others = {name: value for name, value in overrides.items() if name != "parameters"}
    arguments = {**scenario.arguments, **overrides.get("parameters", {})}
    return replace(scenario, arguments=arguments), others


def changed(scenario: Scenario, overrides: Mapping[str, Any]) -> Scenario:
    """The scenario with some of what `build` takes as overrides; what it expected no longer holds.

    Raises:
        InputError: a setting for which a scenario has no field.
    """
    fields: dict[str, Any] = {}
    for name, value in overrides.items():
        key = "arguments" if name == "parameters" else name
        if key not in Scenario.__dataclass_fields__:
            raise unknown(scenario.name, name, ["parameters", *Scenario.__dataclass_fields__])
        if isinstance(value, Mapping):
            value = {**getattr(scenario, key), **value}
        fields[key] = (*value, *scenario.drops) if key == "drops" else value
    if "middlebox" in fields:  # the scenario's own knobs were those of its own box
        kept = {name: each for name, each in scenario.knobs.items() if not name.startswith("middlebox.")}
        fields["knobs"] = {**kept, **overrides.get("knobs", {})}
    return replace(scenario, **fields, expect=None, contrasts=()) if fields else scenario


def build(scenario: Scenario, **overrides: Any) -> Pair:
    """The pair of a scenario at time 0. Any field of `Setting` overrides the scenario's own.

    Raises:
        InputError: a field, behaviour, parameter, stack or knob that does not exist, or a value out of range.
    """
    for name in overrides:
        if name not in Setting.__dataclass_fields__:
            raise unknown(f"{scenario.name}", name, list(Setting.__dataclass_fields__))
    setting = Setting(**overrides)
    programs = _programs(scenario, setting)
    stacks = {side: _stack(scenario, setting, side) for side in scenario.sides}
    paths = [_path(scenario, setting, leg) for leg in range(len(scenario.relays) + 1)]
    return new_pair(
        programs["client"],
        programs["server"],
        stacks["client"],
        stacks["server"],
        paths[0],
        client_port=setting.client_port,
        server_port=setting.server_port,
        operators=_operators(scenario, setting),
        relays=[
            Between(programs[side], stacks[side], path)
            for side, path in zip(scenario.sides[1:-1], paths[1:], strict=True)
        ],
    )


def _behaviour(scenario: Scenario, side: Side) -> str | Program:
    """The scenario's own program of a machine."""
    if side in SIDES:
        return scenario.client if side == "client" else scenario.server
    return scenario.relays[scenario.sides.index(side) - 1].behaviour


def _keys(name: str, side: Side) -> tuple[str, ...]:
    """How a parameter of a machine may be called; the last one wins."""
    return tuple(dict.fromkeys((name, f"{role(side)}.{name}", f"{side}.{name}")))


def _own_arguments(scenario: Scenario, side: Side) -> Mapping[str, Any]:
    """What a relay says of its own behaviour."""
    return {} if side in SIDES else scenario.relays[scenario.sides.index(side) - 1].arguments


def _programs(scenario: Scenario, setting: Setting) -> dict[Side, Program]:
    """Every program; a parameter must be one that at least one of the behaviours has."""
    asked = {"client": setting.client, "server": setting.server, "relay": setting.relay}
    if setting.relay is not None and not scenario.relays:
        raise InputError("relay", repr(setting.relay), f"none: {scenario.name} has no machine between")
    chosen: dict[Side, str | Program] = {}
    for side in (*SIDES, *scenario.sides[1:-1]):
        given = asked[role(side)]
        chosen[side] = _behaviour(scenario, side) if given is None else given
    for side, chosen_one in chosen.items():
        if not isinstance(chosen_one, str | Program):
            raise InputError(side, repr(chosen_one), "the name of a behaviour, or a Program")
    behaviours: dict[Side, Behaviour] = {
        side: find(role(side), name) for side, name in chosen.items() if isinstance(name, str)
    }
    known = {
        key for side, it in behaviours.items() for each in it.parameters for key in _keys(each.name, side)
    }
    for name in setting.parameters:
        if name not in known:
            raise unknown(f"{scenario.name} parameter", name, sorted(known))
    arguments = {**scenario.arguments, **setting.parameters}
    programs = {}
    for side, program in chosen.items():
        if isinstance(program, Program):
            programs[side] = program
            continue
        names_ = {each.name for each in behaviours[side].parameters}
        own = {key: value for key, value in _own_arguments(scenario, side).items() if key in names_}
        for each in behaviours[side].parameters:
            for key in _keys(each.name, side):  # the most qualified name wins
                if key in arguments:
                    value = arguments[key]
                    drawn = each.kind is DELAY and isinstance(value, str) and "(" in value
                    own[each.name] = parse_distribution(value, key) if drawn else value
        programs[side] = behaviours[side].program(role(side), **own)
    return {side: _changed(program, setting, side) for side, program in programs.items()}


def _changed(program: Program, setting: Setting, side: Side) -> Program:
    """A side's program with what holds for any program."""
    if _of(setting.close_on_error, side):
        program = closing_on_error(program)
    if (linger := _of(setting.linger, side)) is not None:
        program = lingering(program, parse_duration(linger, f"linger.{side}"))
    if (restart := _of(setting.restart, side)) is not None:
        program = restarted(program, parse_duration(restart, f"restart.{side}"))
    return program


def _of(given: Mapping[str, Any], side: Side) -> Any:
    """What a setting by side says of a machine."""
    return given.get(side, given.get(role(side)))


def _operators(scenario: Scenario, setting: Setting) -> dict[Side, Program]:
    """What an operator does on each host, beside its program."""
    at = {side: _of(setting.kill_sockets, side) for side in scenario.sides}
    return {
        side: comes_once(parse_duration(when, f"kill_sockets.{side}"))
        for side, when in at.items()
        if when is not None
    }


def _stack(scenario: Scenario, setting: Setting, side: Side) -> Stack:
    chosen = getattr(setting, f"stack_{role(side)}")
    own: dict[str, Any] = {}
    if side not in SIDES:
        relay = scenario.relays[scenario.sides.index(side) - 1]
        own = {f"{side}.{knob}": value for knob, value in relay.knobs.items()}
        chosen = relay.stack if chosen is None else chosen
    elif chosen is None:
        chosen = scenario.stack_client if side == "client" else scenario.stack_server
    if not isinstance(chosen, str | Stack):
        raise InputError(f"stack_{side}", repr(chosen), "the name of a stack, or a Stack")
    profile = stack(chosen) if isinstance(chosen, str) else chosen
    owners = (*SIDES, *(("relay", *scenario.sides[1:-1]) if scenario.relays else ()), "middlebox")
    for knob, value in {**scenario.knobs, **own, **setting.knobs}.items():
        where, dot, name = knob.rpartition(".")
        if dot and where not in owners:
            allowed = [f"{owner}.NAME" for owner in dict.fromkeys(owners)]
            raise InputError(f"knob {knob}", where, f"{', '.join(allowed)} or NAME")
        if not dot or means(where, side):
            profile = STACKS.turned(profile, {name: value}, f"knob {where}{dot}")
    return profile


def _box(scenario: Scenario, setting: Setting) -> Middlebox | None:
    """The box on the path; the scenario's own knobs are those of its own box."""
    own = setting.middlebox is None
    chosen = scenario.middlebox if setting.middlebox is None else setting.middlebox
    if not isinstance(chosen, str | Middlebox):
        raise InputError("middlebox", repr(chosen), "the name of a middlebox, or a Middlebox")
    knobs = {**(scenario.knobs if own else {}), **setting.knobs}
    turned = {name.removeprefix("middlebox."): knobs[name] for name in knobs if name.startswith("middlebox.")}
    if chosen == "none":
        if turned:
            where = f"knob middlebox.{next(iter(turned))}"
            raise InputError(where, "no middlebox on the path", "one, of any kind (tcpsim middleboxes)")
        return None
    box = middlebox(chosen) if isinstance(chosen, str) else chosen
    return box.with_knobs(turned) if turned else box


def _named_box(name: str) -> Middlebox | None:
    return None if name == "none" else middlebox(name)


def _path(scenario: Scenario, setting: Setting, leg: int) -> Path:
    """The client's path, or the one behind a relay."""
    of: Scenario | Relay = scenario.relays[leg - 1] if leg else scenario
    both = of.loss if setting.loss is None else setting.loss
    box = _box(scenario, setting) if isinstance(of, Scenario) else _named_box(of.middlebox)
    # what was asked for comes first: of several rules for a segment the first one decides
    placed = [*map(leg_of, setting.drops), *[(leg, drop) for drop in of.drops]]
    from_us = parse_duration(setting.loss_from, "loss_from")
    losses = []
    for where, own in (
        ("loss_to_client", setting.loss_to_client),
        ("loss_to_server", setting.loss_to_server),
    ):
        p = parse_probability(both, "loss") if own is None else parse_probability(own, where)
        losses.append(Loss(p, from_us) if from_us and p else p)
    jitter = setting.jitter
    if setting.loss_side not in (None, *SIDES):
        raise InputError("loss_side", repr(setting.loss_side), " or ".join(SIDES))
    return make_path(
        parse_duration(of.delay if setting.delay is None else setting.delay, "delay"),
        losses[0],
        losses[1],
        [drop for at, drop in placed if at == leg],
        middlebox=box,
        loss_side=setting.loss_side,
        jitter=parse_distribution(jitter, "jitter") if isinstance(jitter, str) else jitter,
        rate_bps=setting.rate_bps,
        queue_packets=setting.queue_packets,
        duplicate=parse_probability(setting.duplicate, "duplicate"),
        reorder=parse_probability(setting.reorder, "reorder"),
        reorder_extra_us=parse_duration(setting.reorder_extra, "reorder_extra"),
    )
