"""What is not compared, because it differs between runs of the same kernel.

Owns: the format of `exempt.toml`, and the questions about it. Refuses to know: how things are compared.
A trace is exempt only if it fails without the exemption, and only in what the table names for it.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import NamedTuple

from tcpsim.conformance.traces.observation import Packet
from tcpsim.conformance.traces.schema import Row, Trace


class Exempt(NamedTuple):
    """`late_readers`: recv() calls run when the kernel's did; `acks`: only the last number counts.

    `merged`: acknowledgements for which the kernel sent a later one are taken out of the replay.
    """

    late_readers: bool = False
    acks: bool = False
    merged: bool = False
    reason: str = ""

    def compares(self, packet: Packet) -> bool:
        """Whether a segment has to have its counterpart."""
        return not (self.acks and packet.pure_ack)


NOTHING = Exempt()
_WAKES_US = 1_500  # between the first segment of a burst and the last that a reader it has woken may meet


@cache
def _table() -> dict[str, Exempt]:
    text = (resources.files("tcpsim.conformance.traces") / "exempt.toml").read_text(encoding="utf-8")
    return {
        name: Exempt(entry.get("readers") == "late", entry.get("acks") == "last", False, entry["reason"])
        for name, entry in tomllib.loads(text).items()
    }


def exempt_of(name: str) -> Exempt:
    """What the trace with this id is exempt from."""
    return _table().get(name, NOTHING)


def of_readers(trace: Trace) -> Exempt:
    """What a trace is exempt from in which a program ran while a burst arrived.

    A process that a segment wakes runs on another processor while the rest arrives; and a call holds its
    socket while it runs. What a reader finds, and how often the kernel acknowledges meanwhile, differs from
    run to run.
    """
    for row in trace.rows:
        if row.end_us is None or row.who == "relay":
            continue
        wakes = row.call == "accept" or (row.call == "recv" and row.took_data)
        since_us = row.end_us - _WAKES_US if wakes and slept(trace, row) else row.t_us
        until_us = row.end_us + _WAKES_US if wakes else row.end_us
        came = [out_us for out_us in _data_came(trace, row) if since_us <= out_us <= until_us]
        if len(came) > 1:
            return Exempt(True, False, True, "a program runs while a burst arrives: both go on at once")
    return NOTHING


def slept(trace: Trace, row: Row) -> bool:
    """Whether a call waited for the peer: it took longer than a call takes, or data came meanwhile."""
    if row.waited or row.end_us is None or row.call not in ("recv", "accept"):
        return row.waited
    return any(row.t_us < out_us <= row.end_us for out_us in _data_came(trace, row))


def _data_came(trace: Trace, row: Row) -> list[int]:
    """When data came out for the host that made a call."""
    return [each.out_us for each in trace.carried if each.sender != row.who and each.len]


def reasons() -> dict[str, str]:
    """Every trace that is exempt from something, and why."""
    return {name: exempt.reason for name, exempt in _table().items()}
