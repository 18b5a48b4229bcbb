"""`tcpsim scenarios`: what there is to run."""

from __future__ import annotations

from typing import Any

import click

from tcpsim.cli.chosen import named
from tcpsim.cli.options import JSON
from tcpsim.cli.record import parameter_record
from tcpsim.cli.show import print_json, print_text
from tcpsim.explore.explorable import obstacle
from tcpsim.host.clienteles import clienteles
from tcpsim.host.crowds import crowds
from tcpsim.scenario import Scenario, as_toml, build, scenario, scenarios
from tcpsim.units import parse_duration

_LEGEND = "= every future can be listed: tcpsim exact, tcpsim check. What hosts share is simulated only."


@click.command(help="List the scenarios, grouped by theme.")
@click.option("--toml", "name", metavar="SCENARIO", help="Print one as a file to start from instead.")
@JSON
def command(name: str | None, as_json: bool) -> None:
    """Themes in the order in which their first scenario is told."""
    if name is not None:
        print_text(as_toml(named(name, "scenario", scenario)))
        return
    if as_json:
        print_json([scenario_record(each) for each in scenarios()])
        return
    themes: dict[str, list[str]] = {}
    stories = [(each.name, each.title) for each in clienteles()]
    populations = [(each.name, each.title) for each in crowds()]
    width = max(len(name) for name, _ in [*((each.name, "") for each in scenarios()), *stories, *populations])
    for each in scenarios():
        mark = "=" if _explorable(each) else " "
        themes.setdefault(each.theme, []).append(f"  {each.name:<{width}} {mark} {each.title}")
    for theme, told in (
        ("browsers and pools (tcpsim users NAME)", stories),
        ("hosts that run out (tcpsim exhaust NAME)", populations),
    ):
        themes[theme] = [f"  {name:<{width}}   {title}" for name, title in told]
    blocks = ["\n".join([theme, *lines]) for theme, lines in themes.items()]
    blocks.insert(-2, _LEGEND)
    print_text("\n\n".join(blocks) + "\n")


def _explorable(each: Scenario) -> bool:
    return obstacle(build(each)) is None


def scenario_record(each: Scenario) -> dict[str, Any]:
    """One of the list of docs/cli.md."""
    return {
        "name": each.name,
        "theme": each.theme,
        "title": each.title,
        "story": each.story,
        "watch": each.watch,
        "client": each.client,
        "server": each.server,
        "stack_client": each.stack_client,
        "stack_server": each.stack_server,
        "knobs": dict(each.knobs),
        "loss": each.loss,
        "delay_us": parse_duration(each.delay),
        "middlebox": each.middlebox,
        "drops": list(each.drops),
        "horizon_us": each.horizon_us,
        "explorable": _explorable(each),
        "concerns": each.concerns,
        "cures": list(each.cures),
        "in_vain": list(each.in_vain),
        "parameters": [parameter_record(name, parameter) for name, parameter in each.parameters()],
    }
