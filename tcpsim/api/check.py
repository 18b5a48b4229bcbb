"""The function `check`: it tests properties in every state that a connection can reach.

Owns: the function, and its result as text, rows and JSON. Refuses to know: the properties
(explore.standard_properties) and how states are explored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

from tcpsim.api.path_to_end import LOSSES, way_json, way_ladder, way_words
from tcpsim.api.result import Result
from tcpsim.api.setting_notes import Noted, sample_of
from tcpsim.api.settings import Named, Settings, chosen, settings
from tcpsim.catalogue import Sample, Scenario, Setting, build
from tcpsim.draw.caption import Caption, caption_of
from tcpsim.draw.ladder import WIDTH
from tcpsim.errors import InputError, unknown
from tcpsim.explore.chain import LIMIT, Progress
from tcpsim.explore.properties import Checked, Finding, Kind, Property
from tcpsim.explore.properties import check as ask
from tcpsim.explore.standard_properties import LEGS, PROPERTIES, legs_end_together
from tcpsim.explore.untimed import ROOM
from tcpsim.units import parse_duration

if TYPE_CHECKING:
    from tcpsim.measure.results import Table

_TOGETHER = "60s"  # the time of legs-end-together, if none is given
ANY_ORDER_LIMIT = 20_000  # its states are as many as one likes, and take some 0.5 ms each
_OPEN = 0.5  # any loss inside (0, 1): the answer does not depend on it


def check(
    scenario: Named,
    property: str | Property | Sequence[str | Property] = (),
    setting: Setting | None = None,
    *,
    any_order: bool = False,
    in_flight: int | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
    **changes: Unpack[Settings],
) -> Check:
    """Test properties in every state that a connection can reach, whatever segments are lost.

    >>> import tcpsim
    >>> found = tcpsim.check("closewait-ignored-eof", "orphan-has-timer", stack_server="rfc9293")
    >>> found
    <Check closewait-ignored-eof: orphan-has-timer fails>

    Args:
        scenario: a scenario's name, the path of a TOML file, or a `Scenario`.
        property: names (`tcpsim check --list`) or properties of your own; by default all of the project's.
            "legs-end-together=30s" is a property of relays; it is checked only if it is named.
        setting: changes of the scenario as one value; keywords override it.
        any_order: ignore the clock: segments and timers may come in any order; without probabilities.
        in_flight: with `any_order`, the largest number of segments on each path (2).
        limit: the largest number of states to explore.
        progress: a function that is called with the number of explored states and the unexplored probability
            (or None).
        **changes: any other setting (`tcpsim.Setting`).

    Raises:
        InputError: a name that does not exist, or a value out of range.
    """
    story = chosen(scenario)
    asked_for = _properties([property] if isinstance(property, str | Property) else property)
    if in_flight is not None and not any_order:
        raise InputError("in_flight", in_flight, "only together with any_order")
    asked = settings(changes, setting)
    if any_order and asked.get("loss_from"):
        raise InputError("loss_from", asked["loss_from"], "no setting about time together with any_order")
    if any_order:
        for each in asked_for:
            if each.kind is Kind.WITHIN:
                raise InputError("any_order", each.name, "properties without a time: no order has a clock")
    asked.pop("loss", None)
    told = dict(asked)
    for way in LOSSES:
        asked.setdefault(way, _OPEN)
    room = (in_flight or ROOM) if any_order else None
    most = limit or (ANY_ORDER_LIMIT if any_order else LIMIT)
    found = ask(build(story, **asked), asked_for, most, room, progress=progress)
    return Check(story, asked, told, found, room)


def _properties(wanted: Sequence[str | Property]) -> tuple[Property, ...]:
    """The properties with these names and those that were passed; all of the project's if there are none."""
    known = {each.name: each for each in PROPERTIES}
    names = [each for each in wanted if isinstance(each, str)]
    own = tuple(each for each in wanted if isinstance(each, Property))
    for name in names:
        word, equals, time = name.partition("=")
        if word == LEGS:
            own += (legs_end_together(parse_duration(time if equals else _TOGETHER, LEGS)),)
        elif name not in known:
            raise unknown("property", name, [*known, LEGS])
    return tuple(each for each in PROPERTIES if not wanted or each.name in names) + own


