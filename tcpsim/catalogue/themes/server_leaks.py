"""Sockets that stay on the server: in CLOSE-WAIT, in the accept queue, in ESTABLISHED without a peer.

Owns: the leaks of a server's program. Refuses to know: how a run comes to its end (the tests run each and
compare).
"""

from __future__ import annotations

from tcpsim.catalogue.scenario import Contrast, Expect, Scenario
from tcpsim.catalogue.themes.expected_ends import CLEAN, GONE, ONLY_FD, PERMANENT

SCENARIOS = (
    Scenario(
        name="server-never-closes",
        theme="leaks on the server",
        title="The client closes, and the server's program does not",
        question="Why does my server have more CLOSE-WAIT sockets every hour?",
        story="The client gets its response and closes. The server's kernel acknowledges the FIN, and the"
        " socket is in CLOSE-WAIT. Now it is the server's turn to close, but its program never calls"
        " close(). No timer of the kernel ends CLOSE-WAIT. The client is rid of its socket after 60 s, so"
        " the server cannot blame it. The descriptor stays open until the program closes it or the process"
        " ends.",
        watch="the client's FIN, its ACK, and no FIN from the server",
        source="the mirror image of Rick Jones's case (openstack list, 31 January 2013)",
        client="closes-first",
        server="never-closes",
        expect=Expect(GONE, "CLOSE-WAIT", PERMANENT, rst=False, settled=("60s", "61s"), reads=(1000,)),
        horizon="1h",
        concerns="server",
        contrasts=(
            Contrast(
                "the server has set SO_KEEPALIVE: the state ends, the descriptor stays",
                {"knobs": {"server.keep_idle_us": "600s", "server.keepalive_default": True}},
                Expect(GONE, ONLY_FD, CLEAN, rst=True, settled=("600s", "601s")),
            ),
            Contrast(
                "the client closes with a RST: no CLOSE-WAIT, but the descriptor is lost all the same",
                {"client": "aborts"},
                Expect(GONE, ONLY_FD, CLEAN, rst=True),
            ),
        ),
        cures=("server-closes", "server-idle=15s", "server-restarts=10min", "server.keepalive=10min"),
        in_vain=(
            "fin-timeout=30s",
            "server.user-timeout=30s",
            "server-closes-on-error",
            "server-linger=0s",
        ),
    ),
    Scenario(
        name="health-check-leak",
        theme="leaks on the server",
        title="A health check connects and closes, and the server forgets the socket",
        question="Why does every health check of the load balancer leave a CLOSE-WAIT socket?",
        source="Linux net/ipv4/tcp.c tcp_recvmsg() (a read at end-of-file returns zero, which is no error)",
        story="A load balancer checks the server: it connects, sends nothing and closes. The server's"
        " program expects a request, and its read returns zero. It treats this as an error, and its error"
        " path does not close the socket. The socket stays in CLOSE-WAIT. One check every five seconds leaks"
        " 720 descriptors an hour, and real clients notice nothing until accept() fails with EMFILE.",
        watch="a FIN directly after the handshake, a read that returns zero, and no close()",
        client="connects-and-closes",
        server="never-closes",
        expect=Expect(GONE, "CLOSE-WAIT", PERMANENT, rst=False, settled=("60s", "61s"), reads=()),
        horizon="1h",
        concerns="server",
        contrasts=(
            Contrast(
                "the check closes with a RST, as some balancers do: only the descriptor is lost",
                {"client": "connects-and-aborts"},
                Expect(GONE, ONLY_FD, CLEAN, rst=True),
            ),
        ),
        cures=("server-closes-on-error", "server-idle=15s", "server-restarts=10min"),
        in_vain=("fin-timeout=30s", "server.user-timeout=30s"),
    ),
    Scenario(
        name="health-check-with-a-reset",
        theme="leaks on the server",
        title="A health check ends with a RST, and the server loses a descriptor",
        question="Why does my server run out of descriptors although `ss` shows few connections?",
        story="A load balancer checks the server: it connects and closes with a RST. The server's read fails"
        " with ECONNRESET, and its error path does not close the socket. There is no connection any more, so"
        " no list of connections shows it. The descriptor and its memory stay. `lsof` shows it (can't"
        " identify protocol), and so does the directory of the process's descriptors in /proc.",
        watch="ECONNRESET, CLOSED, and no close()",
        source="the mirror image of descriptor-after-state",
        client="connects-and-aborts",
        server="never-closes",
        expect=Expect(GONE, ONLY_FD, CLEAN, rst=True, reads=()),
        horizon="1h",
        concerns="server",
        cures=("server-closes-on-error", "server-restarts=10min"),
        in_vain=("server.keepalive=1min", "fin-timeout=10s"),
    ),
    Scenario(
        name="accept-queue-never-drained",
        theme="leaks on the server",
        title="CLOSE-WAIT in an accept queue that the program does not empty",
        question="Why does no process own the CLOSE-WAIT sockets on my server?",
        story="The server's kernel completes the handshake and puts the connection into the accept queue."
        " The program is stuck and does not call accept(). The client sends its request, waits 2 s, gives up"
        " and closes. The socket is now in CLOSE-WAIT with 100 unread bytes, and no process has a descriptor"
        " for it. A fix of the code that closes sockets cannot help, because that code never sees this one."
        " In `ss` the line of the listener shows how full the queue is: Recv-Q is the number of connections"
        " that wait.",
        watch="no accept(); a request that nobody reads; CLOSE-WAIT without a descriptor",
        source="Linux net/ipv4/tcp_minisocks.c tcp_check_req(), net/ipv4/tcp_diag.c (Recv-Q of a listener)",
        client="gives-up",
        server="does-not-accept",
        arguments={"server.backlog": 128},
        expect=Expect(GONE, "CLOSE-WAIT", PERMANENT, rst=False, settled=("62s", "63s"), reads=()),
        horizon="1h",
        concerns="server",
        contrasts=(
            Contrast(
                "the listener has SO_KEEPALIVE, which the queued socket inherits",
                {"knobs": {"server.keep_idle_us": "600s", "server.keepalive_default": True}},
                Expect(GONE, GONE, CLEAN, rst=True, settled=("602s", "603s")),
            ),
        ),
        cures=("server-accepts", "server-restarts=10min"),
        in_vain=(
            "backlog=1024",
            "fin-timeout=10s",
            "server.user-timeout=30s",
            "server-closes-on-error",
        ),
    ),
    Scenario(
        name="vanished-clients-stay-established",
        theme="leaks on the server",
        title="The client is gone, and the server waits for its next request",
        question="Why does my server have far more ESTABLISHED connections than there are clients?",
        story="The client loses its line without a FIN or a RST. The server has answered and waits for the"
        " next request. It has nothing to send, so its kernel never finds out. Its socket stays ESTABLISHED."
        " A shorter tcp_keepalive_time changes nothing by itself: the kernel sends probes only on sockets"
        " whose program has set SO_KEEPALIVE.",
        watch="the last segment at 30 ms, and silence after it",
        source="netdata issue 6598 (a shorter tcp_keepalive_time without SO_KEEPALIVE)",
        client="vanishes",
        server="closes-on-eof",
        expect=Expect(GONE, "ESTABLISHED", PERMANENT, rst=False, reads=(1000,)),
        horizon="4h",
        concerns="server",
        contrasts=(
            Contrast(
                "tcp_keepalive_time = 30 s, but the program does not set SO_KEEPALIVE",
                {"knobs": {"server.tcp_keepalive_time": "30s"}},
                Expect(GONE, "ESTABLISHED", PERMANENT, rst=False),
            ),
        ),
        cures=("server.keepalive=10min", "server-idle=15s", "server-restarts=10min"),
        in_vain=("client.keepalive=10min", "fin-timeout=10s", "server.user-timeout=30s"),
    ),
)
