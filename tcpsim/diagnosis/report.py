"""The text of a diagnosis: three lines at the top, then a paragraph for each finding, the worst first.

Owns: the layout, and the words around the texts of a finding. Refuses to know: how a finding is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from tcpsim.diagnosis import conntrack_page
from tcpsim.diagnosis.diagnose import Judged
from tcpsim.diagnosis.expiry import Ends
from tcpsim.diagnosis.findings import Finding, badness
from tcpsim.diagnosis.host import Host
from tcpsim.diagnosis.kinds import NOBODY
from tcpsim.diagnosis.rough_time import about
from tcpsim.diagnosis.two_dumps import Together
from tcpsim.dumps import Dump
from tcpsim.dumps.dump import CONTINUED, COUNTER, FLOW, OTHER, SETTING, SOCKET, UNREAD

WIDTH = 100
_ALSO = 8  # groups that have one line
PARAGRAPHS = 4  # findings that are told at length; the others have a line


def counted(dump: Dump) -> str:
    """What was read of a text, and what not: the numbers add up to its lines."""
    told = {
        SOCKET: "sockets", CONTINUED: "continued lines", FLOW: "tracked flows", COUNTER: "counters",
        SETTING: "settings",
        OTHER: "of other protocols", UNREAD: "not understood",
    }  # fmt: skip
    parts = [f"{dump.lines[kind]:,} {words}" for kind, words in told.items() if dump.lines[kind]]
    rest = dump.total - sum(dump.lines[kind] for kind in told)
    if rest:
        parts.append(f"{rest:,} other lines (headers, remarks, blank)")
    formats = ", ".join(dump.formats) or "no sockets"
    return f"{dump.name}: {dump.total:,} lines ({formats}): {', '.join(parts) or 'empty'}"


def unread(dump: Dump) -> list[str]:
    """The first lines that nobody understood."""
    if not dump.unread:
        return []
    number, text = dump.unread[0]
    more = f", and {dump.lines[UNREAD] - 1:,} more" if dump.lines[UNREAD] > 1 else ""
    return [f"not understood: line {number}: {text[:60]!r}{more}"]


def when(found: Ends) -> str:
    """When a group goes away by itself."""
    if found.never:
        return "never by itself" + (f" (but: {found.by})" if found.by else "")
    first, last = about(found.earliest_us), found.latest_us
    if last is None:
        return f"some by themselves, after {first} or later, and others never: {found.by}"
    expected = f", about {about(found.expected_us)} expected" if found.expected_us is not None else ""
    return f"by itself, {first} to {about(last)} from now{expected} ({found.by})"


def head(finding: Finding, addresses: bool = False) -> str:
    """One line: how many, of what, where, whose."""
    where = f"port {finding.port}" if finding.port is not None else "an unknown port"
    side = f"server of {where}" if finding.role == "server" else f"client of {where}"
    hosts = len(finding.hosts)
    peers = f", {hosts:,} peer host{'s' if hosts != 1 else ''}" if hosts else ""
    if addresses and hosts:
        peers = f", peers {', '.join(finding.hosts[:3])}{' ...' if hosts > 3 else ''}"
    owner = f", {finding.owner}" if finding.owner else ""
    likely = "" if finding.role_known else " (by its ports)"
    return f"{finding.number:,} {'/'.join(finding.states)}, {side}{likely}{owner}{peers}: {finding.title}"


def paragraph(number: int, finding: Finding, addresses: bool = False) -> list[str]:
    """A finding at length."""
    mark = "LEAK" if finding.leak else "LIMIT" if finding.limit else "no leak"
    lines = wrap(f"{number}. {head(finding, addresses)} [{mark}]", WIDTH, subsequent_indent="   ")
    rows = [("", finding.happened)]
    if finding.limit:
        rows.append(("limit", finding.limit))
    who = finding.move
    rows.append(("move", f"{who}: {finding.owes}" if who != NOBODY else finding.owes))
    rows.append((finding.certainty, finding.why))
    rows.append(("ends", when(finding.ends)))
    if finding.knobs.own:
        rows.append(("set by", "; ".join(finding.knobs.own)))
    if finding.knobs.helps:
        rows.append(("helps", "; ".join(finding.knobs.helps)))
    if finding.knobs.in_vain:
        rows.append(("no help", "; ".join(finding.knobs.in_vain)))
    rows += [("note", each) for each in finding.notes]
    rows += [("shown by", finding.knobs.compare), ("next", finding.look)]
    for label, text in rows:
        lines += _row(label, text)
    return lines


def _row(label: str, text: str) -> list[str]:
    indent = f"{'':13}"
    first = f"   {label + ':':<10}" if label else "   "
    if label in ("shown by", "next"):
        return [first + text]  # to be copied: never wrapped
    if not text.endswith((".", ")")):
        text += "."
    later = indent if label else "   "
    return wrap(text, WIDTH, initial_indent=first, subsequent_indent=later, break_on_hyphens=False)


def summary(
    answers: Sequence[Judged], found: Sequence[Finding], related: Together | None = None
) -> list[str]:
    """Three lines: what was read, what leaks, what to do first."""
    lines = [counted(each.host.dump) for each in answers]
    bad = [each for each in found if each.bad]
    trackers = [each.tracker for each in answers if each.tracker is not None]
    if bad:
        worst = bad[0]
        word = "leak" if worst.leak else "are at a limit"
        lines.append(f"{sum(each.number for each in bad):,} sockets {word}: {head(worst)}")
        who = "" if worst.move == NOBODY else f"{worst.move}: "
        lines.append(f"next move: {who}{worst.owes.partition(';')[0]}; ends: {when(worst.ends)}")
    elif related is not None and related.pairing is not None and related.pairing.half_open:
        lines.append(
            f"{related.pairing.half_open:,} connections are half-open: one end has a socket, the other has"
            f" none"
        )
    elif trackers:
        lines.append(conntrack_page.headline(trackers[0]))
        lines.append("no socket leaks, as far as this dump shows")
    elif found:
        lines.append("nothing leaks, as far as this dump shows")
        lines.append(f"most: {head(max(found, key=lambda each: each.number))}")
    else:
        counters = any(each.host.dump.counters for each in answers)
        lines.append("no sockets are listed, only counters" if counters else "no connection is listed")
    return [
        part for line in lines for part in wrap(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    ]


def notes_of(host: Host) -> list[str]:
    """What to know of the dump itself."""
    dump, told = host.dump, []
    told += unread(dump)
    if dump.sockets and not host.lists_listeners:
        told.append("no LISTEN line is shown (ss without -a?): the ports decide which end is the server")
    if dump.sockets and not host.shows_owners:
        told.append("owners are not shown: run ss as root with -p to see whose sockets these are")
    elif dump.partly:
        told.append("owners of other users' sockets are hidden: run it as root")
    if host.assumed and dump.sockets:
        told.append("the format does not show the system: Linux is assumed (--stack)")
    if host.changed:
        told.append(
            "settings of the host: "
            + ", ".join(f"{name}={value}" for name, value in sorted(host.changed.items()))
        )
    return [part for line in told for part in wrap(line, WIDTH, subsequent_indent="  ")]


def page(
    answers: Sequence[Judged],
    related: Together | None = None,
    everything: bool = False,
    addresses: bool = False,
) -> str:
    """The answer as text."""
    told = (
        answers[-1:] if related is not None and related.pairing is None else answers
    )  # the newer one, if two of a host
    found = sorted((each for answer in told for each in answer.findings), key=badness)
    blocks = [summary(answers, found, related)]
    blocks += [related.lines()] if related is not None else []
    blocks += [lines for answer in answers if (lines := notes_of(answer.host))]
    blocks += [conntrack_page.lines(answer.tracker) for answer in told if answer.tracker is not None]
    worth = [each for each in found if each.kind != "established" or everything]
    long = worth if everything else [each for each in worth if each.bad][:PARAGRAPHS] or worth[:2]
    blocks += [paragraph(number, each, addresses) for number, each in enumerate(long, 1)]
    for answer in told:
        blocks.append(
            [
                part
                for text, _ in answer.counters
                for part in wrap(f"counters: {text}", WIDTH, subsequent_indent="  ")
            ]
        )
    rest = [each for each in found if each not in long]
    if rest:
        others = [line for each in rest[:_ALSO] for line in _also(each, addresses)]
        more = [f"  and {len(rest) - _ALSO} more groups (--all)"] if len(rest) > _ALSO else []
        blocks.append(["also:", *others, *more])
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _also(finding: Finding, addresses: bool) -> list[str]:
    ends = "" if finding.kind == "established" else f"; {when(finding.ends)}"
    text = head(finding, addresses) + ends
    return wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
