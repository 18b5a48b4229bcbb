"""`page`: a file on which a reader chooses which segments are lost.

Owns: the function, which settings a page can have, how large it may be, and how a command line would run the
same. Refuses to know: what stands on a page, and how it is explored (web).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from tcpsim import __version__
from tcpsim.api.result import Result
from tcpsim.api.settings import NAMES, OPTIONS, Named, Settings, chosen, horizon_us, settings, spelled
from tcpsim.app.behaviour import ROLES, find
from tcpsim.catalogue import Scenario, Setting, build, changes, merged
from tcpsim.draw.caption import Caption, caption_of
from tcpsim.draw.time_format import length
from tcpsim.errors import InputError, unknown
from tcpsim.explore.explorable import obstacle
from tcpsim.units import format_duration, parse_probability
from tcpsim.web.data import graph_data
from tcpsim.web.document import Variant, data_text, document
from tcpsim.web.graph import WAYS, Graph, fewer, graph

if TYPE_CHECKING:
    from tcpsim.measure.results import Table

_OPEN = 0.5  # stands for any rate while the path is built
_LOSSES = ("loss_to_client", "loss_to_server")
_MOST = 4  # connections beside each other
_BYTES = 1_850_000  # of all graphs of a page: with style and script it stays below 2 MB
_WAYS = 64_000  # that are explored where a number of losses was asked for
Beside = str | Mapping[str, Any]  # "stack_server=rfc9293", "fix=keepalive=10min", or settings


def page(
    scenario: Named,
    setting: Setting | None = None,
    *,
    losses: int | None = None,
    beside: Beside | Sequence[Beside] = (),
    horizon: str | int | None = None,
    **options: Unpack[Settings],
) -> Page:
    """Explore a connection by fewest losses, for a page on which a reader chooses which segments are lost.

    >>> import tcpsim
    >>> tcpsim.page("closewait-ignored-eof", losses=1)
    <Page closewait-ignored-eof: 39 states, all ways with at most 1 loss>

    Args:
        scenario: a scenario's name, the path of a TOML file, or a `Scenario`.
        setting: changes of the scenario as one value; keywords override it.
        losses: how many lost segments to follow, as far as a page of 2 MB has room (the page says how many it
            follows); as many as some thousand states allow by default.
        beside: the same losses under other settings, each in a column of its own: "stack_server=rfc9293",
            "fix=keepalive=10min", or a mapping of settings.
        horizon: what goes on is followed until then; the scenario has its own.
        **options: any setting (`tcpsim.Setting`); `loss` is where the slider stands first.

    Raises:
        InputError: a name that does not exist, a value out of range, or a scenario that cannot be explored.
    """
    story = chosen(scenario)
    base = settings(options, setting)
    if losses is not None and losses < 0:
        raise InputError("losses", losses, "0 or more")
    others = [beside] if isinstance(beside, str | Mapping) else list(beside)
    if len(others) >= _MOST:
        raise InputError("beside", f"{len(others)} of them", f"at most {_MOST - 1}")
    until_us = horizon_us(story, horizon)
    name = spelled(scenario)
    room = _BYTES // (1 + len(others))
    variants = [_variant(story, name, "as it is", base, losses, until_us, room)]
    for each in others:
        title, changed = _beside(each)
        variants.append(_variant(story, name, title, merged(base, changed), losses, until_us, room))
    loss = story.loss if base.get("loss") is None else parse_probability(base["loss"], "loss")
    return Page(story, base, tuple(variants), loss)


class Page(Result):
    """A page. `save("x.html")` writes it."""

    def __init__(
        self, scenario: Scenario, changed: Mapping[str, Any], variants: tuple[Variant, ...], loss: float
    ) -> None:
        self.scenario = scenario
        self.changed = changed
        self.variants = variants
        self.loss = loss

    def html(self, index: str = "") -> str:
        """The whole page: one file that needs no other."""
        story = self.scenario
        told = story.story + (f"\n\nLook for: {story.watch}." if story.watch else "")
        return document(str(self.caption()), told, self.variants, __version__, self.loss, index)

    def caption(self) -> Caption:
        return caption_of(self.scenario, self.changed)

    def _repr_html_(self) -> str:
        """In a notebook the page itself, in a frame of its own."""
        name = escape(self.scenario.name)
        frame = f'<iframe srcdoc="{escape(self.html())}" width="100%" height="900" title="{name}">'
        return f"<p>{escape(self.headline())}</p>{frame}</iframe>"

    def headline(self) -> str:
        return f"{self.scenario.name}: {_followed(self.variants[0].graph)}"

    def text(self) -> str:
        width = max(len(each.title) for each in self.variants)
        lines = [f"  {each.title:<{width}}  {_followed(each.graph)}" for each in self.variants]
        return "\n".join([str(self.caption()), *lines]) + "\n"

    def to_dict(self) -> dict[str, Any]:
        return self.document() | {
            "scenario": self.scenario.name,
            "variants": [_record(each) for each in self.variants],
        }

    def _table(self) -> Table:
        from tcpsim.measure.results import Table

        return Table.of_rows([_record(each) for each in self.variants])

    def _writers(self) -> dict[str, Any]:
        return {".html": self._save_html, **super()._writers()}

    def _save_html(self, path: Path) -> None:
        self._write(path, self.html())


def _record(each: Variant) -> dict[str, Any]:
    return {
        "title": each.title,
        "command": each.command,
        "losses": each.graph.losses,
        "complete": each.graph.complete,
        "states": len(each.graph.states),
        "horizon_us": each.graph.horizon_us,
    }


def _followed(found: Graph) -> str:
    """How much of a connection a page has."""
    states = f"{len(found.states):,} states"
    if found.complete:
        return f"{states}, every way"
    late = any(state.late for state in found.states)
    ways = f"{states}, all ways with at most {found.losses} {'loss' if found.losses == 1 else 'losses'}"
    return ways + (f", for {length(found.horizon_us)}" if late else "")


def _variant(
    story: Scenario,
    name: str,
    title: str,
    asked: dict[str, Any],
    losses: int | None,
    until_us: int,
    room: int,
) -> Variant:
    """One connection, with as many losses as were asked for and fit."""
    open_ = {**asked, **{way: _OPEN for way in _LOSSES if not _never(asked.get(way))}}
    open_.pop("loss", None)
    pair = build(story, **open_)
    drawn = obstacle(pair)
    if drawn is not None:
        raise InputError("page", drawn, "fixed times: every branch has to be finite")
    stacks = tuple([machine.system.end.stack.name for machine in pair.machines])
    found = graph(pair, until_us, losses, WAYS if losses is None else _WAYS)
    data = graph_data(found)
    while len(data_text(data)) > room and found.losses > 1:
        found = fewer(found, found.losses - 1)
        data = graph_data(found)
    return Variant(title, stacks, _command(story, name, asked), found, data)


def _never(loss: Any) -> bool:
    """Whether that way is set to lose nothing."""
    return loss is not None and parse_probability(loss, "loss") == 0.0


def _beside(given: Beside) -> tuple[str, dict[str, Any]]:
    """What stands beside: how it is called, and what it changes."""
    if isinstance(given, Mapping):
        return ", ".join(f"{name}={value}" for name, value in given.items()), settings(given)
    name, equals, value = given.partition("=")
    field = OPTIONS.get(name.replace("-", "_"), name.replace("-", "_"))
    if not equals or not value:
        raise InputError("beside", repr(given), "SETTING=VALUE such as stack_server=rfc9293, or fix=FIX")
    if field == "fix":
        return given, changes([value], "beside fix")
    if field in ("knobs", "parameters"):
        inner, equals, inner_value = value.partition("=")
        if not equals:
            raise InputError("beside", repr(given), f"{name}=NAME=VALUE")
        return given, {field: {inner: inner_value}}
    if "." in name:
        return given, {"knobs": {name: value}}
    if field not in NAMES:
        raise unknown("beside", name, ["fix", *NAMES, *OPTIONS])
    return given, settings({field: value})


def _command(story: Scenario, name: str, asked: Mapping[str, Any]) -> str:
    """The command line that runs the same without any chance in it."""
    words, times = ["tcpsim", "run", name], _times(story, asked)
    if (story.loss or any(relay.loss for relay in story.relays)) and "loss" not in asked:
        words += ["--loss", "0"]
    for field, value in asked.items():
        if field in ("loss", *_LOSSES, "loss_from", "loss_side"):
            continue
        option = "--" + {inner: outer for outer, inner in OPTIONS.items()}.get(field, field).replace("_", "-")
        if isinstance(value, Mapping):
            for key, one in value.items():
                words += [option, f"{key}={_spelled(key, one, times)}"]
        elif isinstance(value, tuple):
            words += [word for one in value for word in (option, str(one))]
        else:
            words += [option, _spelled(field, value, times)]
    return shlex.join(words)


def _times(story: Scenario, asked: Mapping[str, Any]) -> set[str]:
    """The parameters that are times, of the scenario's programs and of those asked for."""
    known = [each for _, each in story.parameters()]
    for role in ROLES:
        if isinstance(named := asked.get(role), str):
            known += find(role, named).parameters
    return {each.name for each in known if each.kind.unit == "time"}


def _spelled(name: str, value: Any, times: set[str]) -> str:
    """A value as a command line would have it; what has no spelling is named."""
    if isinstance(value, bool):
        return "true" if value else "false"
    last = name.rpartition(".")[2]
    if isinstance(value, int) and (last.endswith("_us") or last in times):
        return format_duration(value)
    return str(getattr(value, "name", value))
