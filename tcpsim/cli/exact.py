"""`tcpsim exact`: how one connection ends, exactly, for many loss rates at once."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import click

from tcpsim.cli.chosen import chosen_scenario
from tcpsim.cli.options import JSON, duration, output, parsed, setting, setting_options_but_loss, whole
from tcpsim.cli.over_time import (
    Held,
    held_at,
    held_json,
    held_text,
    over_time_options,
    times,
    times_json,
    times_text,
    when,
)
from tcpsim.cli.show import columns, print_json, print_text
from tcpsim.cli.ways import way_json, way_ladder, way_words
from tcpsim.draw.clock import length
from tcpsim.errors import InputError
from tcpsim.explore.chain import LIMIT
from tcpsim.explore.flow import graph
from tcpsim.explore.leaks import Answer, Kind, answer
from tcpsim.explore.ways import Way, Ways
from tcpsim.scenario import Scenario, build
from tcpsim.units import parse_probability

_MOST_RATES = 10_001
_SHOWN = 5  # rates in the table
_OPEN = 0.5  # stands for any rate while the path is built
_WAY_AT = 0.05  # the loss at which the likeliest way is sought, if the range has nothing nearer


Rates = list[float]


def parse_rates(text: str, where: str = "--loss") -> Rates:
    """Loss rates: one, several with commas between, or FIRST:LAST:COUNT.

    >>> parse_rates("0:0.4:3")
    [0.0, 0.2, 0.4]
    >>> parse_rates("1%,0.05")
    [0.01, 0.05]
    """
    allowed = "a probability, several with commas between, or FIRST:LAST:COUNT such as 0:0.3:31"
    parts = text.split(":")
    if len(parts) == 1:
        return [parse_probability(word.strip(), where) for word in text.split(",")]
    if len(parts) != 3 or not (parts[2].isascii() and parts[2].isdigit()):
        raise InputError(where, repr(text), allowed)
    first, last, count = parse_probability(parts[0], where), parse_probability(parts[1], where), int(parts[2])
    if not 2 <= count <= _MOST_RATES:
        raise InputError(where, repr(text), f"a COUNT from 2 to {_MOST_RATES}")
    return [(first * (count - 1 - at) + last * at) / (count - 1) for at in range(count)]


@click.command(help="Say exactly how one connection of SCENARIO ends, for many loss rates at once.")
@click.argument("name", metavar="SCENARIO")
@parsed(
    "--loss",
    parse_rates,
    "RATES",
    names=("rates",),
    default="0:0.3:31",
    show_default=True,
    help="Loss rates, both ways: 0.05, or 0.01,0.1, or FIRST:LAST:COUNT.",
)
@setting_options_but_loss
@duration("--loss-from", help="When losses begin: with server.delay=1s and 500ms, at the close.")
@duration(
    "--horizon", default="7d", show_default=True, help="An expected stay beyond this is an end of its own."
)
@whole(
    "--limit",
    1,
    100_000_000,
    default=str(LIMIT),
    show_default=True,
    help="States to explore; what is cut is said.",
)
@click.option("--ladders", is_flag=True, help="Show the way of fewest losses into each leak, event by event.")
@over_time_options
@output(
    "--csv", ".csv", ".parquet", help="Write the probabilities as a table; with --at or --rate what is held."
)
@output(
    "--figure", ".svg", ".png", ".pdf", help="Draw the leaks against loss; with --at or --rate what is held."
)
@JSON
def command(
    name: str,
    rates: Rates,
    loss_from: int | None,
    horizon: int,
    limit: int,
    ladders: bool,
    at_us: list[int] | None,
    rate: float | None,
    for_us: int | None,
    fixed: bool,
    with_times: bool,
    csv: Path | None,
    figure: Path | None,
    as_json: bool,
    **changes: Any,
) -> None:
    """Everything that is asked for is checked before anything is explored."""
    chosen = chosen_scenario(name)
    moments = when(at_us, rate, for_us, fixed)
    ways = {"to client": changes.pop("loss_to_client"), "to server": changes.pop("loss_to_server")}
    one_way = {way: p for way, p in ways.items() if p is not None}
    if len(one_way) == len(ways):
        raise InputError(
            "--loss-to-client", "--loss-to-server beside it", "one of them, and --loss for the other way"
        )
    asked = setting(loss=None, loss_to_client=None, loss_to_server=None, **changes)
    for way in ways:
        asked["loss_" + way.replace(" ", "_")] = one_way.get(way, _OPEN)
    pair = build(chosen, **asked, loss_from=loss_from or 0)
    losses = {way: [one_way[way]] * len(rates) if way in one_way else rates for way in ways}
    found = answer(pair, losses, horizon, limit)
    everywhere = list(range(len(rates)))
    laws = held = None
    net = graph(found.chain, found.classes) if with_times or moments is not None else None
    if net is not None and with_times:
        places = everywhere if as_json else _shown(rates)
        laws = times(found.chain, net, _at(losses, places), list(found.held_us), horizon)
    if net is not None and moments is not None:
        places = everywhere if as_json or csv else [_one(rates)]
        held = held_at(found.chain, net, _at(losses, places), moments, places.index(_one(rates)))
    if csv is not None:
        _write_csv(csv, rates, found, held)
    if figure is not None:
        _draw(figure, rates, found, chosen, held)
    routes = _routes(found, _way_at(rates))
    if as_json:
        document = _json(chosen, rates, found, horizon, routes, _way_at(rates))
        print_json(document | times_json(laws) | held_json(held))
    else:
        lines = _lines(chosen, rates, found, horizon, routes, _way_at(rates))
        more = times_text(laws, _heads(rates)) + held_text(held, rates[_one(rates)])
        if ladders:
            more = [*_ladders(found, routes, chosen, asked | {"loss_from": loss_from or 0}), *more]
        print_text("\n".join([*lines[:-1], *more, lines[-1]]) + "\n")


def _at(losses: dict[str, Rates], places: Sequence[int]) -> dict[str, Rates]:
    """Some of the rates."""
    return {way: [each[place] for place in places] for way, each in losses.items()}


def _shown(rates: Rates) -> list[int]:
    """The places of the rates in a table."""
    last = len(rates) - 1
    return sorted({round(last * part / (_SHOWN - 1)) for part in range(_SHOWN)})


def _heads(rates: Rates) -> list[str]:
    return [f"loss {100 * rates[at]:.4g} %" for at in _shown(rates)]


def _one(rates: Rates) -> int:
    """The place of the rate that is nearest to 5 %."""
    return min(range(len(rates)), key=lambda at: abs(rates[at] - _WAY_AT))


def _way_at(rates: Rates) -> float:
    """Of the rates asked for, the one nearest to 5 %; 5 % if none lies inside (0, 1)."""
    return min((p for p in rates if 0 < p < 1), key=lambda p: abs(p - _WAY_AT), default=_WAY_AT)


Routes = list[tuple[Way, Way] | None]  # for each end the likeliest way and the one of fewest losses


def _routes(found: Answer, loss: float) -> Routes:
    ways = Ways(found.chain, loss)
    return [
        None if end.kind is Kind.CUT else (ways.likeliest(end.states), ways.fewest_losses(end.states))
        for end in found.ends
    ]


def _json(
    chosen: Scenario, rates: Rates, found: Answer, horizon_us: int, routes: Routes, way_at: float
) -> dict[str, Any]:
    """The document of docs/cli.md."""
    return {
        "scenario": chosen.name,
        "states": found.chain.states,
        "edges": len(found.chain.edges),
        "horizon_us": horizon_us,
        "loss": rates,
        "error": found.error.tolist(),
        "ends": [
            {
                "kind": str(end.kind),
                "client": end.client,
                "server": end.server,
                "permanent": end.permanent,
                "probability": end.probability.tolist(),
                "expected_stay_us": None
                if end.stay_us is None
                else [_finite(us) for us in end.stay_us.tolist()],
                "likeliest": ways and _way_json(ways[0], way_at),
                "fewest_losses": ways and _way_json(ways[1], way_at),
            }
            for end, ways in zip(found.ends, routes, strict=True)
        ],
        "held": [
            {"side": side, "state": str(state), "mean_us": us.tolist()}
            for (side, state), us in found.held_us.items()
        ],
    }


def _finite(us: float) -> float | None:
    return us if isfinite(us) else None


def _way_json(way: Way, loss: float) -> dict[str, Any]:
    return way_json(way) | {"loss": loss, "probability": way.probability}


def _ladders(found: Answer, routes: Routes, chosen: Scenario, asked: dict[str, Any]) -> list[str]:
    """The way of fewest losses into each end that keeps a socket, as far as it is one run."""
    lines = []
    for end, ways in zip(found.ends, routes, strict=True):
        drawn = None if ways is None or end.kind is Kind.CLEAN else way_ladder(ways[1], chosen, asked)
        if ways is not None and drawn is not None:
            lines += [f"client {end.client}, server {end.server}: {_way_words(ways[1])}", "", drawn, ""]
    return lines


def _lines(
    chosen: Scenario, rates: Rates, found: Answer, horizon_us: int, routes: Routes, way_at: float
) -> list[str]:
    """Three tables: ends, the ways into them, and the time that states are held before; one last line."""
    shown, heads = _shown(rates), _heads(rates)
    rows = [["end", "client", "server", *heads]]
    for end in found.ends:
        cells = [f"{end.probability[at]:.6g}" for at in shown]
        rows.append([str(end.kind), end.client or "-", end.server or "-", *cells])
    lines = [f"{chosen.name}: {chosen.title}", "", *columns(rows, 3), ""]
    lines.append(f"likeliest ways in, at {100 * way_at:.4g} % loss")
    for end, ways in zip(found.ends, routes, strict=True):
        if ways is None:
            continue
        way, fewest = ways
        lines.append(f"  client {end.client}, server {end.server}: {_way_words(way)} ({way.probability:.3g})")
        if fewest.drops != way.drops:
            lines.append(f"    fewest losses: {_way_words(fewest)} ({fewest.probability:.3g})")
    rows = [["mean time held before that", "", *heads]]
    for (side, state), us in found.held_us.items():
        rows.append([side, str(state), *[length(round(us[at])) for at in shown]])
    lines += ["", *columns(rows, 2), ""]
    for end in found.ends:
        if end.stay_us is not None and not all(map(isfinite, end.stay_us.tolist())):
            lines.append("metastable: only losses end it; without any it stays for ever")
            break
    cut = (
        f"; at most {found.error.max():.3g} of the probability was not explored" if found.error.any() else ""
    )
    lines.append(
        f"{found.chain.states:,} states, {len(found.chain.edges):,} edges; stays beyond"
        f" {length(horizon_us)} count as ends{cut}"
    )
    return lines


def _way_words(way: Way) -> str:
    return way_words(way) or "nothing lost"


def _write_csv(path: Path, rates: Rates, found: Answer, held: Held | None) -> None:
    from tcpsim.measure.exact import exact_table, over_time_table
    from tcpsim.measure.results import write_table

    table = exact_table(found, rates) if held is None else over_time_table(held.found, rates)
    write_table(table, path)


def _draw(path: Path, rates: Rates, found: Answer, chosen: Scenario, held: Held | None) -> None:
    from tcpsim.draw.exact_figure import exact_figure, over_time_figure
    from tcpsim.draw.sheet import save

    note = f"{found.chain.states:,} states; no sampling"
    lost = found.error.max() if held is None else held.found.error[held.place]
    if lost:
        note += f"; at most {lost:.3g} of the probability was not explored"
    if held is None:
        drawn = exact_figure(rates, found.ends, chosen.title, chosen.name, note)
    else:
        loss = f"{100 * rates[_one(rates)]:.4g} % loss; {held.title}"
        drawn = over_time_figure(held.found, held.place, chosen.title, f"{chosen.name}, {loss}", note)
    save(drawn, path)
