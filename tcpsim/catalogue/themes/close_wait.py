"""Sockets that stay in CLOSE-WAIT, in a descriptor table, or in an accept queue.

Owns: the leaks that a program makes by what it does not do. Refuses to know: how a run
comes to its end (the tests run each and compare).

"Rick Jones" is his mail to the OpenStack list on CLOSE_WAIT (31 January 2013).
"""

from __future__ import annotations

from tcpsim.catalogue.scenario import Contrast, Expect, Scenario
from tcpsim.catalogue.themes.expected_ends import CLEAN, GONE, ONLY_FD, PERMANENT

SCENARIOS = (
    Scenario(
        name="closewait-ignored-eof",
        theme="leaks",
        title="A client ignores end-of-file",
        question="Why does my client have sockets in CLOSE-WAIT that never go away?",
        story="The server answers and closes. The client's read returns zero, which means end-of-file, but"
        " the client does nothing about it. Its socket stays in CLOSE-WAIT, and no timer of the kernel ends"
        " that state. The server's socket is an orphan in FIN-WAIT-2. Linux drops it after 60 s without a"
        " word.",
        watch="the server's FIN-WAIT-2 ends in silence, and the client never learns of it",
        source="Rick Jones, CLOSE_WAIT, openstack list, 31 January 2013",
        client="never-closes",
        server="responds-then-closes",
        expect=Expect("CLOSE-WAIT", GONE, PERMANENT, rst=False, settled=("60s", "61s"), reads=(1000, 0)),
        horizon="1h",
        concerns="client",
        cures=(
            "client-closes",
            "client-checks-sockets",
            "keepalive=10min",
            "fin-timeout-rst",
            "kill-socket=10min",
        ),
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
        question="Why does the first request after a pause fail?",
        story="An HTTP library keeps an idle connection in its pool. The server closes it after its"
        " KeepAliveTimeout of 15 s. Nobody reads from the socket, so it stays in CLOSE-WAIT until the pool"
        " uses it again ten minutes later. This is no leak, because the size of the pool limits it. But the"
        " request that is sent then gets end-of-file and a RST. There are three idle timeouts. The client's"
        " must be the shortest, the server's the next, and those of firewalls between them the longest.",
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
        title="The program gives up a connect() that succeeds later",
        question="Can loss alone make a CLOSE-WAIT leak?",
        story="The first SYN is lost. The program waits 500 ms for connect(), gives up and forgets the"
        " socket without closing it. Its kernel repeats the SYN after 1 s, and the connection is established"
        " without anybody to use it. The server greets, waits a minute and closes. The client's socket stays"
        " in CLOSE-WAIT with 108 unread bytes. So loss makes a leak wherever the program waits for a shorter"
        " time than the kernel.",
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
        title="The process that leaks is restarted",
        question="What happens when I restart a process that has CLOSE-WAIT sockets?",
        story="A process has forgotten its socket in CLOSE-WAIT. It is killed after ten minutes, and its"
        " kernel closes the socket: it sends a FIN and enters LAST-ACK. On Linux the server's socket was"
        " dropped after 60 s, so the server answers the FIN with a RST, which ends the client's socket too."
        " Where the server still waits in FIN-WAIT-2, both sides close in order.",
        watch="the FIN of a dead process, and the answer to it",
        source="Rick Jones, CLOSE_WAIT, openstack list, 31 January 2013",
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
        question="What happens when a client uses the port of a stale CLOSE-WAIT again?",
        story="The client closes first, and the server never does. After 60 s the client's FIN-WAIT-2 is"
        " over and its port is free, but the server is still in CLOSE-WAIT. The client connects again from"
        " that port. Its SYN meets the old connection. The server's kernel answers with a challenge ACK (RFC"
        " 5961). The client answers that with a RST, sends its SYN again, and the new connection is"
        " established. If a NAT or firewall drops the RST, connect() fails with ETIMEDOUT. The server"
        " forgets the new connection too.",
        watch="SYN, challenge ACK, RST, SYN again; one CLOSE-WAIT ends and the next begins",
        source="RFC 5961 section 4",
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
        title="The state is gone, and the descriptor is not",
        question="Why does a process run out of descriptors that no list of connections shows?",
        story="The server resets the connection. The client's program has an error path that does not close"
        " the socket. No tool that lists TCP states shows the socket any more, but its descriptor and its"
        " memory stay (lsof: can't identify protocol). With enough of them, accept() or connect() fails with"
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
        title="A child process holds the descriptor, and close() sends nothing",
        question="Why does my server's close() not close the connection?",
        story="The server forks while the connection is open. The parent answers and calls close(). The"
        " child does not use the socket, but it has a descriptor for it, so the kernel sends no FIN. Both"
        " sides stay ESTABLISHED, and the client waits for an end-of-file that does not come.",
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
        title="The accept queue is full, and the client closes",
        question="Why does connect() time out while the server has CLOSE-WAIT sockets without an owner?",
        story="The server is too busy to call accept(). Its backlog is 1, which on Linux is room for two."
        " Two connections are complete for the client. The SYN of the third is dropped again and again until"
        " connect() fails with ETIMEDOUT. Then the client closes. The two are now in CLOSE-WAIT in the"
        " accept queue, and no process holds a descriptor for them.",
        watch="the third SYN, eleven times; CLOSE-WAIT without an accept()",
        source="Linux net/ipv4/tcp_input.c tcp_conn_request()",
        client="knocks",
        server="does-not-accept",
        expect=Expect(GONE, "2 CLOSE-WAIT", PERMANENT, rst=False),
        horizon="1h",
        in_vain=("backlog=16", "fin-timeout=10s"),
    ),
)
