"""`tcpsim scenarios`: what there is to run."""

from __future__ import annotations

from tcpsim.api.lists import scenario_record, scenario_toml, scenarios, scenarios_text
from tcpsim.cli.options import JSON, option, subcommand
from tcpsim.cli.show import print_json, print_text


@subcommand(
    "List the scenarios, grouped by theme.",
    ("tcpsim scenarios", "tcpsim scenarios --toml normal-close > my.toml"),
)
@option("--toml", "name", metavar="SCENARIO", help="Print one as a file to start from instead.")
@JSON
def command(name: str | None, as_json: bool) -> None:
    """Themes in the order in which their first scenario is told."""
    if name is not None:
        print_text(scenario_toml(name))
    elif as_json:
        print_json([scenario_record(each) for each in scenarios()])
    else:
        print_text(scenarios_text())