class Check(Noted, Result):
    """The result: `findings` has each property, whether it holds, and the path to a state where it fails."""

    def __init__(
        self,
        scenario: Scenario,
        changes: dict[str, Any],
        told: dict[str, Any],
        checked: Checked,
        in_flight: int | None,
    ) -> None:
        self.scenario = scenario
        self.changes = changes
        self.told = told  # of the changes those that were asked for
        self.checked = checked
        self.in_flight = in_flight

    @property
    def findings(self) -> tuple[Finding, ...]:
        """One finding for each property."""
        return self.checked.findings

    @property
    def holds(self) -> bool:
        """True if all properties hold in the explored states."""
        return all(each.holds for each in self.findings)

    @property
    def whole(self) -> bool:
        """True if every state was explored."""
        return self.checked.whole

    def _sample(self) -> Sample:
        return sample_of(self.scenario, self.changes, 1, self.scenario.horizon_us, many=True, kept=LOSSES)

    def caption(self) -> Caption:
        return caption_of(self.scenario, self.told)

    def headline(self) -> str:
        failed = [each.property.name for each in self.findings if not each.holds]
        words = f"{', '.join(failed)} fails" if failed else "every property holds"
        return f"{self.scenario.name}: {words}"

    def text(self) -> str:
        lines = [*self.caption().lines(WIDTH), ""]
        for each in self.findings:
            it = each.property
            lines.append(f"{_verdict(each, self.whole):22} {it.name}: {it.kind}, {it.says}")
            if each.way is not None and not each.holds:
                lines += self._counterexample(each)
        lines += ["", f"{self.checked.chain.states:,} states" + ("" if self.whole else "; there are more")]
        if self.in_flight is not None:
            each_leg = " on each leg" if self.scenario.relays else ""
            lines.append(
                "Any order instead of the clock: reachability only. Segments late, overtaken or lost,"
                f" {self.in_flight} under way{each_leg} at most;\n"
                "timers and programs late. What takes a time is judged by one history of each state."
            )
        return "\n".join([*lines, *self._notes()]) + "\n"

    def _counterexample(self, each: Finding) -> list[str]:
        way = each.way
        assert way is not None
        if self.in_flight is not None:
            return ["", *[f"    {at:3}. {move}" for at, move in enumerate(way.chosen, 1)], ""]
        drawn = way_ladder(way, self.scenario, self.changes)
        return [
            "",
            "    " + (way_words(way) or "no loss is necessary"),
            *([] if drawn is None else ["", drawn]),
        ]

    def _table(self) -> Table:
        from tcpsim.measure.results import Table

        return Table.of_rows([_row(each) for each in self.findings])

    def to_dict(self) -> dict[str, Any]:
        return {
            "scenario": self.scenario.name,
            **self.document(),
            "states": self.checked.chain.states,
            "whole": self.whole,
            "in_flight": self.in_flight,
            **self._notes_record(),
            "properties": [_row(each) | {"way": each.way and way_json(each.way)} for each in self.findings],
        }


def _row(each: Finding) -> dict[str, Any]:
    it = each.property
    return {
        "name": it.name,
        "kind": str(it.kind),
        "says": it.says,
        "source": it.source,
        "holds": each.holds,
    }


def _verdict(each: Finding, whole: bool) -> str:
    if each.property.kind is Kind.POSSIBLE:
        return "holds" if each.holds else "fails" if whole else "not found so far"
    return ("holds" if whole else "holds as far as seen") if each.holds else "fails"


def properties_text() -> str:
    """The list of properties with their sources."""
    listed = (*PROPERTIES, legs_end_together(parse_duration(_TOGETHER)))
    return "".join(f"{each.name}: {each.kind}, {each.says}\n    {each.source}\n" for each in listed)
