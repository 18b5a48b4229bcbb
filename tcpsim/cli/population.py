"""`tcpsim population`: many connections at once, and what their hosts hold over time."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tcpsim.cli.chosen import chosen_scenario
from tcpsim.cli.options import JSON, SEED, duration, output, rate, setting, setting_options
from tcpsim.cli.show import print_json, print_text
from tcpsim.draw.clock import length
from tcpsim.errors import InputError
from tcpsim.host.census import Census
from tcpsim.host.limits import HostLimits, Limits, own_limits
from tcpsim.host.population import Arrivals, Plan, simulate
from tcpsim.measure.leaks import leaked_connections, leaks
from tcpsim.measure.results import write_table
from tcpsim.measure.table import first_met, over_time, peaks
from tcpsim.pair import SIDES
from tcpsim.scenario import Scenario, build
from tcpsim.units import format_duration

_SAMPLES = 240  # of the census over time, unless --every says otherwise
_MOST_SAMPLES = 1_000_000
_MOST_CONNECTIONS = 100_000_000  # every birth is drawn before the run, eight bytes each
_RECLAIMED = ("orphans", "minis", "pages")  # a kernel takes these back; of the rest it refuses more
_SUBTITLE = 120  # characters on a line above the picture
Changed = Mapping[str, str | list[str]]  # by option, what was asked of it


class _Command(click.Command):
    """A command that keeps the words of its options as they were given: `context.obj`, by parameter."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.obj, _, _ = self.make_parser(ctx).parse_args(list(args))
        return super().parse_args(ctx, args)


