"""Connections for populations: a long response under loss, and the benchmark.

Owns: set-ups that are made to be run many times. Refuses to know: how a run comes to its end (the tests
run each and compare).
"""

from __future__ import annotations

from tcpsim.catalogue.scenario import Expect, Scenario
from tcpsim.catalogue.themes.expected_ends import CLEAN, GONE

SCENARIOS = (
    Scenario(
        name="many-segments-lossy",
        theme="under loss",
        title="A long response over a lossy path",
        question="Does a lossy path alone leave sockets behind?",
        story="The response is 100,000 bytes, and 2 % of all packets are lost. Retransmission delivers it,"
        " and both sides close in the end.",
        watch="fast retransmissions and timeouts; the FIN comes last",
        client="closes-on-eof",
        server="responds-then-closes",
        arguments={"response": 100_000},
        loss=0.02,
        expect=Expect(GONE, GONE, CLEAN, rst=False),
        horizon="30min",
    ),
    Scenario(
        name="w1",
        theme="populations",
        title="The benchmark's connection",
        question="What does one forgetful client in ten do to a host?",
        story="The request is 100 bytes, the response 1000 bytes, and the server closes first. Nine clients"
        " in ten close 50 ms after end-of-file. One in ten never closes. The scenario is made for `tcpsim"
        " population`.",
        watch="CLOSE-WAIT grows by a tenth of the arrivals",
        client="sometimes-forgets",
        server="responds-then-closes",
        arguments={"never": 0.1, "delay": "50ms", "server.delay": "0s"},
        expect=Expect(GONE, GONE, CLEAN, rst=False),
        horizon="10min",
    ),
)
