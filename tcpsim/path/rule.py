"""A drop rule as data: which segments it matches, and what happens to them.

Owns: the conditions (the fields of the rules that the traces of a real kernel were made with), their form in
such a trace, and the memory that a list of rules needs: how many segments each rule has matched, and which
connection of a 4-tuple a segment belongs to. Refuses to know: the syntax in which people write rules
(rule_syntax), and random events.

Every rule sees every segment when it is sent, and counts its own matches. A segment that an earlier rule
dropped still counts for a later rule. So "the server's 2nd FIN" means the same in every list.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Literal, NamedTuple

from tcpsim.errors import InputError, checked
from tcpsim.path.chance import Chooser
from tcpsim.path.element import Passage, Side
from tcpsim.tcp.segment import ACK, SYN, Segment, parse_flags

Who = Literal["client", "server", "both"]
Spans = tuple[tuple[int, int], ...]

_SENDERS: dict[str, Who] = {"A>B": "client", "B>A": "server", "*": "both"}
_FIELDS = (
    "name", "dir", "has", "lacks", "min_len", "max_len", "after", "before", "conn", "seq", "nth", "action",
    "delay_ms",
)  # fmt: skip


@checked
class Rule(NamedTuple):
    """Segments that meet every condition are numbered from 1; those in `nth` are dropped or delayed.

    `sender` is who put the segment on the wire; `has` and `lacks` are flag bits that must all be set,
    must all be clear; `after_us` is included, `before_us` is not. `conn` counts the connections of a
    4-tuple from 0; `seq` is relative to the sender's ISN of that connection. `nth` holds inclusive spans
    of match numbers in rising order; () means every match.
    """

    name: str
    sender: Who = "both"
    has: int = 0
    lacks: int = 0
    min_len: int = 0
    max_len: int | None = None
    after_us: int = 0
    before_us: int | None = None
    conn: int | None = None
    seq: int | None = None
    nth: Spans = ()
    action: Literal["drop", "delay"] = "drop"
    delay_us: int = 0

    def check(self) -> None:
        """Raises InputError for what no rule can be."""
        where = f"rule {self.name!r}"
        if self.sender not in ("client", "server", "both"):
            raise InputError(f"{where}.sender", repr(self.sender), "client, server or both")
        if self.action not in ("drop", "delay"):
            raise InputError(f"{where}.action", repr(self.action), "drop or delay")
        for field in ("min_len", "max_len", "after_us", "before_us", "conn", "seq", "delay_us"):
            value = getattr(self, field)
            if value is not None and (not isinstance(value, int) or value < 0):
                raise InputError(f"{where}.{field}", repr(value), "an integer >= 0")
        if any(not 1 <= first <= last for first, last in self.nth):
            raise InputError(f"{where}.nth", self.nth, "spans such as ((1, 1), (3, 5))")

    def matches(self, sender: Side, segment: Segment, now: int, conn: int, seq: int | None) -> bool:
        """Whether a segment meets every condition; `seq` is its relative number, None if unknown."""
        flags = segment.flags
        return (
            (self.sender == sender or self.sender == "both")
            and flags & self.has == self.has
            and not flags & self.lacks
            and self.min_len <= segment.len
            and (self.max_len is None or segment.len <= self.max_len)
            and self.after_us <= now
            and (self.before_us is None or now < self.before_us)
            and (self.conn is None or self.conn == conn)
            and (self.seq is None or self.seq == seq)
        )


def rule_from_trace(fields: Mapping[str, object]) -> Rule:
    """A rule as the traces of a real kernel write it (milliseconds, flag letters, "A>B" = client sends).

    >>> rule_from_trace({"name": "fin", "dir": "B>A", "has": "F", "nth": [1, 2]}).nth
    ((1, 1), (2, 2))
    """
    where = f"rule {fields.get('name', '')!r}"
    for key in fields:
        if key not in _FIELDS:
            raise InputError(f"{where}.{key}", repr(fields[key]), "only the fields " + ", ".join(_FIELDS))
    sender = _SENDERS.get(str(fields.get("dir", "*")))
    if sender is None:
        raise InputError(f"{where}.dir", repr(fields["dir"]), '"A>B", "B>A" or "*"')
    action = fields.get("action", "drop")
    if action not in ("drop", "delay"):
        raise InputError(f"{where}.action", repr(action), '"drop" or "delay"')
    delay_us = _number(fields, "delay_ms", where, 1_000) or 0
    if (action == "delay") != (delay_us > 0):
        found = repr(fields.get("delay_ms"))
        raise InputError(f"{where}.delay_ms", found, 'above 0 with action "delay", else none')
    nth = fields.get("nth", "all")
    numbers = [] if nth == "all" else nth
    if not isinstance(numbers, list) or not all(isinstance(n, int) and n >= 1 for n in numbers) or nth == []:
        raise InputError(f"{where}.nth", repr(nth), 'a list of at least one number from 1, or "all"')
    return Rule(
        name=str(fields.get("name", "")),
        sender=sender,
        has=_flags(fields, "has", where),
        lacks=_flags(fields, "lacks", where),
        min_len=_number(fields, "min_len", where) or 0,
        max_len=_number(fields, "max_len", where),
        after_us=_number(fields, "after", where, 1_000) or 0,
        before_us=_number(fields, "before", where, 1_000),
        conn=_number(fields, "conn", where),
        seq=_number(fields, "seq", where),
        nth=tuple((n, n) for n in sorted(numbers)),
        action=action,
        delay_us=delay_us,
    )


def _flags(fields: Mapping[str, object], key: str, where: str) -> int:
    letters = fields.get(key, "")
    try:
        return parse_flags(letters if isinstance(letters, str) else "?")
    except ValueError:
        raise InputError(f"{where}.{key}", repr(letters), "letters of SFRPAU") from None


def _number(fields: Mapping[str, object], key: str, where: str, scale: int = 1) -> int | None:
    value = fields.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < inf:
        raise InputError(f"{where}.{key}", repr(value), "a number >= 0")
    return round(value * scale)


class Lineage(NamedTuple):
    """The latest connection of one 4-tuple: its index and the ISNs seen, the opener's and the other's."""

    client_port: int
    server_port: int
    conn: int = 0
    client_isn: int | None = None
    server_isn: int | None = None

    def seen(self, sender: Side, segment: Segment) -> Lineage:
        """After a SYN of `sender`: a new connection if it opens one, that is with a new ISN and no ACK."""
        known = self.client_isn if sender == "client" else self.server_isn
        isn = segment.seq
        if known == isn:
            return self
        if known is not None and not segment.flags & ACK:
            fresh = Lineage(self.client_port, self.server_port, self.conn + 1)
            return fresh.seen(sender, segment)
        return self._replace(client_isn=isn) if sender == "client" else self._replace(server_isn=isn)


@dataclass(frozen=True, slots=True)
class Script:
    """Rules, as an element that sees both directions, and what they have to remember.

    The first rule in the list that picks a segment acts on it.
    """

    rules: tuple[Rule, ...]
    counts: tuple[int, ...] = ()
    lineages: tuple[Lineage, ...] = ()

    def __post_init__(self) -> None:
        if not self.counts:
            object.__setattr__(self, "counts", (0,) * len(self.rules))

    @property
    def follows_connections(self) -> bool:
        """Whether a rule asks which connection a segment belongs to."""
        return any(rule.conn is not None or rule.seq is not None for rule in self.rules)

    def carry(self, sender: Side, segment: Segment, at_us: int, chooser: Chooser) -> Passage:
        conn, seq, lineages = 0, None, self.lineages
        if self.follows_connections:
            conn, seq, lineages = self._place(sender, segment)
        counts: list[int] | None = None
        picked: Rule | None = None
        for index, rule in enumerate(self.rules):
            if not rule.matches(sender, segment, at_us, conn, seq):
                continue
            if rule.nth:
                count = self.counts[index]
                if count >= rule.nth[-1][1]:
                    continue  # past the last one it looks for: counting stops, so that states stay few
                counts = counts or list(self.counts)
                counts[index] = count + 1
                if not any(first <= count + 1 <= last for first, last in rule.nth):
                    continue
            picked = picked or rule
        after = self
        if counts is not None or lineages is not self.lineages:
            after = replace(self, counts=tuple(counts) if counts else self.counts, lineages=lineages)
        if picked is None:
            return after, ((at_us, segment),), ""
        if picked.action == "drop":
            return after, (), picked.name
        return after, ((at_us + picked.delay_us, segment),), picked.name

    def key(self, now_us: int) -> Hashable:
        """What has been counted, and the time until each rule begins and ends."""
        times = tuple(
            [
                (max(rule.after_us - now_us, 0), rule.before_us and max(rule.before_us - now_us, 0))
                for rule in self.rules
                if rule.after_us or rule.before_us is not None
            ]
        )
        return self.rules, self.counts, self.lineages, times

    def _place(self, sender: Side, segment: Segment) -> tuple[int, int | None, tuple[Lineage, ...]]:
        """The connection's index, the relative sequence number, and the lineages with this segment seen."""
        ports = (segment.src_port, segment.dst_port)
        if sender == "server":
            ports = (segment.dst_port, segment.src_port)
        lineages = self.lineages
        index = next((index for index, old in enumerate(lineages) if old[:2] == ports), len(lineages))
        if index == len(lineages):
            lineages = (*lineages, Lineage(*ports))
        old = lineages[index]
        line = old.seen(sender, segment) if segment.flags & SYN else old
        if line is not old:
            lineages = (*lineages[:index], line, *lineages[index + 1 :])
        isn = line.client_isn if sender == "client" else line.server_isn
        return line.conn, None if isn is None else (segment.seq - isn) % 2**32, lineages
