"""Exact probabilities against counts of the simulation: the same TCP, two ways to its numbers.

Every end of every explorable scenario is compared at several loss rates. A test may reject a true number with
a chance of 0.1 %, all its comparisons taken together (Holm 1979; the scenarios, which run side by side, share
the 0.1 % equally). What was not explored may be anywhere, and widens what is expected by as much; where that
is more than a hundredth, nothing is compared. Mutated models must be rejected by the same counts, or the test
would prove nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from tcpsim.catalogue import Verdict, build, play, run, scenario, scenarios
from tcpsim.explore import branch
from tcpsim.explore.branch import sides_of
from tcpsim.explore.explorable import obstacle
from tcpsim.explore.leaks import Answer, Kind, answer
from tcpsim.host.population import Arrivals
from tcpsim.measure.interval import binomial_p_value, holm
from tcpsim.pair import Pair, Sent
from tcpsim.path import Seeded
from tcpsim.path.path import Flight
from tcpsim.tcp.state import State
from tests.explore.worlds import FULL_QUEUE, WEEK_US, leaver, one_rst, opens_and_closes
from tests.host.worlds import run as populate

LEVEL = 0.001
RATES = (0.01, 0.05, 0.2)
VERDICTS = {Kind.CLEAN: Verdict.CLEAN, Kind.PERMANENT: Verdict.PERMANENT, Kind.METASTABLE: Verdict.RUNNING}
MOST_SLACK = 0.01
LIMIT = 40_000

End = tuple[Verdict, *tuple[tuple[str, ...], ...]]  # and the states that each machine holds
Comparison = tuple[End, float, float, int, int]  # (end, least and largest probability, hits, trials)

# Lines of three and more machines have many states for a few losses: fewer of these, and fewer connections
LINES = tuple(each.name for each in scenarios() if each.relays)
LINE_RATES = (0.002, 0.01, 0.02)
LINE_LIMIT = 12_000
LINE_CONNECTIONS = 20_000
# A megabyte through two legs has too many futures. With small buffers 12,000 octets fill the client's
# window, the relay's buffers and the relay's window as well, and it gives up with unread data as it does
# there.
SLOW_READER = "relay-with-a-slow-reader"
SMALL_BUFFERS: dict[str, Any] = {
    "parameters": {"server.response": 12_000, "relay.buffer": 1_000, "relay.idle": "1s"},
    "knobs": {
        "client.rcv_space": 4_608,
        "client.rcv_space_max": 4_608,
        "relay.rcv_space": 4_608,
        "relay.rcv_space_max": 4_608,
        "relay.snd_space": 2_000,
        "relay.snd_space_max": 2_000,
        "relay.tcp_orphan_retries": 2,
        "server.snd_space": 2_000,
        "server.snd_space_max": 2_000,
    },
}
RATES_OF_LINE = {SLOW_READER: (0.0005, 0.002, 0.004), "sidecar-on-both-sides": (0.002, 0.005, 0.01)}
CASES: dict[str, dict[str, Any]] = {
    each.name: {} for each in scenarios() if not each.relays and obstacle(build(each)) is None
} | {"w1 on other stacks": {"stack_client": "rfc9293", "stack_server": "freebsd"}}
SINGLE_CONNECTIONS = 10_000  # one by one, of what fills a queue together
# of so many segments that they can be compared only where losses are rare
MANY_SEGMENTS = {"page-with-images", "many-segments-lossy", "so-linger-broken"}
RARE = (0.0002, 0.001)
# each history of its hundred thousand octets is probed for ever: whatever is cut off is come to in the end
ENDLESS = {"so-linger-broken"}


def _expected(found: Answer, at: int) -> dict[End, float]:
    shares: Counter[End] = Counter()
    for end in found.ends:
        if end.kind is not Kind.CUT:
            view = found.chain.view[end.states[0]]
            sides = [_names(held.state for held in side) for side in view]
            shares[VERDICTS[end.kind], *sides] += float(end.probability[at])
    return shares


def _names(states: Iterable[State]) -> tuple[str, ...]:
    return tuple(sorted(str(state) for state in states if state is not State.CLOSED))


def _slack(found: Answer, at: int) -> float:
    """What was not explored, and metastable ends that are over within the week all the same."""
    slack = float(found.error[at]) + 1e-12
    for end in found.ends:
        if end.stay_us is not None and end.stay_us[at]:
            slack += float(end.probability[at]) * min(1.0, WEEK_US / float(end.stay_us[at]))
    return slack


def _population(pair: Pair, trials: int) -> Counter[End]:
    """Through the host: its tree of lives, its census, what it calls a life's end."""
    census = populate(pair, Arrivals(1_000, connections=trials), settle_us=WEEK_US, seed=11)
    counts: Counter[End] = Counter()
    for left, count in census.left.items():
        view = census.views[left.now if left.finally_ is None else left.finally_]
        held = [_names(one.state for one in view.of(side)) for side in sides_of(len(pair.names))]
        verdict = Verdict.PERMANENT if any(held) else Verdict.CLEAN
        counts[Verdict.RUNNING if left.finally_ is None else verdict, *held] += count
    counts[Verdict.CLEAN, *[()] * len(pair.names)] += trials - counts.total()
    return counts


def _single(pair: Pair, trials: int) -> Counter[End]:
    """One by one, without a host."""
    counts: Counter[End] = Counter()
    for index in range(trials):
        ended = run(pair, Seeded(3, index), WEEK_US)
        sides = [_names(held.state for held in ended.of(side)) for side in sides_of(len(pair.names))]
        counts[ended.verdict, *sides] += 1
    return counts


