"""`tcpsim run`: one connection as a ladder, and the verdict on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tcpsim.cli.chosen import chosen_scenario
from tcpsim.cli.options import JSON, SEED, duration, output, setting, setting_options
from tcpsim.cli.record import event_record, held_record
from tcpsim.cli.show import print_json, print_text, warn_if_narrow
from tcpsim.conform.packetdrill.export import exported
from tcpsim.draw.clock import clock
from tcpsim.draw.ladder import WIDTH, ladder
from tcpsim.draw.story import Story
from tcpsim.draw.telling import tell
from tcpsim.errors import InputError
from tcpsim.pair import SIDES, Event, Happened, Held, Lost, Pair, Sent, Side, StateChanged
from tcpsim.path import Seeded
from tcpsim.scenario import Ended, Played, Scenario, Verdict, build, sockets_in_words, surprises
from tcpsim.scenario import run as run_pair
from tcpsim.tcp.state import Holder, State

_ENDS_OF_MACHINES = ("vanishes", "reboots")


@click.command(help="Run one connection of SCENARIO and show it as a ladder, with the verdict.")
@click.argument("name", metavar="SCENARIO")
@SEED
@setting_options
@duration("--horizon", help="Until when to watch; the scenario has its own.")
@output("--out", ".svg", ".png", ".pdf", ".txt", help="Write the ladder to a file instead.")
@output("--packetdrill", ".pkt", help="Write one end of the run as a packetdrill script, too.")
@click.option(
    "--packetdrill-side", "end", type=click.Choice(SIDES), help="Which end (default: the server's)."
)
@JSON
def command(
    name: str,
    seed: int,
    horizon: int | None,
    out: Path | None,
    packetdrill: Path | None,
    end: Side | None,
    as_json: bool,
    **changes: Any,
) -> None:
    """Everything that is asked for is checked before anything runs."""
    if end is not None and packetdrill is None:
        raise InputError("--packetdrill-side", f"{end} without --packetdrill", "a script to write")
    chosen = chosen_scenario(name)
    pair = build(chosen, **setting(**changes))
    horizon_us = chosen.horizon_us if horizon is None else horizon
    events: list[Event] = []
    ended = run_pair(pair, Seeded(seed), horizon_us, events.append)
    if packetdrill is not None:
        _write_script(packetdrill, events, pair, end or "server", f"tcpsim run {name}: {chosen.title}")
    stacks = {"client": pair.client.system.end.stack.name, "server": pair.server.system.end.stack.name}
    titles = (f"client ({stacks['client']})", f"server ({stacks['server']})")
    story = tell(events, titles, horizon_us if ended.verdict is Verdict.RUNNING else None)
    page = f"{chosen.name}: {chosen.title}\n\n{ladder(story)}\n{verdict_text(ended, events)}"
    if out is not None:
        _write(out, page, story, f"{chosen.title} ({chosen.name})")
    wrong = _wrong(chosen, Played(pair, ended, tuple(events))) if name.endswith(".toml") else None
    if as_json:
        judged = {} if wrong is None else {"surprises": list(wrong)}
        print_json(_json(chosen, seed, horizon_us, stacks, ended, events) | judged)
    else:
        if out is None:
            warn_if_narrow(WIDTH, "--out FILE.svg for a picture")
        judgement = "" if wrong is None else f"expect   {'; '.join(wrong) or 'met'}\n"
        print_text((page if out is None else verdict_text(ended, events)) + judgement)
    if wrong:
        raise click.exceptions.Exit(1)


def _wrong(chosen: Scenario, played: Played) -> tuple[str, ...] | None:
    """In what a user's scenario did not end as its file says; None if it does not say."""
    return None if chosen.expect is None else surprises(chosen.expect, played)


def _write_script(path: Path, events: list[Event], pair: Pair, end: Side, title: str) -> None:
    """The run as it was for one end; what a script cannot say is found out before a file is there."""
    from tcpsim.draw.sheet import write_whole

    machine = pair.server if end == "server" else pair.client
    write_whole(path, exported(events, end, machine.system.end.stack, title).encode())


