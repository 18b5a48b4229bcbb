"""Alerts: counts that a server without the leak practically never reaches.

Owns: thresholds, and rules for Prometheus. Refuses to know: how an alert is sent.

The threshold is a quantile of the distribution for a load without the leak. An alert must last for some
minutes, so it is even rarer than the probability p of exceeding the threshold at one look. The metrics are
those of node_exporter's collectors `tcpstat` and `sockstat`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tcpsim.explore.curves import Look, Value
from tcpsim.planning.load import Load
from tcpsim.tcp.state import State

CHANCE: Final = 1e-6
HOLDS: Final = "5m"
_STATES: Final = (
    (State.CLOSE_WAIT, "close_wait"),
    (State.FIN_WAIT_1, "fin_wait1"),
    (State.FIN_WAIT_2, "fin_wait2"),
    (State.LAST_ACK, "last_ack"),
    (State.ESTABLISHED, "established"),
    (State.SYN_RECEIVED, "syn_recv"),
)


class Alert(NamedTuple):
    """A threshold for a state. `after_us` is when the leak exceeds it (None: never)."""

    state: State
    metric: str
    mean: float
    above: int
    after_us: int | None

    def says(self) -> str:
        """The alert as a sentence."""
        return (
            f"{self.state} above {self.above:,} for 5 min: chance alone reaches this at most once in"
            f" 10^6 ({self.mean:,.3g}"
            f" expected)"
        )


def alerts(sound: Load, planned: Load) -> list[Alert]:
    """A threshold for each state; when the planned load exceeds it."""
    found = []
    for state, name in _STATES:
        value = _in(state)
        law = sound.law(value, sound.until_us)
        above = law.quantile(1 - CHANCE)
        expected = sound.mean(value, sound.until_us)
        after_us = planned.met_by(value, above + 1, 0.5)
        metric = f'node_tcp_connection_states{{state="{name}"}}'
        found.append(Alert(state, metric, expected, above, after_us))
    return found


def _in(state: State) -> Value:
    def value(look: Look) -> int:
        return look.sockets("server", state, None, None)

    return value


def rules(found: list[Alert], name: str) -> str:
    """The same as a file of rules for Prometheus."""
    lines = ["groups:", f"  - name: {name}", "    rules:"]
    for each in found:
        title = "".join(part.title() for part in str(each.state).split("-"))
        lines += [
            f"      - alert: {title}NotChance",
            f"        expr: {each.metric} > {each.above}",
            f"        for: {HOLDS}",
            "        annotations:",
            f"          summary: '{each.says()}'",
        ]
    lines += [
        "      - alert: DescriptorsRunOut",
        "        expr: predict_linear(process_open_fds[1h], 14400) > process_max_fds",
        f"        for: {HOLDS}",
        "        annotations:",
        "          summary: 'at this growth the process has no descriptor left in 4 hours'",
    ]
    return "\n".join(lines) + "\n"
