"""The line of a recording: how late the recorder was is an input of the replay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tcpsim.conformance.traces import judge
from tcpsim.conformance.traces.recorded_line import Carried, as_recorded
from tcpsim.path import Path as Line
from tcpsim.path import Quiet, send
from tcpsim.tcp.segment import ACK, FIN, Segment

KERNEL = Path(__file__).parents[1] / "data" / "kernel" / "traces"
DELAY = 10_000


def arrivals(*carried: tuple[int, int], sent: tuple[int, ...], calls_us: tuple[int, ...] = ()) -> list[int]:
    """When segments arrive that were sent then, on a line that has carried (entered, came out)."""
    told = [Carried("client", "A", 0, entered, out) for entered, out in carried]
    path = Line(to_server=(as_recorded("client", DELAY, told, calls_us),))
    found = []
    for at_us in sent:
        path, (fate,) = send(path, "client", Segment(1, 2, ACK, 0, 0, 0, 0), at_us, Quiet())
        assert fate.due_us is not None
        found.append(fate.due_us)
    return found


def test_a_segment_arrives_when_it_did() -> None:
    assert arrivals((100, 30_100), (200, 30_101), sent=(90, 210)) == [30_100, 30_101]


def test_a_burst_arrives_as_one_when_its_first_segment_did() -> None:
    assert arrivals((100, 10_150), (200, 10_290), sent=(90, 90)) == [10_150, 10_150]
    assert arrivals((100, 10_150), (300, 10_390), sent=(90, 290)) == [10_150, 10_390]


def test_a_burst_is_none_where_the_recorder_was_late_in_between() -> None:
    assert arrivals((100, 10_150), (200, 12_000), sent=(90, 90)) == [10_150, 12_000]


def test_a_burst_is_parted_where_the_receiver_sends() -> None:
    """What came out after the call had begun is not acknowledged by what it sends."""
    assert arrivals((100, 10_150), (200, 10_390), sent=(90, 90), calls_us=(10_300,)) == [10_150, 10_390]
    assert arrivals((100, 10_150), (200, 10_390), sent=(90, 90), calls_us=(10_400,)) == [10_150, 10_150]


def test_nothing_arrives_sooner_than_the_line_lets_it() -> None:
    assert arrivals((100, 10_150), sent=(400,)) == [10_400]


def test_what_was_not_carried_takes_the_delay() -> None:
    assert arrivals((100, 40_100), sent=(90, 210)) == [40_100, 10_210]
    assert arrivals((100, 40_100), sent=(50_000,)) == [60_000]
    fin = Carried("client", "FA", 0, 100, 40_100)
    path = Line(to_server=(as_recorded("client", DELAY, [fin]),))
    other, same = (
        send(path, "client", Segment(1, 2, flags, 0, 0, 0, 0), 100, Quiet())[1][0].due_us
        for flags in (ACK, FIN | ACK)
    )
    assert (other, same) == (10_100, 40_100)


def moved(late_us: int) -> dict[str, Any]:
    """A kernel's trace as it had been if the recorder had held the server's FIN longer."""
    trace: dict[str, Any] = json.loads((KERNEL / "02e.json").read_text())
    fin = next(packet for packet in trace["packets"] if packet["flags"] == "FA")
    fin |= {"t_out": fin["t_out"] + late_us / 1_000, "late_us": late_us}
    return trace


def test_the_same_reaction_to_a_segment_that_came_later_is_not_the_same() -> None:
    assert judge(json.dumps(moved(0)).encode(), "02e").verdict == "PASS"
    assert judge(json.dumps(moved(4_000)).encode(), "02e").verdict == "FAIL"  # it answered before it heard
    late = judge(json.dumps(moved(30_000)).encode(), "02e")
    assert late.verdict == "LATE"
    assert "the machine was 30 ms late" in late.reason
