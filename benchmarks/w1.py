"""Workload W1, a tenth of whose clients never close, timed beside a bare heapq loop of as many events.

N connections arrive as a Poisson process of 50 per second on a path of 10 ms each way that loses every
packet with probability p. Request 100 B, response 1000 B, the server closes first, one client in ten
never closes, TIME-WAIT lasts 60 s; the run ends 120 s after the last arrival, and every socket is
counted by state over time. Each row is a fresh process, so that its peak memory is its own; times are
those of the CPU, so that other programs on the machine do not count.

    python -m benchmarks.w1 --n 10000 --loss 0 0.01 0.1
    python -m benchmarks.w1 --n 10000 --loss 0.01 --no-tree
"""

from __future__ import annotations

import argparse
import heapq
import multiprocessing
import resource
from concurrent.futures import ProcessPoolExecutor
from time import process_time
from typing import NamedTuple

from tcpsim.app import behaviour
from tcpsim.host.population import Arrivals, Plan, simulate
from tcpsim.measure.census_table import over_time
from tcpsim.pair import Pair, new_pair
from tcpsim.path import make_path
from tcpsim.tcp.stack import stack

COLUMNS = (
    ("connections", "N"),
    ("loss", "p"),
    ("us_per_connection", "us/connection"),
    ("connections_per_s", "connections/s"),
    ("events_per_s", "events/s"),
    ("peak_mib", "peak MiB"),
    ("recalled", "recalled"),
    ("to_heapq", "x heapq"),
)


class Row(NamedTuple):
    """One measurement."""

    connections: int
    loss: float
    us_per_connection: float
    connections_per_s: float
    events_per_s: float  # an event: everything that is due for one connection at one instant
    peak_mib: float
    recalled: float  # share of the events that the tree of lives answered
    to_heapq: float  # our time per event over that of the bare loop


def pair(loss: float) -> Pair:
    """One connection of W1."""
    client = behaviour.make("client", "sometimes-forgets", request=100, delay="0s", never=0.1)
    server = behaviour.make("server", "responds-then-closes", request=100, response=1000)
    return new_pair(client, server, stack("linux"), stack("linux"), make_path(10_000, loss, loss))


def plan(connections: int, loss: float, room: int, seed: int) -> Plan:
    """The whole workload."""
    arrivals = Arrivals(50, connections=connections)
    return Plan(((1.0, pair(loss)),), arrivals, settle_us=120_000_000, seed=seed, room=room)


def measure(connections: int, loss: float, room: int, seed: int) -> Row:
    """Run W1 once in this process, then a heapq loop of as many events."""
    began = process_time()
    census = simulate(plan(connections, loss, room, seed))
    over_time(census, every_us=1_000_000)
    took_s = process_time() - began
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    events = census.computed + census.recalled
    return Row(
        connections,
        loss,
        took_s / connections * 1e6,
        connections / took_s,
        events / took_s,
        peak_mib,
        census.recalled / events,
        took_s / heapq_loop(events, in_flight=50 * 60),
    )


def heapq_loop(events: int, in_flight: int) -> float:
    """Seconds for `events` events that do nothing, with as many pending as W1 has sockets."""
    pending: list[tuple[int, int, list[int]]] = [(i, i, [0]) for i in range(in_flight)]
    push, pop = heapq.heappush, heapq.heappop
    began = process_time()
    for number in range(in_flight, in_flight + events):
        at, _, counter = pop(pending)
        counter[0] += 1
        push(pending, (at + in_flight, number, counter))
    return process_time() - began


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.w1", description="Workload W1.")
    parser.add_argument(
        "--n", type=int, nargs="+", default=[10_000, 100_000], metavar="N", help="connections"
    )
    parser.add_argument("--loss", type=float, nargs="+", default=[0.0, 0.01, 0.1], metavar="P")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-tree", action="store_true", help="compute every life, look nothing up")
    chosen = parser.parse_args()
    print("  ".join(f"{title:>13}" for _, title in COLUMNS))
    for connections in chosen.n:
        for loss in chosen.loss:
            room = 0 if chosen.no_tree else Plan._field_defaults["room"]
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:
                row = fresh.submit(measure, connections, loss, room, chosen.seed).result()
            cells = (f"{getattr(row, name):>13,.{_digits(name)}f}" for name, _ in COLUMNS)
            print("  ".join(cells), flush=True)


def _digits(name: str) -> int:
    return {"loss": 2, "recalled": 3, "us_per_connection": 1, "to_heapq": 1}.get(name, 0)


if __name__ == "__main__":
    main()
