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
from tcpsim.conformance.traces.schema import Trace


class Exempt(NamedTuple):
    """`late_readers`: recv() calls run when the kernel's did; `acks`: only the last number counts."""

    late_readers: bool = False
    acks: bool = False
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
        name: Exempt(entry.get("readers") == "late", entry.get("acks") == "last", entry["reason"])
        for name, entry in tomllib.loads(text).items()
    }


def exempt_of(name: str) -> Exempt:
    """What the trace with this id is exempt from."""
    return _table().get(name, NOTHING)


def of_readers(trace: Trace) -> Exempt:
    """What a trace is exempt from in which a reader was woken by the first segments of a burst.

    The reader runs, on another processor, while the rest arrives: what it finds, and how often the kernel
    acknowledges meanwhile, differs from run to run.
    """
    for row in trace.rows:
        if row.call != "recv" or not row.waited or not row.took_data or row.end_us is None:
            continue
        came = [
            each.out_us
            for each in trace.carried
            if each.sender != row.who and each.len and abs(each.out_us - row.end_us) <= _WAKES_US
        ]
        if len(came) > 1:
            return Exempt(True, True, "a reader is woken while a burst arrives: both go on at once")
    return NOTHING


def reasons() -> dict[str, str]:
    """Every trace that is exempt from something, and why."""
    return {name: exempt.reason for name, exempt in _table().items()}
