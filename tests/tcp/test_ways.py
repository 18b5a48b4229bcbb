"""`reach` gets where it says on both stacks, and those who hold the sockets are who they should be."""

from __future__ import annotations

import pytest

from tcpsim.tcp.state import State
from tests.tcp.ways import WAYS, reach


@pytest.mark.parametrize("stack", ["linux", "rfc9293"])
@pytest.mark.parametrize("way", WAYS)
def test_reach(way: str, stack: str) -> None:
    line, side = reach(way, stack)
    assert str(line.state(side)) == way.partition("/")[0]


def test_reach_knows_all_eleven_states() -> None:
    assert {way.partition("/")[0] for way in WAYS} == {str(state) for state in State}


@pytest.mark.parametrize(
    ("way", "linux", "rfc9293"),
    [
        ("SYN-SENT", "owned", "owned"),
        ("SYN-RECEIVED", "request", "owned"),
        ("SYN-RECEIVED/simultaneous", "owned", "owned"),
        ("ESTABLISHED", "owned", "owned"),
        ("FIN-WAIT-1/orphan", "orphan", "orphan"),
        ("FIN-WAIT-2", "owned", "owned"),
        ("FIN-WAIT-2/orphan", "mini", "orphan"),
        ("CLOSE-WAIT", "owned", "owned"),
        ("CLOSING", "owned", "owned"),
        ("LAST-ACK", "owned", "owned"),
        ("TIME-WAIT", "mini", "owned"),
    ],
)
def test_who_pays(way: str, linux: str, rfc9293: str) -> None:
    for stack, holder in (("linux", linux), ("rfc9293", rfc9293)):
        line, side = reach(way, stack)
        assert line.holder(side) == holder