def _compared(found: Answer, at: int, counts: Counter[End]) -> Iterator[Comparison]:
    slack = _slack(found, at)
    if slack <= MOST_SLACK:
        expected = _expected(found, at)
        for end in expected.keys() | counts.keys():
            share = expected.get(end, 0.0)
            yield end, share - slack, share + slack, counts[end], counts.total()


def _rejected(comparisons: list[Comparison], level: float = LEVEL) -> list[Comparison]:
    p_values = [binomial_p_value(hits, trials, low, high) for _, low, high, hits, trials in comparisons]
    return [comparisons[at] for at in holm(p_values, level)]


def _against_itself(
    pair_at: dict[float, Pair], limit: int, trials: int, together: bool = True
) -> list[Comparison]:
    """One exploration, and a population at each of the rates, or connections one by one."""
    found = answer(next(iter(pair_at.values())), list(pair_at), WEEK_US, limit)
    return [
        each
        for at, pair in enumerate(pair_at.values())
        if _slack(found, at) <= MOST_SLACK
        for each in _compared(found, at, (_population if together else _single)(pair, trials))
    ]


@pytest.mark.parametrize("p", [0.05, 0.2, 0.4])
def test_simulated_connections_end_as_often_as_computed(p: float) -> None:
    pair = opens_and_closes(p)
    found = answer(pair, [p], WEEK_US)
    assert not found.error.any()
    assert not _rejected(list(_compared(found, 0, _single(pair, 600))), LEVEL / 3)


@pytest.mark.parametrize("name", ["one-rst-stack", "closewait-ignored-eof", "relay-drops-the-half-close"])
def test_a_scenario_as_a_user_has_it(name: str) -> None:
    pairs = {p: build(scenario(name), loss=p) for p in (0.01, 0.05)}
    comparisons = _against_itself(pairs, 1_500, 3_000)
    assert comparisons
    assert not _rejected(comparisons, LEVEL / 3)


@pytest.mark.verify
@pytest.mark.parametrize("name", CASES)
def test_every_explorable_scenario(name: str) -> None:
    """10^5 connections at each of a few loss rates."""
    losses = RARE if name in MANY_SEGMENTS else RATES
    pairs = {p: build(scenario(name.split()[0]), loss=p, **CASES[name]) for p in losses}
    together = name not in FULL_QUEUE
    comparisons = _against_itself(pairs, LIMIT, 100_000 if together else SINGLE_CONNECTIONS, together)
    assert bool(comparisons) == (name not in ENDLESS)
    assert not _rejected(comparisons, LEVEL / len(CASES))


def test_the_slow_reader_that_is_compared_is_one() -> None:
    """Windows of zero on both legs, a RST to the server alone, and the client stays."""
    played = play(scenario(SLOW_READER), **SMALL_BUFFERS)
    sent = [each for each in played.events if isinstance(each, Sent)]
    assert {each.side for each in sent if each.segment.wnd == 0 and not each.segment.rst} == {
        "client",
        "relay",
    }
    assert {each.leg for each in sent if each.segment.rst} == {1}
    assert [each.state for each in played.ended.client] == [State.ESTABLISHED]


@pytest.mark.verify
@pytest.mark.parametrize("name", LINES)
def test_every_line_with_relays(name: str) -> None:
    """At each of three loss rates: what is left unexplored is small enough to compare at all of them."""
    losses = RATES_OF_LINE.get(name, LINE_RATES)
    changes = SMALL_BUFFERS if name == SLOW_READER else {}
    pairs = {p: build(scenario(name), loss=p, **changes) for p in losses}
    found = answer(next(iter(pairs.values())), losses, WEEK_US, LINE_LIMIT)
    comparisons: list[Comparison] = []
    for at, pair in enumerate(pairs.values()):
        assert _slack(found, at) <= MOST_SLACK
        comparisons += _compared(found, at, _population(pair, LINE_CONNECTIONS))
    assert not _rejected(comparisons, LEVEL / len(LINES))


@pytest.mark.verify
@pytest.mark.parametrize("retries", [1, 2, 8])
def test_where_every_future_is_known(retries: int) -> None:
    comparisons = _against_itself({p: leaver(p, retries) for p in RATES}, LIMIT, 100_000)
    assert len(comparisons) >= 9
    assert not _rejected(comparisons, LEVEL / 3)


# Whether a mistake would be found


def test_one_retry_more_is_found_out() -> None:
    counts = _population(leaver(0.3, 1), 4_000)
    right, wrong = (answer(leaver(0.3, retries), [0.3], WEEK_US) for retries in (1, 2))
    assert not _rejected(list(_compared(right, 0, counts)))
    assert _rejected(list(_compared(wrong, 0, counts)))


def test_a_wrong_timer_is_found_out() -> None:
    """A user timeout that is two seconds longer lets one FIN more be sent."""
    pairs = [leaver(0.3, 8, server=one_rst(8, user_timeout_us=limit)) for limit in ("4s", "8s")]
    counts = _population(pairs[0], 4_000)
    right, wrong = (answer(pair, [0.3], WEEK_US) for pair in pairs)
    assert not _rejected(list(_compared(right, 0, counts)))
    assert _rejected(list(_compared(wrong, 0, counts)))


def test_a_lost_branch_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nobody had thought of it that a RST can be lost, too."""
    pair = leaver(0.3, 1)
    counts = _population(pair, 4_000)
    assert not _rejected(list(_compared(answer(pair, [0.3], WEEK_US), 0, counts)))
    every = branch.Steps.fates

    def careless(self: branch.Steps, flights: tuple[Flight, ...], now_us: int) -> Any:
        fates = every(self, flights, now_us)
        return [fate for fate in fates if not any(flights[place].segment.rst for place in fate[0])]

    monkeypatch.setattr(branch.Steps, "fates", careless)
    assert _rejected(list(_compared(answer(pair, [0.3], WEEK_US), 0, counts)))
