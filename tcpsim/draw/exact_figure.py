"""Exact probabilities against loss as a picture: one line for each end that is no clean one.

Owns: the panel, and which ends are worth a line. Refuses to know: how they were found (explore).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from tcpsim.draw.curves import footnote, label_ends, percent_axis, sheet, state_colour
from tcpsim.explore.leaks import End, Kind
from tcpsim.tcp.state import State


def exact_figure(
    losses: Sequence[float], ends: Sequence[End], title: str, subtitle: str = "", note: str = ""
) -> Figure:
    """The probability of each leak against the loss rate, both in percent; no sampling, so no band."""
    figure, (panel,) = sheet(title, subtitle, width=7.5, height=4.6)
    for end in ends:
        if end.kind is Kind.CLEAN or not end.probability.any():
            continue
        colour = state_colour(_state(end))
        label = f"client {end.client}, server {end.server}" if end.client else str(end.kind)
        style = "-" if end.permanent else "--"
        panel.plot(np.asarray(losses), end.probability, style, color=colour, label=label)
    percent_axis(panel, "x", "loss, each way")
    percent_axis(panel, "y", "of connections")
    panel.set_xlim(min(losses), max(losses) or 1)
    panel.set_ylim(bottom=0)
    label_ends(panel)
    footnote(figure, note)
    return figure


def _state(end: End) -> str:
    """The state that gives a leak its colour: the client's, unless that is gone."""
    names = {str(state) for state in State}
    for words in (end.client, end.server):
        for word in words.split():
            if word in names:
                return word
    return str(State.CLOSED)
