"""What is no trace, and what a trace may not ask for: the message names the place."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpsim.conformance.traces import judge
from tests.conformance.kernel import FOLDER, content, judged

Change = Callable[[dict[str, Any]], Any]


def injecting(**segment: object) -> dict[str, Any]:
    """A row in which the relay sends."""
    return {"t": 0.1, "who": "relay", "call": "inject", "arg": segment}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: t.pop("packets"), "$: found no field 'packets'"),
        (lambda t: t.update(app={}), "$.app: found dict, allowed: an array"),
        (lambda t: t["packets"][3].update(len="100"), "$.packets[3].len: found `str`, allowed: `int`"),
        (lambda t: t["packets"][0].pop("t"), "$.packets[0]: found that, allowed: Object missing required"),
        (lambda t: t["states"][2].update(kind="zombie"), "$.states[2].kind"),
        (lambda t: t["states"][2].update(st="SLEEPING"), "$.states: found state 'SLEEPING'"),
        (lambda t: t["meta"].update(delay_ms=None), "$.meta.delay_ms: found `null`"),
        (lambda t: t["app"][1].update(who="C"), "$.app[1].who"),
        (lambda t: t["app"][0].update(t=-1), "$.app[0].t: found that, allowed: `float` >= 0"),
        (lambda t: t["app"][3].update(t=1e300), "$.app[3].t: found that, allowed: `float` <="),
        (lambda t: t["app"][3].update(t_end=0), "$.app[3].t_end: found 0.0, allowed: a time from t = "),
        (lambda t: t["packets"][0].update(t=-5), "$.packets[0].t: found that"),
        (lambda t: t["states"][0].update(t=-5), "$.states[0].t: found that"),
        (lambda t: t["meta"].update(delay_ms=-5), "$.meta.delay_ms: found that"),
        (lambda t: t["meta"].update(period_ms=0), "$.meta.period_ms: found that"),
        (lambda t: t["app"][3].update(ret="a\nb"), "$.app[3].ret: found that, allowed: a text of one line"),
        (
            lambda t: t["packets"][0].update(flags="S\n"),
            "$.packets[0].flags: found that, allowed: a text of one",
        ),
        (lambda t: t.update(title="a\u2028b"), "$.title: found that, allowed: a text of one line"),
    ],
)
def test_what_is_no_trace_is_told_with_its_json_path(change: Change, reason: str) -> None:
    changed = content("traces/01a")
    change(changed)
    verdict = judged(changed)
    assert verdict.verdict == "UNSUPPORTED"
    assert verdict.reason.startswith("not a trace: changed.json: $")
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: t["meta"].update(wind="N"), "$.meta.wind: a field of the set-up that is not known"),
        (lambda t: t["app"][3].update(flag="MSG_OOB"), "$.app[3].flag: a field of the set-up"),
        (lambda t: t["app"][3].update(call="splice"), "app[3]: call 'splice'"),
        (lambda t: t["app"][3].update(arg="much"), "app[3]: send with the argument 'much'"),
        (lambda t: t["meta"].update(sysctls={"A": {"tcp_mtu_probing": 1}}), "sysctl tcp_mtu_probing"),
        (
            lambda t: t["meta"].update(sysctls={"A": {"tcp_recovery": 4}}),
            "sysctl tcp_recovery = 4: only 0, 1",
        ),
        (lambda t: t["meta"].update(sysctls={"B": {"tcp_ecn": 1}}), "sysctl tcp_ecn = 1: not modelled"),
        (lambda t: t["meta"].update(sysctls={"C": {}}), "meta.sysctls.C: no such host"),
        (lambda t: t["meta"].update(sysctls={"B": {"tcp_fin_timeout": "soon"}}), "the profile cannot be set"),
        (lambda t: t["meta"].update(route="via 10.0.0.1"), "route option via"),
        (lambda t: t["meta"].update(route="quickack"), "route option quickack: not modelled"),
        (lambda t: t["meta"].update(rules=[{"name": "x", "colour": "red"}]), "meta.rules: rule 'x'.colour"),
        (lambda t: t["app"].append({"t": 9, "who": "relay", "call": "flood"}), "the relay's flood"),
        (lambda t: t["app"].append(injecting(dir="A>C", flags="A")), "Invalid enum value 'A>C' - at `$.dir`"),
        (lambda t: t["app"].append(injecting(dir="A>B", flags="AX")), "'X' is none of SFRPAU"),
        (lambda t: t["app"].append(injecting(dir="A>B", flags="A", ttl=3)), "unknown field `ttl`"),
        (lambda t: t["app"].append(injecting(dir="A>B", flags="A")), "before the ISNs are known"),
        (lambda t: t["packets"][3].update(proto=1), "not TCP"),
    ],
)
def test_what_the_simulator_lacks_is_unsupported_with_the_reason(change: Change, reason: str) -> None:
    changed = content("traces/01a")
    change(changed)
    verdict = judged(changed)
    assert verdict.verdict == "UNSUPPORTED"
    assert reason in verdict.reason


def test_a_population_is_told_to_be_none() -> None:
    verdict = judge(json.dumps({"run": "p00", "series": {}}).encode(), "p00.json")
    assert (verdict.verdict, verdict.reason) == (
        "UNSUPPORTED",
        "a population, not a trace: it counts sockets and holds no segments",
    )


@given(
    st.binary(max_size=60)
    | st.integers(0, 4_000).map(lambda n: (FOLDER / "traces/01a.json").read_bytes()[:n])
)
def test_garbage_is_unsupported_in_one_line(garbage: bytes) -> None:
    verdict = judge(garbage, "garbage.json")
    assert verdict.verdict == "UNSUPPORTED"
    assert "\n" not in verdict.reason


@pytest.mark.parametrize("end", ["app", "packets", "states"])
@given(junk=st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5), max_size=4))
def test_a_junk_row_is_never_a_pass(end: str, junk: dict[str, Any]) -> None:
    changed = content("traces/01a")
    changed[end].append(junk)
    assert judged(changed).verdict != "PASS"
