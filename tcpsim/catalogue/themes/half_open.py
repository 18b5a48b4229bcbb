"""One side is gone and the other does not know.

Owns: the half-open connections. Refuses to know: how a run
comes to its end (the tests run each and compare).
"""

from __future__ import annotations

from tcpsim.catalogue.scenario import Contrast, Expect, Scenario
from tcpsim.catalogue.themes.ends import CLEAN, GONE, PERMANENT

SCENARIOS = (
    Scenario(
        name="vanished-client",
        theme="half-open",
        title="The modem hangs up first",
        story="The client loses its line with the connection open. After KeepAliveTimeout the server closes;"
        " its FIN is never acknowledged, and the orphan gives up after about two minutes (Apache: the"
        " dial-up client that is gone before it closed).",
        watch="ten FINs into the void, FIN-WAIT-1, and silence",
        client="vanishes",
        server="keep-alive-timeout",
        expect=Expect(GONE, GONE, CLEAN, rst=False, settled=("127s", "135s")),
        horizon="1h",
        contrasts=(
            Contrast(
                "a server that waits for the client to close",
                {"server": "closes-on-eof"},
                Expect(GONE, "ESTABLISHED", PERMANENT, rst=False),
            ),
        ),
    ),
    Scenario(
        name="all-fins-lost",
        theme="half-open",
        title="The closer gives up before its FIN is heard",
        story="Every FIN of the server is lost. Its orphan retransmits, gives up after about two minutes and"
        " is gone without a RST. The client reads on a connection that only it believes in: the third"
        " end of the same story, a half-open ESTABLISHED.",
        watch="ten transmissions of the FIN; the client has nothing to retransmit and never notices",
        client="closes-on-eof",
        server="responds-then-closes",
        arguments={"server.delay": "200ms"},
        drops=("every server FIN",),
        expect=Expect("ESTABLISHED", GONE, PERMANENT, rst=False, settled=("112s", "120s")),
        horizon="1h",
        concerns="client",
        cures=("keepalive=10min",),
        in_vain=("fin-timeout=30s", "user-timeout=30s", "client-closes"),
    ),
)
