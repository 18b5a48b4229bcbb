"""The function `explain`: it returns the story of a scenario, its ladder, its claims and its fixes.

Owns: the function, and its result as text and as JSON. Refuses to know: the stories (catalogue).
"""

from __future__ import annotations

from functools import cached_property
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from tcpsim.api.lists import scenario_record
from tcpsim.api.result import Pictured
from tcpsim.api.run import run
from tcpsim.api.settings import Named, chosen, spelled
from tcpsim.catalogue import (
    Contrast,
    Played,
    Scenario,
    Symptom,
    Tried,
    Verdict,
    descriptors,
    fix,
    play,
    symptoms,
    takes,
    try_fix,
)
from tcpsim.catalogue.claims import Claim, claims_of
from tcpsim.draw.caption import Caption, caption_of
from tcpsim.draw.event_text import tell, titles
from tcpsim.draw.ladder import WIDTH, ladder
from tcpsim.draw.segment_text import reads_in_words
from tcpsim.draw.time_format import clock
from tcpsim.draw.verdict import verdict_text
from tcpsim.pair import Called, Event, Returned
from tcpsim.sockets import Bind, Listen, SetSockOpt, Socket

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tcpsim.measure.results import Table

_PREPARING = (Socket, Bind, Listen, SetSockOpt)  # calls that are no part of the story
_FIRST, _LAST = 36, 16  # lines of a long ladder that are shown


def explain(scenario: Named) -> Explanation:
    """Return the story of a scenario. Its run has seed 1.

    >>> import tcpsim
    >>> tcpsim.explain("closewait-ignored-eof")
    <Explanation closewait-ignored-eof: A client ignores end-of-file>

    Raises:
        InputError: there is no such scenario.
    """
    story = chosen(scenario)
    return Explanation(story, spelled(scenario), play(story))


