"""The syntax of drop rules: "server FIN 2" drops the second segment with a FIN that the server sends.

Owns: the language and its errors. Refuses to know: what a rule does once it is compiled (rule).

    [every] WHO WHAT [NUMBERS] [after TIME] [before TIME]      every, or the NUMBERed, such segment of WHO
    [every] WHO #NUMBERS       [after TIME] [before TIME]      WHO's n-th segment of any kind
    WHO after TIME [before TIME]                               WHO's line is dead from then on
    delay RULE by TIME                                         late by TIME instead of dropped

    WHO      client, server, or both (counted together)
    WHAT     SYN (no ACK), SYN-ACK, ACK (a pure one: nothing else, no payload), DATA (with payload), FIN, RST,
             ANY; FIN and RST may carry anything else besides
    NUMBERS  from 1, such as 2 or 2,3 or 1-4 or 1,3-5; counted among the segments that the rest describes
    TIME     with a unit, on the clock of the connection: 5s, 300ms

"client after 5s" is a host that loses power or a line that is cut: whatever is put on the wire from then
on is dropped in *both* directions, what the client sends and what is sent to it (what is already under
way still arrives). On a path with two ends "server after 5s" and "both after 5s" say the same. One direction
only: "client ANY after 5s".

In front of a rule "leg 2: " says which path of a line of machines is meant; without it, the client's. On
every path the client is the end that connects.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tcpsim.errors import InputError
from tcpsim.path.rule import Rule, Script, Spans, Who
from tcpsim.tcp.segment import ACK, FIN, RST, SYN
from tcpsim.units import parse_duration

ALLOWED = (
    '"[every] WHO WHAT [NUMBERS] [after TIME] [before TIME]" or "WHO after TIME" with WHO client, server or'
    " both, WHAT SYN, SYN-ACK, ACK, DATA, FIN, RST, ANY or #NUMBERS, NUMBERS such as 2 or 1-3,5"
)

# WHAT -> (flags that must be set, flags that must be clear, least and most payload bytes)
_KINDS: dict[str, tuple[int, int, int, int | None]] = {
    "SYN": (SYN, ACK, 0, None),
    "SYN-ACK": (SYN | ACK, 0, 0, None),
    "ACK": (ACK, SYN | FIN | RST, 0, 0),
    "DATA": (0, 0, 1, None),
    "FIN": (FIN, 0, 0, None),
    "RST": (RST, 0, 0, None),
    "ANY": (0, 0, 0, None),
}
_WHO: dict[str, Who] = {"client": "client", "server": "server", "both": "both"}
_VOCABULARY = ("every", "after", "before", "delay", "by", *_WHO, *_KINDS)
_LEG = re.compile(r"\s*leg ([1-9][0-9]?):\s*", re.IGNORECASE)
_SPAN = re.compile(r"([1-9][0-9]*)(?:-([1-9][0-9]*))?", re.ASCII)


def parse_rule(text: str, where: str = "drop") -> Rule:
    """One rule; `where` names the option or field it came from. Raises InputError in one line.

    >>> rule = parse_rule("server FIN 2")
    >>> rule.sender, rule.has == FIN, rule.nth
    ('server', True, ((2, 2),))
    >>> parse_rule("client after 5s").sender
    'both'
    >>> late = parse_rule("delay client DATA 2 by 300ms")
    >>> late.action, late.delay_us, late.nth
    ('delay', 300000, ((2, 2),))
    """
    words = text.split()
    if words and words[0].lower() == "delay":
        return _delayed(words, text, where)
    every = bool(words) and words[0].lower() == "every"
    rest = words[1:] if every else words
    after_us, before_us, rest = _times(rest, text, where)
    who = _WHO.get(rest[0].lower()) if rest else None
    if who is None or len(rest) > 3:
        raise _error(where, text)
    if len(rest) == 1:
        if every or after_us is None:
            raise _error(where, text)
        return Rule(text, "both", after_us=after_us, before_us=before_us)
    what, numbers = rest[1].upper(), rest[2:]
    if what.startswith("#") and not numbers:
        what, numbers = "ANY", [what[1:]]
    if what not in _KINDS or (every and numbers):
        raise _error(where, text)
    has, lacks, min_len, max_len = _KINDS[what]
    nth = _spans(numbers[0], text, where) if numbers else ()
    return Rule(text, who, has, lacks, min_len, max_len, after_us or 0, before_us, nth=nth)


def leg_of(text: str | Rule) -> tuple[int, str | Rule]:
    """Which path a rule is for, from 0, and the rule.

    >>> leg_of("leg 2: server FIN 1"), leg_of("client #3")
    ((1, 'server FIN 1'), (0, 'client #3'))
    """
    found = _LEG.match(text) if isinstance(text, str) else None
    return (
        (0, text) if found is None or not isinstance(text, str) else (int(found[1]) - 1, text[found.end() :])
    )


def _delayed(words: list[str], text: str, where: str) -> Rule:
    """delay RULE by TIME: a later segment overtakes it, if the time is long enough."""
    if len(words) < 4 or words[-2].lower() != "by":
        raise InputError(where, repr(text), "delay RULE by TIME, such as 'delay client DATA 2 by 300ms'")
    delay_us = parse_duration(words[-1], f"{where} {text!r}")
    if not delay_us:
        raise InputError(where, repr(text), "a time above zero")
    rule = parse_rule(" ".join(words[1:-2]), where)
    return rule._replace(name=text, action="delay", delay_us=delay_us)


def script(drops: Iterable[str | Rule], where: str = "drop") -> Script:
    """The element that carries out a list of rules, in words or as data."""
    return Script(tuple(parse_rule(drop, where) if isinstance(drop, str) else drop for drop in drops))


def _error(where: str, text: str) -> InputError:
    meant = _meant(text)
    if meant is None:
        return InputError(where, repr(text), ALLOWED)
    return InputError(where, f"{text!r} (did you mean {meant!r}?)", "WHO, WHAT and NUMBERS as in docs/cli.md")


def _meant(text: str) -> str | None:
    """The rule with each misspelt word as it may have been meant, if that is one."""
    from difflib import get_close_matches  # only mistakes need it

    words = []
    for word in text.split():
        known = [each if word.islower() is each.islower() else each.swapcase() for each in _VOCABULARY]
        near = get_close_matches(word, known, n=1) if word[:1].isalpha() and word not in known else []
        words.append(near[0] if near else word)
    meant = " ".join(words)
    if meant == " ".join(text.split()):
        return None
    try:
        parse_rule(meant)
    except InputError:
        return None
    return meant


def _times(words: list[str], text: str, where: str) -> tuple[int | None, int | None, list[str]]:
    """`after` and `before` from the end of a rule, and the words that are left."""
    found: dict[str, int] = {}
    while len(words) >= 2 and words[-2].lower() in ("after", "before") and words[-2].lower() not in found:
        *words, key, time = words
        found[key.lower()] = parse_duration(time, f"{where} {text!r}")
    after_us, before_us = found.get("after"), found.get("before")
    if before_us is not None and before_us <= (after_us or 0):
        raise InputError(where, repr(text), "a time before that is later than the time after")
    return after_us, before_us, words


def _spans(numbers: str, text: str, where: str) -> Spans:
    spans = []
    for part in numbers.split(","):
        found = _SPAN.fullmatch(part)
        if found is None or (found[2] and int(found[2]) < int(found[1])):
            raise _error(where, text)
        spans.append((int(found[1]), int(found[2] or found[1])))
    # The last span must reach furthest: counting stops behind it.
    return tuple(sorted(spans, key=lambda span: (span[1], span[0])))
