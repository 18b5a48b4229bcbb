"""How it should be: connections that end.

Owns: the stories against which the others stand out. Refuses to know: how a run
comes to its end (the tests run each and compare).
"""

from __future__ import annotations

from tcpsim.catalogue.scenario import Contrast, Expect, Scenario
from tcpsim.catalogue.themes.ends import CLEAN, GONE

SCENARIOS = (
    Scenario(
        name="normal-close",
        theme="how it should be",
        title="Both sides close",
        story="The server answers and closes. The client reads end-of-file and closes 50 ms later. The"
        " server, which closed first, keeps TIME-WAIT.",
        watch="FIN, ACK, FIN, ACK; TIME-WAIT on the side that closed first",
        client="closes-on-eof",
        server="responds-then-closes",
        expect=Expect(GONE, GONE, CLEAN, rst=False),
        horizon="10min",
    ),
    Scenario(
        name="simplex-half-close",
        theme="how it should be",
        title="One direction goes on",
        story="The server half-closes with SHUT_WR and keeps reading. The client sends for another 100 s,"
        " then closes. CLOSE-WAIT and FIN-WAIT-2 are no bug here but a simplex connection (Rick Jones);"
        " the server's socket has an owner, so the FIN-WAIT-2 timeout does not apply to it.",
        watch="data flows from CLOSE-WAIT to FIN-WAIT-2, beyond the 60 s of tcp_fin_timeout",
        client="keeps-sending",
        server="half-closes",
        arguments={"every": "10s", "blocks": 10},
        expect=Expect(GONE, GONE, CLEAN, rst=False),
        horizon="10min",
    ),
    Scenario(
        name="simultaneous-close",
        theme="how it should be",
        title="Both close at once",
        story="Both sides close 300 ms after the start. The FINs cross, both go through CLOSING, and both"
        " keep TIME-WAIT.",
        watch="CLOSING, and TIME-WAIT twice",
        client="closes-at",
        server="closes-at",
        arguments={"at": "300ms"},
        expect=Expect(GONE, GONE, CLEAN, rst=False),
        horizon="10min",
    ),
    Scenario(
        name="time-wait-reack",
        theme="how it should be",
        title="What TIME-WAIT is for",
        story="The server closes at 300 ms, the client 50 ms after end-of-file; the last ACK is lost. The"
        " client is in LAST-ACK and repeats its FIN, and the server is still there to acknowledge it"
        " again.",
        watch="the repeated FIN and its ACK; TIME-WAIT starts anew",
        client="closes-on-eof",
        server="closes-at",
        arguments={"at": "300ms"},
        drops=("server ACK 1 after 350ms before 500ms",),
        expect=Expect(GONE, GONE, CLEAN, rst=False),
        horizon="10min",
    ),
    Scenario(
        name="page-with-images",
        theme="how it should be",
        title="A page and ten images, without persistent connections",
        story="A browser of the time fetches a page and ten images, one after the other, over a new"
        " connection each: a handshake for each, and a TIME-WAIT on the server for each. With a"
        " persistent connection it is one handshake and one TIME-WAIT, on the side that closes first"
        " (Apache: non-persistent connections slow the retrieval, and have a waiting period after each"
        " closure).",
        watch="eleven SYNs; eleven sockets in TIME-WAIT; how much later the last image is there",
        client="fetches-page-afresh",
        server="serves-one-by-one",
        expect=Expect(GONE, GONE, CLEAN, rst=False),
        horizon="10min",
        contrasts=(
            Contrast(
                "one persistent connection",
                {"client": "fetches-page-persistently", "server": "keep-alive-timeout"},
                Expect(GONE, GONE, CLEAN, rst=False),
            ),
        ),
    ),
)
