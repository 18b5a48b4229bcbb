"""What cannot be is refused when the value is made, with the name of its field."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tcpsim.app import accept, connect, listen, set_option
from tcpsim.catalogue import Expect, Setting, scenario
from tcpsim.errors import InputError
from tcpsim.explore.growth import Stream
from tcpsim.path import Exponential, Fixed, LogNormal, Rule, Uniform

CLOSE = scenario("normal-close")


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("client", "nobody", "client behaviour: found 'nobody'"),
        ("server", 3, "normal-close.server: found 3, allowed: the name of a behaviour"),
        ("horizon", "soon", "normal-close.horizon: found 'soon'"),
        ("delay", "10", "normal-close.delay: found '10'"),
        ("loss", 3, "normal-close.loss: found 3"),
        ("loss", [], "normal-close.loss: found []"),
        ("drops", ("server FON",), "normal-close.drop: found 'server FON'"),
        ("stack_client", "linus", "stack: found 'linus' (did you mean linux"),
        ("middlebox", "junes", "middlebox: found 'junes' (did you mean junos"),
        ("concerns", "servr", "normal-close.concerns: found 'servr' (did you mean server"),
        ("cures", ("keepalife",), "normal-close.cures: found 'keepalife' (did you mean keepalive"),
        ("knobs", [1], "normal-close.knobs: found [1], allowed: values by name"),
        ("title", 5, "scenario.title: found 5, allowed: text"),
    ],
)
def test_a_scenario(field: str, value: Any, told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        replace(CLOSE, **{field: value})


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"loss": 3}, "loss: found 3"),
        ({"loss": True}, "loss: found True"),
        ({"client_port": -1}, "client_port: found -1, allowed: an integer from 1 to 65535"),
        ({"client": "nobody"}, "client behaviour: found 'nobody'"),
        ({"delay": 1.5}, "delay: found 1.5"),
        ({"drops": ("server FON",)}, "drop: found 'server FON'"),
        ({"jitter": 3}, "jitter: found 3"),
        ({"loss_side": "left"}, "loss_side: found 'left'"),
        ({"parameters": 3}, "parameters: found 3"),
    ],
)
def test_a_setting(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        Setting(**changed)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Expect(verdict="clean"), "expect.verdict: found 'clean', allowed: a Verdict"),  # type: ignore[arg-type]
        (lambda: Expect(settled=("1s", "x")), "expect.settled: found 'x'"),
        (lambda: Fixed(-1), "fixed: found -1"),
        (lambda: Uniform(5, 1), "uniform: found 5 to 1, allowed: low <= high"),
        (lambda: Uniform(1, 5)._replace(low_us=9), "uniform: found 9 to 5"),
        (lambda: Exponential(1.5), "exp: found 1.5"),  # type: ignore[arg-type]
        (lambda: LogNormal(5, 9), "lognormal: found sigma 9"),
        (lambda: Rule("x", "nobody"), "rule 'x'.sender: found 'nobody'"),  # type: ignore[arg-type]
        (lambda: Rule("x", nth=((3, 1),)), "rule 'x'.nth: found ((3, 1),)"),
        (lambda: Stream(-1.0), "per_second: found -1.0"),
        (lambda: listen(backlog="x"), "listen.backlog: found 'x'"),  # type: ignore[arg-type]
        (lambda: connect(port=-3), "connect.port: found -3"),
        (lambda: connect(options=(("SO_NONSENSE", 1),)), "option: found 'SO_NONSENSE'"),
        (lambda: set_option("SO_LINGER", 1), "option SO_LINGER: found 1, allowed: (on, seconds)"),
        (lambda: set_option("TCP_KEEPIDLE", (1, 2)), "option TCP_KEEPIDLE: found (1, 2)"),
        (lambda: accept(3), "sock: found 3"),  # type: ignore[arg-type]
    ],
)
def test_other_values(make: Callable[[], object], told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        make()
