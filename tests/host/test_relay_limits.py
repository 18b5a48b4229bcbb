"""Hosts between that run out: two descriptors and one port for each connection, against closed forms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import tcpsim
from tcpsim.catalogue import Relay, Scenario, build, play, scenario
from tcpsim.catalogue.user_group import UserGroup, Variant
from tcpsim.catalogue.workload import Workload
from tcpsim.errors import InputError
from tcpsim.host.census import Census
from tcpsim.host.limits import named_limits, own_of_relays
from tcpsim.host.pool import Requests
from tcpsim.host.population import Arrivals, Plan, simulate
from tcpsim.measure.census_table import first_met, used
from tcpsim.measure.exhaustion import run_out
from tcpsim.pair import Pair, StateChanged
from tcpsim.tcp.state import State
from tests.host.worlds import MINUTE

ONE_WAY_US = 10_000  # of each path
ARRIVES_US = 3 * ONE_WAY_US  # the client's handshake is over: the relay accepts, and connects in that instant


def leaks(**parameters: Any) -> Pair:
    """The client vanishes, and the relay waits for both ends."""
    return build(scenario("relay-waits-for-both-ends"), parameters=parameters)


def closes_upstream_first(relays: int = 1, **arguments: Any) -> Scenario:
    """TIME-WAIT is on the relay's leg to the server, and keeps a port for a minute."""
    return Scenario(
        name="line", theme="", title="", story="", watch="", client="closes-first", server="closes-on-eof",
        expect=None, horizon="3h", relays=(Relay("closes-both"),) * relays, arguments=arguments,
    )  # fmt: skip


def populate(pair: Pair, rate: float, count: int, limits: dict[str, int | None], **plan: Any) -> Census:
    found = named_limits(limits, relays=own_of_relays(pair))
    arrivals = Arrivals(rate, connections=count, poisson=False)
    return simulate(Plan(((1.0, pair),), arrivals, limits=found, **plan))


def test_two_descriptors_for_each_connection_and_then_nobody_is_accepted() -> None:
    census = populate(leaks(), 10, 50, {"relay.descriptors": 40}, settle_us=MINUTE)
    assert first_met(census, "relay", "descriptors", 40) == 19 * 100_000 + ARRIVES_US
    assert used(census, "relay", "descriptors")[1].max() == 40
    assert used(census, "relay", "backlog")[1][-1] == 30
    assert not census.refused


def test_where_one_descriptor_is_left_accept_succeeds_and_socket_fails() -> None:
    """EMFILE: the relay has taken the client, and closes it, as it cannot connect."""
    census = populate(leaks(), 10, 50, {"relay.descriptors": 41}, settle_us=MINUTE)
    assert first_met(census, "relay", "descriptors", 41) == 20 * 100_000 + ARRIVES_US
    assert used(census, "relay", "descriptors")[1].max() == 40
    assert census.refused == {"relay descriptors": 30}
    assert used(census, "relay", "backlog")[1][-1] == 0


def test_who_waits_is_accepted_as_soon_as_another_one_has_ended() -> None:
    """A drain of 30 s: twenty descriptors serve ten connections in 30 s and a little."""
    pair = leaks(**{"relay.drain": "30s"})
    t_us, count = used(populate(pair, 5, 1, {}, settle_us=MINUTE), "relay", "descriptors")
    held = count.nonzero()[0]
    held_us = int(t_us[held[-1] + 1] - t_us[held[0]])
    assert 30_000_000 < held_us < 31_000_000
    census = populate(pair, 100, 40, {"relay.descriptors": 20}, settle_us=5 * MINUTE)
    t_us, count = used(census, "relay", "descriptors")
    assert count.max() == 20
    assert count[-1] == 0
    last_us = int(t_us[count.nonzero()[0][-1] + 1])
    assert last_us == pytest.approx(4 * held_us, rel=0.02)
    assert not census.refused


def held_port_us(story: Scenario) -> int:
    """How long one connection keeps its port: from the relay's SYN to the end of TIME-WAIT."""
    played = play(story)
    upstream = [each for each in played.events if isinstance(each, StateChanged) and each.side == "relay"]
    begun = next(each for each in upstream if each.new is State.SYN_SENT)
    ended = next(e for e in upstream if e.new is State.CLOSED and e.socket == begun.socket)
    return ended.t_us - begun.t_us


