"""The caption of a result: the title of its scenario, or the list of its changes.

Owns: the caption of every text, picture, table and JSON document, and the origin that a file contains.
Refuses to know: results. A changed scenario has no title, because "Both sides close" would be wrong for a
client that never closes.

>>> print(Caption("normal-close", "Both sides close"))
normal-close: Both sides close
>>> print(Caption("normal-close", "Both sides close", ("client never-closes", "loss 1 %")))
normal-close, changed: client never-closes, loss 1 %
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any, NamedTuple

from tcpsim.catalogue import Scenario
from tcpsim.units import format_duration, parse_duration, parse_probability

_TIMES = ("delay", "loss_from", "reorder_extra")
_SHARES = ("loss", "loss_to_client", "loss_to_server", "duplicate", "reorder")


class Caption(NamedTuple):
    """The name and the title of a scenario, and its changes as texts."""

    name: str
    title: str
    changed: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.changed:
            return f"{self.name}: {self.title}"
        return f"{self.name}, changed: {', '.join(self.changed)}"

    def lines(self, width: int) -> list[str]:
        """The caption in lines of at most this many characters."""
        return wrap(str(self), width, break_on_hyphens=False)


class Origin(NamedTuple):
    """The origin of a file. `seed` is None if nothing in it is random."""

    caption: str
    seed: int | None
    version: str

    def line(self) -> str:
        """The origin in one line."""
        seed = [] if self.seed is None else [f"seed {self.seed}"]
        return "; ".join([self.caption, *seed, f"tcpsim {self.version}"])


def caption_of(scenario: Scenario, changes: Mapping[str, Any], more: Sequence[str] = ()) -> Caption:
    """The caption of a scenario with some settings and other changes."""
    return Caption(scenario.name, scenario.title, (*_changed(scenario, changes), *more))


def _changed(scenario: Scenario, changes: Mapping[str, Any]) -> Iterator[str]:
    """A phrase for each setting that differs from the scenario."""
    for name, value in changes.items():
        if isinstance(value, Mapping):
            own = {"knobs": scenario.knobs, "parameters": scenario.arguments}.get(name)
            prefix = "" if own is not None else f"{name.replace('_', '-')} "
            for key, each in value.items():
                if own is None or own.get(key) != each:
                    yield f"{prefix}{key}={_word(key, each)}"
        elif name == "drops":
            yield from (f'drop "{getattr(rule, "name", rule)}"' for rule in value)
        elif value is not None and not _the_same(name, value, getattr(scenario, name, None)):
            yield f"{_WORDS.get(name, name.replace('_', ' '))} {_word(name, value)}"


_WORDS = {"stack_client": "client's stack", "stack_server": "server's stack"}


def _the_same(name: str, value: Any, own: Any) -> bool:
    if own is None:
        return name in _SHARES and not parse_probability(value, name)
    if name in _SHARES:
        return parse_probability(value, name) == parse_probability(own, name)
    if name in _TIMES:
        return parse_duration(value, name) == parse_duration(own, name)
    return bool(value == own)


def _word(name: str, value: Any) -> str:
    """A value as a text for people."""
    if name in _SHARES:
        return f"{100 * parse_probability(value, name):.6g} %"
    if isinstance(value, int) and not isinstance(value, bool) and (name in _TIMES or name.endswith("_us")):
        return format_duration(value)
    if isinstance(value, float):
        return f"{value:.12g}"
    return str(getattr(value, "name", value))
