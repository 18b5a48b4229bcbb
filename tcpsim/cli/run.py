"""The command `tcpsim run`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tcpsim.api.run import run
from tcpsim.cli.options import (
    JSON,
    OUTPUT,
    SEED,
    TIME,
    duration,
    option,
    output,
    scenario_argument,
    setting,
    setting_options,
    subcommand,
)
from tcpsim.cli.show import print_json, print_text, warn_if_narrow, warn_of_drops
from tcpsim.cli.step import walk
from tcpsim.draw.ladder import WIDTH
from tcpsim.errors import InputError
from tcpsim.pair import SIDES, Side


@subcommand(
    "Simulate one connection of SCENARIO (a name or a .toml file). Print a ladder and the verdict.",
    (
        "tcpsim run closewait-ignored-eof --stack-server rfc9293 --out ladder.svg",
        'tcpsim run normal-close --client never-closes --loss 1% --drop "server FIN 2"',
    ),
)
@scenario_argument
@setting_options
@SEED
@duration("--horizon", help="Watch until this time (default: set by the scenario).")
@duration("--ss", help="Print what `ss -tanop` shows on both hosts at this time instead of the ladder.")
@option("--ss-side", type=click.Choice(SIDES), help="With --ss: print this host only.")
@option(
    "--from",
    "from_",
    metavar="TIME",
    group=TIME,
    help="Begin the ladder at this time, or at the first close: --from close.",
)
@duration("--until", help="End the ladder at this time. The verdict is still that of the whole run.")
@option("--step", "stepwise", is_flag=True, group=OUTPUT, help="Step through the ladder key by key.")
@output("--states", ".svg", ".png", ".pdf", help="Also write the state diagram with the paths taken.")
@output(
    "--out",
    ".svg",
    ".png",
    ".pdf",
    ".mmd",
    ".txt",
    help="Write the ladder to this file (.mmd: mermaid) instead.",
)
@output("--packetdrill", ".pkt", help="Also write one end of the run as a packetdrill script.")
@option(
    "--packetdrill-side",
    "end",
    type=click.Choice(SIDES),
    group=OUTPUT,
    help="With --packetdrill: the end to write (default: server).",
)
@output("--pcapng", ".pcapng", help="Also write both ends of the run as a packet capture for Wireshark.")
@option("--ipv6", is_flag=True, group=OUTPUT, help="With --pcapng: write IPv6 packets.")
@JSON
def command(
    scenario: str,
    seed: int,
    horizon: int | None,
    ss: int | None,
    ss_side: Side | None,
    from_: str | None,
    until: int | None,
    stepwise: bool,
    states: Path | None,
    out: Path | None,
    packetdrill: Path | None,
    end: Side | None,
    pcapng: Path | None,
    ipv6: bool,
    as_json: bool,
    **changes: Any,
) -> None:
    """Check all arguments before anything runs."""
    if end is not None and packetdrill is None:
        raise InputError("--packetdrill-side", f"{end} without --packetdrill", "a script to write")
    if ss is not None and (as_json or out is not None):
        raise InputError("--ss", "--ss with --json or --out", "one of them")
    if ipv6 and pcapng is None:
        raise InputError("--ipv6", "no --pcapng", "a capture to write")
    found = run(scenario, seed=seed, horizon=horizon, from_=from_, until=until, **setting(**changes))
    if packetdrill is not None:
        found.save_packetdrill(packetdrill, end or "server")
    if pcapng is not None:
        found.save_pcapng(pcapng, ipv6)
    if out is not None:
        found.save(out)
    if states is not None:
        from tcpsim.draw.figure_style import save

        save(found.states(), states)
    if stepwise:
        walk(found.story, found.headline(), found.summary())
        return
    wrong = found.surprises if scenario.endswith(".toml") else None
    warn_of_drops(found)
    if ss is not None:
        print_text(found.ss(ss, ss_side))
        return
    if as_json:
        judged = {} if wrong is None else {"surprises": list(wrong)}
        print_json(found.to_dict() | judged)
    else:
        if out is None:
            warn_if_narrow(WIDTH, "--out FILE.svg for a picture")
        judgement = "" if wrong is None else f"expect   {'; '.join(wrong) or 'met'}\n"
        print_text((found.text() if out is None else found.summary()) + judgement)
    if wrong:
        raise click.exceptions.Exit(1)
