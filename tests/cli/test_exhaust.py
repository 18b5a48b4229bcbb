"""`tcpsim exhaust`: which limit, when, why, and what a larger one would do."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tcpsim.catalogue.index import WORKLOADS
from tcpsim.draw.ladder import WIDTH

Tcpsim = Callable[..., tuple[int, str, str]]


def test_without_a_name_it_lists_them_and_so_does_scenarios(tcpsim: Tcpsim) -> None:
    names = [*WORKLOADS]
    assert [line.split()[0] for line in tcpsim("exhaust")[1].splitlines()] == names
    assert [line.split()[0] for line in tcpsim("scenarios")[1].splitlines()[-len(names) :]] == names


def test_a_population_is_no_scenario(tcpsim: Tcpsim) -> None:
    complaint = "tcpsim: scenario: found 'orphan-storm', a workload, allowed: tcpsim exhaust orphan-storm\n"
    assert tcpsim("explain", "orphan-storm")[2] == complaint


def test_later_not_never(tcpsim: Tcpsim) -> None:
    status, out, _ = tcpsim("exhaust", "mbufs-without-a-timer")
    assert status == 0
    assert max(map(len, out.splitlines())) <= WIDTH
    assert "out of mbufs: the kernel crashes" in out
    assert "a larger limit only delays this" in out
    assert "      4,096  4 h 3" in out
    assert (
        "511 connections end with it, and their clients are not informed;\n  17,052 later connections" in out
    )
    assert "These fixes help: fin-timeout=60s, client-checks-sockets=5s." in out


def test_with_a_timer_it_says_which(tcpsim: Tcpsim) -> None:
    _, below, _ = tcpsim("exhaust", "mbufs-with-a-timer")
    _, above, _ = tcpsim("exhaust", "mbufs-with-a-timer", "--rate", "2/s", "--for", "40min")
    _, larger, _ = tcpsim(
        "exhaust", "mbufs-with-a-timer", "--rate", "2/s", "--limit", "512", "--for", "40min"
    )
    _, short, _ = tcpsim("exhaust", "mbufs-with-a-timer", "--for", "5min")
    assert "never met: at most 207 KiB in use" in below
    assert "bounded: no connection keeps it for ever, and rate x time is below the limit" in below
    assert "        512  not in this run" in above
    assert "bounded: no connection keeps it for ever, but rate x timeout exceeds the pool; 376 KiB" in above
    assert "never met" in larger
    assert "watch longer" in short


def test_a_limit_that_is_just_enough_is_no_failure(tcpsim: Tcpsim) -> None:
    """Two ports a second, each for 60 s of TIME-WAIT and some milliseconds before."""
    ports = "exhaust", "ports-by-time-wait", "--for", "130s", "--limit", "121"
    _, just, _ = tcpsim(*ports, "--rate", "120/min")
    _, over, _ = tcpsim(*ports, "--rate", "122/min")
    assert (
        "all in use, but no connection needs more\n  bounded: no connection keeps it for ever, and rate"
        in just
    )
    assert "no port is left for connect()" not in just
    assert "EADDRNOTAVAIL, no port is left for connect()" in over
    assert "connections fail because of it" in over


def test_fixes_and_json(tcpsim: Tcpsim) -> None:
    _, out, _ = tcpsim("exhaust", "openstack-chain", "--json", "--for", "2h")
    document = json.loads(out)
    assert (document["resource"], document["side"], document["limit"]) == ("descriptors", "client", 1021)
    assert document["met_us"] == 5_100_000_000
    assert document["refused"] > 0
    _, out, _ = tcpsim("exhaust", "openstack-chain", "--json", "--fix", "client-closes")
    assert (json.loads(out)["met_us"], json.loads(out)["leaking"]) == (None, False)
    _, out, _ = tcpsim("exhaust", "openstack-chain", "--limit", "100")
    assert "the client has 100 descriptors" in out


def test_which_limit_is_met_first_is_on_top(tcpsim: Tcpsim) -> None:
    lines = tcpsim("exhaust", "openstack-chain", "--for", "2h")[1].splitlines()
    place = next(n for n, line in enumerate(lines) if line.startswith("what the client has"))
    assert lines[place + 1].split()[-4:] == ["1", "h", "25", "min"]
    assert all(line.endswith("never") for line in lines[place + 2 : place + 6])
    assert "the accept queue" in tcpsim("exhaust", "workers-and-lingering-close", "--for", "5s")[1]


def test_a_restart_says_what_became_of_the_sockets(tcpsim: Tcpsim) -> None:
    chain = "exhaust", "openstack-chain", "--for", "100min"
    _, out, _ = tcpsim(*chain, "--restart-at", "80min")
    assert "never met: at most 960 in use" in out
    assert "killed after 1 h 20 min: 960 close with a FIN\n" in out
    _, out, _ = tcpsim(*chain, "--restart-every", "10min")
    assert out.count("killed after") == 3
    assert "and so on, 10 times" in out
    document = json.loads(tcpsim(*chain, "--restart-at", "80min", "--json")[1])
    assert document["restarts"] == [{"t_us": 4_800_000_000, "fates": {"FIN": 960}}]
    assert document["limits"][0]["resource"] == "descriptors"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--limit", "5"], "WORKLOAD: found none, allowed: mbufs-without-a-timer"),
        (["--json"], "WORKLOAD: found none"),
        (["openstack"], "workload: found 'openstack' (did you mean openstack-chain"),
        (
            ["three-idle-timeouts"],
            "workload: found 'three-idle-timeouts', a user group, allowed: tcpsim u",
        ),
        (["w1"], "workload: found 'w1', a scenario, allowed: tcpsim explain w1"),
        (["orphan-storm", "--rate", "0"], "--rate: found '0'"),
        (["orphan-storm", "--for", "0s"], "--for: found 0s"),
        (["orphan-storm", "--for", "5"], "--for: found '5'"),
        (
            ["orphan-storm", "--restart-every", "0s"],
            "--restart-every: found 0s, allowed: a time from 30ms to the",
        ),
        (["orphan-storm", "--restart-every", "1us"], "--restart-every: found 1us"),
        (["orphan-storm", "--restart-at", "0s"], "--restart-at: found 0s"),
        (
            ["orphan-storm", "--restart-at", "6min"],
            "--restart-at: found 6min, allowed: a time from 1us to the end",
        ),
        (
            ["orphan-storm", "--fix", "nat-timeout=1h"],
            "--fix nat-timeout=1h, knob middlebox.established: found",
        ),
        (["orphan-storm", "--restart-at", "soon"], "--restart-at: found 'soon'"),
        (["orphan-storm", "--limit", "0"], "--limit: found '0'"),
        (["orphan-storm", "--fix", "nothing"], "--fix: found 'nothing'"),
        (["orphan-storm", "--rate", "1e9"], "--rate: found"),
    ],
)
def test_a_mistake_is_one_line(tcpsim: Tcpsim, arguments: list[str], complaint: str) -> None:
    status, out, err = tcpsim("exhaust", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"tcpsim: {complaint}")
    assert err.count("\n") == 1
