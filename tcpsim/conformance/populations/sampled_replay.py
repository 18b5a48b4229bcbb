"""Simulated populations: each connection is simulated once, beside all the others.

Owns: the random numbers (arrivals, think times, losses), the clock that all connections share, what one
connection leaves to the next (Linux's cached round-trip time), and the distribution of each count. Refuses to
know: what the kernel counted (verdict). If connections depend on each other, there is no chain of one
connection, but a sample is cheap.

Every replicate is a population like the real one, and begins as it did (arrivals). So after `k` of the
connections in the replicates were counted, a count of the real one has a beta-binomial distribution. The
unknown probability is averaged (Jeffreys' prior), so a small sample gives wide intervals, but no wrong ones.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcpsim.conformance.populations import KINDS, Kind, Run, connection
from tcpsim.conformance.populations.arrivals import Array, arrivals, begins_s
from tcpsim.conformance.populations.beta_binomial import beta_binomial, mixed, total
from tcpsim.conformance.populations.replay import Look, Story, follow, look_of
from tcpsim.conformance.populations.setup import WHEEL_US, stack_of
from tcpsim.explore.chain import no_collection
from tcpsim.explore.count_distribution import Law
from tcpsim.pair import Event, Machine, Pair, advance, census
from tcpsim.path import Chooser, Seeded
from tcpsim.sockets.processes import with_end
from tcpsim.tcp.endpoint import Endpoint

REPLICATES: Final = 2
_SECOND_US: Final = 1_000_000
_PHASES: Final = 8
_PHASE_US: Final = WHEEL_US // _PHASES
_SALT: Final = b"population"
Chosen = Callable[[Look], bool]
Counts = NDArray[np.int64]
Change = tuple[int, Look | None, Look]  # when, from what, to what


class Sampled(NamedTuple):
    """Replicates of a population: `counted[kind][look]` has their counts together, around each time.

    A kernel's timers fire when its wheel turns, many at once, and nobody knows where it stood when a real run
    began. A replicate a little later is one whose wheel stood elsewhere: what a count there differs by from
    its average over a turn is what the phase does. The law of a count is a mixture over the phases.
    """

    run: Run
    counted: dict[Kind, dict[Look, Counts]]
    replicates: int

    cut_short: float = 0.0  # every connection is followed to the end

    @property
    def numbers(self) -> dict[Kind, int]:
        """How many connections there are of each kind."""
        never = self.run.config.n_never_closers
        return {"closer": self.run.config.n - never, "never-closer": never}

    def looks(self) -> set[tuple[Kind, Look]]:
        """Every look that a connection had."""
        return {(kind, look) for kind, looks in self.counted.items() for look in looks}

    def laws(self, chosen: Mapping[Kind, Chosen], times_us: Sequence[int]) -> list[Law]:
        """For each time the law of the count of connections that look as chosen."""
        columns = [self.run.times_us.index(each) for each in times_us]
        hits = []
        for kind, wanted in chosen.items():
            total = np.zeros((len(columns), 2 * _PHASES), dtype=np.int64)
            for look, counts in self.counted[kind].items():
                if wanted(look):
                    total += counts[columns]
            most = self.replicates * self.numbers[kind]
            hits.append(np.clip(_by_phase(total), 0, most))
        each = np.array(hits).transpose(1, 2, 0).tolist()  # by time, phase and kind
        known: dict[tuple[int, ...], Law] = {}
        sizes = [self.numbers[kind] for kind in chosen]
        return [mixed([self._law(sizes, tuple(phase), known) for phase in phases]) for phases in each]

    def _law(self, sizes: Sequence[int], hits: tuple[int, ...], known: dict[tuple[int, ...], Law]) -> Law:
        """Of so many of each kind, after so many were counted in the replicates."""
        if hits not in known:
            known[hits] = total(
                [
                    beta_binomial(size, own, self.replicates * size - own)
                    for size, own in zip(sizes, hits, strict=True)
                ]
            )
        return known[hits]


def _by_phase(counts: Counts) -> Counts:
    """From counts around a time: the average over a turn, and with it what each phase differs by."""
    half = _PHASES // 2
    turns = np.stack([counts[:, k : k + _PHASES].mean(axis=1) for k in range(_PHASES + 1)], axis=1)
    differs = counts[:, half : half + _PHASES] - turns[:, :_PHASES]
    found: Counts = np.rint(turns[:, half : half + 1] + differs).astype(np.int64)
    return found


def sampled(
    run: Run, replicates: int = REPLICATES, seed: int = 1, executor: Executor | None = None
) -> Sampled:
    """So many populations like `run`; `executor` shares them out. The seed fixes the result.

    Raises:
        InputError: what was set is not modelled.
    """
    windows = arrivals(run, seed)
    work = [(run, seed, number, windows) for number in range(replicates)]
    found = list(map(replicate, work) if executor is None else executor.map(replicate, work))
    counted: dict[Kind, dict[Look, Counts]] = {kind: {} for kind in KINDS}
    for one in found:
        for (kind, look), counts in one.items():
            before = counted[kind].get(look)
            counted[kind][look] = counts if before is None else before + counts
    return Sampled(run, counted, replicates)


def replicate(work: tuple[Run, int, int, Array]) -> dict[tuple[Kind, Look], Counts]:
    """One population, connection by connection: how many look how at each time."""
    with no_collection():
        return _replicate(*work)


def _replicate(run: Run, seed: int, number: int, windows: Array) -> dict[tuple[Kind, Look], Counts]:
    changes: dict[tuple[Kind, Look], list[tuple[int, int]]] = {}
    for kind, lived in _lived(run, seed, number, windows):
        for at_us, old, new in lived:
            for look, by in ((old, -1), (new, 1)):
                if look is not None:
                    changes.setdefault((kind, look), []).append((at_us, by))
    around_us = (np.arange(2 * _PHASES) - _PHASES) * _PHASE_US
    times_us = np.array(run.times_us, dtype=np.int64)[:, None] + around_us
    return {key: _counts(np.array(sorted(each), dtype=np.int64), times_us) for key, each in changes.items()}


def _counts(changes: Counts, times_us: Counts) -> Counts:
    """How many there are at each time, of rows (when, by how many)."""
    total = np.concatenate([[0], changes[:, 1].cumsum()])
    found: Counts = total[np.searchsorted(changes[:, 0], times_us, side="right")]
    return found


class _Alive:
    """A connection on the common clock: its pair, its luck, and its story so far."""

    __slots__ = ("changes", "chooser", "held", "kind", "look", "pair", "story")

    def __init__(self, kind: Kind, pair: Pair, chooser: Chooser) -> None:
        self.kind: Kind = kind
        self.pair = pair
        self.held = census(pair, "client"), census(pair, "server")
        self.chooser = chooser
        self.story = Story()
        self.look: Look | None = None
        self.changes: list[Change] = []

    def step(self) -> None:
        """The next instant, and what is seen of it."""
        events: list[Event] = []
        before, self.pair = self.pair, advance(self.pair, self.chooser, events.append)
        client, server = self.held
        if self.pair.client is not before.client:
            client = census(self.pair, "client")
        if self.pair.server is not before.server:
            server = census(self.pair, "server")
        self.held = client, server
        self.story = follow(self.story, events, client, server)
        look = look_of((client, server), self.story)
        if look != self.look:
            self.changes.append((self.pair.now_us, self.look, look))
            self.look = look


def _lived(run: Run, seed: int, number: int, windows: Array) -> Iterator[tuple[Kind, list[Change]]]:
    """Every connection with its changes, once it has ended or the run has."""
    luck = Seeded(seed, number, _SALT)
    config = run.config
    end_us = run.times_us[-1] + _PHASES * _PHASE_US
    waiting = _arrivals(run, windows, luck)
    remembers = stack_of(run).caches_metrics
    remembered = [0, 0]  # the round-trip time that each host has of the other
    alive: list[tuple[int, int, _Alive]] = []
    base = number * config.n
    place = 0
    while alive or place < len(waiting):
        if place < len(waiting) and (not alive or waiting[place][0] <= alive[0][0]):
            at_us, kind = waiting[place]
            think_us = (
                round(luck.uniform() * config.cthink * 1_000),
                round(luck.uniform() * config.sthink * 1_000),
            )
            vanish_us = None if config.vanish is None else round(config.vanish * _SECOND_US)
            pair = connection(run, kind, at_us, think_us, vanish_us)
            one = _Alive(kind, pair, Seeded(seed, base + place, _SALT))
            place += 1
            heapq.heappush(alive, (at_us, place, one))
            continue
        _, order, one = heapq.heappop(alive)
        if remembers:
            one.pair = _knowing(one.pair, remembered)
        one.step()
        if remembers:
            remembered = [cached for end in _ends(one.pair) if isinstance(cached := end.cached_rtt8, int)]
        next_us = one.pair.next_us
        if next_us is None or next_us > end_us:
            yield one.kind, one.changes
        else:
            heapq.heappush(alive, (next_us, order, one))


def _arrivals(run: Run, windows: Array, luck: Seeded) -> list[tuple[int, Kind]]:
    """When each connection begins, and which of them never close: one in each of equal strata."""
    config = run.config
    share = config.n / max(config.n_never_closers, 1)
    never = {int((number + luck.uniform()) * share) for number in range(config.n_never_closers)}
    return [
        (round(begin_s * _SECOND_US), "never-closer" if place in never else "closer")
        for place, begin_s in enumerate(begins_s(run, windows, luck))
    ]


def _ends(pair: Pair) -> tuple[Endpoint, Endpoint]:
    return pair.client.system.end, pair.server.system.end


def _knowing(pair: Pair, remembered: Sequence[int]) -> Pair:
    """The pair, its hosts knowing what they know."""
    client, server = (
        _machine_knowing(machine, cached)
        for machine, cached in zip((pair.client, pair.server), remembered, strict=True)
    )
    return pair._replace(client=client, server=server)


def _machine_knowing(machine: Machine, cached_rtt8: int) -> Machine:
    end = machine.system.end
    if end.cached_rtt8 == cached_rtt8:
        return machine
    return machine._replace(system=with_end(machine.system, end.replaced(cached_rtt8=cached_rtt8)))
