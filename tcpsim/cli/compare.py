"""`tcpsim compare`: words in, runs side by side out."""

from __future__ import annotations

from typing import Any

from tcpsim.api.compare import compare
from tcpsim.catalogue import fixes
from tcpsim.cli.options import (
    JSON,
    SEED,
    completed_by,
    duration,
    option,
    scenario_argument,
    setting,
    setting_options,
    subcommand,
)
from tcpsim.cli.show import print_json, print_text, warn_of_drops


def _epilog() -> str:
    """The fixes there are, for --help."""
    return "\b\nFixes:\n" + "\n".join(
        f"  {each.spelled}: {each.who} {each.does} [{each.applies_to}]" for each in fixes()
    )


@subcommand(
    "Run SCENARIO as it is and with each FIX, and show what is left side by side. Without --fix: the"
    " fixes that the scenario names.",
    (
        "tcpsim compare closewait-ignored-eof",
        "tcpsim compare closewait-ignored-eof --fix keepalive=10min --fix fin-timeout=30s --horizon 3h",
    ),
    epilog=_epilog(),
)
@scenario_argument
@option(
    "--fix",
    multiple=True,
    metavar="FIX",
    shell_complete=completed_by(lambda: [each.spelled for each in fixes()]),
    help="A fix, such as fin-timeout=30s; may be repeated.",
)
@setting_options
@SEED
@duration("--horizon", help="Until when to watch; the scenario has its own.")
@JSON
def command(
    scenario: str, fix: tuple[str, ...], seed: int, horizon: int | None, as_json: bool, **changes: Any
) -> None:
    """Every fix is read before anything runs."""
    found = compare(scenario, fix, seed=seed, horizon=horizon, **setting(**changes))
    warn_of_drops(found)
    if as_json:
        print_json(found.to_dict())
    else:
        print_text(found.text())
