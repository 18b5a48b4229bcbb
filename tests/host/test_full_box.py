"""A box between the hosts that remembers flows, and whose table may be full."""

from __future__ import annotations

import pytest

from tcpsim.catalogue.workload_file import workload
from tcpsim.errors import InputError
from tcpsim.host.census import Census
from tcpsim.host.limits import Limits
from tcpsim.host.population import Arrivals, Plan, simulate
from tcpsim.measure.census_table import first_met, flow_peaks, flows_over_time, over_time, used
from tcpsim.measure.exhaustion import run_out
from tcpsim.measure.leaks import leaked_connections
from tcpsim.pair import Pair
from tcpsim.path import make_path, middlebox
from tests.host.worlds import MINUTE, record, web

HOUR_OF_CLOSE_WAIT = {"close_wait": "3600s"}


def boxed(client: str = "never-closes", loss: float = 0.0, **knobs: object) -> Pair:
    pair = web(client)
    box = middlebox("linux-conntrack").with_knobs(knobs)
    return pair._replace(path=make_path(10_000, loss, loss, middlebox=box))


def crowded(pair: Pair, per_second: float, for_us: int, flows: int | None = None, **plan: object) -> Census:
    arrivals = Arrivals(per_second, for_us=for_us, poisson=False)
    return simulate(Plan(((1.0, pair),), arrivals, limits=Limits(flows=flows), **plan))  # type: ignore[arg-type]


def test_flows_pile_up_while_they_are_remembered() -> None:
    """Rate times timeout: 5 a second, each for 60 s after its FIN, although both ends hold for longer."""
    census = crowded(boxed(), 5, 3 * MINUTE)
    peak = max(row["peak"] for row in flow_peaks(census) if row["state"] == "CLOSE_WAIT")
    assert peak == pytest.approx(5 * 60, abs=1)
    t_us, flows = used(census, "middlebox", "flows")
    assert flows[t_us >= 2 * MINUTE].min() >= 5 * 60 - 1
    assert not census.refused
    assert not census.dropped


def test_a_flow_is_no_socket() -> None:
    with_box, without = crowded(boxed(), 5, MINUTE), crowded(web("never-closes"), 5, MINUTE)
    assert over_time(with_box, MINUTE) == over_time(without, MINUTE)
    assert leaked_connections(with_box) == leaked_connections(without) == 300
    assert {row["side"] for row in flows_over_time(with_box, MINUTE).rows()} == {"middlebox"}


def test_a_table_is_full_after_size_over_rate_and_never_over_full() -> None:
    """A hundredth of 655,360 entries at 1,300 a second: full after 504 s."""
    census = crowded(boxed(**HOUR_OF_CLOSE_WAIT), 13, 10 * MINUTE, flows=6_554)
    met_us = first_met(census, "middlebox", "flows", 6_554)
    assert met_us == pytest.approx(504.1 * 1e6, rel=0.01)
    assert used(census, "middlebox", "flows")[1].max() == 6_554
    assert census.refused == {"middlebox flows": census.connections - 6_554}
    assert census.dropped > census.refused["middlebox flows"], "each repeated SYN asks again"


def test_a_full_table_takes_a_connection_as_soon_as_a_flow_is_forgotten() -> None:
    """One place, and a flow that is remembered for 60 s after the FIN at about 60 ms.

    The second SYN comes at 1 s. Its repetitions meet the full table, until the one at 68 s in its life.
    """
    census = crowded(boxed(), 1, 2_000_000, flows=1, settle_us=3 * MINUTE)
    t_us, flows = used(census, "middlebox", "flows")
    begun = [int(at) for at, before, now in zip(t_us[1:], flows, flows[1:], strict=False) if now > before]
    assert flows.max() == 1
    assert begun == [0, 68_000_000], "SYNs after 1 to 5 s (tcp_syn_linear_timeouts), 7, 11, 19, 35, 67"
    assert census.dropped == 10
    assert census.refused == {"middlebox flows": 1}


def test_the_client_of_a_dropped_syn_gives_up_after_two_minutes() -> None:
    census = crowded(boxed(**HOUR_OF_CLOSE_WAIT), 1, 2_000_000, flows=1, settle_us=4 * MINUTE)
    rows = over_time(census, 1_000_000).rows()
    waiting = [row["t_s"] for row in rows if row["state"] == "SYN-SENT" and row["count"]]
    assert waiting[-1] == 131.0, "from 1 s to 132 s"
    reached = [row["t_s"] for row in rows if row["state"] == "SYN-RECEIVED" and row["count"]]
    assert not [t_s for t_s in reached if t_s >= 1], "the second client's SYN never comes to the server"


def test_the_profile_says_the_size_unless_somebody_asks_for_another() -> None:
    assert crowded(boxed(flows=3), 5, MINUTE).limits.flows == 3
    small = crowded(boxed(flows=3), 5, MINUTE)
    assert used(small, "middlebox", "flows")[1].max() == 3
    assert small.dropped
    assert used(crowded(boxed(flows=3), 5, MINUTE, flows=10), "middlebox", "flows")[1].max() == 10


def test_a_time_of_zero_forgets_at_the_second_fin() -> None:
    census = crowded(boxed("closes-on-eof", last_ack=0, time_wait=0), 5, MINUTE)
    assert {row["state"] for row in flow_peaks(census)} >= {"CLOSE_WAIT"}
    assert not {"LAST_ACK", "TIME_WAIT"} & {row["state"] for row in flow_peaks(census)}


@pytest.mark.parametrize("room", [0, 50, 50_000])
def test_what_is_remembered_of_lives_changes_no_result(room: int) -> None:
    """Under loss, with a table that is full half of the time."""
    arrivals = Arrivals(2, for_us=MINUTE)
    plan = Plan(((1.0, boxed(loss=0.05)),), arrivals, limits=Limits(flows=30), room=room, seed=4)
    census, other = simulate(plan), simulate(plan._replace(room=1_000))
    assert census.dropped
    assert record(census) == record(other)


def test_a_limit_on_flows_needs_a_box() -> None:
    with pytest.raises(InputError, match=r"^limit middlebox.flows: found 5, and no middlebox on the path"):
        crowded(web("never-closes"), 1, MINUTE, flows=5)


def test_exhaust_tells_when_and_what_would_be_enough() -> None:
    found = run_out(workload("conntrack-full-of-close-wait"), {}, 50.0, 3 * MINUTE).found
    assert found.met_us == pytest.approx(6_554 / 50 * 1e6, rel=0.01)
    assert found.needs == pytest.approx(50 * 180, rel=0.01)
    assert found.refused == pytest.approx(50 * 180 - 6_554, rel=0.01)
