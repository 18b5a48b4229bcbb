"""The census for Prometheus, read back by its own parser."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

import tcpsim
from tcpsim.measure.openmetrics import METRIC, STATES, openmetrics
from tcpsim.tcp.state import State


@pytest.mark.parametrize("method", ["simulate", "sample", "exact"])
def test_prometheus_reads_the_census(method: str) -> None:
    found = tcpsim.population(
        "w1", rate=20, for_="2min", settle="1min", every="30s", loss=0.01, method=method
    )
    (family,) = text_string_to_metric_families(found.openmetrics(begins=1_700_000_000))
    assert (family.name, family.type) == (METRIC, "gauge")
    told = {
        (
            sample.labels["state"],
            sample.labels["host"],
            sample.labels["holder"],
            float(sample.timestamp),
        ): sample.value
        for sample in family.samples
    }
    assert len(told) == len(family.samples)
    assert {sample.labels["scenario"] for sample in family.samples} == {"w1"}
    rows = [row for row in found.table() if row["state"] != "CLOSED"]
    names = {str(state): name for state, name in STATES.items()}
    assert told == {
        (names[row["state"]], row["side"], row["holder"], 1_700_000_000 + row["t_s"]): pytest.approx(
            row["count"]
        )
        for row in rows
    }
    assert max(told.values()) > 100


def test_every_state_that_proc_net_tcp_shows_has_its_name() -> None:
    assert set(STATES) == set(State) - {State.CLOSED}, "a dead socket has no line there"
    assert len(set(STATES.values())) == len(STATES)


def test_labels_are_escaped() -> None:
    row = {"t_s": 0.0, "side": "server", "state": "LISTEN", "holder": "owned", "count": 1}
    odd = 'a "quoted" \\ name\nand a line'
    (family,) = text_string_to_metric_families(openmetrics([row], {"scenario": odd}))
    assert family.samples[0].labels["scenario"] == odd


def test_it_is_a_file(tmp_path: Path) -> None:
    found = tcpsim.population("server-never-closes", rate=1, for_="1min")
    text = found.save(tmp_path / "census.prom").read_text(encoding="utf-8")
    assert text == found.openmetrics()
    assert text.endswith("# EOF\n")
