"""The text about a connection tracker.

Owns: its sentences. Refuses to know: how the table was read (conntrack).
"""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from tcpsim.diagnosis.conntrack import COMPARE, Table, Tracked
from tcpsim.tcp.stack import stack

_WIDTH = 100
_SHORTER_S = (60, 120)


def headline(table: Table) -> str:
    """One line about the table."""
    room = f" of {table.limit:,}" if table.limit else ""
    state = "full: new connections are dropped" if table.bad else "not full"
    return f"connection tracker: {table.entries:,}{room} entries, {state}"


def lines(table: Table) -> list[str]:
    """The paragraph."""
    mark = "LIMIT" if table.bad else "no leak"
    found = wrap(f"{headline(table)} [{mark}]", _WIDTH, subsequent_indent="   ")
    for text in _sentences(table):
        found += wrap(text, _WIDTH, initial_indent="   ", subsequent_indent="   ", break_on_hyphens=False)
    found.append(f"   shown by: {COMPARE}")
    found.append(
        "   next:     sysctl net.netfilter | grep -e max -e timeout; cat"
        " /proc/sys/net/netfilter/nf_conntrack_count"
    )
    return found


def _sentences(table: Table) -> Iterator[str]:
    yield (
        "These are the tracker's own states: what it has seen pass. No socket of this host has to be in"
        " them, and no"
        " program owes a close() because of them; `ss` and netstat of this host do not have to show any."
    )
    read = sum(each.number for each in table.states)
    if table.states and read < table.entries:
        shares = ", ".join(f"{each.number} {each.state}" for each in table.states[:4])
        yield f"{read:,} entries were read ({shares}), of {table.entries:,} in the table."
    close_wait = next((each for each in table.states if each.state == "CLOSE_WAIT"), None)
    if close_wait is not None:
        yield from _close_wait(close_wait, table)
    for each in table.states:
        if each.state == "ESTABLISHED":
            yield f"An ESTABLISHED entry without traffic stays for {_seconds(each)}{_source(each)}."
    if table.bad:
        yield (
            "A SYN that finds the table full is dropped without an answer: clients see timeouts, not"
            " refusals."
        )
        yield (
            "A larger nf_conntrack_max only delays this. tcp_fin_timeout and keepalive of the programs"
            " change no entry."
        )


def _close_wait(found: Tracked, table: Table) -> Iterator[str]:
    seconds = found.timeout_us / 1_000_000
    default_s = 60
    yield (
        "CLOSE_WAIT: one FIN was seen and acknowledged, and not the other: it came later, went another way,"
        " or never came (a RST"
        f" that did not count, an end that half-closed). Such an entry stays for"
        f" {_seconds(found)}{_source(found)};"
        f" the kernel's default is {default_s} s."
    )
    room = table.limit or table.entries
    if room:
        yield (
            f"{room / seconds:,.0f} such flows a second fill {room:,} entries: number = rate x"
            f" {seconds:,.0f} s."
        )
    if seconds > max(_SHORTER_S):
        share = table.entries and found.number / max(sum(each.number for each in table.states), 1)
        now = table.entries * share
        less = " to ".join(f"{now * shorter / seconds:,.0f}" for shorter in _SHORTER_S)
        fin_s = (stack("linux").fin_wait_2_us or 0) // 1_000_000
        yield (
            f"nf_conntrack_tcp_timeout_close_wait at {_SHORTER_S[0]} to {_SHORTER_S[1]} s leaves {less} of"
            f" these at the present rate."
            f" The price: an end that takes longer to close loses its FIN, and the other end stays in"
            f" FIN-WAIT-2 ({fin_s} s for an orphan,"
            " for ever where a program holds it)."
        )


def _seconds(found: Tracked) -> str:
    return f"{found.timeout_us // 1_000_000:,} s"


def _source(found: Tracked) -> str:
    return f" ({found.source})"
