"""`tcpsim check`: what holds in every future of a connection, and how the rest fails."""

from __future__ import annotations

from typing import Any

import click

from tcpsim.app.behaviour import unknown
from tcpsim.cli.chosen import chosen_scenario
from tcpsim.cli.options import JSON, duration, setting, setting_options_but_loss, whole
from tcpsim.cli.show import print_json, print_text
from tcpsim.cli.ways import LOSSES, way_json, way_ladder, way_words
from tcpsim.errors import InputError
from tcpsim.explore.anyorder import ROOM
from tcpsim.explore.chain import LIMIT
from tcpsim.explore.properties import Checked, Finding, Kind, Property, check
from tcpsim.explore.statements import PROPERTIES
from tcpsim.scenario import Scenario, build
from tcpsim.units import format_duration

_ANY_ORDER_LIMIT = 20_000  # its states are as many as one likes, and take some 0.5 ms each
_OPEN = 0.5  # any loss inside (0, 1): what is asked does not depend on it


def _list(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
    """What there is to ask, and nothing else."""
    if asked:
        print_text("".join(f"{e.name}: {e.kind}, {e.says}\n    {e.source}\n" for e in PROPERTIES))
        context.exit()


@click.command(help="Say what holds in every future of SCENARIO; what fails, with its shortest ladder.")
@click.argument("name", metavar="SCENARIO")
@click.option("--property", "wanted", multiple=True, metavar="NAME", help="Only this one; may be repeated.")
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list,
    help="List the properties, and where each comes from.",
)
@setting_options_but_loss
@duration("--loss-from", help="When losses begin: with server.delay=1s and 500ms, at the close.")
@whole(
    "--limit",
    1,
    100_000_000,
    help=f"States to explore; what is cut is said. By default {LIMIT}, with --any-order {_ANY_ORDER_LIMIT}.",
)
@click.option(
    "--any-order",
    is_flag=True,
    help="Instead of the clock: segments late, overtaken or lost, timers late; only what is reachable.",
)
@whole("--in-flight", 1, 8, help=f"With --any-order: segments under way at most. By default {ROOM}.")
@JSON
def command(
    name: str,
    wanted: tuple[str, ...],
    loss_from: int | None,
    limit: int | None,
    any_order: bool,
    in_flight: int | None,
    as_json: bool,
    **changes: Any,
) -> None:
    """Everything that is asked for is checked before anything is explored."""
    chosen = chosen_scenario(name)
    properties = _properties(wanted)
    if in_flight is not None and not any_order:
        raise InputError("--in-flight", in_flight, "only together with --any-order")
    if any_order and loss_from is not None:
        raise InputError("--loss-from", format_duration(loss_from), "nothing of time with --any-order")
    asked = setting(loss=None, **changes)
    for way in LOSSES:
        asked[way] = _OPEN if asked.get(way) is None else asked[way]
    room = (in_flight or ROOM) if any_order else None
    limit = limit or (_ANY_ORDER_LIMIT if any_order else LIMIT)
    found = check(build(chosen, **asked, loss_from=loss_from or 0), properties, limit, room)
    if as_json:
        print_json(_json(chosen.name, found, room))
    else:
        print_text(_text(found, chosen, asked, room))
    if not all(each.holds for each in found.findings):
        raise click.exceptions.Exit(1)


def _properties(wanted: tuple[str, ...]) -> tuple[Property, ...]:
    """Those of these names; all of them if there is none."""
    known = {each.name: each for each in PROPERTIES}
    for name in wanted:
        if name not in known:
            raise unknown("--property", name, list(known))
    return tuple(each for each in PROPERTIES if not wanted or each.name in wanted)


def _text(found: Checked, chosen: Scenario, asked: dict[str, Any], room: int | None) -> str:
    """A line for each property, and the ladder of what breaks it, or the moves that do."""
    lines = [f"{chosen.name}: {chosen.title}", ""]
    for each in found.findings:
        it = each.property
        lines.append(f"{_verdict(each, found):22} {it.name}: {it.kind}, {it.says}")
        if each.way is not None and not each.holds and room is not None:
            lines += ["", *[f"    {at:3}. {move}" for at, move in enumerate(each.way.chosen, 1)], ""]
        elif each.way is not None and not each.holds:
            lines += ["", "    " + (way_words(each.way) or "nothing need be lost")]
            drawn = way_ladder(each.way, chosen, asked)
            lines += [] if drawn is None else ["", drawn]
    lines += ["", f"{found.chain.states:,} states" + ("" if found.whole else "; there are more")]
    if room is not None:
        lines.append(
            "Any order instead of the clock: reachability only. Segments late, overtaken or lost,"
            f" {room} under way at most;\ntimers and programs late. What takes a time is judged by one"
            " history of each state."
        )
    return "\n".join(lines) + "\n"


def _verdict(each: Finding, found: Checked) -> str:
    if each.property.kind is Kind.POSSIBLE:
        return "holds" if each.holds else "fails" if found.whole else "not found so far"
    return ("holds" if found.whole else "holds as far as seen") if each.holds else "fails"


def _json(name: str, found: Checked, room: int | None) -> dict[str, Any]:
    """The document of docs/cli.md."""
    return {
        "scenario": name,
        "states": found.chain.states,
        "whole": found.whole,
        "in_flight": room,
        "properties": [
            {
                "name": each.property.name,
                "kind": str(each.property.kind),
                "says": each.property.says,
                "source": each.property.source,
                "holds": each.holds,
                "way": each.way and way_json(each.way),
            }
            for each in found.findings
        ],
    }
