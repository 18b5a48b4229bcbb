"""One side is gone and the other does not know.

Owns: the half-open connections. Refuses to know: how a run
comes to its end (the tests run each and compare).
"""

from __future__ import annotations

from tcpsim.scenario.catalogue.ends import CLEAN, GONE, PERMANENT
from tcpsim.scenario.scenario import Contrast, Expect, Scenario

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
        expect=Expect(GONE, GONE, CLEAN, rst=False),
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
        expect=Expect("ESTABLISHED", GONE, PERMANENT, rst=False),
        horizon="1h",
        concerns="client",
        cures=("keepalive=10min",),
        in_vain=("fin-timeout=30s", "user-timeout=30s", "client-closes"),
    ),
    Scenario(
        name="firewall-forgets-half-closed",
        theme="half-open",
        title="A firewall forgets a half-closed connection",
        story="The server half-closes and waits for the client, which is entitled to take its time. A"
        " firewall between (here after 80 s; Linux conntrack gives such a connection 60 s, others 150 s)"
        " forgets it and drops what comes later. The client's data is never acknowledged; its program"
        " closes, and its kernel gives up on the orphan. The server's program waits in FIN-WAIT-2: no"
        " timer for a socket that somebody holds.",
        watch="data into the void; FIN-WAIT-2 with an owner",
        client="keeps-sending",
        server="half-closes",
        arguments={"every": "100s", "blocks": 2},
        drops=("client after 80s",),
        expect=Expect(GONE, "FIN-WAIT-2", PERMANENT, rst=False, reads=(1000, 0)),
        horizon="3h",
        concerns="server",
        cures=("keepalive=50s", "no-lingering-close"),
        in_vain=("fin-timeout=10s",),
    ),
)
