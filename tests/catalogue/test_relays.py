"""Programs between: what a relay does with an end-of-file, an error, a limit and a full buffer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tcpsim
from tcpsim.api.setups import load_of
from tcpsim.app import Program, behaviours, find, make
from tcpsim.app.relay_loop import Loop, Rules
from tcpsim.catalogue import (
    Played,
    Relay,
    Scenario,
    as_toml,
    build,
    parse_scenario,
    play,
    scenario,
    scenarios,
    surprises,
)
from tcpsim.catalogue.workload_file import parse_workload
from tcpsim.errors import InputError
from tcpsim.host.population import Arrivals, Plan, simulate
from tcpsim.measure.census_table import at_times, held
from tcpsim.pair import Called, Lost, Sent, StateChanged, advance
from tcpsim.path import Seeded
from tcpsim.sockets import Send, Shutdown
from tcpsim.tcp.state import State

WAITS = scenario("relay-waits-for-both-ends")


def ends_us(played: Played, side: str = "relay") -> list[int]:
    """When each socket of a machine was CLOSED."""
    return [
        event.t_us
        for event in played.events
        if isinstance(event, StateChanged) and event.side == side and event.new is State.CLOSED
    ]


def line(
    relay: str = "copies", client: str = "closes-on-eof", server: str = "responds-then-closes", **more: Any
) -> Scenario:
    """A client, a relay and a server; `more` are arguments by machine."""
    arguments = {key.replace("__", "."): each for key, each in more.items()}
    return Scenario(
        name="line", theme="", title="", story="", watch="", client=client, server=server, expect=None,
        horizon="3h", relays=(Relay(relay),), arguments=arguments,
    )  # fmt: skip


def test_a_drain_ends_both_legs_that_long_after_the_first_end_of_file() -> None:
    played = play(WAITS, parameters={"relay.drain": "30s"})
    eof_us = next(
        event.t_us
        for event in played.events
        if isinstance(event, Called) and event.side == "relay" and isinstance(event.call, Shutdown)
    )
    closed = [
        event.t_us
        for event in played.events
        if isinstance(event, Called) and type(event.call).__name__ == "Close"
    ]
    assert closed[-2:] == [eof_us + 30_000_000] * 2
    assert not played.ended.relays[0]


@pytest.mark.parametrize(
    ("leg", "watches", "left"),
    [
        ("client", "yes", ""),  # the probes meet nobody: the leg ends, and the relay closes the other
        ("client", "no", ""),  # it reads that leg, so it hears as well
        ("server", "yes", ""),  # the probe meets a RST, and epoll tells
        ("server", "no", "FIN-WAIT-2"),  # CLOSE-WAIT ends, but whoever waits on the other leg never hears
    ],
)
def test_keepalive_on_one_leg(leg: str, watches: str, left: str) -> None:
    played = play(WAITS, parameters={f"relay.keepalive_{leg}": "60s", "relay.watches": watches})
    alive = [str(each.state) for each in played.ended.relays[0] if each.state is not State.CLOSED]
    assert " + ".join(alive) == left


def test_a_population_of_them_has_as_many_close_wait_as_fin_wait_2() -> None:
    """One report: 19,059 and 18,953 in one table."""
    pair = build(WAITS, loss=0.02)
    census = simulate(Plan(((1.0, pair),), Arrivals(20, for_us=120_000_000), 60_000_000, seed=3))
    at_us = range(60_000_000, 180_000_000, 10_000_000)
    counts = [
        at_times(*held(census, "relay", state), list(at_us)) for state in (State.CLOSE_WAIT, State.FIN_WAIT_2)
    ]  # type: ignore[arg-type]
    assert counts[0][-1] > 1_000
    for waiting, waited in zip(*counts, strict=True):
        assert abs(waiting - waited) <= 0.01 * waiting


def test_a_host_between_counts_two_descriptors_and_one_port_for_a_connection() -> None:
    crowd = tcpsim.population("relay-waits-for-both-ends", rate=5, for_="1min", settle="2min", fixed=True)
    used = crowd.to_dict()["relays"]["relay"]
    assert (used["descriptors"]["used"], used["ports"]["used"]) == (600, 300)
    assert used["descriptors"]["first_met_us"] is None


def test_a_relay_never_holds_more_than_its_buffer_and_hands_on_every_byte() -> None:
    story = line(client="closes-on-eof", server__response=100_000)
    pair, chooser = build(story, parameters={"relay.buffer": 3_000}), Seeded(1)
    most, sent = 0, 0

    def log(event: Any) -> None:
        nonlocal sent
        if isinstance(event, Called) and event.side == "relay" and isinstance(event.call, Send):
            sent = max(sent, event.call.n)

    while pair.next_us is not None and pair.next_us < 10_000_000:
        pair = advance(pair, chooser, log)
        memory = pair.relays[0].machine.programs[0][1].memory
        most = max(most, *memory.held) if isinstance(memory, Loop) else most
    assert most <= 3_000
    assert sent == 3_000
    played = play(story, parameters={"relay.buffer": 3_000})
    assert sum(each for each in played.reads if isinstance(each, int)) == 100_000
    assert played.reads[-1] == 0


def test_a_full_buffer_stops_the_server() -> None:
    """Back-pressure: the client's window is shut, then the relay's towards the server."""
    played = play(scenario("relay-with-a-slow-reader"))
    shut = {
        event.side
        for event in played.events
        if isinstance(event, Sent) and event.segment.wnd == 0 and not event.segment.rst
    }
    assert shut == {"client", "relay"}
    legs = {event.leg for event in played.events if isinstance(event, Sent) and event.segment.rst}
    assert legs == {1}  # towards the server, whose bytes were not read


@pytest.mark.parametrize(("on_error", "client"), [("reset", "ECONNRESET"), ("close", 0)])
def test_what_a_reset_of_the_server_is_to_the_client(on_error: str, client: int | str) -> None:
    story = line(server="leaves-unread", client="closes-on-eof", server__reads=50, server__delay="500ms")
    played = play(story, parameters={"relay.on_error": on_error})
    assert played.reads[-1] == client


@pytest.mark.parametrize(
    ("within", "abort", "gives_up_us"), [("3s", "no", 3_030_000), ("none", "yes", 5_030_000)]
)
def test_an_upstream_that_does_not_answer(within: str, abort: str, gives_up_us: int) -> None:
    parameters = {"relay.connect_timeout": within, "relay.abort_on_close": abort}
    played = play(scenario("relay-upstream-blackholed"), parameters=parameters)
    assert ends_us(played)[0] == pytest.approx(gives_up_us, abs=50_000)


def test_it_connects_when_it_is_told_to() -> None:
    parameters = {"client.think": "2s"}
    at_once, later = (
        next(
            e.t_us
            for e in play(line(), parameters={**parameters, "relay.connects": when}).events
            if isinstance(e, Sent) and e.leg
        )
        for when in ("at once", "at first byte")
    )
    assert (at_once, later) == (30_000, 2_030_000)


@pytest.mark.parametrize("each", behaviours("relay"), ids=lambda each: each.name)
def test_an_exchange_works_through_every_relay(each: Any) -> None:
    played = play(line(each.name, client="closes-first"))
    assert played.reads == (1000,)


def test_every_named_relay_says_where_its_rules_come_from() -> None:
    own = {"copies", "is-restarted", "pools"}
    assert {each.name for each in behaviours("relay") if not each.source} == own


def test_rules_and_losses_of_a_path_beyond() -> None:
    played = play(line(), drops=("leg 2: server FIN 1", "client SYN 1"))
    assert [(e.leg, e.why, e.side) for e in played.events if isinstance(e, Lost)] == [
        (0, "client SYN 1", "client"),
        (1, "server FIN 1", "server"),
    ]


def test_settings_by_machine() -> None:
    two = scenario("sidecar-on-both-sides")
    pair = build(two, knobs={"relay 2.fin_wait_2_us": "7s", "relay.keep_cnt": 3}, stack_relay="freebsd")
    stacks = [hop.machine.system.end.stack for hop in pair.relays]
    assert [each.fin_wait_2_us for each in stacks] == [600_000_000, 7_000_000]
    assert [(each.name, each.keep_cnt) for each in stacks] == [("freebsd", 3)] * 2
    assert pair.names == ("client", "relay 1", "relay 2", "server")


@pytest.mark.parametrize("each", [each for each in scenarios() if each.relays], ids=lambda each: each.name)
def test_it_comes_back_from_its_file(each: Scenario) -> None:
    again = parse_scenario(as_toml(each), "x.toml", "x")
    assert again.relays == each.relays
    assert play(again).events == play(each).events


LEAST = (
    'horizon = "1h"\n[client]\nbehaviour = "closes-first"\n[server]\nbehaviour = "never-closes"\n[[relay]]\n'
)
MISTAKES = [
    (
        'behaviour = "nginx-steam"',
        "x.toml: relay[0].behaviour: found 'nginx-steam' (did you mean nginx-stream",
    ),
    (
        'behaviour = "copies"\narguments = { drain = "soon" }',
        "x.toml: relay[0].arguments.drain: found 'soon'",
    ),
    (
        'behaviour = "copies"\narguments = { ends = "never" }',
        "x.toml: relay[0].arguments.ends: found 'never'",
    ),
    ('behaviour = "copies"\npath = { middlebox = "wall" }', "x.toml: relay[0].path.middlebox: found 'wall'"),
    ('behaviour = "closes-first"', "x.toml: relay[0].behaviour: found 'closes-first', a client behaviour"),
    ('behaviour = "copies"\ncolour = 1', "x.toml: relay[0].colour: found 'colour'"),
]


@pytest.mark.parametrize(("words", "message"), MISTAKES, ids=[message for _, message in MISTAKES])
def test_a_mistake_in_a_file_is_told_with_its_path(words: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_scenario(LEAST + words, "x.toml", "x")
    assert str(caught.value).startswith(message)


def test_a_relay_for_a_scenario_without_one_is_refused() -> None:
    with pytest.raises(InputError, match="has no machine between"):
        build(scenario("normal-close"), relay="copies")
    assert make("relay", "copies").describe()[0] == "listen"


def test_the_file_that_the_page_shows_ends_as_it_says() -> None:
    page = (Path(__file__).parents[2] / "docs" / "relays.md").read_text(encoding="utf-8")
    shown = page.split("```toml\n")[1].split("```")[0]
    story = parse_scenario(shown, "relay.toml", "relay")
    assert story.expect is not None
    assert surprises(story.expect, play(story)) == ()
    without = story.relays[0].arguments | {"idle": "none"}
    assert surprises(
        story.expect, play(replace(story, relays=(replace(story.relays[0], arguments=without),)))
    )


def rules_of(program: Program) -> Rules:
    ops: tuple[Any, ...] = program.ops
    return next(op.rules for op in ops if hasattr(op, "rules"))


def test_the_nginx_that_the_page_shows_runs_out_as_it_says(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "relays.md").read_text(encoding="utf-8")
    shown = page.split("```toml\n")[2].split("```")[0]
    path = tmp_path / "nginx.toml"
    path.write_text(shown, encoding="utf-8")
    found = tcpsim.exhaust(path.as_posix(), for_="62s")
    assert found.met_us == pytest.approx(1_024 / 18 * 1e6, rel=0.03)
    story = load_of(path.as_posix()).connection
    assert story.expect is not None
    assert surprises(story.expect, play(story)) == ()
    rules = rules_of(build(story).relays[0].machine.programs[0][1].program)
    assert (rules.half_close, rules.ends, rules.idle_us, rules.buffer) == (
        "kept",
        "first",
        60_000_000,
        16_384,
    )


def test_a_share_of_a_mix_may_have_another_relay() -> None:
    content = (
        LEAST
        + """behaviour = "copies"
