"""Overriding a scenario: what may be changed, and what a mistake is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpsim.app import Program, close, connect
from tcpsim.catalogue import Setting, build, run, scenario, scenarios
from tcpsim.errors import InputError
from tcpsim.pair import Event, Lost
from tcpsim.path import Link, Loss, Quiet, Uniform, parse_rule
from tcpsim.path.rule import Script
from tcpsim.tcp.stack import stack


def test_parameters_are_those_of_the_behaviours_with_the_scenarios_values() -> None:
    known = {name: parameter.default for name, parameter in scenario("all-fins-lost").parameters()}
    assert known == {
        "client.request": 100,
        "client.think": "0s",
        "client.delay": "50ms",
        "server.request": 100,
        "server.think": "0s",
        "server.response": 1000,
        "server.delay": "200ms",
    }


def test_a_plain_name_sets_both_sides_and_a_qualified_one_wins() -> None:
    pair = build(scenario("normal-close"), parameters={"delay": "1s", "server.delay": "2s"})
    programs = [machine.programs[0][1].program.describe() for machine in (pair.client, pair.server)]
    assert programs[0][3] == "wait 1s"
    assert programs[1][4] == "wait 2s"


def test_a_pause_may_be_drawn() -> None:
    pair = build(scenario("normal-close"), parameters={"think": "uniform(0s,1s)", "client.delay": "exp(2s)"})
    client, server = (m.programs[0][1].program.describe() for m in (pair.client, pair.server))
    assert (client[1], server[3]) == ("wait uniform(0s, 1s)", "wait uniform(0s, 1s)")
    assert client[4] == "wait exp(2s)"
    with pytest.raises(InputError, match=r"^client.closes-at.at: found 'exp\(1s\)'"):
        build(scenario("simultaneous-close"), parameters={"client.at": "exp(1s)"})


def test_stacks_and_knobs_by_side() -> None:
    knobs = {"tcp_fin_timeout": "30s", "client.tcp_retries2": "3"}
    pair = build(scenario("normal-close"), knobs=knobs)
    client, server = pair.client.system.end.stack, pair.server.system.end.stack
    assert (client.fin_wait_2_us, server.fin_wait_2_us) == (30_000_000, 30_000_000)
    assert (client.retries, server.retries) == (3, stack("linux").retries)
    pair = build(scenario("normal-close"), stack_client=stack("rfc9293"))
    assert pair.client.system.end.stack.name == "rfc9293"


def test_the_path_is_as_asked() -> None:
    pair = build(
        scenario("all-fins-lost"),
        loss="1%",
        loss_to_server=0.5,
        loss_from="300ms",
        delay="25ms",
        jitter="uniform(0ms,5ms)",
        drops=("client RST 1",),
    )
    jitter = Uniform(0, 5_000)
    assert pair.path.to_client == (Loss(0.01, 300_000), Link(25_000, jitter))
    assert pair.path.to_server == (Loss(0.5, 300_000), Link(25_000, jitter))
    (script,) = pair.path.shared
    assert isinstance(script, Script)
    assert script.rules == (parse_rule("client RST 1"), parse_rule("every server FIN"))


def test_a_rule_that_was_asked_for_is_not_hidden_by_the_scenarios_own() -> None:
    """The scenario delays the client's first SYN; whoever drops it wants it dropped."""
    lost: list[Event] = []
    late: list[Event] = []
    chosen = scenario("old-duplicate-syn")
    for found, drops in ((lost, ("client #1",)), (late, ())):
        run(build(chosen, drops=drops), Quiet(), chosen.horizon_us, found.append)
    assert any(isinstance(event, Lost) for event in lost)
    assert not any(isinstance(event, Lost) for event in late)


def test_another_behaviour_by_name_or_as_steps() -> None:
    chosen = scenario("normal-close")
    ended = run(build(chosen, client="never-closes"), Quiet(), chosen.horizon_us)
    assert ended.describe() == "permanent: client CLOSE-WAIT, server gone"
    own = Program([connect(), close()], name="opens-and-closes")
    ended = run(build(chosen, client=own), Quiet(), chosen.horizon_us)
    assert ended.describe() == "clean: client gone, server gone"


