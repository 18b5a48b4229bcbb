"""The command `tcpsim compare`."""

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
    """The list of all fixes, for --help."""
    return "\b\nFixes:\n" + "\n".join(
        f"  {each.spelled}: {each.who} {each.does} [{each.applies_to}]" for each in fixes()
    )


@subcommand(
    "Run SCENARIO without a fix and with each FIX, and print the results side by side. Without --fix, try"
    " the fixes that the scenario names.",
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
    help="A fix, such as fin-timeout=30s. May be repeated.",
)
@setting_options
@SEED
@duration("--horizon", help="Watch until this time (default: set by the scenario).")
@JSON
def command(
    scenario: str, fix: tuple[str, ...], seed: int, horizon: int | None, as_json: bool, **changes: Any
) -> None:
    """Check all fixes before anything runs."""
    found = compare(scenario, fix, seed=seed, horizon=horizon, **setting(**changes))
    warn_of_drops(found)
    if as_json:
        print_json(found.to_dict())
    else:
        print_text(found.text())
