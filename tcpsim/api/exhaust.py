"""The function `exhaust`: it simulates a host until a limit is met, and says what would help.

Owns: the function, and its result as text, rows and JSON. Refuses to know: which workloads there are
(catalogue), and how a run is judged (measure.exhaustion).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from tcpsim.api.compare import with_fix
from tcpsim.api.result import Result
from tcpsim.api.setups import NamedWorkload, chosen_workload
from tcpsim.catalogue import changes
from tcpsim.catalogue.claims import claims_of
from tcpsim.catalogue.workload import CLUSTER_BYTES, KNOBS, SYMPTOMS, Limit, Workload
from tcpsim.draw.caption import Caption
from tcpsim.draw.ladder import WIDTH
from tcpsim.draw.time_format import length
from tcpsim.errors import InputError
from tcpsim.host.census import Census
from tcpsim.host.limits import Restart
from tcpsim.measure.census_table import first_met
from tcpsim.measure.exhaustion import Ran, run_out
from tcpsim.units import format_duration, parse_duration, parse_rate

if TYPE_CHECKING:
    from tcpsim.measure.results import Table

# What became of a socket whose program was killed
_FATES = {
    "FIN": "close with a FIN",
    "RST": "with a RST (unread data, or not accepted yet)",
    "silent": "without a segment (the FIN was sent before)",
    "descriptor": "were dead sockets with a descriptor",
}
_NAMES = {"bytes": "mbufs", "pages": "pages (tcp_mem)", "descriptors": "descriptors (of one process)"}
_TOLD = 3  # restarts, one by one
_MOST_RESTARTS = 10_000
_POOLS = (256, 512, 1024, 4096)  # NMBCLUSTERS that are told beside the one that was asked for


def exhaust(
    workload: NamedWorkload,
    *,
    rate: str | float | None = None,
    for_: str | int | None = None,
    limit: int | None = None,
    restart_at: str | int | None = None,
    restart_every: str | int | None = None,
    fix: str | Sequence[str] = (),
    seed: int = 1,
) -> Exhausted:
    """Simulate a workload until a limit of its host is met, and say whether a larger limit would help.

    >>> import tcpsim
    >>> found = tcpsim.exhaust("mbufs-without-a-timer", for_="20min")
    >>> found.met_us // 1_000_000
    947

    Args:
        workload: its name (`tcpsim exhaust` lists them), the path of a TOML file, or a `Workload`.
        rate: the rate at which connections arrive, such as "50/s".
        for_: how long connections arrive; the option is --for.
        limit: the limit that the workload is about; for mbufs, NMBCLUSTERS.
        restart_at: the time at which the program that holds the sockets is killed and started again.
        restart_every: the interval at which this program is killed and started again.
        fix: fixes (see `tcpsim compare --help`).
        seed: the seed of all random events.

    Raises:
        InputError: a name that does not exist, or a value out of range.
    """
    story = chosen_workload(workload)
    limited = story.limit
    lasts_us = None if for_ is None else parse_duration(for_, "for")
    if lasts_us == 0:
        raise InputError("for", "0s", "a time above zero")
    per_second = None if rate is None else parse_rate(rate, "rate")
    wanted = (fix,) if isinstance(fix, str) else tuple(fix)
    fixed = changes(wanted, "fix")
    if limit is not None:
        story = story.with_limit(limit * (CLUSTER_BYTES if limited.resource == "bytes" else 1))
    at_us = None if restart_at is None else parse_duration(restart_at, "restart_at")
    every_us = None if restart_every is None else parse_duration(restart_every, "restart_every")
    restarts = _restarts(story, at_us, every_us, lasts_us or story.for_us)
    for words in wanted:
        with_fix(words, partial(story.plan, changes([words], "fix")))
    ran = run_out(story, fixed, per_second, lasts_us, seed, restarts)
    asked = [("rate", rate), ("for", for_), ("limit", limit)]
    asked += [("restart at", restart_at), ("restart every", restart_every)]
    times = {"for", "restart at", "restart every"}
    changed = tuple(f"{name} {_asked(value, name in times)}" for name, value in asked if value is not None)
    return Exhausted(story, ran, wanted, (*changed, *(f"fix {words}" for words in wanted)))


def _asked(value: str | float, is_time: bool) -> str:
    """A value as the user gave it; a time that is a number counts in microseconds."""
    if is_time and isinstance(value, int):
        return length(value)
    return value if isinstance(value, str) else f"{value:g}"


def _restarts(story: Workload, at_us: int | None, every_us: int | None, lasts_us: int) -> tuple[Restart, ...]:
    least_us = -(-lasts_us // _MOST_RESTARTS)
    for option, t_us, from_us in (("restart_at", at_us, 1), ("restart_every", every_us, least_us)):
        if t_us is not None and not from_us <= t_us <= lasts_us:
            allowed = f"a time from {format_duration(from_us)} to the end of the run, {length(lasts_us)}"
            raise InputError(option, format_duration(t_us), allowed)
    side = story.limit.side
    if side == "middlebox":
        if at_us is not None or every_us is not None:
            raise InputError("restart", "a middlebox", "a population whose sockets a program holds")
        return ()
    once = () if at_us is None else (Restart(side, at_us),)
    return once if every_us is None else (*once, Restart(side, every_us, every_us))


class Exhausted(Result):
    """The limit that was met, and when. `print()` shows the text."""

    def __init__(
        self, workload: Workload, ran: Ran, fixes: tuple[str, ...], changed: tuple[str, ...] = ()
    ) -> None:
        self.workload = workload
        self.ran = ran
        self.fixes = fixes
        self.changed = changed  # in words
        self.seed = ran.plan.seed

    def caption(self) -> Caption:
        return Caption(self.workload.name, self.workload.title, self.changed)

    @property
    def met_us(self) -> int | None:
        """The time in microseconds at which the limit was met; None if it was not."""
        return self.ran.found.met_us

    @property
    def bounded(self) -> bool:
        """True if no connection keeps the resource for ever and the second half of the run needed no more."""
        return not (self.ran.found.leaking or self.ran.found.growing)

    @property
    def surprises(self) -> tuple[str, ...] | None:
        """In what the host did not run out as the workload says; None if it says nothing, or was changed."""
        after, met_us = self.workload.after, self.met_us
        if after is None or self.changed:
            return None
        found = "never" if met_us is None else f"after {length(met_us)}"
        if isinstance(after, str):
            return () if met_us is None else (f"runs out {found}, not never",)
        earliest_us, latest_us = map(parse_duration, after)
        if met_us is not None and earliest_us <= met_us <= latest_us:
            return ()
        return (f"runs out {found}, not after {length(earliest_us)} to {length(latest_us)}",)

    def headline(self) -> str:
        what = _NAMES.get(self.workload.limit.resource, self.workload.limit.resource)
        when = "never runs out" if self.met_us is None else f"runs out after {length(self.met_us)}"
        return f"{self.workload.name}: of {what} the {self.workload.limit.side} {when}"

    def text(self) -> str:
        return _page(self.workload, self.ran, self.fixes, self.caption())

    def _table(self) -> Table:
        from tcpsim.measure.results import Table

        return Table.of_rows([each._asdict() for each in self.ran.found.limits])

    def to_dict(self) -> dict[str, Any]:
        return self.document() | _record(self.workload, self.ran)


def _page(chosen: Workload, ran: Ran, wanted: tuple[str, ...], caption: Caption) -> str:
    claims = [f'{claim.number} "{claim.quote}": {claim.judgement()}' for claim in claims_of(chosen.name)]
    blocks = [
        caption.lines(WIDTH),
        wrap(chosen.story, WIDTH),
        wrap(f"Look for: {chosen.watch}.", WIDTH) if chosen.watch else [],
        [_run_words(chosen, ran), *(f"  {line}" for line in _judgement(chosen.limit, ran))],
        _restart_words(ran.census),
        _limits(chosen.limit.side, ran),
        _pools(chosen, ran.plenty),
        [] if wanted else _advice(chosen),
        [line for claim in claims for line in wrap(claim, WIDTH, subsequent_indent="    ")],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _run_words(chosen: Workload, ran: Ran) -> str:
    arrivals = ran.plan.arrivals
    rate = f"{arrivals.per_second:g} per second for {length(arrivals.for_us or 0)}"
    return f"{rate}, {ran.census.connections:,} connections; the {chosen.limit.side} has {_has(chosen.limit)}"


def _has(limit: Limit) -> str:
    if limit.resource == "bytes":
        clusters = limit.amount // CLUSTER_BYTES
        return f"{_amount(limit.resource, limit.amount)} of mbufs (NMBCLUSTERS {clusters:,})"
    return f"{limit.amount:,} {limit.resource}"


def _amount(resource: str, used: int) -> str:
    return f"{used / 1024:,.0f} KiB" if resource == "bytes" else f"{used:,}"


def _judgement(limit: Limit, ran: Ran) -> list[str]:
    """Whether and when the limit was met, which connections failed, and what a larger limit would do."""
    found = ran.found
    just = found.met_us is not None and found.needs == limit.amount and not found.refused
    if found.met_us is None:
        lines = [f"never met: at most {_amount(limit.resource, found.peak)} in use"]
    elif just:
        lines = [f"after {length(found.met_us)}: all in use, but no connection needs more"]
    else:
        lines = [f"after {length(found.met_us)}: {_symptom(limit, ran.census)}", *_paid(limit, ran)]
    needs = _amount(limit.resource, found.needs)
    if found.leaking:
        lines.append("unbounded: some connections keep theirs for ever; a larger limit only delays this")
    elif (found.met_us is None or just) and found.growing:
        lines.append("no connection keeps it for ever, but the use was still growing: watch longer (--for)")
    elif found.met_us is None:
        lines.append("bounded: no connection keeps it for ever, and rate x time is below the limit")
    elif just:
        lines.append("bounded: no connection keeps it for ever, and rate x time equals the limit")
    elif found.growing:
        lines.append(
            f"no connection keeps it for ever, but {needs} were not enough yet: watch longer (--for)"
        )
    elif limit.resource == "bytes":
        lines.append(
            f"bounded: no connection keeps it for ever, but rate x timeout exceeds the pool; {needs}"
            f" would suffice"
        )
    else:
        lines.append(
            f"bounded: no connection keeps it for ever, but rate x time exceeds the limit; {needs} would"
            f" suffice"
        )
    return lines


def _symptom(limit: Limit, census: Census) -> str:
    return "out of mbufs: the kernel crashes" if census.crashed else SYMPTOMS[limit.resource]


def _paid(limit: Limit, ran: Ran) -> list[str]:
    crash, refused = ran.census.crashed, ran.census.refused[f"{limit.side} {limit.resource}"]
    if crash is not None:
        gone = f"{crash.connections:,} connections end with it, and their clients are not informed"
        return [f"{gone};", f"{refused:,} later connections get no answer"]
    if refused:
        return [f"{refused:,} connections fail because of it"]
    return [f"up to {ran.found.waiting:,} connections wait at one time"] if ran.found.waiting else []


def _restart_words(census: Census) -> list[str]:
    lines = []
    for each in census.restarts[:_TOLD]:
        told = ", ".join(f"{count:,} {_FATES[fate]}" for fate, count in each.fates.items() if count)
        words = f"killed after {length(each.t_us)}: {told or 'it held no socket'}"
        lines += wrap(words, WIDTH, subsequent_indent="    ")
    if len(census.restarts) > _TOLD:
        lines.append(f"and so on, {len(census.restarts):,} times")
    return lines


def _limits(side: str, ran: Ran) -> list[str]:
    """All limits of the host. The first one to be met is on top."""
    rows = [(f"what the {side} has", "there are", "needed", "first met after")]
    for name, amount, wanted, met_us in ran.found.limits:
        when = "never" if met_us is None else length(met_us)
        rows.append((_NAMES.get(name, name), _amount(name, amount), _amount(name, wanted), when))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        f"{name:<{widths[0]}}  {amount:>{widths[1]}}  {wanted:>{widths[2]}}  {when}"
        for name, amount, wanted, when in rows
    ]


def _advice(chosen: Workload) -> list[str]:
    """The setting behind the limit, and which fixes help."""
    told = [f"The setting is {KNOBS[chosen.limit.resource]}."]
    if chosen.cures:
        told.append(f"These fixes help: {', '.join(chosen.cures)}.")
    if chosen.in_vain:
        told.append(f"These do not help: {', '.join(chosen.in_vain)}.")
    return wrap(" ".join(told), WIDTH, break_on_hyphens=False)


def _pools(chosen: Workload, census: Census) -> list[str]:
    """When pools of other sizes would have been used up. `census` is from a host without the limit."""
    limit = chosen.limit
    if limit.resource != "bytes" or census.crashed is not None:
        return []
    if first_met(census, limit.side, limit.resource, min(_POOLS) * CLUSTER_BYTES) is None:
        return []
    lines = ["NMBCLUSTERS  crash after"]
    for clusters in sorted({*_POOLS, limit.amount // CLUSTER_BYTES}):
        met_us = first_met(census, limit.side, limit.resource, clusters * CLUSTER_BYTES)
        lines.append(f"{clusters:>11,}  {'not in this run' if met_us is None else length(met_us)}")
    return lines


def _record(chosen: Workload, ran: Ran) -> dict[str, Any]:
    """The document that docs/json.md describes."""
    limit, plan, census, found = chosen.limit, ran.plan, ran.census, ran.found
    return {
        "name": chosen.name,
        "scenario": chosen.base.name,
        "seed": plan.seed,
        "rate_per_s": plan.arrivals.per_second,
        "for_us": plan.arrivals.for_us,
        "connections": census.connections,
        "side": limit.side,
        "resource": limit.resource,
        "limit": limit.amount,
        "met_us": found.met_us,
        "peak": found.peak,
        "needs": found.needs,
        "leaking": found.leaking,
        "refused": found.refused,
        "waiting": found.waiting,
        "crashed": census.crashed is not None,
        "restarts": [{"t_us": each.t_us, "fates": dict(+each.fates)} for each in census.restarts],
        "limits": [each._asdict() for each in found.limits],
    }
