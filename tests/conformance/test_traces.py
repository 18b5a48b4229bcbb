"""The traces of a real kernel pass; a changed trace, or a changed stack, does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tcpsim.conformance.traces import judge_file, replay, setup
from tcpsim.conformance.traces.schema import Trace
from tcpsim.tcp.stack import Stack, stack
from tests.conformance.kernel import TRACES, call, content, judged, name, packet, state


@pytest.mark.parametrize("path", TRACES, ids=name)
def test_tcpsim_does_what_the_kernel_did(path: Path) -> None:
    verdict = judge_file(path)
    assert verdict.verdict == "PASS", f"{verdict.reason}\n{verdict.ladders}"


# A check that cannot fail is worth nothing: one observation at a time is changed.

Change = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("trace", "change", "reason"),
    [
        ("06c", lambda t: packet(t, "B>A", "FA").update(flags="A"), "segment A seq 201 ack 101 X: flags A"),
        ("06c", lambda t: packet(t, "B>A", "FA", 3).update(seq=202), "seq 202, simulated 201"),
        ("06c", lambda t: packet(t, "A>B", "A", -1).update(ack=201), "ack 201, simulated 202"),
        ("06c", lambda t: packet(t, "A>B", "PA").update(len=99), "len 99, simulated 100"),
        ("06c", lambda t: packet(t, "B>A", "FA", 1).pop("drop"), "dropped False, simulated True"),
        ("06c", lambda t: t["packets"].pop(), "sent by tcpsim only"),
        ("06c", lambda t: t["packets"].append(dict(t["packets"][-1])), "not sent by tcpsim"),
        ("06c", lambda t: t["packets"].reverse(), "segment"),
        ("06c", lambda t: later(packet(t, "A>B", "PA"), "t", 6), "simulated at"),
        ("06c", lambda t: later(packet(t, "A>B", "PA"), "t", -2), "simulated at"),
        ("02e", lambda t: call(t, "A", "recv").update(ret=199), "recv = 199, simulated 200"),
        ("02a", lambda t: call(t, "A", "send", -1).update(err="ECONNRESET"), "simulated EPIPE"),
        ("02a", lambda t: call(t, "A", "poll").update(ret="POLLOUT"), "poll = POLLOUT, simulated POLLIN"),
        ("10c", lambda t: call(t, "A", "send", 1).update(err="EPIPE"), "simulated ETIMEDOUT"),
        ("11a", lambda t: call(t, "A", "recv").update(err="EPIPE"), "recv = EPIPE"),
        ("02a", lambda t: later(call(t, "B", "accept"), "t_end", 6), "B"),
        ("02a", lambda t: state(t, "A", "CLOSE_WAIT").update(st="ESTABLISHED"), "at 6003.300 ms, simulated"),
        ("02a", lambda t: state(t, "B", "FIN_WAIT_1").update(kind="sock"), "simulated FIN-WAIT-1 (orphan)"),
        ("02a", lambda t: state(t, "B", "FIN_WAIT_2").update(kind="orphan"), "simulated FIN-WAIT-2 (mini)"),
        ("02a", lambda t: state(t, "B", "SYN_RECV").update(kind="sock"), "simulated SYN-RECEIVED (request)"),
        ("02a", lambda t: later(state(t, "A", "CLOSE_WAIT"), "t", 9), "simulated at"),
        ("02a", lambda t: later(state(t, "A", "CLOSE_WAIT"), "t", -2), "simulated at"),
        ("02a", lambda t: t["states"].remove(state(t, "B", "GONE")), "nothing, simulated CLOSED"),
        ("02a", lambda t: t["states"].remove(state(t, "A", "CLOSE_WAIT")), "at 6003.300 ms, simulated"),
    ],
)
def test_a_changed_observation_is_found(trace: str, change: Change, reason: str) -> None:
    changed = content(f"traces/{trace}")
    change(changed)
    verdict = judged(changed)
    assert verdict.verdict == "FAIL"
    assert reason.replace("B", "server") in verdict.reason if reason == "B" else reason in verdict.reason
    assert "\n! " in f"\n{verdict.ladders}"


def later(row: dict[str, Any], key: str, milliseconds: float) -> None:
    """The same, but at another time."""
    row[key] += milliseconds


# And one value of the profile at a time.


@pytest.mark.parametrize(
    ("knob", "value", "trace"),
    [
        ("rto_min_us", 100_000, "traces/06c"),
        ("rto_max_us", 60_000_000, "traces/20e"),
        ("loss_probe", False, "traces/06c"),
        ("rack", False, "traces/06o"),
        ("delayed_ack_us", 20_000, "traces/01a"),
        ("fin_ack_now", True, "traces/01a"),
        ("quick_acks", 8, "traces/11i"),
        ("retry_budget_base_us", 400_000, "plain/08i"),
        ("orphan_retries_safe", 4, "traces/06e"),
        ("syn_linear_timeouts", 2, "traces/14c"),
        ("rst_on_give_up", True, "traces/10c"),
        ("rst_on_keepalive_give_up", False, "traces/08e"),
        ("keepalive_probe_len", 1, "traces/05a"),
        ("rst_on_unread_close", False, "traces/11a"),
        ("fin_wait_2_on_close", False, "traces/03a"),
        ("fin_wait_2_rst", True, "traces/02a"),
        ("fin_wait_2_two_stages", False, "traces/18k"),
        ("time_wait_us", 30_000_000, "traces/19a"),
        ("mini_sockets", False, "traces/02a"),
        ("requests", False, "traces/01a"),
        ("ack_rate_limit_us", 50_000, "traces/17q"),
        ("retransmit_collapse", False, "plain/06o"),
        ("nagle", "rfc", "plain/13a"),
        ("duplicate_ack", "window", "lab/first-duplicate-uncounted"),
        ("duplicate_ack", "window", "lab/syn-ack-twice"),
        ("timestamp_taken", "first", "lab/syn-ack-not-echoed"),
    ],
)
def test_a_changed_stack_is_found(
    monkeypatch: pytest.MonkeyPatch, knob: str, value: object, trace: str
) -> None:
    usual = getattr(stack("linux"), knob)

    def other_stack(recorded: Trace, host: str) -> Stack:
        asked = setup.stack_of(recorded, host)
        return asked.with_knobs({knob: value}) if getattr(asked, knob) == usual else asked

    monkeypatch.setattr(replay, "stack_of", other_stack)
    assert judged(content(trace)).verdict == "FAIL"
