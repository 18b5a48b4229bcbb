"""The trial of a fix: a run shows whether it helps, makes things worse, or does not apply.

Owns: the judgement on a fix, with its reasons, and what a fix takes in words (keepalive: 30 s + 9 x 75 s).
Refuses to know: which fixes there are (fixes), and how two fixes are shown beside each other (api).

A fix makes things worse if a host has more sockets at the end, a descriptor stays, a request gets no
response, or the same end comes later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from tcpsim.catalogue.fixes import changes, fix
from tcpsim.catalogue.relay import means
from tcpsim.catalogue.run import Verdict
from tcpsim.catalogue.scenario import Scenario, merged
from tcpsim.catalogue.simulate import Played, concerned, cured, cured_us, play
from tcpsim.errors import InputError
from tcpsim.pair import Side, StateChanged, sockets_in_words
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import State
from tcpsim.units import format_duration

TOGETHER: Final = "all of them"


class Tried(NamedTuple):
    """A run with a fix. `helps`: the host concerned is rid of its connections, and was not before.

    `sooner`: it was before, and now is earlier. `worse` are reasons. `why_not` says why the fix does not
    apply, "" if it does; without `played` it cannot even be tried.
    """

    words: str
    played: Played | None
    helps: bool = False
    sooner: bool = False
    worse: tuple[str, ...] = ()
    why_not: str = ""

    @property
    def effect(self) -> str:
        """One of "helps", "mixed", "worse", "sooner", "none" and "does not apply"."""
        if self.worse:
            return "mixed" if self.helps else "worse"
        if self.why_not and not self.helps:
            return "does not apply"
        return "helps" if self.helps else "sooner" if self.sooner else "none"

    @property
    def why(self) -> tuple[str, ...]:
        """The reasons, that for which it does not apply first."""
        idle = self.why_not and not self.helps
        return ((f"does not apply: {self.why_not}",) if idle else ()) + self.worse

    def in_words(self) -> str:
        """The effect and its reasons."""
        effect, reasons = self.effect, "; ".join(self.why)
        if effect == "does not apply":
            return reasons
        if effect == "worse" and self.why_not:
            return f"does not apply ({self.why_not}), and makes it worse: {'; '.join(self.worse)}"
        word = {"mixed": "helps, but worse", "none": "no difference at the end"}.get(effect, effect)
        return f"{word}: {reasons}" if reasons else word


def try_fix(
    scenario: Scenario, words: str, before: Played, seed: int = 1, base: Mapping[str, Any] | None = None
) -> Tried:
    """What the fix makes of the scenario, set as in `base`; `before` is the same run without it.

    Raises:
        InputError: there is no such fix, or it does not take that value.
    """
    changed = merged(base or {}, changes([words]))
    try:
        after = play(scenario, seed, **changed)
    except InputError as error:
        return Tried(words, None, why_not=str(error))
    return judge(scenario, words, before, after)


def judge(scenario: Scenario, words: str, before: Played, after: Played) -> Tried:
    """What a fix made of a run, given the run after it."""
    absent = "" if words == TOGETHER else _never_there(words, before)
    if after.events == before.events:
        return Tried(words, after, why_not=absent or "the run without it has the same events")
    was_us, is_us = cured_us(scenario, before), cured_us(scenario, after)
    return Tried(
        words,
        after,
        helps=cured(scenario, after) and not cured(scenario, before),
        sooner=was_us is not None and is_us is not None and is_us < was_us,
        worse=(*_kept(before, after), *_unserved(before, after), *_later(scenario, was_us, is_us)),
        why_not=absent,
    )


def _never_there(words: str, before: Played) -> str:
    """Which states the run without the fix never came to, if the fix acts in none other; else ""."""
    found = fix(words)
    named = words.partition(".")[0]
    every = before.ended.sides
    sides = [each for each in every if means(found.side, each) or means(named, each)]
    if found.side in ("either", "both") and not sides:
        sides = list(every)
    had = {e.new for e in before.events if isinstance(e, StateChanged) and e.side in sides}
    if not sides or not found.states or had.intersection(found.states):
        return ""
    who = f"the {sides[0]}" if len(sides) == 1 else "neither side"
    never = "was never" if len(sides) == 1 else "was ever"
    return f"{who} {never} in {' or '.join(map(str, found.states))}"


def _kept(before: Played, after: Played) -> list[str]:
    """The sockets that hosts hold at the end and did not hold without the fix."""
    found = []
    for side in after.ended.sides:
        alive = _counts(after, side)[0] - _counts(before, side)[0]
        dead = _counts(after, side)[1] - _counts(before, side)[1]
        held = after.ended.of(side)
        if alive > 0:
            until = " for ever" if after.ended.verdict is Verdict.PERMANENT else " at the horizon"
            found.append(f"the {side} keeps {sockets_in_words(held)}{until}")
        elif alive == 0 and dead > 0:
            found.append(f"the {side} keeps a descriptor of a dead socket")
    return found


def _counts(played: Played, side: Side) -> tuple[int, int]:
    """Connections that a host holds at the end, and dead sockets with a descriptor."""
    held = played.ended.of(side)
    alive = sum(each.state is not State.CLOSED for each in held)
    return alive, len(held) - alive


def _unserved(before: Played, after: Played) -> list[str]:
    """Requests that got a response, or a whole one, only without the fix."""
    found = []
    for what, words in (("lost", "requests lost"), ("cut_short", "responses cut short")):
        was, now = (sum(getattr(each, what) for each in played.requests) for played in (before, after))
        if now > was:
            found.append(f"{now} of {len(after.requests)} {words}")
    return found


def _later(scenario: Scenario, was_us: int | None, is_us: int | None) -> list[str]:
    if was_us is None or is_us is None or is_us <= was_us:
        return []
    who = " and ".join(concerned(scenario))
    verb = "are" if len(concerned(scenario)) > 1 else "is"
    times = f"after {format_duration(is_us)}, not {format_duration(was_us)}"
    return [f"the {who} {verb} free later: {times}"]


def takes(words: str, stack: Stack) -> str:
    """How long a fix takes where that is more than the one time it names; "" for others.

    >>> from tcpsim.tcp.stack import stack
    >>> takes("keepalive=30s", stack("linux"))
    'a peer that does not answer is given up after 30 s + 9 x 75 s = 705 s'
    """
    knobs = changes([words]).get("knobs", {})
    idle_us = next((value for name, value in knobs.items() if name.endswith("keep_idle_us")), None)
    if idle_us is None:
        return ""
    idle, interval = (_seconds(us) for us in (idle_us, stack.keep_intvl_us))
    total = _seconds(idle_us + stack.keep_cnt * stack.keep_intvl_us)
    return f"a peer that does not answer is given up after {idle} + {stack.keep_cnt} x {interval} = {total}"


def _seconds(us: int) -> str:
    return f"{us / 1_000_000:.12g} s"