@pytest.mark.parametrize(("surplus", "met"), [(-1, False), (1, True)])
def test_ports_run_out_where_rate_times_time_held_exceeds_them(surplus: int, met: bool) -> None:
    """28,232 ports / (rate x time held), for a tenth of the ports and of the rate."""
    story = closes_upstream_first()
    held_us = held_port_us(story)
    assert held_us == pytest.approx(60_000_000, rel=0.01)
    rate = 2_823e6 / held_us * (1 + surplus / 500)
    census = populate(build(story), rate, int(rate * 70), {"relay.ports": 2_823})
    wanted = used(census, "relay", "ports")[1].max()
    assert bool(census.refused["relay ports"]) is met
    assert wanted == pytest.approx(min(2_823, rate * held_us / 1e6), abs=1)


def test_without_a_port_connect_fails_and_the_client_is_closed() -> None:
    census = populate(build(closes_upstream_first()), 20, 2_400, {"relay.ports": 600})
    assert first_met(census, "relay", "ports", 600) == 599 * 50_000 + ARRIVES_US
    served = 2_400 - census.refused["relay ports"]
    # all ports at once, and each of them anew after each minute of TIME-WAIT
    assert served == pytest.approx(1_200, abs=5)


def test_one_of_two_relays_has_less() -> None:
    pair = build(closes_upstream_first(relays=2))
    census = populate(pair, 10, 100, {"relay 2.ports": 30}, settle_us=1_000_000)
    assert census.refused == {"relay 2 ports": 70}
    assert used(census, "relay 2", "ports")[1].max() == 30
    with pytest.raises(InputError, match=r"runs_out_of: found 'relay\.ports', allowed: one host: relay 1"):
        assert Workload("x", closes_upstream_first(2), "1/s", "1min", limits={"relay.ports": 5}).limit


def test_which_limit_is_met_first() -> None:
    story = Workload(
        "mine", "relay-waits-for-both-ends", rate="73/s", for_="1min", fixed=True,
        limits={"relay.descriptors": 1_021},
    )  # fmt: skip
    found = run_out(story).found
    assert found.leaking
    assert found.limits[0].resource == "descriptors"
    # 511 connections that want two each, and the first of them comes at once
    assert found.met_us == pytest.approx(510 / 73 * 1e6 + ARRIVES_US, abs=1)
    assert {each.resource for each in found.limits} == {"descriptors", "ports", "orphans", "minis", "pages"}


def test_orphans_of_a_relay_are_its_kernels_affair() -> None:
    """Each close of a relay leaves an orphan until the peer has answered; two are one too many here."""
    census = populate(build(closes_upstream_first()), 10, 10, {"relay.orphans": 1}, settle_us=1_000_000)
    assert census.refused["relay orphans"] == 10


def test_a_population_says_what_a_relay_refused() -> None:
    found = tcpsim.population(
        "relay-waits-for-both-ends", rate=5, for_="1min", fixed=True, limits={"relay.descriptors": 101}
    )
    document = found.to_dict()
    assert document["limits"]["relay descriptors"] == 101
    assert document["refused"] == {"relay descriptors": 250}
    assert "relay descriptors: the limit of 101 first met after" in str(found)
    assert "refuses none" not in str(found)
    with pytest.raises(InputError, match=r"limit: found 'relay\.ports'"):
        tcpsim.population("normal-close", rate=5, for_="1min", limits={"relay.ports": 101})


def test_users_behind_a_relay_meet_the_limit_of_its_host() -> None:
    """Each caller has a pool of its own, whose connection keeps two descriptors of the relay."""
    story = scenario("normal-close")
    group = UserGroup(
        "mine",
        [
            Variant(name, Requests(shared=False), limits={"relay.descriptors": amount})
            for name, amount in (("some", 10), ("plenty", None))
        ],
        rate="1/s",
        for_="10s",
        fixed=True,
        columns=("done", "relay descriptors"),
        scenario=replace(story, relays=(Relay("copies"),), expect=None, contrasts=()),
        overrides={"server": "httpd", "parameters": {"server.timeout": "5min"}},
    )
    rows = tcpsim.users(group).table()
    assert [(row["done"], row["relay descriptors"]) for row in rows] == [(5, 10), (10, 20)]
