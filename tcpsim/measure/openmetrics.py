"""A census in the words of Prometheus, so that a dashboard shows the expected beside the measured.

Owns: the exposition format (OpenMetrics 1.0) and the names of the states that node_exporter's tcpstat
collector uses. Refuses to know: how a census was found.

node_exporter counts the lines of /proc/net/tcp: sockets that are CLOSED are not among them, and a request
that waits for the end of a handshake is `syn_recv`. Its metric has one label, `state`; `host`, `holder` and
`scenario` are added here, which a dashboard sums over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from tcpsim.tcp.state import State

METRIC: Final = "node_tcp_connection_states"
_HELP: Final = "Number of connection states."  # node_exporter's own words
STATES: Final[Mapping[State, str]] = {
    State.ESTABLISHED: "established",
    State.SYN_SENT: "syn_sent",
    State.SYN_RECEIVED: "syn_recv",
    State.FIN_WAIT_1: "fin_wait1",
    State.FIN_WAIT_2: "fin_wait2",
    State.TIME_WAIT: "time_wait",
    State.CLOSE_WAIT: "close_wait",
    State.LAST_ACK: "last_ack",
    State.LISTEN: "listen",
    State.CLOSING: "closing",
}


def openmetrics(rows: Iterable[Mapping[str, Any]], labels: Mapping[str, str], begins_s: float = 0) -> str:
    """The exposition of a census: rows with t_s, side, state, holder, count; a sample for each.

    `labels` are put on every sample. Samples of one series come in order of time, stamped with it; time 0 is
    the Unix time `begins_s`.

    >>> rows = [{"t_s": 0.5, "side": "server", "state": "CLOSE-WAIT", "holder": "owned", "count": 3}]
    >>> print(openmetrics(rows, {"scenario": "a \\"b\\""}), end="")
    # TYPE node_tcp_connection_states gauge
    # HELP node_tcp_connection_states Number of connection states.
    node_tcp_connection_states{state="close_wait",host="server",holder="owned",scenario="a \\"b\\""} 3 0.5
    # EOF
    """
    names = {str(state): name for state, name in STATES.items()}
    series: dict[tuple[str, str, str], list[tuple[float, Any]]] = {}
    for row in rows:
        if row["state"] in names:
            key = names[row["state"]], row["side"], row["holder"]
            series.setdefault(key, []).append((row["t_s"], row["count"]))
    lines = [f"# TYPE {METRIC} gauge", f"# HELP {METRIC} {_HELP}"]
    for (state, host, holder), samples in series.items():
        every = {"state": state, "host": host, "holder": holder, **labels}
        told = ",".join(f'{name}="{_escaped(value)}"' for name, value in every.items())
        lines += [f"{METRIC}{{{told}}} {count:.12g} {begins_s + t_s:.15g}" for t_s, count in sorted(samples)]
    return "\n".join([*lines, "# EOF"]) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
