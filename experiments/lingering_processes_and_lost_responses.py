"""What does lingering close cost in server processes, and what does it save in responses that are read?

A server refuses posts: it reads the head, answers and closes while the body is still coming. Half of the
clients post a form of 4,000 bytes at once, a quarter upload 20,000 in ten seconds, and a quarter post the
form and never close. Four ways to close, three loss rates; the clients' kernel throws unread data away when
a RST comes (Windows 2003), or lets the reader finish (Linux).
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from tcpsim.app import (
    Program,
    Step,
    accept,
    close,
    connect,
    ignore,
    listen,
    receive,
    receive_to_eof,
    send,
    set_option,
    shutdown,
    wait,
)
from tcpsim.catalogue import run
from tcpsim.draw.colours import series_colour
from tcpsim.draw.curves import Axes, Figure, footnote, panel_title, percent_axis, sheet
from tcpsim.host.shared_history import Answers
from tcpsim.measure.interval import wilson
from tcpsim.pair import Event, Pair, Returned, new_pair
from tcpsim.path import Chooser, Seeded, make_path
from tcpsim.sockets import Accept, Recv
from tcpsim.tcp.stack import stack

STEM = "lingering_processes_and_lost_responses"
SEED = 1
HEAD, RESPONSE = 200, 300
LOSSES = (0.0, 0.02, 0.05)
HORIZON_US = 120_000_000

CLIENT_STACKS = {
    "a RST throws away what is unread (Windows 2003)": "windows-2003",
    "what has arrived can be read (Linux)": "linux",
}
_START: list[Step] = [connect(), send(HEAD)]
_FORM: list[Step] = [*_START, send(4_000), wait("200ms"), receive_to_eof()]
_UPLOAD: list[Step] = [step for _ in range(20) for step in (send(1_000), wait("500ms"))]
CLIENTS = (
    Program([*_FORM, close()]),
    Program([*_FORM, close()]),
    Program([*_START, *_UPLOAD, receive_to_eof(), close()], on_error=[receive(RESPONSE), close()]),
    Program([*_FORM, ignore()], on_error=[ignore()]),
)
_ANSWER: list[Step] = [receive(HEAD), send(RESPONSE)]


def _lingering(within: str) -> Program:
    reading = receive_to_eof(between="2s", within=within)
    return Program([listen(), accept(), *_ANSWER, shutdown("WR"), reading, close()])


CLOSINGS = {
    "close() at once": Program([listen(), accept(), *_ANSWER, close()]),
    "SO_LINGER, 30 s": Program([listen(), accept(), set_option("SO_LINGER", (1, 30)), *_ANSWER, close()]),
    "lingering_close(), 2 s in all": _lingering("2s"),
    "lingering_close(), 30 s in all": _lingering("30s"),
}


class Point(NamedTuple):
    """One way to close, one loss rate, one kind of clients' kernel."""

    closing: str
    clients: str
    loss: float
    connections: int
    seed: int = SEED


def points(full: bool) -> list[Point]:
    """Every way with every loss rate and kernel."""
    connections = 1_000 if full else 200
    return [
        Point(closing, clients, loss, connections)
        for clients in CLIENT_STACKS
        for closing in CLOSINGS
        for loss in LOSSES
    ]


def answer(point: Point) -> list[dict[str, Any]]:
    """The share of clients that never read the response, and how long a connection ties up a process."""
    server, path = CLOSINGS[point.closing], make_path(10_000, point.loss, point.loss)
    stacks = stack(CLIENT_STACKS[point.clients]), stack("linux")
    each = [Answers(partial(_told, new_pair(client, server, *stacks, path))) for client in CLIENTS]
    told = [each[i % len(each)].of(Seeded(point.seed, i)) for i in range(point.connections)]
    lost = sum(read < RESPONSE for read, _ in told)
    busy_us = sum(busy_us for _, busy_us in told)
    low, high = wilson(lost, point.connections)
    share = {"lost": lost, "share": lost / point.connections, "low95": low, "high95": high}
    return [point._asdict() | share | {"busy_s": busy_us / point.connections / 1_000_000}]


def _told(pair: Pair, chooser: Chooser) -> tuple[int, int]:
    """How much a client reads, and how long its connection ties up a process."""
    events: list[Event] = []
    run(pair, chooser, HORIZON_US, events.append)
    calls = [event for event in events if isinstance(event, Returned)]
    read = sum(int(str(each.reply.value)) for each in calls if _reads(each))
    return read, _busy_us([each for each in calls if each.side == "server"])


