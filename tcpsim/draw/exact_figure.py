"""The pictures of exact answers: leaks against loss, and the sockets of each side over time.

Owns: the panels, and which ends and states get a line. Refuses to know: how they are computed (explore).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from tcpsim.draw.colours import QUIET
from tcpsim.draw.curves import (
    count_axis,
    footnote,
    label_ends,
    panel_title,
    percent_axis,
    sheet,
    state_colour,
    time_axis,
)
from tcpsim.explore.leaks import End, Kind
from tcpsim.explore.over_time import OverTime
from tcpsim.pair import SIDES
from tcpsim.tcp.state import State

_SEEN = 0.01  # of the most that is held
_FEW = 60  # times: each is marked
_LEAST_US = 1_000_000  # an axis has some length, also for the one time 0


def exact_figure(
    losses: Sequence[float], ends: Sequence[End], title: str, subtitle: str = "", note: str = ""
) -> Figure:
    """Draw the probability of each leak against the loss rate, both in percent.

    The values are exact, so there is no band. A single rate gives a point for each leak.
    """
    figure, (panel,) = sheet(title, subtitle, height=4.0)
    for end in ends:
        if end.kind is Kind.CLEAN or not end.probability.any():
            continue
        state = _state(end)
        colour = QUIET if state is None else state_colour(state)
        label = end.describe() if end.client else str(end.kind)
        style = "-" if end.permanent else "--"
        (drawn,) = panel.plot(np.asarray(losses), end.probability, style, color=colour, label=label)
        if len(losses) == 1:
            drawn.set(marker="o", clip_on=False)
    percent_axis(panel, "x", "loss, each way")
    percent_axis(panel, "y", "share of connections")
    panel.set_xlim(min(losses) if len(losses) > 1 else 0, max(losses) or 1)
    panel.set_ylim(bottom=0)
    label_ends(panel)
    footnote(figure, note)
    return figure


def over_time_figure(found: OverTime, place: int, title: str, subtitle: str = "", note: str = "") -> Figure:
    """Expected sockets by state, a panel for each side, at the loss rate at `place`; with the band of a host.

    A state that is never held by one in a hundred of the side's sockets is left out. Where times are few each
    is marked: a line between them says nothing.
    """
    sides = list(dict.fromkeys([*SIDES, *[side for side, _ in found.sockets]]))
    figure, panels = sheet(title, subtitle, columns=len(sides), height=4.0)
    at_us = found.at_us
    for panel, side in zip(panels, sides, strict=True):
        rows = [number for number, each in enumerate(found.sockets) if each[0] == side]
        top = float(found.mean[rows, :, place].max(initial=0.0))
        for number in rows:
            mean = found.mean[number, :, place]
            if mean.max() < _SEEN * top:
                continue
            state = found.sockets[number][1]
            colour = state_colour(state)
            if found.low is not None and found.high is not None:
                low, high = found.low[number, :, place], found.high[number, :, place]
                panel.fill_between(at_us, low, high, color=colour, alpha=0.25, linewidth=0, zorder=2)
            draw = panel.plot if found.confidence else partial(panel.step, where="post")
            marker = "." if len(at_us) <= _FEW else None
            draw(at_us, mean, color=colour, linewidth=1.6, marker=marker, zorder=3, label=str(state))
        panel_title(panel, side)
        time_axis(panel, max(int(at_us[-1]), _LEAST_US), "time" if found.confidence else "age")
        if found.confidence:
            count_axis(panel, "sockets")
        else:
            percent_axis(panel, "y", "share of connections")
            panel.set_ylim(bottom=0)
        label_ends(panel)
    footnote(figure, note)
    return figure


def _state(end: End) -> str | None:
    """The state that gives a leak its colour: the client's, unless that is gone; None if nothing is left."""
    names = {str(state) for state in State}
    for words in end.held.values():
        for word in words.split():
            if word in names:
                return word
    return None
