"""Sockets that stay in CLOSE-WAIT, in a descriptor table, or in an accept queue.

Owns: the leaks that a program makes by what it does not do. Refuses to know: how a run
comes to its end (the tests run each and compare).

"Rick Jones" is his mail to the OpenStack list on CLOSE_WAIT (31 January 2013).
"""

from __future__ import annotations

from tcpsim.catalogue.scenario import Contrast, Expect, Scenario
from tcpsim.catalogue.themes.ends import CLEAN, GONE, ONLY_FD, PERMANENT

SCENARIOS = (
    Scenario(
        name="closewait-ignored-eof",
        theme="leaks",
        title="A client ignores end-of-file",
        story="The server answers and closes. The client reads end-of-file, the classic read return of zero,"
        " and does nothing. Its socket stays in CLOSE-WAIT; no kernel timer ends that state. The"
        " server's is an orphan in FIN-WAIT-2, which Linux drops after 60 s without a word (Rick Jones).",
        watch="the server's FIN-WAIT-2 disappears silently; the client never learns of it",
        client="never-closes",
        server="responds-then-closes",
        expect=Expect("CLOSE-WAIT", GONE, PERMANENT, rst=False, settled=("60s", "61s"), reads=(1000, 0)),
        horizon="1h",
        concerns="client",
        cures=("client-closes", "client-checks-sockets", "keepalive=10min", "fin-timeout-rst"),
        in_vain=("fin-timeout=30s", "user-timeout=30s"),
        contrasts=(
            Contrast(
                "no FIN-WAIT-2 timeout, as in RFC 9293",
                {"stack_server": "rfc9293"},
                Expect("CLOSE-WAIT", "FIN-WAIT-2", PERMANENT, rst=False),
            ),
        ),
    ),
    Scenario(
        name="stale-pooled-connection",
        theme="leaks",
        title="A pool keeps connections longer than the server does",
        story="An HTTP library's pool keeps an idle connection; the server closes it after its"
        " KeepAliveTimeout of 15 s. Nobody reads, so it stays in CLOSE-WAIT until the pool next hands it"
        " out ten minutes later: bounded by the size of the pool, no leak. But what comes back for the"
        " request that goes out then is end-of-file and a RST. Three idle timeouts are in play; the"
        " client's must be the shortest, then the server's, then those of firewalls between.",
        watch="CLOSE-WAIT for ten minutes; then a request, and end-of-file where the response should be",
        client="asks-again",
        server="keep-alive-timeout",
        expect=Expect(GONE, GONE, CLEAN, rst=True, settled=("600s", "601s"), reads=(1000, 0)),
        horizon="2h",
        contrasts=(
            Contrast(
                "a NAT between forgets the connection first",
                {
                    "parameters": {"server.timeout": "1h"},
                    "middlebox": "gcp-nat",
                    "knobs": {"middlebox.established": "5min"},
                },
                Expect(GONE, GONE, CLEAN, rst=False, settled=("1h", "62min"), reads=(1000, "ETIMEDOUT")),
            ),
            Contrast(
                "the pool lets go first",
                {"client": "closes-first", "parameters": {"client.delay": "10s"}},
                Expect(GONE, GONE, CLEAN, rst=False, settled=("70s", "71s"), reads=(1000,)),
            ),
        ),
    ),
    Scenario(
        name="retried-syn-lost-reference",
        theme="leaks",
        title="The program gives up a connect() that succeeds",
        story="The first SYN is lost. The program's patience with connect() is 500 ms; it gives up and"
        " forgets the socket without closing it. Its kernel repeats the SYN after 1 s, and the"
        " connection comes about with nobody to use it. The server greets, waits a minute, closes:"
        " CLOSE-WAIT with 108 unread bytes, for ever. So loss alone makes a leak where a timeout is"
        " shorter than a retry.",
        watch="connect() returns an error before the SYN is repeated; 108 bytes that nobody reads",
        client="loses-its-reference",
        server="greets",
        drops=("client SYN 1",),
        expect=Expect("CLOSE-WAIT", GONE, PERMANENT, rst=False, reads=()),
        horizon="1h",
        concerns="client",
        cures=("connect-timeout=5s", "keepalive=10min"),
        in_vain=("fin-timeout=10s",),
    ),
    Scenario(
        name="kill-the-leaker",
        theme="leaks that heal",
        title="The usual cure: restart the process that leaks",
        story="A process that forgot its socket in CLOSE-WAIT is killed after ten minutes. Its kernel closes"
        " for it: a FIN, LAST-ACK. On Linux the server's half went after 60 s, so the FIN is answered"
        " with RST, which ends it too. Where the server still waits in FIN-WAIT-2 the two part in order.",
        watch="the FIN of a dead process, and who answers it",
        client="leaks-until-killed",
        server="responds-then-closes",
        expect=Expect(GONE, GONE, CLEAN, rst=True, settled=("600s", "601s")),
        horizon="1h",
        contrasts=(
            Contrast(
                "the server still waits in FIN-WAIT-2",
                {"stack_server": "rfc9293"},
                Expect(GONE, GONE, CLEAN, rst=False, settled=("840s", "841s")),
            ),
            Contrast(
                "it leaves unread data: its kernel sends RST instead of FIN",
                {"client": "lost-until-killed", "server": "greets", "drops": ("client SYN 1",)},
                Expect(GONE, GONE, CLEAN, rst=True, settled=("600s", "601s")),
            ),
        ),
    ),
    Scenario(
        name="port-reuse-into-close-wait",
        theme="leaks that heal",
        title="A new connection from the port of a stale CLOSE-WAIT",
        story="The client closes first; the server never does. After 60 s the client's FIN-WAIT-2 is over and"
        " its port is free; the server is still in CLOSE-WAIT. The client connects again from that port."
        " The SYN meets the old connection, whose kernel answers with a challenge ACK (RFC 5961); the"
        " client answers that with RST, sends its SYN again, and gets through. Where a NAT or a firewall"
        " eats the RST, connect() ends in ETIMEDOUT. The new connection is forgotten in turn.",
        watch="SYN, challenge ACK, RST, SYN again; a CLOSE-WAIT ends, the next one begins",
        client="reuses-its-port",
        server="forgets-every-connection",
        expect=Expect(GONE, "CLOSE-WAIT", PERMANENT, rst=True, settled=("180s", "182s"), reads=(1000, 1000)),
        horizon="1h",
        contrasts=(
            Contrast(
                "a firewall eats the RST",
                {"drops": ("every client RST",)},
                Expect(GONE, "CLOSE-WAIT", PERMANENT, rst=True, settled=("250s", "252s"), reads=(1000,)),
            ),
        ),
    ),
    Scenario(
        name="descriptor-after-state",
        theme="leaks",
        title="The state is gone, the descriptor is not",
        story="The server resets the connection. The client's program has an error path that does not close:"
        " no tool that lists TCP states shows the socket any more, but its descriptor and its memory"
        " stay (lsof: can't identify protocol). Enough of them and accept() or connect() fail with"
        " EMFILE.",
        watch="ECONNRESET, CLOSED, and no close()",
        client="never-closes",
        server="leaves-unread",
        expect=Expect(ONLY_FD, GONE, CLEAN, rst=True, settled=("140ms", "141ms"), reads=(1000, "ECONNRESET")),
        horizon="10min",
        concerns="client",
        cures=("client-closes-on-error",),
        in_vain=("keepalive=1min",),
    ),
    Scenario(
        name="inherited-descriptor",
        theme="leaks",
        title="A child inherited the descriptor: close() sends nothing",
        story="The server forks while the connection is open. The parent answers and calls close(); the child"
        " knows nothing of the socket but holds a descriptor for it, so no FIN is sent. Both sides stay"
        " ESTABLISHED, and the client waits for an end-of-file that does not come.",
        watch="close() = 0, and no segment",
        client="closes-on-eof",
        server="child-holds-on",
        expect=Expect("ESTABLISHED", "ESTABLISHED", PERMANENT, rst=False, reads=(1000,)),
        horizon="1h",
        cures=("close-on-exec",),
        in_vain=("fin-timeout=10s",),
    ),
    Scenario(
        name="accept-queue-overflow",
        theme="leaks",
        title="CLOSE-WAIT that no program has ever seen",
        story="The server is too busy to accept(), and its backlog is 1, which on Linux is room for two. Two"
        " connections are complete for their client; the third's SYN is dropped again and again until"
        " connect() fails with ETIMEDOUT. Then the client closes: the two wait in CLOSE-WAIT, in the"
        " accept queue. No process holds a descriptor for them.",
        watch="the third SYN, eleven times; CLOSE-WAIT without an accept()",
        client="knocks",
        server="does-not-accept",
        expect=Expect(GONE, "2 CLOSE-WAIT", PERMANENT, rst=False),
        horizon="1h",
        in_vain=("backlog=16", "fin-timeout=10s"),
    ),
)