def _busy_us(calls: list[Returned]) -> int:
    """From accept() to the last call that returned; 0 where no connection came."""
    accepted = [each.t_us for each in calls if isinstance(each.call, Accept)]
    return calls[-1].t_us - accepted[0] if accepted else 0


def _reads(each: Returned) -> bool:
    return each.side == "client" and isinstance(each.call, Recv) and each.reply.errno is None


def figure(table: pl.DataFrame) -> Figure:
    """Lost responses over the time for which a process is tied up, a mark for each loss rate."""
    drawn, panels = sheet(
        _finding(table),
        "Each second for which the server reads on ties up a process, and saves the responses of clients that"
        " still send. SO_LINGER does not read, and saves none. A kernel that lets the reader finish loses"
        " only what the RST overtakes when a segment is lost.",
        columns=2,
        height=4.0,
        share_y=True,
    )
    top = float(table["high95"].to_numpy().max())
    for panel, clients in zip(panels, CLIENT_STACKS, strict=True):
        _panel(panel, table.filter(pl.col("clients") == clients), top)
        what, _, kernel = clients.removesuffix(")").partition(" (")
        panel_title(panel, f"clients on {kernel}", what)
        percent_axis(panel, "y", "clients that never read the response")
    marks = f"Circles: no loss; squares: {100 * LOSSES[1]:g} %, triangles: {100 * LOSSES[2]:g} % loss."
    footnote(
        drawn,
        f"{marks} {table['connections'][0]:,} connections each, bars: 95 %; the server runs Linux, 10 ms each"
        " way. Half of the clients post a form, a quarter upload for 10 s, a quarter never close. Processes"
        f" tied up = seconds x connections per second. Seed {table['seed'][0]}.",
    )
    return drawn


def _finding(table: pl.DataFrame) -> str:
    """What two seconds save, where a RST throws away what is unread."""
    cleared = table.filter((pl.col("clients") == next(iter(CLIENT_STACKS))) & (pl.col("loss") == LOSSES[0]))
    lost = {row["closing"]: row for row in cleared.to_dicts()}
    before, after = lost["close() at once"], lost["lingering_close(), 2 s in all"]
    return (
        f"Reading on for up to 2 s ties up a process for {after['busy_s']:.1f} s on average, and cuts lost"
        f" responses from {100 * before['share']:.0f} % to {100 * after['share']:.0f} %"
    )


def _panel(panel: Axes, rows: pl.DataFrame, top: float) -> None:
    lines: dict[tuple[float, ...], list[str]] = {}
    for closing in CLOSINGS:  # ways that come to the same, to a tenth of a second, share a line
        line = rows.filter(pl.col("closing") == closing).sort("loss")
        lines.setdefault((*line["busy_s"].round(1), *line["share"]), []).append(closing)
    higher = 0.0
    for closings in reversed(lines.values()):  # from the right: what stands in the way of a label is known
        line = rows.filter(pl.col("closing") == closings[0]).sort("loss")
        x, y = line["busy_s"].to_numpy(), line["share"].to_numpy()
        colour = series_colour(max(0, list(CLOSINGS).index(closings[0]) - 1))
        bars = (y - line["low95"].to_numpy(), line["high95"].to_numpy() - y)
        panel.errorbar(x, y, np.maximum(bars, 0), color=colour, lw=1, elinewidth=0.8)
        for mark, spot, value in zip("os^", x, y, strict=False):
            panel.plot([spot], [value], mark, color=colour, ms=6)
        label = "\n".join(closings if len(closings) > 1 else closings[0].split(", "))
        y_at = float(line["high95"].to_numpy().max())
        higher = 26.0 if x.max() < 1 and abs(y_at - higher) < 0.25 * top else 0.0
        at, offset = (float(x.max()), y_at), (0, 5 + higher)
        panel.annotate(label, at, offset, textcoords="offset points", va="bottom", color=colour, fontsize=9)
        higher = y_at
    panel.set_ylim(-0.04 * top, 1.25 * top)
    panel.set_yticks([tick / 5 for tick in range(6) if tick / 5 <= top])
    panel.set_xlim(-0.15, 4.6)
    panel.set_xlabel("seconds a connection ties up a process, mean")
