"""Exact probabilities as a tidy table: one row for each end and loss rate.

Owns: the columns. Refuses to know: how the probabilities were found (explore).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from tcpsim.explore.leaks import Answer


def exact_table(found: Answer, losses: Sequence[float]) -> pl.DataFrame:
    """Columns loss, kind, client, server, permanent, probability."""
    rows = [
        {
            "loss": loss,
            "kind": str(end.kind),
            "client": end.client,
            "server": end.server,
            "permanent": end.permanent,
            "probability": probability,
        }
        for end in found.ends
        for loss, probability in zip(losses, end.probability.tolist(), strict=True)
    ]
    return pl.DataFrame(rows)
