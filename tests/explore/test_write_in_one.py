"""The only write to come fits one segment: then who will hear it reads no round trip because of it."""

from __future__ import annotations

import pytest

from tcpsim.catalogue import build, scenario
from tcpsim.explore.chain import Chain, explore
from tcpsim.tcp.equivalence import future
from tests.explore.partition import partition


def _chain(octets: int) -> Chain:
    knobs = {"tcp_retries2": 3, "tcp_orphan_retries": 1, "tcp_fin_timeout": "1s", "tcp_synack_retries": 4}
    changes = {"parameters": {"server.response": octets}, "knobs": knobs}
    return explore(build(scenario("closewait-ignored-eof"), loss=0.5, **changes))


def test_states_that_it_makes_one_cannot_be_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = _chain(1_000)
    monkeypatch.setattr(future, "write_in_one", lambda *_: False)
    more = _chain(1_000)
    assert fewer.states < more.states
    assert max(partition(fewer)) == max(partition(more))


def test_of_two_segments_it_promises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    known = _chain(2_000)
    monkeypatch.setattr(future, "write_in_one", lambda *_: False)
    assert [*_chain(2_000).edges] == [*known.edges]
