"""The text of a plan.

Owns: layout and wording. Refuses to know: how a number is computed (planning).
"""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import Any

from tcpsim.draw.text_columns import columns
from tcpsim.draw.time_format import length
from tcpsim.planning.alerts import Alert
from tcpsim.planning.limits import SYMPTOMS, Met
from tcpsim.planning.remedies import in_bytes, rough_us

# What `tcpsim.api.plan` hands over: its result, and a row of it. It imports this module, not the reverse.
Planned = Any
Row = Any

WIDTH = 100
_DAY_S = 86_400


def page(planned: Planned) -> str:
    """The whole page."""
    blocks = [
        planned.caption().lines(WIDTH),
        list(_summary(planned)),
        _states(planned),
        _limits(planned.limits),
        _remedies(planned),
        ["Alerts (--prometheus writes them as rules):", *map(_alert, planned.alerts)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _summary(planned: Planned) -> Iterator[str]:
    first = planned.first
    if first is None:
        yield f"No limit is met in {length(planned.load.until_us)}."
    else:
        early, usual, late = first.times_us
        band = f"{_time(early)} to {_time(late)} at 95 %"
        yield f"First limit: {first.name}={first.amount:,} is met after {_time(usual)} ({band})."
        yield f"Then: {SYMPTOMS[first.name]}."
    grows = "Bounded: nothing grows in the end." if planned.bounded else "Growing: some sockets never end."
    yield f"{grows} Kernel memory of sockets at the end: {in_bytes(planned.memory)}."
    used, ports = planned.ports
    yield f"One host that made all these connections would use {used:,.0f} of its {ports:,} ports."
    if first is not None:
        yield "Statements about later times assume that no limit is met."


def _states(planned: Planned) -> list[str]:
    """The table by state and holder."""
    end = length(planned.load.until_us)
    rows: list[tuple[str, ...]] = [("the server holds", "by", f"after {end}", "95 % band", "growth per day")]
    rows += [_row(each, planned.grows(each)) for each in planned.rows]
    return columns(rows, len(rows[0]))


def _row(each: Row, growing: bool) -> tuple[str, ...]:
    grows = f"{each.growth * _DAY_S:,.0f}" if growing else "none"
    return each.state, each.holder, _number(each.mean), f"{each.low:,} to {each.high:,}", grows


def _limits(found: tuple[Met, ...]) -> list[str]:
    rows: list[tuple[str, ...]] = [("limit", "there are", "used at the end", "met after", "95 % band")]
    for each in found:
        early, usual, late = each.times_us
        band = f"{_time(early)} to {_time(late)}" if early is not None else "never"
        amount = f"{each.amount:,}" + ("" if each.given else " (profile)")
        rows.append((each.name, amount, _number(each.mean), _time(usual), band))
    return columns(rows, len(rows[0]))


def _remedies(planned: Planned) -> list[str]:
    """What avoids the first limit, and what does not."""
    if planned.first is None:
        return []
    lines = [f"Each of these alone avoids that {planned.first.name}={planned.first.amount:,} is met:"]
    for each in sorted(planned.remedies, key=lambda each: not each.keeps):
        mark = "yes" if each.keeps else "no "
        text = f"{mark} {each.who}: {each.what} (cost: {each.cost})"
        lines += wrap(text, WIDTH, initial_indent="  ", subsequent_indent="      ", break_on_hyphens=False)
    return lines


def _alert(each: Alert) -> str:
    after = f"; here after {_time(each.after_us)}" if each.after_us is not None else ""
    return f"  {each.says()}{after}"


def _time(t_us: int | None) -> str:
    return "never" if t_us is None else length(rough_us(t_us))


def _number(mean: float) -> str:
    return f"{mean:,.0f}" if mean >= 10 else f"{mean:.2g}"
