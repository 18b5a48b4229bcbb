"""The picture of a population: the sockets of each side over time, stacked by state, leaks at the bottom.

Owns: the two panels and the order of states in them. Refuses to know: how sockets were counted (measure).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from matplotlib.figure import Figure

from tcpsim.draw.curves import areas, count_axis, footnote, label_ends, panel_title, sheet, time_axis
from tcpsim.draw.ladder_rows import SIDES
from tcpsim.tcp.state import State

Kind = tuple[str, str]  # side and state, as they are printed

# from the bottom: where leaks live, what passes by, what nobody worries about
_ORDER: Final = (
    State.CLOSE_WAIT,
    State.FIN_WAIT_2,
    State.ESTABLISHED,
    State.FIN_WAIT_1,
    State.LAST_ACK,
    State.CLOSING,
    State.TIME_WAIT,
    State.SYN_SENT,
    State.SYN_RECEIVED,
    State.CLOSED,
)


def census_figure(
    at_us: Sequence[int], counts: Mapping[Kind, Sequence[int]], title: str, subtitle: str = "", note: str = ""
) -> Figure:
    """Draw the sockets held at the times `at_us`, by side and state. Each panel has its own scale.

    One side often holds a thousand times as many sockets as the other.
    """
    sides = list(dict.fromkeys([*SIDES, *[side for side, _ in counts]]))
    figure, panels = sheet(title, subtitle, columns=len(sides), height=4.0)
    for panel, side in zip(panels, sides, strict=True):
        series = {str(state): counts[side, str(state)] for state in _ORDER if (side, str(state)) in counts}
        areas(panel, list(at_us), {name: np.asarray(values, dtype=float) for name, values in series.items()})
        totals = np.sum([np.asarray(values) for values in series.values()], axis=0) if series else [0]
        panel_title(panel, f"{side}: at most {int(np.max(totals)):,} sockets")
        time_axis(panel, at_us[-1])
        count_axis(panel, "sockets")
    for panel in panels:
        label_ends(panel)
    footnote(figure, note)
    return figure