@click.command(cls=_Command, help="Run many connections of SCENARIO and count their sockets over time.")
@click.argument("name", metavar="SCENARIO")
@rate("--rate", required=True, help="Connections per second: 50, 50/s, 30/min.")
@duration("--for", names=("for_us",), required=True, help="How long connections arrive: 10min, 24h.")
@duration("--settle", default="0s", show_default=True, help="How long to watch after that.")
@click.option("--fixed", is_flag=True, help="Arrivals at equal distances instead of a Poisson process.")
@SEED
@setting_options
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="SIDE.RESOURCE=N",
    help="What a host has: server.workers=100, client.ports=28232, server.descriptors=1024.",
)
@duration("--every", help="The step of the census over time (default: a 240th of the run).")
@output("--csv", ".csv", ".parquet", help="Write the census over time as a table.")
@output("--figure", ".svg", ".png", ".pdf", help="Write the census over time as a picture.")
@JSON
@click.pass_context
def command(
    context: click.Context,
    /,
    name: str,
    rate: float,
    for_us: int,
    settle: int,
    fixed: bool,
    seed: int,
    limits: tuple[str, ...],
    every: int | None,
    csv: Path | None,
    figure: Path | None,
    as_json: bool,
    **changes: Any,
) -> None:
    """Everything that is asked for is checked before anything runs."""
    chosen = chosen_scenario(name)
    if for_us == 0:
        raise InputError("--for", "0s", "a time above zero")
    expected = round(rate * for_us / 1_000_000)
    if expected > _MOST_CONNECTIONS:
        found = f"{expected:,} connections expected ({rate:g} per second for {format_duration(for_us)})"
        raise InputError("--rate and --for", found, f"at most {_MOST_CONNECTIONS:,}")
    horizon_us = for_us + settle
    every_us = max(1, horizon_us // _SAMPLES) if every is None else every
    if every_us == 0 or horizon_us // every_us > _MOST_SAMPLES:
        raise InputError("--every", format_duration(every_us), f"at least a {_MOST_SAMPLES:,}th of the run")
    pair = build(chosen, **setting(**changes))
    plan = Plan(
        kinds=((1.0, pair),),
        arrivals=Arrivals(rate, for_us=for_us, poisson=not fixed),
        settle_us=settle,
        seed=seed,
        limits=_limits(limits, own_limits(pair.server.system.end.stack)),
    )
    changed = _changed(context, (*changes, "limits"))
    census = _with_progress(plan)
    if csv is not None:
        write_table(over_time(census, every_us), csv)
    if figure is not None:
        _draw(figure, census, every_us, chosen, plan, changed)
    document = _json(census, chosen, plan, changed)
    if as_json:
        print_json(document)
    else:
        print_text(_table(document))


def _changed(context: click.Context, parameters: tuple[str, ...]) -> Changed:
    """The options among these that were given, by the names that a user knows them by."""
    names = {each.name: max(each.opts, key=len).removeprefix("--") for each in context.command.params}
    return {names[each]: context.obj[each] for each in parameters if each in context.obj}


def _options(changed: Changed) -> str:
    """The same as words of a command line."""
    given = [
        f"--{name} {shlex.quote(value)}"
        for name, values in changed.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    return " ".join(given)


def _limits(words: tuple[str, ...], server: HostLimits) -> Limits:
    """`client.ports=28232` and so on, over the server's own; with a client limit all clients share a host."""
    found: dict[str, dict[str, int]] = {side: {} for side in SIDES}
    for text in words:
        place, _, number = text.partition("=")
        side, _, resource = place.partition(".")
        if (
            side not in found
            or resource not in HostLimits._fields
            or not (number.isascii() and number.isdigit())
        ):
            allowed = (
                f"client or server, a dot, one of {', '.join(HostLimits._fields)}, = and an integer >= 0"
            )
            raise InputError("--limit", repr(text), allowed)
        if resource in found[side]:
            raise InputError("--limit", f"{place} twice", "one limit for each resource of a side")
        found[side][resource] = int(number)
    client = HostLimits(**found["client"]) if found["client"] else None
    return Limits(server=server._replace(**found["server"]), client=client)


def _with_progress(plan: Plan) -> Census:
    """The run; on a terminal, a bar on stderr says how far it is."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return simulate(plan)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("simulating")
        return simulate(plan, lambda now_us, end_us: bar.update(task, completed=now_us, total=end_us))


def _json(census: Census, chosen: Scenario, plan: Plan, changed: Changed) -> dict[str, Any]:
    """The document of docs/cli.md."""
    now = {_kind(row): row for row in over_time(census, census.horizon_us).rows() if row["t_s"]}
    sockets = [
        {
            "side": row["side"],
            "state": row["state"],
            "holder": row["holder"],
            "count": now[_kind(row)]["count"],
            "bytes": now[_kind(row)]["bytes"],
            "peak": row["count"],
            "peak_us": round(row["t_s"] * 1_000_000),
        }
        for row in peaks(census).rows()
    ]
    limits = {
        f"{side} {resource}": limit
        for side in SIDES
        for resource, limit in plan.limits.of(side)._asdict().items()
        if limit is not None
    }
    return {
        "scenario": chosen.name,
        "seed": plan.seed,
        "rate_per_s": plan.arrivals.per_second,
        "for_us": plan.arrivals.for_us,
        "horizon_us": census.horizon_us,
        "changed": changed,
        "connections": census.connections,
        "leaked_connections": leaked_connections(census),
        "sockets": sockets,
        "leaks": leaks(census).rows(),
        "refused": dict(sorted(census.refused.items())),
        "limits": limits,
        "first_met_us": _first_met(census, limits),
        "crashed": None if census.crashed is None else f"{census.crashed.side} {census.crashed.resource}",
    }


def _first_met(census: Census, limits: Mapping[str, int]) -> dict[str, int]:
    """When each limit that was met was so for the first time."""
    met: dict[str, int] = {}
    for side in SIDES:
        for resource in HostLimits._fields:
            limit = limits.get(f"{side} {resource}")
            met_us = None if limit is None else first_met(census, side, resource, limit)
            if met_us is not None:
                met[f"{side} {resource}"] = met_us
    crash = census.crashed
    return met if crash is None else met | {f"{crash.side} {crash.resource}": crash.t_us}


def _kind(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["side"], row["state"], row["holder"]


def _table(document: dict[str, Any]) -> str:
    """The same for people."""
    fates: dict[tuple[str, str, str], dict[str, int]] = {}
    for row in document["leaks"]:
        fates.setdefault(_kind(row), {})[row["fate"]] = row["count"]
    head = ("side", "state", "holder", "held", "will stay", "peak", "bytes held")
    rows: list[tuple[str, ...]] = [head]
    for row in document["sockets"]:
        lasting = fates.get(_kind(row), {})
        staying = lasting.get("permanent", 0) + lasting.get("metastable", 0) + lasting.get("descriptor", 0)
        numbers = (f"{row['count']:,}", f"{staying:,}", f"{row['peak']:,}", _bytes(row["bytes"]))
        rows.append((*_kind(row), *numbers))
    widths = [max(len(line[column]) for line in rows) for column in range(len(head))]
    changed = [f"with {_options(document['changed'])}"] if document["changed"] else []
    lines = [f"{document['scenario']}: {_summary(document)}", *changed, ""]
    for line in rows:
        left = [word.ljust(width) for word, width in zip(line[:3], widths[:3], strict=True)]
        right = [word.rjust(width) for word, width in zip(line[3:], widths[3:], strict=True)]
        lines.append("  ".join([*left, *right]))
    leaked, connections = document["leaked_connections"], document["connections"]
    share = f" ({100 * leaked / connections:.3g} %)" if connections else ""
    dead = sum(row["count"] for row in document["leaks"] if row["fate"] == "descriptor")
    lines += ["", f"{leaked:,} connections{share} hold a socket that will not go away by itself"]
    if dead:
        lines[-1] += f",\nand {dead:,} dead sockets (CLOSED) hold a descriptor until a program closes it"
    lines += [_met(document, place, met_us) for place, met_us in document["first_met_us"].items()]
    return "\n".join(lines) + "\n"


def _met(document: dict[str, Any], place: str, met_us: int) -> str:
    """A limit, when it was first met, and who paid for that."""
    fate = "killed" if place.endswith(_RECLAIMED) else "refused"
    count = document["refused"].get(place, 0)
    paid = f", {count:,} {fate}" if count else ""
    if place == document["crashed"]:
        paid = f": the kernel crashes, {count:,} later connections meet silence"
    return f"{place}: the limit of {document['limits'][place]:,} first met after {length(met_us)}{paid}"


def _summary(document: dict[str, Any]) -> str:
    many = f"{document['connections']:,} connections in {length(document['for_us'])}"
    return f"{many}, watched for {length(document['horizon_us'])}, seed {document['seed']}"


def _bytes(number: int) -> str:
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if number >= 10 * 1024**power:
            return f"{number / 1024**power:,.0f} {unit}"
    return f"{number:,} B"


def _draw(path: Path, census: Census, every_us: int, chosen: Scenario, plan: Plan, changed: Changed) -> None:
    from tcpsim.draw.census_figure import census_figure
    from tcpsim.draw.sheet import save

    counts: dict[tuple[str, str], dict[int, int]] = {}
    for row in over_time(census, every_us).rows():
        series = counts.setdefault((row["side"], row["state"]), {})
        t_us = round(row["t_s"] * 1_000_000)
        series[t_us] = series.get(t_us, 0) + row["count"]
    at_us = list(range(0, census.horizon_us + 1, every_us))
    arrivals = f"{plan.arrivals.per_second:g} connections/s for {length(plan.arrivals.for_us or 0)}"
    series_of = {kind: [series[t_us] for t_us in at_us] for kind, series in counts.items()}
    subtitle = "\n".join(
        [
            f"{chosen.name}: {arrivals}, seed {plan.seed}",
            *(wrap(f"with {_options(changed)}", _SUBTITLE, break_on_hyphens=False) if changed else []),
        ]
    )
    save(census_figure(at_us, series_of, chosen.title, subtitle), path)
