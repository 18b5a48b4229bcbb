"""When the connections of a real population began.

Owns: the number of arrivals in each window of time, from the file or from what was counted. Refuses to know:
what becomes of a connection (replay, sampled_replay).

The recorder made the arrivals, and a chance excess of them stays visible in TIME-WAIT for a minute. So they
are an input of the model, as the lateness of a relay is. A file of the lab tells them. Else they follow from
the number of sockets on the server: one appears there with its SYN, and how long it stays is averaged over
simulated connections.
"""

from __future__ import annotations

from math import ceil, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tcpsim.conformance.populations.schema import Run
from tcpsim.conformance.populations.setup import KINDS, WHEEL_US, Kind, connection
from tcpsim.pair import advance, census
from tcpsim.path import Seeded

Array = NDArray[np.float64]

WINDOW_S: Final = 4  # of 2 to 10, nearest to the arrivals that the lab told (docs/conformance.md)
_SECOND_US: Final = 1_000_000
_PILOTS: Final = 200  # simulated connections of each kind
_DEVIATIONS: Final = 4.5  # of the time that n arrivals take
_SALT: Final = b"arrivals"


def window_s(run: Run) -> int:
    """The length of a window: no shorter than the time between two counts, which show no arrival alone."""
    widest_us = max(np.diff(np.array(run.times_us)), default=0)
    return max(WINDOW_S, ceil(widest_us / _SECOND_US - 0.5))


def begins_s(run: Run, windows: Array, luck: Seeded) -> list[float]:
    """When each connection begins: as the file tells, or one in each of n equal strata of the windows."""
    if run.arrivals_ms is not None:
        return [each / 1_000 for each in sorted(run.arrivals_ms)]
    total = np.concatenate([[0.0], windows.cumsum()])
    at = [place + luck.uniform() for place in range(run.config.n)]
    edges_s = np.arange(len(total)) * window_s(run)
    found: list[float] = np.interp(np.array(at) * total[-1] / run.config.n, total, edges_s).tolist()
    return found


def arrivals(run: Run, seed: int) -> Array:
    """How many connections began in each window; nothing if the file tells when each did."""
    if run.arrivals_ms is not None:
        return np.zeros(0)
    seconds, window = _longest_s(run), window_s(run)
    servers = _servers(run)
    until = min(seconds + 3 * window, len(servers) - 1)
    if run.config.vanish is not None:
        until = min(until, int(run.config.vanish))
    stays = _stays(run, seed, until)
    age_s = np.arange(1, until + 1)[:, None] - np.arange(until)
    held = np.where(age_s > 0, stays[np.maximum(age_s, 0)], 0.0)  # by time, and by second of the arrival
    last = min(ceil(seconds / window), until // window)
    begun = held[:, : last * window].reshape(until, last, window).mean(axis=2)
    found, *_ = np.linalg.lstsq(_smooth(begun), _smooth(servers[1 : until + 1]), rcond=None)
    counted = np.maximum(found, 0.0)
    return np.asarray(counted * run.config.n / counted.sum())


def _smooth(by_second: Array) -> Array:
    """Without the jumps of two seconds with which TIME-WAIT ends, and whose phase nobody knows."""
    return np.asarray((by_second[:-2] + 2 * by_second[1:-1] + by_second[2:]) / 4)


def _longest_s(run: Run) -> int:
    """No arrival comes later: the end that was set, or what n arrivals take when they are slow."""
    config = run.config
    if config.arr_end is not None:
        return ceil(config.arr_end)
    return ceil((config.n + _DEVIATIONS * sqrt(config.n)) / config.rate)


def _servers(run: Run) -> Array:
    """How many sockets the server held at each full second, whatever their state."""
    total = np.sum([np.array(counts) for counts in run.counts("B").values()], axis=0)
    times_us = np.array(run.times_us)
    seconds = np.arange(int(times_us[-1] // _SECOND_US) + 1)
    return np.asarray(np.interp(seconds * _SECOND_US, times_us, total), dtype=float)


def _stays(run: Run, seed: int, until: int) -> Array:
    """The probability that the server holds a socket at each full second after the one of the arrival."""
    held = np.zeros(until + 2)
    numbers = {"never-closer": run.config.n_never_closers}
    numbers["closer"] = run.config.n - numbers["never-closer"]
    for kind in KINDS:
        share = numbers[kind] / run.config.n / _PILOTS
        for number in range(_PILOTS):
            held += share * _held(run, kind, Seeded(seed, number, _SALT), until)
    return held


def _held(run: Run, kind: Kind, luck: Seeded, until: int) -> Array:
    """Whether the server of one simulated connection holds a socket at each full second."""
    config = run.config
    begin_us = round(luck.uniform() * _SECOND_US)
    wheel_us = round(luck.uniform() * WHEEL_US / _SECOND_US) * _SECOND_US
    thinks = round(luck.uniform() * config.cthink * 1_000), round(luck.uniform() * config.sthink * 1_000)
    pair = connection(run, kind, wheel_us + begin_us, thinks, alone=True)
    found = np.zeros(until + 2)
    end_us = wheel_us + (until + 1) * _SECOND_US
    since_us: int | None = None
    while pair.next_us is not None and pair.next_us <= end_us:
        pair = advance(pair, luck)
        holds = bool(census(pair, "server"))
        if holds and since_us is None:
            since_us = pair.now_us
        elif not holds and since_us is not None:
            _mark(found, since_us - wheel_us, pair.now_us - wheel_us)
            since_us = None
    if since_us is not None:
        _mark(found, since_us - wheel_us, end_us - wheel_us + 1)
    return found


def _mark(found: Array, since_us: int, until_us: int) -> None:
    """From one time to another there is a socket."""
    found[ceil(since_us / _SECOND_US) : ceil(until_us / _SECOND_US)] = 1.0
