"""`tcpsim users`: a list, a page with a line for each variant, JSON, one variant alone."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tcpsim.catalogue.index import USER_GROUPS
from tcpsim.draw.ladder import WIDTH

Tcpsim = Callable[..., tuple[int, str, str]]


def test_without_a_name_it_lists_them(tcpsim: Tcpsim) -> None:
    lines = tcpsim("users")[1].splitlines()
    assert [line.split()[0] for line in lines] == [*USER_GROUPS]
    assert max(map(len, lines)) <= WIDTH


def test_scenarios_lists_them_too_and_says_how_to_run_one(tcpsim: Tcpsim) -> None:
    lines = tcpsim("scenarios")[1].splitlines()
    begins = lines.index("browsers and pools (tcpsim users NAME)") + 1
    names = [*USER_GROUPS]
    assert [line.split()[0] for line in lines[begins : begins + len(names)]] == names
    complaint = "found 'three-idle-timeouts', a user group, allowed: tcpsim users three-idle-timeouts\n"
    assert tcpsim("run", "three-idle-timeouts")[2] == f"tcpsim: scenario: {complaint}"


def test_a_page_has_a_line_for_each_variant(tcpsim: Tcpsim) -> None:
    status, out, _ = tcpsim("users", "page-over-parallel-connections", "--variant", "four")
    assert status == 0
    assert max(map(len, out.splitlines())) <= WIDTH
    assert "KeepAlive Off, four at once        1,320  800 ms       800 ms            0        660" in out
    assert "KeepAlive On, four                   480  600 ms       600 ms           64        240" in out


def test_what_failed_is_told_below_the_variant(tcpsim: Tcpsim) -> None:
    _, out, _ = tcpsim("users", "object-per-request", "--variant", "object for each")
    lines = out.splitlines()
    (place,) = [number for number, line in enumerate(lines) if line.startswith("an object for each")]
    assert lines[place + 1] == "    failed: 411 no socket"


def test_json(tcpsim: Tcpsim) -> None:
    _, out, _ = tcpsim("users", "object-per-request", "--variant", "object for each", "--json", "--seed", "2")
    document = json.loads(out)
    (variant,) = document["variants"]
    assert (document["name"], document["seed"]) == ("object-per-request", 2)
    assert variant["measures"]["client CLOSE-WAIT left"] == 1_021
    assert variant["outcomes"]["answered"] == 1_021
    assert variant["refused"] == {"client descriptors": variant["measures"]["failed"]}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["browsers"], "users: found 'browsers' (did you mean browsers-and-their-fins"),
        (
            ["openstack-chain"],
            "users: found 'openstack-chain', a workload, allowed: tcpsim exhaust openstack-chain",
        ),
        (["--variant", "four"], "USERS: found none, allowed: page-over-parallel-connections"),
        (["object-per-request", "--variant", "xyz"], "--variant: found 'xyz', allowed: an object for each"),
    ],
)
def test_a_mistake_is_one_line(tcpsim: Tcpsim, arguments: list[str], complaint: str) -> None:
    status, out, err = tcpsim("users", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"tcpsim: {complaint}")
    assert err.count("\n") == 1
