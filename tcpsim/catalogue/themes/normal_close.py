"""Connections that end as they should.

Owns: the stories against which the others stand out. Refuses to know: how a run
comes to its end (the tests run each and compare).
"""

from __future__ import annotations

from tcpsim.catalogue.scenario import Contrast, Expect, Scenario
from tcpsim.catalogue.themes.expected_ends import CLEAN, GONE

SCENARIOS = (
    Scenario(
        name="normal-close",
        theme="how it should be",
        title="The server closes first, then the client",
        question="What does a normal close look like?",
        story="The server answers and closes. The client reads end-of-file and closes 50 ms later. Both"
        " connections end in order. The server closed first, so TIME-WAIT is on its side for 60 s.",
        watch="FIN, ACK, FIN, ACK; TIME-WAIT on the side that closed first",
        source="RFC 9293 section 3.6",
        client="closes-on-eof",
        server="responds-then-closes",
        expect=Expect(GONE, GONE, CLEAN, rst=False),
        horizon="10min",
    ),
    Scenario(
        name="simplex-half-close",
        theme="how it should be",
        title="One direction goes on after a half-close",
        question="Is CLOSE-WAIT or FIN-WAIT-2 always a bug?",
        story="The server half-closes with shutdown(SHUT_WR) and goes on reading. The client sends for"
        " another 100 s and then closes. CLOSE-WAIT and FIN-WAIT-2 are no bug here: the connection is"
        " simplex, and data flows. The server's socket has an owner, so the FIN-WAIT-2 timeout does not"
        " apply to it.",
        watch="data from CLOSE-WAIT to FIN-WAIT-2, beyond the 60 s of tcp_fin_timeout",
        source="Rick Jones, CLOSE_WAIT, openstack list, 31 January 2013",
        client="keeps-sending",
        server="half-closes",
        arguments={"every": "10s", "blocks": 10},
        expect=Expect(GONE, GONE, CLEAN, rst=False),
        horizon="10min",
    ),
    Scenario(
        name="simultaneous-close",
        theme="how it should be",
        title="Both sides close at the same time",
        question="When does a socket pass through CLOSING?",
        story="Both sides close 300 ms after the start, and their FINs cross on the way. Each side hears the"
        " other's FIN before the ACK of its own, so both pass through CLOSING. Both keep TIME-WAIT.",
        watch="CLOSING, and TIME-WAIT twice",
        source="RFC 9293 section 3.6, figure 13",
        client="closes-at",
        server="closes-at",
        arguments={"at": "300ms"},
        expect=Expect(GONE, GONE, CLEAN, rst=False),
        horizon="10min",
    ),
    Scenario(
        name="time-wait-reack",
        theme="how it should be",
        title="TIME-WAIT answers a repeated FIN",
        question="What is TIME-WAIT good for?",
        story="The server closes at 300 ms, and the client 50 ms after end-of-file. The server's last ACK is"
        " lost. The client is in LAST-ACK and repeats its FIN. The server still has the connection in"
        " TIME-WAIT and acknowledges the FIN again. Without TIME-WAIT the client would get a RST.",
        watch="the repeated FIN and its ACK; TIME-WAIT starts anew",
        source="RFC 9293 section 3.10.7.4, eighth check",
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
        title="A page and ten images, each on a connection of its own",
        question="What do connections cost that carry one request each?",
        story="A browser fetches a page and ten images one after the other, and opens a connection for each."
        " Every connection needs a handshake, and every one leaves a TIME-WAIT on the server. With a"
        " persistent connection there is one handshake and one TIME-WAIT, on the side that closes first.",
        watch="eleven SYNs; eleven sockets in TIME-WAIT; when the last image has arrived",
        source="Apache httpd documentation, Connections in the FIN_WAIT_2 state and Apache",
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
