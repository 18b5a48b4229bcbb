"""`tcpsim run --packetdrill`: the file, and the one line instead of it where there is nothing to write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Tcpsim = Callable[..., tuple[int, str, str]]


def test_the_set_up_turns_the_knobs_that_were_turned(tcpsim: Tcpsim, tmp_path: Path) -> None:
    path = tmp_path / "server.pkt"
    knobs = ["--set", "tcp_fin_timeout=5s", "--set", "server.tcp_sack=0", "--set", "server.mss=1000"]
    status, _, err = tcpsim("run", "data-after-close", *knobs, "--packetdrill", str(path))
    assert (status, err) == (0, "")
    lines = path.read_text().splitlines()
    assert "--mtu=1040" in lines
    assert "0.000000 `sysctl -w net.ipv4.tcp_fin_timeout=5`" in lines
    assert tcpsim("packetdrill", str(path))[0] == 0
    path.write_text("\n".join(line for line in lines if "tcp_sack" not in line))
    assert tcpsim("packetdrill", str(path))[0] == 1


def test_the_clients_end(tcpsim: Tcpsim, tmp_path: Path) -> None:
    path = tmp_path / "client.pkt"
    tcpsim("run", "normal-close", "--packetdrill", str(path), "--packetdrill-side", "client")
    assert "connect(3, ..., ...) = 0" in path.read_text()
    assert tcpsim("packetdrill", str(path))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["vanished-client", "--packetdrill-side", "client"], "a client that vanishes"),
        (["normal-close", "--stack-server", "netbsd"], "the stack netbsd"),
        (["normal-close", "--set", "server.rto_tick_us=8ms"], "rto_tick_us = 8000, which no sysctl says"),
        (["normal-close", "--set", "server.rto_max_us=500us"], "no whole number of ms"),
        (
            ["normal-close", "--drop", "every client SYN", "--horizon", "1s", "--packetdrill-side", "client"],
            "connect() on the client, which does not return",
        ),
    ],
)
def test_what_cannot_be_said_is_one_line_and_no_file(
    tcpsim: Tcpsim, tmp_path: Path, arguments: list[str], says: str
) -> None:
    status, out, err = tcpsim("run", *arguments, "--packetdrill", str(tmp_path / "x.pkt"))
    assert (status, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_side_without_a_script_is_a_mistake(tcpsim: Tcpsim) -> None:
    status, _, err = tcpsim("run", "normal-close", "--packetdrill-side", "client")
    assert status == 2
    assert "--packetdrill-side" in err
