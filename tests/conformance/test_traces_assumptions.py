"""What a replay assumes where a trace does not tell: merged ACKs, the order of calls and arrivals, bursts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tcpsim.conformance.traces import judge
from tcpsim.conformance.traces.assumptions import assumptions
from tcpsim.conformance.traces.compare import compare
from tcpsim.conformance.traces.observation import Packet
from tcpsim.conformance.traces.recorded_acks import AsAcknowledged
from tcpsim.conformance.traces.replay import contested, replay
from tcpsim.conformance.traces.report import first_difference
from tcpsim.conformance.traces.schema import read
from tcpsim.path import Quiet
from tcpsim.tcp.segment import ACK, RST, SYN, Segment

LAB = Path(__file__).parents[1] / "data" / "kernel" / "lab"
ISN = 7_000


def said(t_us: int, ack: int, octets: int = 0) -> Packet:
    return Packet(t_us, "client", "A", 1, ack, octets, False)


def passes(kernel: tuple[Packet, ...], *acks: tuple[int, int], resets_us: tuple[int, ...] = ()) -> list[bool]:
    """Which of these pure ACKs, (when, number), are let through."""
    element: Any = AsAcknowledged("client", kernel, resets_us)
    element, _, _ = element.carry("server", Segment(2, 1, SYN | ACK, ISN, 0, 0, 0), 0, Quiet())
    found = []
    for at_us, ack in acks:
        element, emerged, _ = element.carry("client", Segment(1, 2, ACK, 0, ISN + ack, 0, 0), at_us, Quiet())
        found.append(bool(emerged))
    return found


def test_an_ack_for_which_the_kernel_sent_a_later_one_is_taken_out() -> None:
    kernel = (said(100, 1), said(1_000, 1_449), said(1_020, 5_793))
    assert passes(kernel, (990, 1_449), (990, 2_897), (990, 4_345), (990, 5_793)) == [
        True,
        False,
        False,
        True,
    ]


def test_an_ack_that_came_with_text_is_taken_out() -> None:
    assert passes((said(1_000, 1_449, 100),), (990, 1_449)) == [False]
    assert passes((said(1_000, 1_449, 100),), (3_000, 1_449)) == [True]  # the text was before it


def test_text_that_was_sent_before_says_nothing_of_an_ack() -> None:
    kernel = (said(1_000, 1_449, 100), said(1_800, 1_449))
    assert passes(kernel, (1_790, 1_449)) == [True]


def test_one_ack_answers_two_segments_that_waited() -> None:
    kernel = (said(1_000, 1_449), said(1_020, 1_449))
    assert passes(kernel[:1], (990, 1_449), (995, 1_449)) == [True, False]
    assert passes(kernel, (990, 1_449), (995, 1_449)) == [True, True]
    assert passes(kernel[:1], (990, 1_449), (1_005, 1_449)) == [True, True]  # it was sent before


def test_duplicates_are_counted() -> None:
    kernel = (said(1_000, 1), said(1_010, 1), said(1_020, 1_449))
    assert passes(kernel, (990, 1), (990, 1), (990, 1), (990, 1_449)) == [True, True, False, True]


def test_an_ack_that_nothing_explains_is_compared() -> None:
    assert passes((), (990, 1_449)) == [True]
    assert passes((said(20_000, 5_793),), (990, 1_449)) == [True]  # much later is another one
    assert passes((), (990, 1_449), resets_us=(1_200,)) == [False]  # a RST came
    assert passes((), (990, 1_449), resets_us=(900,)) == [True]


def test_only_pure_acks_are_taken_out() -> None:
    element = AsAcknowledged("client", (said(1_000, 5_793),), (), 0, ISN)
    for segment in (Segment(1, 2, ACK, 0, ISN + 1, 5, 0), Segment(1, 2, RST | ACK, 0, ISN + 1, 0, 0)):
        assert element.carry("client", segment, 990, Quiet())[1]
    assert element.carry("server", Segment(2, 1, ACK, 0, ISN + 1, 0, 0), 990, Quiet())[1]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("call-and-burst", "a program runs while a burst arrives"),
        ("reset-before-close", "behind what arrived meanwhile"),
        ("burst-apart", "bursts that arrive apart"),
        ("forced-push", "a program runs while a burst arrives"),
    ],
)
def test_a_pass_says_what_it_assumes(name: str, words: str) -> None:
    content = (LAB / f"{name}.json").read_bytes()
    verdict = judge(content, name)
    assert verdict.verdict == "PASS"
    assert words in verdict.reason
    trace = read(content, name)
    assumed = next(iter(assumptions(trace)))
    assert assumed.reason() == ""  # first of all nothing is assumed
    assert first_difference(compare(trace, replay(trace, assumed.exempt), assumed.exempt)) is not None


def test_an_ack_tells_which_of_a_burst_came_before_a_call() -> None:
    """So nothing is assumed of their order; with another number in what the call sent, it does not pass."""
    raw = json.loads((LAB / "call-amid-a-burst.json").read_text())
    found = judge(json.dumps(raw).encode(), "as it is")
    assert found.verdict == "PASS"
    assert "what arrived meanwhile" not in found.reason
    fin = next(each for each in raw["packets"] if each["dir"] == "B>A" and "F" in each["flags"])
    fin["ack"] += 1448
    assert judge(json.dumps(raw).encode(), "another").verdict == "FAIL"


def test_a_call_is_contested_while_something_arrives() -> None:
    raw = json.loads((LAB / "call-and-burst.json").read_text())
    trace = read(json.dumps(raw).encode(), "as it is")
    (place,) = contested(trace)
    assert trace.rows[place].call == "sendall"
    for packet in raw["packets"]:
        if "t_out" in packet and packet["dir"] == "A>B":
            packet["t_out"] += 30
    assert contested(read(json.dumps(raw).encode(), "later")) == ()


@pytest.mark.parametrize("name", ["call-and-burst", "burst-apart", "compressed-sacks", "timer-beside-a-call"])
def test_no_assumption_hides_another_segment(name: str) -> None:
    raw = json.loads((LAB / f"{name}.json").read_text())
    text = [packet for packet in raw["packets"] if packet["len"]]
    text[-1]["len"] -= 1
    assert judge(json.dumps(raw).encode(), name).verdict in ("FAIL", "LATE")
