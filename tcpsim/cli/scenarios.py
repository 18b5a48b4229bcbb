"""`tcpsim scenarios`: what there is to run."""

from __future__ import annotations

from tcpsim.api.lists import scenario_record, scenario_toml, scenarios, scenarios_text, symptoms_text
from tcpsim.cli.options import JSON, option, subcommand
from tcpsim.cli.show import print_json, print_text


@subcommand(
    "List the scenarios, grouped by theme; or those that have the sockets that you see.",
    (
        "tcpsim scenarios --state CLOSE-WAIT --side server --owner none",
        "tcpsim scenarios --toml normal-close > my.toml",
    ),
)
@option("--toml", "name", metavar="SCENARIO", help="Print one as a file to start from instead.")
@option("--state", metavar="STATE", help="Only those in which sockets stay in this state: CLOSE-WAIT.")
@option("--side", metavar="SIDE", help="On this side: client or server (whose local port is the service's).")
@option(
    "--owner",
    metavar="OWNER",
    help="Held by: program; queue (not accepted yet); kernel (an orphan or a record); none (no program).",
)
@JSON
def command(name: str | None, state: str | None, side: str | None, owner: str | None, as_json: bool) -> None:
    """Themes in the order in which their first scenario is told."""
    if name is not None:
        print_text(scenario_toml(name))
    elif as_json:
        print_json([scenario_record(each) for each in scenarios(state, side, owner)])
    elif state or side or owner:
        print_text(symptoms_text(state, side, owner))
    else:
        print_text(scenarios_text())