def _write(out: Path, page: str, story: Story, title: str) -> None:
    """The page, or the picture; matplotlib is loaded only if there is something to write."""
    from tcpsim.draw.ladder_figure import ladder_figure
    from tcpsim.draw.sheet import save, write_whole

    if out.suffix.lower() == ".txt":
        write_whole(out, page.encode())
    else:
        save(ladder_figure(story, title), out)


def verdict_text(ended: Ended, events: list[Event]) -> str:
    """What is left at the end, in four lines."""
    lines = [f"verdict  {_verdict_words(ended)}"]
    for side in SIDES:
        lines.append(f"{side}   {_side_words(ended, events, side)}")
    lines.append(f"wire     {_wire_words(events)}")
    return "\n".join(lines) + "\n"


def _verdict_words(ended: Ended) -> str:
    words = ended.describe().split(": ")[0]
    if ended.verdict is Verdict.PERMANENT:
        return f"{words}: no event is left that could end it"
    if ended.verdict is Verdict.RUNNING:
        return f"{words}: something is still going on ({clock(ended.t_us)})"
    return words


def _side_words(ended: Ended, events: list[Event], side: Side) -> str:
    held = _held(ended, side)
    since = _last_change_us(events, side)
    words = sockets_in_words(held) + (f" since {clock(since)}" if since is not None else "")
    payers = {
        Holder.OWNED: "held by a program",
        Holder.ORPHAN: "an orphan: held by the kernel alone",
        Holder.MINI: "a mini-socket: held by the kernel alone",
        Holder.REQUEST: "a request in a listener's queue",
    }
    alive = [socket for socket in held if socket.state is not State.CLOSED]
    waiting = [socket for socket in alive if socket.holder is Holder.OWNED and not socket.fd]
    details = sorted({payers[socket.holder] for socket in alive if socket not in waiting})
    details += ["in an accept queue"] if waiting else []
    details += [f"{socket.readable:,} bytes unread" for socket in alive if socket.readable]
    details += [f"{socket.unacked:,} bytes unacknowledged" for socket in alive if socket.unacked]
    return ", ".join([words, *details])


def _wire_words(events: list[Event]) -> str:
    segments = [event.segment for event in events if isinstance(event, Sent)]
    lost = sum(isinstance(event, Lost) for event in events)
    resets = sum(segment.rst for segment in segments)
    return f"{len(segments)} segments, {lost or 'none'} lost, {resets or 'no'} RST"


def _held(ended: Ended, side: Side) -> tuple[Held, ...]:
    return ended.client if side == "client" else ended.server


def _last_change_us(events: list[Event], side: Side) -> int | None:
    """When a socket of this side last changed its state, or lost the machine under it."""
    changes = [
        event.t_us
        for event in events
        if event.side == side
        and (
            isinstance(event, StateChanged)
            or (isinstance(event, Happened) and event.what in _ENDS_OF_MACHINES)
        )
    ]
    return changes[-1] if changes else None


def _json(
    chosen: Scenario, seed: int, horizon_us: int, stacks: dict[str, str], ended: Ended, events: list[Event]
) -> dict[str, Any]:
    """The document of docs/cli.md."""
    sides: dict[str, Any] = {
        side: {
            "stack": stacks[side],
            "state": _main_state(_held(ended, side)),
            "last_change_us": _last_change_us(events, side),
            "sockets": [held_record(held) for held in _held(ended, side)],
        }
        for side in SIDES
    }
    return {
        "scenario": chosen.name,
        "seed": seed,
        "verdict": str(ended.verdict),
        "half_open": ended.half_open,
        "ended_us": ended.t_us,
        "horizon_us": horizon_us,
        **sides,
        "segments": sum(isinstance(event, Sent) for event in events),
        "lost": sum(isinstance(event, Lost) for event in events),
        "resets": sum(isinstance(event, Sent) and event.segment.rst for event in events),
        "events": [event_record(event) for event in events],
    }


def _main_state(held: tuple[Held, ...]) -> str:
    """The state of a side with one socket; CLOSED where there is none, the states in one word if several."""
    alive = [str(socket.state) for socket in held if socket.state is not State.CLOSED]
    return " + ".join(alive) or str(State.CLOSED)
