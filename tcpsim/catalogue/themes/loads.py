"""Connections for counting: a long response under loss, and the benchmark's.

Owns: set-ups that are made to be run many times. Refuses to know: how a run comes to its end (the tests
run each and compare).
"""

from __future__ import annotations

from tcpsim.catalogue.scenario import Expect, Scenario
from tcpsim.catalogue.themes.ends import CLEAN, GONE

SCENARIOS = (
    Scenario(
        name="many-segments-lossy",
        theme="under loss",
        title="A long response over a lossy path",
        story="The response is 100,000 bytes, and 2 % of all packets are lost. Retransmission brings it"
        " through, and both sides close in the end.",
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
        story="100 B request, 1000 B response, the server closes first, the client closes 50 ms after end-"
        " of-file except for one in ten, which never does. Made for `tcpsim population`.",
        watch="CLOSE-WAIT grows by a tenth of the arrivals",
        client="sometimes-forgets",
        server="responds-then-closes",
        arguments={"never": 0.1, "delay": "50ms", "server.delay": "0s"},
        expect=Expect(GONE, GONE, CLEAN, rst=False),
        horizon="10min",
    ),
)