class Explanation(Pictured):
    """The story of one scenario. `print()` shows it."""

    def __init__(self, scenario: Scenario, called: str, played: Played) -> None:
        self.scenario = scenario
        self.called = called  # how the command line names it
        self.played = played

    def caption(self) -> Caption:
        return caption_of(self.scenario, {})

    def headline(self) -> str:
        return f"{self.scenario.name}: {self.scenario.title}"

    def text(self) -> str:
        story = self.scenario
        parts = [
            self.headline(),
            *_story(story),
            *_listed("What you see", [_seen_lines(each) for each in symptoms(story)]),
            "\n".join(self._short_ladder()),
            verdict_text(self.played).rstrip(),
            *_listed("Claims that it shows", [_claim_lines(claim) for claim in claims_of(story.name)]),
            *_listed("With one change", [_contrast_lines(story, each) for each in story.contrasts]),
            *self._tried_lines(),
            self._invitation(),
        ]
        return "\n\n".join(parts) + "\n"

    def figure(self) -> Figure:
        return run(self.scenario).figure()

    def _table(self) -> Table:
        return run(self.scenario)._table()

    def to_dict(self) -> dict[str, Any]:
        claims = [
            {
                "number": claim.number,
                "document": claim.document,
                "quote": claim.quote,
                "verdict": claim.verdict,
                "stacks": list(claim.stacks),
                "note": claim.note,
            }
            for claim in claims_of(self.scenario.name)
        ]
        contrasts = [
            {
                "title": each.title,
                "verdict": str(each.expect.verdict),
                "client": each.expect.client,
                "server": each.expect.server,
                **({} if each.expect.relays is None else {"relays": each.expect.relays}),
            }
            for each in self.scenario.contrasts
        ]
        tried = [
            {"fix": each.words, "helps": each.helps, "effect": each.effect, "why": list(each.why)}
            for each in self.tried
        ]
        return {**scenario_record(self.scenario), "claims": claims, "contrasts": contrasts, "tried": tried}

    @cached_property
    def tried(self) -> tuple[Tried, ...]:
        """The result of each fix that the scenario names. Those that should help come first."""
        named = (*self.scenario.cures, *self.scenario.in_vain)
        return tuple(try_fix(self.scenario, words, self.played) for words in named)

    def _tried_lines(self) -> list[str]:
        """Which fixes help and which do not, as the runs show, even if the scenario says otherwise."""
        cures = len(self.scenario.cures)
        named, vain = self.tried[:cures], self.tried[cures:]
        groups = (
            (_helps(self.scenario), [each for each in named if each.helps], False),
            ("Named as help, but no help in this run", [each for each in named if not each.helps], True),
            ("Named as no help, but a help in this run", [each for each in vain if each.helps], True),
            ("What does not help", [each for each in vain if not each.helps], False),
        )
        return [
            line
            for title, tried, surprising in groups
            for line in _listed(title, [self._fix_lines(each, surprising) for each in tried])
        ]

    def _fix_lines(self, each: Tried, surprising: bool) -> list[str]:
        """A fix, who makes it, its settings, and its result if that is a surprise or worse."""
        found = fix(each.words)
        side = self.scenario.concerns or "server"
        stack = (each.played or self.played).begun.machine(side).system.end.stack
        told = [f"{found.who} {found.does} [{found.applies_to}]", takes(each.words, stack)]
        left = 0 if each.played is None else descriptors(self.scenario, each.played)
        told += ["the connection ends, but a dead socket keeps its descriptor"] if each.helps and left else []
        told += [each.in_words()] if surprising or each.worse or each.played is None else []
        return [f"  {each.words}", *(line for words in told if words for line in _under(words))]

    def _short_ladder(self) -> list[str]:
        """The ladder without the calls that prepare sockets. A long one is shown without its middle."""
        events = [event for event in self.played.events if not _prepares(event)]
        running = self.played.ended.verdict is Verdict.RUNNING
        end_us, begun = self.scenario.horizon_us if running else None, self.played.begun
        told = tell(events, titles(begun), end_us, begun.names)
        lines = ladder(told).rstrip("\n").splitlines()
        left_out = len(lines) - _FIRST - _LAST
        if left_out <= 1:
            return lines
        gap = f"... {left_out} more lines: tcpsim run {self.called} ..."
        return [*lines[:_FIRST], gap.center(WIDTH).rstrip(), *lines[-_LAST:]]

    def _invitation(self) -> str:
        if self.scenario.cures or self.scenario.in_vain:
            return f"Try: tcpsim compare {self.called}"
        return f"Try: tcpsim compare {self.called} --fix FIX (tcpsim compare --help)"


def _story(story: Scenario) -> list[str]:
    look_for = f"Look for: {story.watch}." if story.watch else ""
    source = f"Source: {story.source}." if story.source else ""
    parts = (story.question, story.story, look_for, source)
    return ["\n".join(wrap(text, WIDTH)) for text in parts if text]


def _prepares(event: Event) -> bool:
    return isinstance(event, Called | Returned) and isinstance(event.call, _PREPARING)


def _listed(title: str, items: list[list[str]]) -> list[str]:
    """A heading and its items; nothing if there are no items."""
    return ["\n".join([title, *(line for item in items for line in item)])] if items else []


def _claim_lines(claim: Claim) -> list[str]:
    lines = wrap(f'{claim.number} "{claim.quote}"', WIDTH - 4)
    return [f"  {line}" for line in lines] + _under(claim.judgement())


def _contrast_lines(story: Scenario, contrast: Contrast) -> list[str]:
    played = play(story, **contrast.overrides)
    last = f"; the last change of a state after {clock(played.settled_us)}"
    reads = "" if contrast.expect.reads is None else f"; the client reads {reads_in_words(played.reads)}"
    return [f"  {contrast.title}", *_under(played.ended.describe() + last + reads)]


def _seen_lines(symptom: Symptom) -> list[str]:
    return wrap(symptom.describe(), WIDTH, initial_indent="  ", subsequent_indent="      ")


def _under(text: str) -> list[str]:
    return [f"      {line}" for line in wrap(text, WIDTH - 6)]


def _helps(story: Scenario) -> str:
    in_time = f" within {story.within}" if story.within else ""
    return "What helps" + (f" (the {story.concerns} is free{in_time})" if story.concerns else "")
