"""A setting without which the run is the same is told, with a reason that the run bears out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tcpsim.app import Program, accept, connect, ignore, listen, receive, send
from tcpsim.app.steps import keepalive
from tcpsim.catalogue import Sample, idle, scenario, unmatched
from tcpsim.catalogue.fields_read import reading

HOUR = 3_600_000_000


def told(name: str, seed: int = 1, connections: int = 1, **overrides: Any) -> dict[str, str]:
    sample = Sample(scenario(name), overrides, seed, HOUR, range(connections))
    return {each.setting: each.why for each in idle(sample, sample.played())}


def silent(*options: Any) -> Program:
    """A server that waits for a request that never comes, with options on its connection."""
    return Program([listen(), accept(), *options, receive(1_000), ignore()])


ASKS = Program([connect(), send(100), ignore()])


def test_a_keepalive_sysctl_without_so_keepalive() -> None:
    """The commonest mistake in the field: netdata#6598."""
    found = told("normal-close", client=ASKS, server=silent(), knobs={"server.tcp_keepalive_time": "30"})
    assert found == {
        "server.tcp_keepalive_time=30": "never read in this run: no socket of the server has SO_KEEPALIVE"
    }
    asked = keepalive("1h", "75s", 9)[:1]  # SO_KEEPALIVE alone: the sysctl decides
    both = told("normal-close", client=ASKS, server=silent(*asked), knobs={"server.tcp_keepalive_time": "30"})
    assert both == {}


def test_the_same_on_either_side() -> None:
    found = told("normal-close", knobs={"keep_intvl_us": "9s"})
    assert found["keep_intvl_us=9s"] == "never read in this run: no socket of either side has SO_KEEPALIVE"


def test_a_program_that_sets_its_own_times() -> None:
    own = silent(*keepalive("10min", "75s", 9))
    found = told("normal-close", client=ASKS, server=own, knobs={"server.tcp_keepalive_time": "30"})
    assert "sets its own times" in found["server.tcp_keepalive_time=30"]


def test_fin_timeout_of_a_socket_that_a_program_holds() -> None:
    half = told("simplex-half-close", knobs={"tcp_fin_timeout": "20s"})
    [why] = half.values()
    assert "in FIN-WAIT-2 a program held the socket of the" in why


def test_fin_timeout_where_nobody_is_in_fin_wait_2_or_it_never_fires() -> None:
    found = told("normal-close", knobs={"client.tcp_fin_timeout": "20s", "server.tcp_fin_timeout": "20s"})
    assert "no socket of the client was in FIN-WAIT-2" in found["client.tcp_fin_timeout=20s"]
    assert "the fin-wait-2 timer of the server never fired" in found["server.tcp_fin_timeout=20s"]
    assert told("closewait-ignored-eof", knobs={"server.tcp_fin_timeout": "20s"}) == {}


@pytest.mark.parametrize(
    ("knob", "why"),
    [
        ("client.tcp_syn_retries", "no SYN of the client was sent again"),
        ("server.tcp_synack_retries", "no SYN-ACK of the server was sent again"),
        ("server.tcp_retries2", "no octet or FIN of the server was sent again"),
        ("server.somaxconn", "the accept queue of the server was never full"),
        ("server.tcp_max_orphans", "it limits a whole host"),
        ("client.time_wait_us", "no socket of the client was in TIME-WAIT"),
    ],
)
def test_what_would_have_had_to_happen(knob: str, why: str) -> None:
    value = "3s" if knob.endswith("_us") else 3
    assert why in told("normal-close", knobs={knob: value})[f"{knob}={value}"]


def test_what_did_happen_is_not_denied() -> None:
    lost = {"drops": ("client SYN 1-3",), "knobs": {"client.tcp_syn_retries": 9}}
    assert "no SYN" not in told("normal-close", **lost)["client.tcp_syn_retries=9"]
    assert told("normal-close", drops=("every client SYN",), knobs={"client.tcp_syn_retries": 2}) == {}


def test_a_box_and_a_backlog() -> None:
    box = {"middlebox": "linux-conntrack", "knobs": {"middlebox.close_wait": "90s"}}
    found = told("normal-close", **box)
    assert "no flow was silent in CLOSE_WAIT" in found["middlebox.close_wait=90s"]
    asked = told("accept-queue-overflow", parameters={"server.backlog": 2})
    assert asked == {}
    room = told("accept-queue-overflow", client="closes-on-eof", parameters={"server.backlog": 2})
    assert room["server.backlog=2"] == "the accept queue of the server was never full"


def test_a_loss_that_lost_nothing_and_what_the_scenario_has_already() -> None:
    assert told("normal-close", loss=1e-9) == {"loss 1e-09": "nothing was lost by chance in this run"}
    assert told("normal-close", delay="10ms") == {"delay 10ms": "the scenario has it already"}


def test_several_connections_have_to_agree() -> None:
    rare = {"loss": 0.05, "knobs": {"client.syn_rto_us": "3s"}}
    assert "client.syn_rto_us=3s" in told("normal-close", **rare)
    assert "client.syn_rto_us=3s" not in told("normal-close", connections=60, **rare)


def test_the_knobs_of_a_file_are_its_users() -> None:
    mine = replace(scenario("normal-close"), knobs={"server.tcp_keepalive_time": "30"})
    sample = Sample(mine, {}, 1, HOUR)
    assert idle(sample, sample.played()) == ()
    [found] = idle(sample, sample.played(), own=True)
    assert found.setting == "server.tcp_keepalive_time=30"


def test_drop_rules_that_matched_nothing() -> None:
    rules = ("server FIN 7", "server FIN 1", "client RST")
    sample = Sample(scenario("normal-close"), {"drops": rules}, 1, HOUR)
    assert unmatched(sample.played()) == ("server FIN 7", "client RST")


def test_a_stack_tells_what_was_read_of_it() -> None:
    reads = reading(scenario("closewait-ignored-eof"), {}, 1, HOUR, (0,))
    assert "fin_wait_2_us" in reads["server"]
    assert "fin_wait_2_us" not in reads["client"]
    assert "keep_idle_us" not in reads["client"] | reads["server"]
    asked = {"knobs": {"client.keepalive_default": True}}
    probed = reading(scenario("closewait-ignored-eof"), asked, 1, 3 * HOUR, (0,))
    assert "keep_idle_us" in probed["client"]
    assert "keep_idle_us" not in probed["server"]
