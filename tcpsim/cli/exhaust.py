"""`tcpsim exhaust`: a population on a host that runs out: of what, when, and whether more would help."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

import click

from tcpsim.cli.options import JSON, SEED, duration, rate, whole
from tcpsim.cli.show import print_json, print_text
from tcpsim.draw.clock import length
from tcpsim.draw.ladder import WIDTH
from tcpsim.errors import InputError
from tcpsim.host.census import Census
from tcpsim.host.crowds import CLUSTER_BYTES, SYMPTOMS, Crowd, Limit, crowd, crowds
from tcpsim.host.population import Plan, simulate
from tcpsim.measure.exhaustion import Exhaustion, exhaustion
from tcpsim.measure.table import first_met
from tcpsim.scenario import changes
from tcpsim.scenario.claims import claims_of

_POOLS = (256, 512, 1024, 4096)  # NMBCLUSTERS that are told beside the one that was asked for


@click.command(help="Run population NAME until its host runs out; without a NAME, list what there is.")
@click.argument("name", metavar="[NAME]", required=False)
@rate("--rate", help="New connections per time.")
@duration("--for", names=("lasts",), help="How long they go on coming.")
@whole("--limit", 1, 10**12, help="How much the host has of what the story is about; of mbufs, NMBCLUSTERS.")
@click.option("--fix", "wanted", multiple=True, metavar="FIX", help="A fix (see: tcpsim compare --help).")
@SEED
@JSON
def command(
    name: str | None,
    rate: float | None,
    lasts: int | None,
    limit: int | None,
    wanted: tuple[str, ...],
    seed: int,
    as_json: bool,
) -> None:
    """Everything that is asked for is checked before anything runs."""
    if name is None:
        width = max(len(each.name) for each in crowds())
        print_text("".join(f"{each.name:<{width}}  {each.title}\n" for each in crowds()))
        return
    chosen = crowd(name)
    if lasts == 0:
        raise InputError("--for", "0s", "a time above zero")
    fixed = changes(wanted, "--fix")
    if limit is not None:
        chosen = chosen.with_limit(limit * (CLUSTER_BYTES if chosen.limit.resource == "bytes" else 1))
    plan = chosen.plan(fixed, rate, lasts, seed)
    census = simulate(plan)
    found = exhaustion(census, chosen.limit)
    if as_json:
        print_json(_record(chosen, plan, census, found))
    else:
        print_text(_page(chosen, plan, census, found))


def _page(chosen: Crowd, plan: Plan, census: Census, found: Exhaustion) -> str:
    claims = [f'{claim.number} "{claim.quote}": {claim.judgement()}' for claim in claims_of(chosen.name)]
    blocks = [
        [f"{chosen.name}: {chosen.title}"],
        wrap(chosen.story, WIDTH),
        wrap(f"Look for: {chosen.watch}.", WIDTH),
        [_run_words(chosen, plan, census), *(f"  {line}" for line in _judgement(chosen.limit, found))],
        _pools(chosen, census),
        [line for claim in claims for line in wrap(claim, WIDTH, subsequent_indent="    ")],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _run_words(chosen: Crowd, plan: Plan, census: Census) -> str:
    arrivals = f"{plan.arrivals.per_second:g} per second for {length(plan.arrivals.for_us or 0)}"
    return f"{arrivals}, {census.connections:,} connections; the {chosen.limit.side} has {_has(chosen.limit)}"


def _has(limit: Limit) -> str:
    if limit.resource == "bytes":
        return f"{_amount(limit, limit.amount)} of mbufs (NMBCLUSTERS {limit.amount // CLUSTER_BYTES:,})"
    return f"{limit.amount:,} {limit.resource}"


def _amount(limit: Limit, used: int) -> str:
    return f"{used / 1024:,.0f} KiB" if limit.resource == "bytes" else f"{used:,}"


def _judgement(limit: Limit, found: Exhaustion) -> list[str]:
    """Whether and when the limit was met, why, and what a larger one would do."""
    peak = _amount(limit, found.peak)
    lines = []
    if found.met_us is None:
        lines.append(f"never met: at most {peak} in use")
    else:
        lines.append(f"after {length(found.met_us)}: {SYMPTOMS[limit.resource]}")
    if found.refused:
        lines.append(f"{found.refused:,} connections pay for it")
    if found.leaking:
        lines.append("some connections keep theirs for ever: with more of it, later, not never")
    elif found.met_us is None and found.growing:
        lines.append("nothing is kept for ever, but the use still grew in the end: look for longer (--for)")
    elif found.met_us is None:
        lines.append("nothing is kept for ever: rate x time is below the limit, however long it goes on")
    elif limit.resource == "bytes":
        lines.append(f"nothing is kept for ever, but rate x timeout exceeds the pool: it takes {peak}")
    else:
        lines.append("nothing is kept for ever, but rate x time exceeds the limit")
    return lines


def _pools(chosen: Crowd, census: Census) -> list[str]:
    """When pools of other sizes would have been used up."""
    limit = chosen.limit
    if limit.resource != "bytes" or exhaustion(census, limit).peak < min(_POOLS) * CLUSTER_BYTES:
        return []
    lines = ["NMBCLUSTERS  crash after"]
    for clusters in sorted({*_POOLS, limit.amount // CLUSTER_BYTES}):
        met_us = first_met(census, limit.side, limit.resource, clusters * CLUSTER_BYTES)
        lines.append(f"{clusters:>11,}  {'not in this run' if met_us is None else length(met_us)}")
    return lines


def _record(chosen: Crowd, plan: Plan, census: Census, found: Exhaustion) -> dict[str, Any]:
    """The document of docs/cli.md."""
    limit = chosen.limit
    return {
        "name": chosen.name,
        "scenario": chosen.scenario,
        "seed": plan.seed,
        "rate_per_s": plan.arrivals.per_second,
        "for_us": plan.arrivals.for_us,
        "connections": census.connections,
        "side": limit.side,
        "resource": limit.resource,
        "limit": limit.amount,
        "met_us": found.met_us,
        "peak": found.peak,
        "leaking": found.leaking,
        "refused": found.refused,
    }