[arrivals]
rate = "1/s"
for = "10s"
fixed = true
[[mix]]
share = 0.5
[[mix]]
share = 0.5
relay = { behaviour = "nginx-stream", stack = "freebsd", arguments = { idle = "7s" } }
"""
    )
    found = parse_workload(content, "x.toml", "x")
    assert [each for _, each in found.mix] == [
        {},
        {"relay": "nginx-stream", "stack_relay": "freebsd", "parameters": {"relay.idle": "7s"}},
    ]
    plain, other = [pair.relays[0].machine for _, pair in found.kinds()]
    assert (plain.system.end.stack.name, other.system.end.stack.name) == ("linux", "freebsd")
    assert [rules_of(each.programs[0][1].program).idle_us for each in (plain, other)] == [None, 7_000_000]
    with pytest.raises(InputError, match=r"x\.toml: mix\[1\]\.relay\.arguments\.idle: found 'soon'"):
        parse_workload(content.replace("7s", "soon"), "x.toml", "x")


def test_an_answer_that_a_relay_breaks_off_with_a_fin_is_cut_short() -> None:
    """A relay that is killed has not read all, and closes what it had read behind a FIN."""
    story = line("is-restarted", server__response=1_000_000)
    (cut,) = play(story, parameters={"relay.at": "150ms"}).requests
    assert (cut.error, cut.cut_short, cut.lost, cut.reset) == ("EOF", True, False, False)
    assert 0 < cut.got < 1_000_000
    assert cut.got + cut.missing == 1_000_000
    (whole,) = play(story, parameters={"relay.at": "10s"}).requests
    assert (whole.answered, whole.missing) == (True, 0)
    told = tcpsim.run(story, parameters={"relay.at": "150ms"})
    assert "1 of 1 cut short (end-of-file, " in told.text()
    assert told.to_dict()["requests"]["cut_short"] == 1


def test_the_page_has_every_parameter() -> None:
    page = (Path(__file__).parents[2] / "docs" / "relays.md").read_text(encoding="utf-8")
    assert all(f"`{each.name}`" in page for each in find("relay", "copies").parameters)


def test_a_request_on_a_connection_that_the_server_has_just_closed_is_reset() -> None:
    story = "relay-pool-and-idle-timeouts"
    assert tcpsim.run(story).to_dict()["requests"] == {
        "sent": 2, "answered": 1, "lost": 1, "reset": 1, "cut_short": 0,
    }  # fmt: skip
    again = tcpsim.run(story, relay="nginx-http").to_dict()["requests"]
    assert (again["answered"], again["lost"], again["reset"]) == (2, 0, 0)
