"""The function `exact`: it computes the probability of each end of a connection, for many loss rates.

Owns: the function, and its result as text, rows, JSON and pictures. Refuses to know: how states are explored
(explore), and what is held over time (over_time).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any, Unpack

from tcpsim.api.open_loss import OPEN
from tcpsim.api.over_time import (
    Held,
    Times,
    held_at,
    held_json,
    held_text,
    times,
    times_json,
    times_text,
    when,
)
from tcpsim.api.path_to_end import way_json, way_ladder, way_words
from tcpsim.api.result import Pictured
from tcpsim.api.setting_notes import Noted, sample_of
from tcpsim.api.settings import Named, SettingsButLoss, chosen, settings
from tcpsim.catalogue import Sample, Scenario, Setting, build
from tcpsim.draw.caption import Caption, caption_of
from tcpsim.draw.ladder import WIDTH
from tcpsim.draw.text_columns import columns
from tcpsim.draw.time_format import length
from tcpsim.errors import InputError
from tcpsim.explore.chain import LIMIT, Progress
from tcpsim.explore.leaks import Answer, End, Kind, Leg, answer
from tcpsim.explore.shortest_paths import Way, Ways
from tcpsim.explore.tolerance import TOLERANCE
from tcpsim.explore.transient import graph
from tcpsim.pair import names
from tcpsim.units import parse_duration, parse_probability

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tcpsim.measure.results import Table

_MOST_RATES = 10_001
_SHOWN = 5  # rates in the table
_WAY_AT = 0.05  # the loss at which the likeliest way is sought, if the range has nothing nearer
RATES = "0:0.3:31"

Rates = list[float]
Routes = list[tuple[Way, Way] | None]  # for each end the likeliest way and the one of fewest losses


def parse_rates(value: str | float | Sequence[float | str], where: str = "loss") -> Rates:
    """Loss rates: one, several (a list, or a text with commas), or FIRST:LAST:COUNT.

    >>> parse_rates("0:0.4:3"), parse_rates("1%,0.05"), parse_rates(0.01), parse_rates([0.1, "20%"])
    ([0.0, 0.2, 0.4], [0.01, 0.05], [0.01], [0.1, 0.2])
    """
    if isinstance(value, int | float):
        return [parse_probability(value, where)]
    if not isinstance(value, str):
        return [parse_probability(each, where) for each in value]
    allowed = "a probability, several with commas between, or FIRST:LAST:COUNT such as 0:0.3:31"
    parts = value.split(":")
    if len(parts) == 1:
        return [parse_probability(word.strip(), where) for word in value.split(",")]
    if len(parts) != 3 or not (parts[2].isascii() and parts[2].isdigit()):
        raise InputError(where, repr(value), allowed)
    first, last, count = parse_probability(parts[0], where), parse_probability(parts[1], where), int(parts[2])
    if not 2 <= count <= _MOST_RATES:
        raise InputError(where, repr(value), f"a COUNT from 2 to {_MOST_RATES}")
    return [(first * (count - 1 - at) + last * at) / (count - 1) for at in range(count)]


def exact(
    scenario: Named,
    loss: str | float | Sequence[float | str] | None = RATES,
    setting: Setting | None = None,
    *,
    horizon: str | int = "7d",
    longest_stay: str | int | None = None,
    limit: int = LIMIT,
    tolerance: float = TOLERANCE,
    at: str | int | Sequence[str | int] | None = None,
    rate: str | float | None = None,
    for_: str | int | None = None,
    fixed: bool = False,
    times: bool = False,
    legs: bool = False,
    progress: Progress | None = None,
    **changes: Unpack[SettingsButLoss],
) -> Exact:
    """Compute the probability of each end of a connection. Every loss is followed, and nothing is sampled.

    >>> import tcpsim
    >>> answer = tcpsim.exact("one-rst-stack", loss=[0.1, 0.3])
    >>> answer.permanent.round(3).tolist()
    [0.1, 0.3]

    Args:
        scenario: a scenario's name, the path of a TOML file, or a `Scenario`.
        loss: the loss rates in both directions: a number, a list, or "FIRST:LAST:COUNT".
        setting: changes of the scenario as one value; keywords override it.
        horizon: with `times`, watch until this time.
        longest_stay: a socket that is expected to stay longer is metastable (default: the horizon).
        limit: the largest number of states to explore. The unexplored probability bounds the error.
        tolerance: explore until the unexplored probability is at most this; 0 explores everything.
        at: report the sockets held at these times: "1min", or "FIRST:LAST:COUNT".
        rate: report the sockets of a host that gets this many connections per second.
        for_: how long connections arrive; the option is --for.
        fixed: connections arrive at equal intervals instead of as a Poisson process.
        times: also report how long each state lasts.
        legs: make the rows and the table those of the legs of a line with relays.
        progress: a function that is called with the number of explored states and the unexplored probability.
        **changes: any other setting (`tcpsim.Setting`).

    Raises:
        InputError: a name that does not exist, a value out of range, or a scenario that cannot be explored.
    """
    story = chosen(scenario)
    rates = parse_rates(RATES if loss is None else loss)
    moments = when(at, rate, for_, fixed)
    asked = settings(changes, setting)
    asked.pop("loss", None)
    one_way = {
        way: parse_probability(asked[name], name)
        for way, name in (("to client", "loss_to_client"), ("to server", "loss_to_server"))
        if asked.get(name) is not None
    }
    if len(one_way) == 2:
        raise InputError(
            "loss_to_client", "loss_to_server beside it", "one of them, and loss for the other way"
        )
    told = dict(asked)
    asked |= {"loss_to_client": OPEN, "loss_to_server": OPEN}
    asked |= {f"loss_{way.replace(' ', '_')}": p for way, p in one_way.items()}
    losses = {
        way: [one_way[way]] * len(rates) if way in one_way else rates for way in ("to client", "to server")
    }
    if legs and not story.relays:
        raise InputError("legs", f"{story.name}, which has no relay", "a scenario with relays")
    if legs and moments is not None:
        raise InputError("legs", "sockets over time (at, rate) beside it", "one table at a time")
    until_us = parse_duration(horizon, "horizon")
    stay_us = until_us if longest_stay is None else parse_duration(longest_stay, "longest_stay")
    found = answer(
        build(story, **asked), losses, stay_us, limit, parse_probability(tolerance, "tolerance"), progress
    )
    return Exact(story, asked, told, rates, losses, until_us, stay_us, found, moments, times, legs)


class Exact(Noted, Pictured):
    """Every end of one connection with its probability at each loss rate. `print()` shows the tables.

    Arrays have one number for each rate in `loss`. `error` is the unexplored probability.
    """

    def __init__(
        self,
        scenario: Scenario,
        changes: dict[str, Any],
        told: dict[str, Any],
        rates: Rates,
        losses: Mapping[str, Rates],
        horizon_us: int,
        longest_stay_us: int,
        answer: Answer,
        moments: Any,
        with_times: bool,
        of_legs: bool = False,
    ) -> None:
        self.scenario = scenario
        self.changes = changes
        self.told = told  # of the changes those that were asked for
        self.loss = rates
        self.horizon_us = horizon_us
        self.longest_stay_us = longest_stay_us
        self.answer = answer
        self._losses = losses
        self._moments = moments
        self._with_times = with_times
        self._of_legs = of_legs

    def _sample(self) -> Sample:
        kept = ("loss_to_client", "loss_to_server")
        return sample_of(self.scenario, self.changes, 1, self.scenario.horizon_us, many=True, kept=kept)

    @property
    def ends(self) -> tuple[End, ...]:
        """The ends. Each has its kind, what each side holds, and its probability at each loss rate."""
        return self.answer.ends

    @property
    def permanent(self) -> Any:
        """The probability that a socket stays for ever, at each loss rate, as a NumPy array."""
        return sum((end.probability for end in self.ends if end.permanent), 0.0 * self.answer.error)

    @property
    def error(self) -> Any:
        """The unexplored probability at each loss rate."""
        return self.answer.error

    @property
    def legs(self) -> tuple[Leg, ...]:
        """The legs of a line with relays: the probability that each leaks, and the expected time held."""
        return self.answer.legs

    def probability(self, client: str, server: str) -> Any:
        """The probability that the sides hold this, such as "CLOSE-WAIT" and "gone", at each loss rate."""
        return self.answer.probability(client, server)

    def caption(self) -> Caption:
        return caption_of(self.scenario, self.told)

    def headline(self) -> str:
        at = self._one
        words = f"a socket stays for ever with probability {self.permanent[at]:.6g}"
        return f"{self.scenario.name}: {words} at {_percent(self.loss[at])} loss"

    # what is held over time

    @cached_property
    def _graph(self) -> Any:
        return graph(self.answer.chain, self.answer.classes)

    def _at(self, places: Sequence[int]) -> dict[str, Rates]:
        return {way: [each[place] for place in places] for way, each in self._losses.items()}

    def held(self, everywhere: bool = True) -> Held | None:
        """The sockets held at the given times, at every loss rate or at the one nearest to 5 %."""
        if self._moments is None:
            return None
        places = list(range(len(self.loss))) if everywhere else [self._one]
        return held_at(
            self.answer.chain, self._graph, self._at(places), self._moments, places.index(self._one)
        )

    def times(self, everywhere: bool = True) -> Times | None:
        """How long each state lasts, if `times` was set."""
        if not self._with_times:
            return None
        places = list(range(len(self.loss))) if everywhere else self._shown
        held_us = list(self.answer.held_us)
        return times(self.answer.chain, self._graph, self._at(places), held_us, self.horizon_us)

    # ways in

    @property
    def way_at(self) -> float:
        """The loss rate for the likeliest paths: the given rate that is nearest to 5 %."""
        return min((p for p in self.loss if 0 < p < 1), key=lambda p: abs(p - _WAY_AT), default=_WAY_AT)

    @cached_property
    def ways(self) -> Routes:
        """For each end, the likeliest path to it and the path with the fewest losses; None if unexplored."""
        return [None if end.kind is Kind.CUT else self._routes_to(end.states) for end in self.ends]

    @cached_property
    def ways_to_leaks(self) -> Routes:
        """For each leg, the likeliest path to its leak and the one with the fewest losses; None: no leak."""
        return [self._routes_to(leg.states) if leg.states else None for leg in self.legs]

    @cached_property
    def _search(self) -> Ways:
        return Ways(self.answer.chain, self.way_at)

    def _routes_to(self, states: Sequence[int]) -> tuple[Way, Way]:
        """The likeliest path to some states, and the path with the fewest losses."""
        return self._search.likeliest(states), self._search.fewest_losses(states)

    def ladders(self) -> str:
        """A ladder of the path with the fewest losses, for each end that keeps a socket."""
        lines = []
        for end, ways in zip(self.ends, self.ways, strict=True):
            drawn = (
                None
                if ways is None or end.kind is Kind.CLEAN
                else way_ladder(ways[1], self.scenario, self.changes)
            )
            if ways is not None and drawn is not None:
                lines += [f"{end.describe()}: {_way_words(ways[1])}", "", drawn, ""]
        return "\n".join(lines)

    # how it is shown

    @property
    def _shown(self) -> list[int]:
        last = len(self.loss) - 1
        return sorted({round(last * part / (_SHOWN - 1)) for part in range(_SHOWN)})

    @property
    def _heads(self) -> list[str]:
        return [f"loss {_percent(self.loss[at])}" for at in self._shown]

    @property
    def _one(self) -> int:
        return min(range(len(self.loss)), key=lambda at: abs(self.loss[at] - _WAY_AT))

    def text(self, ladders: bool = False) -> str:
        lines = [
            *self.caption().lines(WIDTH),
            "",
            *self._ends_lines(),
            *self._way_lines(),
            *self._legs_lines(),
        ]
        lines += self._held_lines()
        if ladders:
            lines += [self.ladders()]
        lines += times_text(self.times(everywhere=False), self._heads)
        lines += held_text(self.held(everywhere=False), self.loss[self._one])
        return "\n".join([*lines, self._last_line(), *self._notes()]) + "\n"

    def _ends_lines(self) -> list[str]:
        rows = [["end", *names(len(self.scenario.relays)), *self._heads]]
        for end in self.ends:
            cells = [f"{end.probability[at]:.6g}" for at in self._shown]
            rows.append([str(end.kind), *[words or "-" for words in end.held.values()], *cells])
        return [*columns(rows, len(self.scenario.relays) + 3), ""]

    def _way_lines(self) -> list[str]:
        lines = [f"likeliest path to each end, at {_percent(self.way_at)} loss"]
        for end, ways in zip(self.ends, self.ways, strict=True):
            if ways is not None:
                lines += _route_lines(end.describe(), *ways)
        return [*lines, ""]

    def _legs_lines(self) -> list[str]:
        """Of a line with relays: each leg, and the way into its leak."""
        if not self.legs:
            return []
        rows = [["leg", "", *self._heads]]
        for leg in self.legs:
            rows.append([leg.name, "leaks", *[f"{leg.probability[at]:.6g}" for at in self._shown]])
            rows.append(["", "held until the end", *[length(round(leg.held_us[at])) for at in self._shown]])
        lines = columns(rows, 2)
        for leg, ways in zip(self.legs, self.ways_to_leaks, strict=True):
            if ways is not None:
                lines += _route_lines(f"{leg.name} leaks", *ways)
        return [*lines, ""]

    def _held_lines(self) -> list[str]:
        rows = [["mean time in each state", "", *self._heads]]
        for (side, state), us in self.answer.held_us.items():
            rows.append([side, str(state), *[length(round(us[at])) for at in self._shown]])
        lines = [*columns(rows, 2), ""]
        for end in self.ends:
            if end.stay_us is not None and not all(map(isfinite, end.stay_us.tolist())):
                lines.append("metastable: only losses end it; without losses it stays for ever")
                break
        return lines

    def _last_line(self) -> str:
        chain = self.answer.chain
        cut = ""
        if self.error.any():
            cut = f"; at most {self.error.max():.3g} of the probability is unexplored"
        counts = f"{chain.states:,} states, {len(chain.edges):,} edges"
        return f"{counts}; metastable: expected to stay longer than {length(self.longest_stay_us)}{cut}"

    def _table(self) -> Table:
        from tcpsim.measure.exact_tables import exact_table, legs_table, over_time_table

        if self._of_legs:
            return legs_table(self.answer, self.loss)
        held = self.held()
        return exact_table(self.answer, self.loss) if held is None else over_time_table(held.found, self.loss)

    def figure(self) -> Figure:
        from tcpsim.draw.exact_figure import exact_figure, over_time_figure

        note = f"{self.answer.chain.states:,} states; exact"
        held = self.held(everywhere=False)
        lost = self.error.max() if held is None else held.found.error[held.place]
        if lost:
            note += f"; at most {lost:.3g} of the probability is unexplored"
        title = str(self.caption())
        if held is None:
            return exact_figure(self.loss, self.ends, title, "", note)
        subtitle = f"{_percent(self.loss[self._one])} loss; {held.title}"
        return over_time_figure(held.found, held.place, title, subtitle, note)

    def to_dict(self) -> dict[str, Any]:
        chain, way_at = self.answer.chain, self.way_at
        document = {
            "scenario": self.scenario.name,
            **self.document(),
            "states": chain.states,
            "edges": len(chain.edges),
            "horizon_us": self.horizon_us,
            "longest_stay_us": self.longest_stay_us,
            "loss": self.loss,
            "error": self.error.tolist(),
            "ends": [
                {
                    "kind": str(end.kind),
                    **end.held,
                    "permanent": end.permanent,
                    "probability": end.probability.tolist(),
                    "expected_stay_us": None
                    if end.stay_us is None
                    else [us if isfinite(us) else None for us in end.stay_us.tolist()],
                    "likeliest": ways and _way_json(ways[0], way_at),
                    "fewest_losses": ways and _way_json(ways[1], way_at),
                }
                for end, ways in zip(self.ends, self.ways, strict=True)
            ],
            "held": [
                {"side": side, "state": str(state), "mean_us": us.tolist()}
                for (side, state), us in self.answer.held_us.items()
            ],
        }
        if self.legs:
            document["legs"] = [
                {
                    "leg": leg.name,
                    "probability": leg.probability.tolist(),
                    "held_us": leg.held_us.tolist(),
                    "likeliest": ways and _way_json(ways[0], way_at),
                    "fewest_losses": ways and _way_json(ways[1], way_at),
                }
                for leg, ways in zip(self.legs, self.ways_to_leaks, strict=True)
            ]
        return document | self._notes_record() | times_json(self.times()) | held_json(self.held())


def _percent(loss: float) -> str:
    return f"{100 * loss:.4g} %"


def _way_json(way: Way, loss: float) -> dict[str, Any]:
    return way_json(way) | {"loss": loss, "probability": way.probability}


def _route_lines(what: str, way: Way, fewest: Way) -> list[str]:
    """The likeliest path, and the one with the fewest losses if it is another."""
    lines = [f"  {what}: {_way_words(way)} ({way.probability:.3g})"]
    if fewest.drops != way.drops:
        lines.append(f"    fewest losses: {_way_words(fewest)} ({fewest.probability:.3g})")
    return lines


def _way_words(way: Way) -> str:
    return way_words(way) or "nothing lost"
