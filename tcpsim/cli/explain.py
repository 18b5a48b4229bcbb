"""The command `tcpsim explain`."""

from __future__ import annotations

from tcpsim.api.explain import explain
from tcpsim.cli.options import JSON, scenario_argument, subcommand
from tcpsim.cli.show import print_json, print_text, warn_if_narrow
from tcpsim.draw.ladder import WIDTH


@subcommand(
    "Print the story of SCENARIO, its ladder, the claims that it shows, and the fixes that help or do not.",
    ("tcpsim explain closewait-ignored-eof", "tcpsim explain my-server.toml"),
)
@scenario_argument
@JSON
def command(scenario: str, as_json: bool) -> None:
    """Print the page. Its run has seed 1, as in `tcpsim run`."""
    found = explain(scenario)
    if as_json:
        print_json(found.to_dict())
    else:
        warn_if_narrow(WIDTH, f"tcpsim run {scenario} --out FILE.svg for a picture")
        print_text(found.text())
