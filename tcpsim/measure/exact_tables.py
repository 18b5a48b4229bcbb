"""Exact answers as tables: a row for each end and loss rate, or for each state, time and loss rate.

Owns: the columns. Refuses to know: how the probabilities are computed (explore).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tcpsim.explore.leaks import Answer
from tcpsim.explore.over_time import OverTime
from tcpsim.measure.results import Table


def exact_table(found: Answer, losses: Sequence[float]) -> Table:
    """Columns loss, kind, one for each machine, permanent, probability."""
    rows = [
        {
            "loss": loss,
            "kind": str(end.kind),
            **end.held,
            "permanent": end.permanent,
            "probability": probability,
        }
        for end in found.ends
        for loss, probability in zip(losses, end.probability.tolist(), strict=True)
    ]
    return Table.of_rows(rows)


def legs_table(found: Answer, losses: Sequence[float]) -> Table:
    """Columns loss, leg, leaks (a probability), held_us (the expected time before the end)."""
    rows = [
        {"loss": loss, "leg": leg.name, "leaks": leaks, "held_us": held_us}
        for leg in found.legs
        for loss, leaks, held_us in zip(losses, leg.probability.tolist(), leg.held_us.tolist(), strict=True)
    ]
    return Table.of_rows(rows)


def over_time_table(found: OverTime, losses: Sequence[float]) -> Table:
    """Columns loss, t_s, side, state, mean, low, high, bytes; low and high are null for one connection."""
    shape = found.mean.shape
    sides, states = ([str(each[part]) for each in found.sockets] for part in (0, 1))
    return Table(
        {
            "loss": np.broadcast_to(np.asarray(losses, dtype=float), shape).ravel(),
            "t_s": np.broadcast_to(found.at_us[:, None] / 1_000_000, shape).ravel(),
            "side": np.repeat(sides, shape[1] * shape[2]),
            "state": np.repeat(states, shape[1] * shape[2]),
            "mean": found.mean.ravel(),
            "low": [None] * found.mean.size if found.low is None else found.low.ravel(),
            "high": [None] * found.mean.size if found.high is None else found.high.ravel(),
            "bytes": found.bytes.ravel(),
        }
    )
