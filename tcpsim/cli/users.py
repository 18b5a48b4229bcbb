"""`tcpsim users`: browsers and pools, each story told in several variants side by side."""

from __future__ import annotations

from collections import Counter
from textwrap import wrap
from typing import Any

import click

from tcpsim.cli.chosen import named
from tcpsim.cli.options import JSON, SEED
from tcpsim.cli.show import print_json, print_text
from tcpsim.draw.clock import length
from tcpsim.draw.ladder import WIDTH
from tcpsim.errors import InputError
from tcpsim.host.census import Census
from tcpsim.host.clienteles import Clientele, Variant, clientele, clienteles
from tcpsim.host.population import simulate
from tcpsim.measure.experience import NEVER_US, TIMES, measure
from tcpsim.scenario.claims import claims_of


@click.command(help="Tell the story of users NAME, variant by variant; without a NAME, list what there is.")
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--variant", "wanted", metavar="TEXT", help="Only the variants with this text in their names.")
@SEED
@JSON
def command(name: str | None, wanted: str | None, seed: int, as_json: bool) -> None:
    """Everything that is asked for is checked before anything runs."""
    if name is None:
        if wanted is not None or as_json:
            raise InputError("NAME", "none", ", ".join(each.name for each in clienteles()))
        width = max(len(each.name) for each in clienteles())
        print_text("".join(f"{each.name:<{width}}  {each.title}\n" for each in clienteles()))
        return
    chosen = named(name, "users", clientele)
    variants = [each for each in chosen.variants if wanted is None or wanted in each.name]
    if not variants:
        raise InputError("--variant", repr(wanted), "; ".join(each.name for each in chosen.variants))
    runs = [(each, simulate(chosen.plan(each, seed))) for each in variants]
    if as_json:
        print_json(_record(chosen, runs, seed))
    else:
        print_text(_page(chosen, runs))


def _page(chosen: Clientele, runs: list[tuple[Variant, Census]]) -> str:
    claims = [f'{claim.number} "{claim.quote}": {claim.judgement()}' for claim in claims_of(chosen.name)]
    blocks = [
        [f"{chosen.name}: {chosen.title}"],
        wrap(chosen.story, WIDTH),
        wrap(f"Look for: {chosen.watch}.", WIDTH),
        _table(chosen, runs),
        [line for claim in claims for line in wrap(claim, WIDTH, subsequent_indent="    ")],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _table(chosen: Clientele, runs: list[tuple[Variant, Census]]) -> list[str]:
    """One line for each variant; below it, what went wrong."""
    heads = [wrap(column, 12, break_on_hyphens=False) for column in chosen.columns]
    height = max(map(len, heads))
    rows = [
        [variant.name, *(_words(column, measure(census, column)) for column in chosen.columns)]
        for variant, census in runs
    ]
    wide = [max(len(row[0]) for row in rows)]
    wide += [
        max(*(len(row[place]) for row in rows), *(len(part) for part in head))
        for place, head in enumerate(heads, start=1)
    ]
    lines = []
    for line in range(height):
        parts = ["", *([""] * (height - len(head)) + head for head in heads)]
        cells = [part[line] if part else "" for part in parts]
        lines.append(_line(cells, wide))
    for (_, census), row in zip(runs, rows, strict=True):
        lines.append(_line(row, wide))
        trouble = _trouble(census)
        if trouble:
            lines.append(f"    {trouble}")
    return lines


def _line(cells: list[str], wide: list[int]) -> str:
    first, *others = [cell.ljust(width) if place == 0 else cell.rjust(width)
                      for place, (cell, width) in enumerate(zip(cells, wide, strict=True))]  # fmt: skip
    return "  ".join([first, *others]).rstrip()


def _words(column: str, value: float) -> str:
    if column in TIMES:
        return "never" if value == NEVER_US else length(int(value))
    return f"{value:,.0f}"


def _trouble(census: Census) -> str:
    """What failed, and on which connections."""
    counts = Counter(census.experience.outcomes)
    told = [
        f"{count:,} {what}" for what, count in sorted(counts.items()) if what not in ("answered", "complete")
    ]
    return f"failed: {', '.join(told)}" if told else ""


def _record(chosen: Clientele, runs: list[tuple[Variant, Census]], seed: int) -> dict[str, Any]:
    """The document of docs/cli.md."""
    return {
        "name": chosen.name,
        "seed": seed,
        "rate_per_s": chosen.per_second,
        "variants": [
            {
                "name": variant.name,
                "measures": {
                    column: None if value == NEVER_US else value
                    for column in ("asked", "done", *chosen.columns)
                    for value in [measure(census, column)]
                },
                "outcomes": dict(sorted(Counter(census.experience.outcomes).items())),
                "errors": [
                    {"error": error, "reused": reused, "count": count}
                    for (error, reused), count in sorted(census.experience.stumbles.items())
                ],
                "refused": dict(sorted(census.refused.items())),
            }
            for variant, census in runs
        ],
    }
