"""When connections of a population began: told by the file, or found from what was counted; transitions."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from tcpsim.conformance.populations import Run, read
from tcpsim.conformance.populations.arrivals import WINDOW_S, arrivals, begins_s
from tcpsim.conformance.populations.transitions import TRANSITIONS, Counted, ending, pooled
from tcpsim.path import Seeded
from tests.conformance.kernel import POPULATIONS


def run_of(name: str) -> Run:
    path = POPULATIONS / f"{name}.json"
    return read(path.read_bytes(), path.name)


def test_a_file_that_tells_is_believed() -> None:
    run = run_of("nomet_p30_or1")
    assert run.arrivals_ms is not None
    assert len(run.arrivals_ms) == run.config.n
    began = begins_s(run, arrivals(run, 1), Seeded(1))
    assert began == sorted(each / 1_000 for each in run.arrivals_ms)


def test_arrivals_are_found_from_the_sockets_of_the_server() -> None:
    """Twice as near as a constant rate is, at 30 % loss, where a third of the SYNs come a second late."""
    told = run_of("nomet_p30_or1")
    assert told.arrivals_ms is not None
    run = msgspec.structs.replace(told, arrivals_ms=None)
    windows = arrivals(run, 1)
    assert windows.sum() == pytest.approx(run.config.n)
    times_s = np.arange(0, 110)
    true = np.searchsorted(np.sort(told.arrivals_ms) / 1_000, times_s)
    total = np.concatenate([[0.0], windows.cumsum()])
    found = np.interp(times_s, np.arange(len(total)) * WINDOW_S, total)
    constant = np.minimum(times_s * run.config.rate, run.config.n)
    errors = [float(np.sqrt(((true - each) ** 2).mean())) for each in (found, constant)]
    assert errors[0] < 0.75 * errors[1]
    began = begins_s(run, windows, Seeded(1))
    assert len(began) == run.config.n
    placed = np.histogram(began, np.arange(len(windows) + 1) * WINDOW_S)[0]
    assert np.abs(placed - windows).max() < 2  # one at each edge


def test_an_outcome_is_taken_apart_into_transitions() -> None:
    half_open = "EST,closer,open,resp=full,no EOF,err=- | GONE,last=FW1/o,responded+closed,err=-"
    kept = (
        "CLOSE(fd kept),never-closer,open,resp=full,EOF,err=idle:EPIPE"
        " | GONE,last=FW2/ms,responded+closed,err=-"
    )
    assert {name for name, happened in TRANSITIONS.items() if happened(ending(half_open))} == {
        "server: FIN-WAIT-1, the orphan gives up",
        "the same, and the client read the response but no end-of-file",
        "client: ESTABLISHED for ever",
    }
    assert {name for name, happened in TRANSITIONS.items() if happened(ending(kept))} == {
        "client: CLOSE-WAIT, keepalive ends it"
    }


def test_a_transition_that_is_off_in_every_run_is_found_by_all_of_them_together() -> None:
    """Two deviations in each of four runs are four in all; alone they are nothing (Holm)."""
    run = [Counted("off", 58, 50.0, 16.0), Counted("right", 48, 50.0, 16.0)]
    off, right = pooled([run] * 4)
    assert (off.z, right.z) == (4.0, -1.0)
    assert (off.verdict, right.verdict) == ("outside", "fits")
    alone = pooled([run])[0]
    assert alone.z == 2.0
    assert alone.verdict == "fits"
    assert alone.p == pytest.approx(2 * 0.0455, abs=1e-3)
