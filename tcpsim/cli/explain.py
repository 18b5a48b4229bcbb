"""`tcpsim explain`: a scenario's story, the ladder of the run that tells it, its claims, and what helps."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

import click

from tcpsim.cli.chosen import chosen_scenario
from tcpsim.cli.options import JSON
from tcpsim.cli.run import verdict_text
from tcpsim.cli.scenarios import scenario_record
from tcpsim.cli.show import print_json, print_text, warn_if_narrow
from tcpsim.draw.clock import clock
from tcpsim.draw.ladder import WIDTH, ladder
from tcpsim.draw.telling import tell
from tcpsim.pair import Called, Event, Returned
from tcpsim.scenario import Contrast, Played, Scenario, Verdict, fix, play
from tcpsim.scenario.claims import Claim, claims_of
from tcpsim.sockets import Bind, Listen, SetSockOpt, Socket

_PREPARING = (Socket, Bind, Listen, SetSockOpt)  # calls that are no part of the story
_FIRST, _LAST = 40, 20  # lines of a long ladder that are shown


@click.command(help="Tell the story of SCENARIO: its ladder, where it comes from, and what fixes it.")
@click.argument("name", metavar="SCENARIO")
@JSON
def command(name: str, as_json: bool) -> None:
    """The run is the one with seed 1, as `tcpsim run` shows it."""
    chosen = chosen_scenario(name)
    if as_json:
        print_json(_record(chosen))
    else:
        warn_if_narrow(WIDTH, f"tcpsim run {name} --out FILE.svg for a picture")
        print_text(explanation(chosen, name))


def explanation(chosen: Scenario, called: str) -> str:
    """The whole page; `called` is how the command line names the scenario."""
    played = play(chosen)
    parts = [
        f"{chosen.name}: {chosen.title}",
        *_story(chosen),
        "\n".join(_short_ladder(chosen, called, played)),
        verdict_text(played.ended, list(played.events)).rstrip(),
        *_listed("Where it comes from", [_claim_lines(claim) for claim in claims_of(chosen.name)]),
        *_listed("Changed a little", [_contrast_lines(chosen, each) for each in chosen.contrasts]),
        *_listed(_helps(chosen), [_fix_lines(words) for words in chosen.cures]),
        *_listed("What does not help", [_fix_lines(words) for words in chosen.in_vain]),
        _invitation(chosen, called),
    ]
    return "\n\n".join(parts) + "\n"


def _story(chosen: Scenario) -> list[str]:
    look_for = f"Look for: {chosen.watch}." if chosen.watch else ""
    return ["\n".join(wrap(text, WIDTH)) for text in (chosen.story, look_for) if text]


def _short_ladder(chosen: Scenario, called: str, played: Played) -> list[str]:
    """The ladder without the calls that prepare sockets, and without its middle if it is long."""
    stacks = (chosen.stack_client, chosen.stack_server)
    events = [event for event in played.events if not _prepares(event)]
    end_us = chosen.horizon_us if played.ended.verdict is Verdict.RUNNING else None
    story = tell(events, (f"client ({stacks[0]})", f"server ({stacks[1]})"), end_us)
    lines = ladder(story).rstrip("\n").splitlines()
    left_out = len(lines) - _FIRST - _LAST
    if left_out <= 1:
        return lines
    gap = f"... {left_out} lines more: tcpsim run {called} ..."
    return [*lines[:_FIRST], gap.center(WIDTH).rstrip(), *lines[-_LAST:]]


def _prepares(event: Event) -> bool:
    return isinstance(event, Called | Returned) and isinstance(event.call, _PREPARING)


def _listed(title: str, items: list[list[str]]) -> list[str]:
    """A heading and its items, or nothing."""
    return ["\n".join([title, *(line for item in items for line in item)])] if items else []


def _claim_lines(claim: Claim) -> list[str]:
    lines = wrap(f'{claim.number} "{claim.quote}"', WIDTH - 4)
    return [f"  {line}" for line in lines] + _under(claim.judgement())


def _contrast_lines(chosen: Scenario, contrast: Contrast) -> list[str]:
    played = play(chosen, **contrast.overrides)
    last = f"; the last change of a state after {clock(played.settled_us)}"
    reads = "" if contrast.expect.reads is None else f"; the client reads {reads_in_words(played.reads)}"
    return [f"  {contrast.title}", *_under(played.ended.describe() + last + reads)]


def _fix_lines(words: str) -> list[str]:
    found = fix(words)
    return [f"  {words}", *_under(f"{found.who} {found.does}")]


def _under(text: str) -> list[str]:
    return [f"      {line}" for line in wrap(text, WIDTH - 6)]


def _helps(chosen: Scenario) -> str:
    return "What helps" + (f" (the {chosen.concerns} is rid of it)" if chosen.concerns else "")


def _invitation(chosen: Scenario, called: str) -> str:
    if chosen.cures or chosen.in_vain:
        return f"Try: tcpsim compare {called}"
    return f"Try: tcpsim compare {called} --fix FIX (tcpsim compare --help lists them)"


def reads_in_words(reads: tuple[int | str, ...]) -> str:
    """What the reads of a program returned: "1000 bytes, end-of-file", "ECONNRESET"."""
    return ", ".join(_read(read) for read in reads) or "nothing"


def _read(read: int | str) -> str:
    if isinstance(read, str):
        return read
    return f"{read} bytes" if read else "end-of-file"


def _record(chosen: Scenario) -> dict[str, Any]:
    """The document of docs/cli.md."""
    claims = [
        {
            "number": claim.number, "document": claim.document, "quote": claim.quote,
            "verdict": claim.verdict, "stacks": list(claim.stacks), "note": claim.note,
        }
        for claim in claims_of(chosen.name)
    ]  # fmt: skip
    contrasts = [
        {
            "title": each.title,
            "verdict": str(each.expect.verdict),
            "client": each.expect.client,
            "server": each.expect.server,
        }
        for each in chosen.contrasts
    ]
    return {**scenario_record(chosen), "claims": claims, "contrasts": contrasts}
