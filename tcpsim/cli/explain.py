"""`tcpsim explain`: a name in, a page out."""

from __future__ import annotations

from tcpsim.api.explain import explain
from tcpsim.cli.options import JSON, scenario_argument, subcommand
from tcpsim.cli.show import print_json, print_text, warn_if_narrow
from tcpsim.draw.ladder import WIDTH


@subcommand(
    "Tell the story of SCENARIO: its ladder, where it comes from, and what fixes it.",
    ("tcpsim explain closewait-ignored-eof", "tcpsim explain my-server.toml"),
)
@scenario_argument
@JSON
def command(scenario: str, as_json: bool) -> None:
    """The run is the one with seed 1, as `tcpsim run` shows it."""
    found = explain(scenario)
    if as_json:
        print_json(found.to_dict())
    else:
        warn_if_narrow(WIDTH, f"tcpsim run {scenario} --out FILE.svg for a picture")
        print_text(found.text())
