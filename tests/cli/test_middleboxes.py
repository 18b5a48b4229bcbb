"""`tcpsim middleboxes`, and the options that put one into a scenario."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tcpsim.draw.ladder import WIDTH
from tcpsim.path import middleboxes

Tcpsim = Callable[..., tuple[int, str, str]]


def test_the_list_names_every_box_with_its_times(tcpsim: Tcpsim) -> None:
    status, out, _ = tcpsim("middleboxes")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == list(middleboxes())
    assert max(map(len, out.splitlines())) <= WIDTH
    assert "432000" not in out
    assert "5d" in out


def test_one_box_tells_where_each_value_comes_from(tcpsim: Tcpsim) -> None:
    _, out, _ = tcpsim("middleboxes", "linux-conntrack")
    assert "linux-conntrack close_wait_us = 60s  (nf_conntrack_tcp_timeout_close_wait)" in out
    _, out, _ = tcpsim("middleboxes", "junos", "--json")
    (record,) = json.loads(out)
    values = {each["field"]: each for each in record["values"]}
    assert (values["close_wait_us"]["value"], values["close_wait_us"]["verified"]) == ("150s", True)
    assert not values["loose"]["verified"]


def test_a_box_and_its_knobs_on_the_command_line(tcpsim: Tcpsim) -> None:
    ends = []
    for knob in ("59s", "10min"):
        _, out, _ = tcpsim(
            "run", "firewall-forgets-half-closed", "--json",
            "--middlebox", "linux-conntrack", "--set", f"middlebox.close_wait={knob}",
        )  # fmt: skip
        ends.append(json.loads(out)["server"]["state"])
    assert ends == ["FIN-WAIT-2", "CLOSED"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["middleboxes", "pix"], "middlebox: found 'pix', allowed: aws-nat, aws-nlb"),
        (["middleboxes", "none"], "middlebox: found 'none', allowed: aws-nat, aws-nlb"),
        (
            ["run", "w1", "--set", "middlebox.loose="],
            "--set: found 'middlebox.loose=', allowed: NAME=VALUE, client",
        ),
        (
            ["run", "normal-close", "--middlebox", "pix"],
            "--middlebox: found 'pix', allowed: aws-nat, aws-nlb",
        ),
        (
            ["run", "normal-close", "--set", "middlebox.close_wait=1s"],
            "knob middlebox.close_wait: found no middlebox on the path",
        ),
        (
            ["compare", "normal-close", "--fix", "nat-timeout=1h"],
            "--fix nat-timeout=1h, knob middlebox.established: found no middlebox on the path",
        ),
        (
            ["run", "normal-close", "--middlebox", "junos", "--loss-side", "left"],
            "--loss-side: found 'left', allowed: client or server",
        ),
    ],
)
def test_a_mistake_is_one_line(tcpsim: Tcpsim, arguments: list[str], complaint: str) -> None:
    status, out, err = tcpsim(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"tcpsim: {complaint}")
    assert err.count("\n") == 1