def test_ports_are_as_asked() -> None:
    chosen = scenario("closewait-ignored-eof")
    ended = run(build(chosen, client_port=1234, server_port=80), Quiet(), chosen.horizon_us)
    (tcb,) = ended.pair.client.system.end.sockets.values()
    assert (tcb.local_port, tcb.remote_port) == (1234, 80)


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"loss": 1.5}, "loss: found 1.5, allowed: a number from 0 to 1"),
    ({"loss_to_client": "-1"}, "loss_to_client: found '-1', allowed: a number from 0 to 1"),
    ({"delay": "10"}, "delay: found '10', allowed: a number with a unit"),
    ({"loss_from": "soon"}, "loss_from: found 'soon'"),
    ({"drops": ("server FIN zwei",)}, "drop: found 'server FIN zwei'"),
    ({"stack_client": "linus"}, "stack: found 'linus' (did you mean linux"),
    ({"client": "never-close"}, "client behaviour: found 'never-close' (did you mean never-closes"),
    ({"client": "drains"}, "client behaviour: found 'drains', a server behaviour, allowed: aborts, "),
    ({"server": "posts"}, "server behaviour: found 'posts', a client behaviour, allowed: "),
    ({"server": "never"}, "server behaviour: found 'never' (did you mean never-closes"),
    (
        {"parameters": {"server.dely": "1s"}},
        "normal-close parameter: found 'server.dely' (did you mean server.delay",
    ),
    ({"parameters": {"client.delay": "1"}}, "client.closes-on-eof.delay: found '1', allowed: a number with"),
    ({"parameters": {"request": "0"}}, "client.closes-on-eof.request: found '0', allowed: an integer >= 1"),
    ({"knobs": {"tcp_fin_timeot": "1s"}}, "knob tcp_fin_timeot: found 'tcp_fin_timeot' (did you mean"),
    ({"knobs": {"middle.tcp_fin_timeout": "1s"}}, "knob middle.tcp_fin_timeout: found middle"),
    ({"knobs": {"middlebox.close_wait": "1s"}}, "knob middlebox.close_wait: found no middlebox on the path"),
    ({"middlebox": "junes"}, "middlebox: found 'junes' (did you mean junos?), allowed: "),
    ({"middlebox": 3}, "middlebox: found 3, allowed: the name of a middlebox"),
    (
        {"middlebox": "junos", "knobs": {"middlebox.close_wiat": "1s"}},
        "knob middlebox.close_wiat: found 'close_wiat' (did",
    ),
    (
        {"middlebox": "junos", "knobs": {"middlebox.close_wait": "none"}},
        "knob middlebox.close_wait: found 'none'",
    ),
    ({"middlebox": "junos", "knobs": {"middlebox.answers": "all"}}, "knob middlebox.answers: found 'all'"),
    ({"loss_side": "client"}, "loss_side: found client, allowed: a side of a middlebox"),
    ({"middlebox": "junos", "loss_side": "left"}, "loss_side: found 'left', allowed: client or server"),
    ({"stack_cleint": "linux"}, "normal-close: found 'stack_cleint' (did you mean stack_client"),
    ({"queue_packets": 3}, "link.queue_packets: found 3, allowed: a queue only together with a rate_bps"),
    ({"client_port": 0}, "client_port: found 0, allowed: an integer from 1 to 65535"),
    ({"knobs": 3}, "knobs: found 3, allowed: values by name"),
    ({"drops": "server FIN 1"}, "drops: found 'server FIN 1', allowed: a tuple of rules"),
    ({"loss": [0.1]}, "loss: found [0.1], allowed: a number from 0 to 1"),
    ({"duplicate": True}, "duplicate: found True, allowed: a number from 0 to 1"),
    ({"rate_bps": "fast"}, "rate_bps: found 'fast', allowed: an integer >= 1"),
]


@pytest.mark.parametrize(("overrides", "message"), MISTAKES, ids=[message for _, message in MISTAKES])
def test_a_mistake_is_told_in_one_line(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        build(scenario("normal-close"), **overrides)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_an_unknown_scenario_names_its_neighbours_alone() -> None:
    expected = r"^scenario: found 'normal' \(did you mean normal-close\?\), allowed: one of [0-9]+ names$"
    with pytest.raises(InputError, match=expected):
        scenario("normal")


MAPPINGS = ("knobs", "parameters", "drops", "close_on_error", "linger", "restart", "kill_sockets")
FIELDS = st.sampled_from(sorted(set(Setting.__dataclass_fields__) - set(MAPPINGS)))


@given(st.dictionaries(FIELDS, st.text(max_size=8) | st.integers() | st.floats(), max_size=3))
def test_garbage_is_an_input_error_in_one_line_or_works(overrides: dict[str, Any]) -> None:
    try:
        build(scenarios()[0], **overrides)
    except InputError as error:
        told = str(error)
    else:
        told = ""
    assert "\n" not in told


def test_a_setting_by_itself_is_checked() -> None:
    with pytest.raises(InputError, match=r"^loss: found 7, allowed: a number from 0 to 1"):
        Setting(loss=7)
