"""The edges of a chain as numpy arrays.

Owns: the conversion. Refuses to know: how edges are kept (edges, which needs the standard library only), and
what is worked out with them (classes, solve, transient).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcpsim.explore.edges import Edge, Edges, Kind

Ints = NDArray[np.int64]


class Columns(NamedTuple):
    """Many edges; `kind` is a place in `Edges.kinds`."""

    source: Ints
    target: Ints
    elapsed_us: Ints
    kind: Ints


def columns(edges: Sequence[Edge]) -> tuple[Columns, tuple[Kind, ...]]:
    """The columns of any edges, and the kinds that they have."""
    listed = edges if isinstance(edges, Edges) else Edges(edges)
    return Columns(*[np.array(each, dtype=np.int64) for each in listed.columns]), listed.kinds
