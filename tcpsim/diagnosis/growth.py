"""Two dumps of one host: what grows, how fast, whether it is bounded, and which limit comes first.

Owns: rates and the time to a limit, each with an interval. Refuses to know: what a group of sockets means
(findings).

Sockets are followed by their addresses and ports. New sockets are treated as a Poisson process of unknown
rate. Then the time T until `k` more have come, after `n` came in `t`, is such that T / (T + t) has a
Beta(k, n) distribution; with `n` and `n + 1` for its two ends the interval covers at least as often as it
says (the same argument as Clopper and Pearson's). Where sockets also go, rate and time are from normal
approximations of both counts.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import NamedTuple

from tcpsim.diagnosis.findings import FEW
from tcpsim.diagnosis.host import Host
from tcpsim.dumps import Socket
from tcpsim.measure.interval import beta_quantile
from tcpsim.tcp.state import State

CONFIDENCE = 0.95
_LIMITS = ("nofile", "ports", "orphans", "tw", "conntrack")
_TIMED = (
    State.TIME_WAIT,
    State.FIN_WAIT_1,
    State.LAST_ACK,
    State.CLOSING,
    State.SYN_SENT,
    State.SYN_RECEIVED,
)
_ORPHAN = (State.FIN_WAIT_1, State.LAST_ACK, State.CLOSING)
_STANDARD_FDS = 3
Interval = tuple[float, float]


class Growth(NamedTuple):
    """One group between two dumps. Rates are per second; `plateau` is where it levels off, if it does."""

    state: State
    role: str
    port: int | None
    owner: str | None
    before: int
    now: int
    new: int
    gone: int
    per_s: float
    interval: Interval
    bounded: bool | None  # None: neither can be said
    plateau: float | None

    @property
    def growing(self) -> bool:
        """Growth is certain at the stated confidence."""
        return self.interval[0] > 0


class Reach(NamedTuple):
    """When a limit is met. None: not within reach at the least rate."""

    limit: str
    amount: int
    used: int
    of: str
    earliest_us: int
    expected_us: int
    latest_us: int | None


def grown(before: Host, now: Host, after_us: int) -> list[Growth]:
    """Every group that is in either dump, the fastest growth first."""
    seconds = after_us / 1_000_000
    old, new = _groups(before), _groups(now)
    found = []
    for key in sorted({*old, *new}, key=str):
        state, role, port, owner = key
        was, is_now = old.get(key, set()), new.get(key, set())
        new_ones, gone = _counts(was, is_now)
        rate = _rate(was, is_now, seconds, state)
        found.append(Growth(state, role, port, owner, len(was), len(is_now), new_ones, gone, *rate))
    return sorted(found, key=lambda each: -each.per_s)


def _counts(was: set[object], is_now: set[object]) -> tuple[int, int]:
    return len(is_now - was), len(was - is_now)


def _groups(host: Host) -> dict[tuple[State, str, int | None, str | None], set[object]]:
    found: dict[tuple[State, str, int | None, str | None], set[object]] = defaultdict(set)
    for each in host.dump.sockets:
        if each.state in (State.LISTEN, State.CLOSED):
            continue
        role, _ = host.role(each.local, each.peer)
        port = each.local.port if role == "server" else each.peer.port
        owner = each.owners[0].name if each.owners else None
        found[each.state, role, port, owner].add((each.local, each.peer))
    return found


class _Rate(NamedTuple):
    per_s: float
    interval: Interval
    bounded: bool | None
    plateau: float | None


def _rate(was: set[object], is_now: set[object], seconds: float, state: State) -> _Rate:
    """How fast a group grows, and whether something ends its sockets."""
    new, gone = _counts(was, is_now)
    low, high = (poisson_interval(new)[end] / seconds for end in (0, 1))
    per_s = (new - gone) / seconds
    if gone:
        less, more = (poisson_interval(gone)[end] / seconds for end in (0, 1))
        rate_in, rate_out = new / seconds, gone / seconds
        spread = (
            per_s - math.hypot(rate_in - low, more - rate_out),
            per_s + math.hypot(high - rate_in, rate_out - less),
        )
    else:
        spread = low, high
    if state in _TIMED:
        return _Rate(per_s, spread, True, float(len(is_now)) if not was else None)
    if not gone:
        return _Rate(per_s, spread, False if new >= FEW else None, None)
    stayed = 1 - gone / len(was)
    return _Rate(per_s, spread, True, new / (1 - stayed))


def poisson_interval(count: int, confidence: float = CONFIDENCE) -> Interval:
    """The exact interval of a Poisson mean (Garwood 1936), from the beta distribution's limit.

    >>> [round(end, 3) for end in poisson_interval(10)]
    [4.795, 18.39]
    """
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else _gamma_quantile(tail, count)
    return low, _gamma_quantile(1 - tail, count + 1)


def _gamma_quantile(p: float, shape: int) -> float:
    """By bisection on P(Poisson(x) >= shape) = p."""
    low, high = 0.0, 10.0 + shape + 12 * math.sqrt(shape + 1)
    for _ in range(80):
        middle = (low + high) / 2
        if 1 - _poisson_below(shape, middle) < p:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _poisson_below(count: int, mean: float) -> float:
    """P(N < count); a normal approximation (Wilson and Hilferty) beyond a thousand, where the sum is long."""
    if mean == 0:
        return 1.0
    if count > 1_000:
        cube = (mean / count) ** (1 / 3)
        return 1 - NormalDist().cdf((cube - (1 - 1 / (9 * count))) * 3 * math.sqrt(count))
    term = math.exp(-mean) if mean < 700 else 0.0
    if term == 0.0:
        log_term, total = -mean, 0.0
        for n in range(count):
            total += math.exp(log_term) if log_term > -700 else 0.0
            log_term += math.log(mean) - math.log(n + 1)
        return min(total, 1.0)
    total = 0.0
    for n in range(count):
        total += term
        term *= mean / (n + 1)
    return min(total, 1.0)


def time_to(
    more: int, new: int, gone: int, seconds: float, confidence: float = CONFIDENCE
) -> tuple[float, float, float | None] | None:
    """Seconds until there are `more` sockets: earliest, expected, latest (None: never).

    None if it does not grow.
    """
    if more <= 0:
        return 0.0, 0.0, 0.0
    if new <= gone:
        return None
    expected = more * seconds / (new - gone)
    tail = (1 - confidence) / 2
    if gone == 0:
        low = _odds(beta_quantile(tail, more, new + 1)) * seconds
        return low, expected, _odds(beta_quantile(1 - tail, more, new)) * seconds
    z = NormalDist().inv_cdf(1 - tail)
    rate, noise = (new - gone) / seconds, math.sqrt(new + gone) / seconds
    ahead = math.sqrt((new + gone) / seconds * expected) / max(expected, 1e-9)  # of the rate to come
    spread = z * math.hypot(noise, ahead)
    return more / (rate + spread), expected, more / (rate - spread) if rate > spread else None


def _odds(share: float) -> float:
    return share / (1 - share) if share < 1 else math.inf


def reaches(before: Host, now: Host, after_us: int, limits: Mapping[str, int]) -> list[Reach]:
    """When each limit is met if the growth continues, the first one first."""
    seconds = after_us / 1_000_000
    found = []
    for limit, amount, of, was, is_now in _uses(before, now, limits):
        new, gone = _counts(was, is_now)
        spare = _STANDARD_FDS if limit == "nofile" else 0
        times = time_to(amount - spare - len(is_now), new, gone, seconds)
        if times is None or new < FEW:
            continue
        early, usual, late = (
            None if each is None or math.isinf(each) else round(each * 1_000_000) for each in times
        )
        found.append(Reach(limit, amount, len(is_now) + spare, of, early or 0, usual or 0, late))
    return sorted(found, key=lambda each: each.expected_us)


def _uses(
    before: Host, now: Host, limits: Mapping[str, int]
) -> list[tuple[str, int, str, set[object], set[object]]]:
    """(limit, amount, of whom, what used it then, what uses it now)."""
    stack, found = now.stack, []
    nofile = limits.get("nofile") or _number(now.dump.settings.get("nofile")) or stack.nofile
    for name in sorted({*_owners(now), *_owners(before)}):
        found.append(
            ("nofile", nofile, name, _owners(before).get(name, set()), _owners(now).get(name, set()))
        )
    for service in sorted({*_services(now)}, key=str):
        ports = limits.get("ports") or stack.ephemeral_ports
        found.append(
            (
                "ports",
                ports,
                f"towards port {service[1]} of one host",
                _services(before).get(service, set()),
                _services(now)[service],
            )
        )
    for name, amount, wanted in (
        ("orphans", limits.get("orphans") or stack.max_orphans, _is_orphan),
        ("tw", limits.get("tw") or stack.max_mini, _is_mini),
    ):
        if amount:
            found.append((name, amount, "this kernel", _keys(before, wanted), _keys(now, wanted)))
    conntrack = limits.get("conntrack") or _number(now.dump.settings.get("net.netfilter.nf_conntrack_max"))
    if conntrack and now.dump.flows:
        found.append(("conntrack", conntrack, "the tracker", _flows(before), _flows(now)))
    return found


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _owners(host: Host) -> dict[str, set[object]]:
    """Descriptors by process; a name stands for its process, which may have another pid after a restart."""
    found: dict[str, set[object]] = defaultdict(set)
    for each in host.dump.sockets:
        for owner in each.owners or ():
            found[f"{owner.name} (pid {owner.pid})"].add((each.local, each.peer))
    return found


def _services(host: Host) -> dict[tuple[str, int | None], set[object]]:
    """Local ports by the service that they lead to."""
    found: dict[tuple[str, int | None], set[object]] = defaultdict(set)
    for each in host.dump.sockets:
        if each.state is not State.LISTEN and host.role(each.local, each.peer)[0] == "client":
            found[each.peer].add((each.local, each.peer))
    return found


def _is_orphan(each: Socket) -> bool:
    return each.state in _ORPHAN and not each.owners


def _is_mini(each: Socket) -> bool:
    return each.state is State.TIME_WAIT or (each.timer is not None and each.timer.kind == "timewait")


def _keys(host: Host, wanted: object) -> set[object]:
    return {(each.local, each.peer) for each in host.dump.sockets if callable(wanted) and wanted(each)}


def _flows(host: Host) -> set[object]:
    return {(each.source, each.target) for each in host.dump.flows}


def check_limits(limits: Mapping[str, int]) -> Sequence[str]:
    """The names that there are not."""
    return [name for name in limits if name not in _LIMITS]
