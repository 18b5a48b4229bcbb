"""Sockets that end by themselves, but so late that they accumulate (rate x time).

Owns: TIME-WAIT, LAST-ACK, FIN-WAIT-1, CLOSING and the states of the handshake, each with a run that shows how
long one socket stays. Refuses to know: how many there are at a given rate (host), and how a run comes to its
end (the tests run each and compare).

Each says with `within` by when its host should be rid of the socket.
"""

from __future__ import annotations

from tcpsim.catalogue.scenario import Contrast, Expect, Scenario
from tcpsim.catalogue.themes.expected_ends import CLEAN, GONE, PERMANENT, RUNNING

_ORPHANS = "Linux net/ipv4/tcp_timer.c tcp_orphan_retries()"
_TIME_WAIT = "RFC 9293 section 3.6.1; Linux include/net/tcp.h TCP_TIMEWAIT_LEN"

SCENARIOS = (
    Scenario(
        name="time-wait-on-the-server",
        theme="pile up, then end",
        title="The server closes first and keeps TIME-WAIT",
        question="Are 6,000 TIME-WAIT sockets on my server a leak?",
        story="The side that closes first keeps TIME-WAIT. Here it is the server, and Linux keeps the record"
        " for 60 s. This is no leak: at 100 connections a second there are 6,000 records, and never more."
        " Each is a small record without a process. tcp_fin_timeout does not change it, because it limits"
        " FIN-WAIT-2. SO_LINGER with zero seconds does away with TIME-WAIT, but its RST can destroy a"
        " response that the client has not read.",
        watch="60 s of TIME-WAIT on the side whose FIN was first",
        source=_TIME_WAIT,
        client="closes-on-eof",
        server="responds-then-closes",
        expect=Expect(GONE, GONE, CLEAN, rst=False, settled=("60s", "61s"), reads=(1000, 0)),
        horizon="10min",
        concerns="server",
        within="10s",
        contrasts=(
            Contrast(
                "a server as RFC 9293 has it: two MSL are 4 min",
                {"stack_server": "rfc9293"},
                Expect(GONE, GONE, CLEAN, rst=False, settled=("240s", "241s")),
            ),
            Contrast(
                "the client closes first: TIME-WAIT is the client's",
                {"client": "closes-first", "server": "closes-on-eof"},
                Expect(GONE, GONE, CLEAN, rst=False, settled=("60s", "61s"), reads=(1000,)),
            ),
        ),
        cures=("persistent-connections", "server-linger=0s"),
        in_vain=("fin-timeout=10s", "server.keepalive=10s", "server-idle=15s", "client-closes-first"),
    ),
    Scenario(
        name="time-wait-on-the-client",
        theme="pile up, then end",
        title="The client closes first and keeps TIME-WAIT",
        question="Why does my client run out of ports although it closes every connection?",
        story="The client closes first, so TIME-WAIT is on its side. On Linux each record keeps its local"
        " port busy towards this server for 60 s. With 28,232 ports the client can open 470 connections a"
        " second, and then connect() fails with EADDRNOTAVAIL. The cure is a pool that keeps connections. If"
        " the server closes first, the ports are free and the server has the TIME-WAIT.",
        watch="60 s of TIME-WAIT on the client",
        source=_TIME_WAIT,
        client="closes-first",
        server="closes-on-eof",
        expect=Expect(GONE, GONE, CLEAN, rst=False, settled=("60s", "61s"), reads=(1000,)),
        horizon="10min",
        concerns="client",
        within="10s",
        contrasts=(
            Contrast(
                "a client on Windows 2003 keeps it for 120 s",
                {"stack_client": "windows-2003"},
                Expect(GONE, GONE, CLEAN, rst=False, settled=("120s", "121s"), reads=(1000,)),
            ),
        ),
        cures=("server-closes-first", "client-linger=0s"),
        in_vain=("fin-timeout=10s", "client.keepalive=10s", "server-idle=15s"),
    ),
    Scenario(
        name="last-ack-on-the-server",
        theme="pile up, then end",
        title="The client leaves between its FIN and the server's",
        question="Why are there sockets in LAST-ACK on my server?",
        story="A phone closes its connection and leaves the network. The server reads end-of-file and"
        " closes, as it should. Its FIN gets no answer. The kernel repeats it for almost two minutes and"
        " then drops the socket, which is an orphan: no process holds it. The program has done everything"
        " right. Only the number of repetitions of an orphan's FIN shortens this.",
        watch="ten FINs from LAST-ACK, and no answer",
        source=_ORPHANS,
        client="closes-and-vanishes",
        server="closes-on-eof",
        expect=Expect(GONE, GONE, CLEAN, rst=False, settled=("112s", "120s"), reads=(1000,)),
        horizon="1h",
        concerns="server",
        within="10s",
        contrasts=(
            Contrast(
                "a firewall has forgotten the connection when the server closes, after 100 s",
                {
                    "client": "closes-first",
                    "middlebox": "linux-conntrack",
                    "parameters": {"server.delay": "100s"},
                },
                Expect(GONE, GONE, CLEAN, rst=False, settled=("212s", "220s"), reads=(1000,)),
            ),
        ),
        cures=("orphan-retries=2", "server.user-timeout=5s", "server-linger=0s"),
        in_vain=("fin-timeout=10s", "server.keepalive=10s", "server-linger=30s"),
    ),
    Scenario(
        name="last-ack-on-the-client",
        theme="pile up, then end",
        title="The server closes, and then its machine is removed",
        question="Why does my client have sockets in LAST-ACK towards a server that is no more?",
        story="A server is scaled down. It closes its connections, and a second later its machine is gone. A"
        " client looks at its pooled connection after 10 s, finds end-of-file and closes. Nobody answers its"
        " FIN. The client's kernel repeats it for almost two minutes in LAST-ACK. A client that had closed"
        " at once would have reached the machine.",
        watch="CLOSE-WAIT for ten seconds, and then ten FINs from LAST-ACK",
        source=_ORPHANS,
        client="closes-with-next-work",
        server="closes-and-vanishes",
        arguments={"client.idle": "10s"},
        expect=Expect(GONE, GONE, CLEAN, rst=False, settled=("122s", "130s"), reads=(1000, 0)),
        horizon="1h",
        concerns="client",
        within="20s",
        contrasts=(
            Contrast(
                "the client looks at its socket every 500 ms and closes in time",
                {"client": "polls-its-socket", "parameters": {"client.every": "500ms"}},
                Expect(GONE, GONE, CLEAN, rst=False, settled=("500ms", "1200ms")),
            ),
        ),
        cures=("orphan-retries=2", "client.user-timeout=5s", "client-linger=0s"),
        in_vain=("fin-timeout=10s", "client.keepalive=5s"),
    ),
    Scenario(
        name="fin-wait-1-behind-a-closed-window",
        theme="pile up, then end",
        title="The server closes, and the client does not read the response",
        question="Why are there sockets in FIN-WAIT-1 with a full Send-Q on my server?",
        story="The client asks for 100,000 bytes and does not read them. Its window is closed, and the rest"
        " of the response waits in the server's send buffer. The server's program has written everything and"
        " closes. The FIN stands behind the data, so the socket is in FIN-WAIT-1, without an owner. The"
        " kernel probes the window, and the client's kernel answers. Linux gives up on such an orphan after"
        " six minutes. The data uses memory for all that time, and somebody can do this on purpose.",
        watch="window 0, probes and their answers, and the Send-Q that stays",
        source="Linux net/ipv4/tcp_timer.c tcp_probe_timer()",
        client="stops-reading",
        server="responds-then-closes",
        arguments={"server.response": 100_000},
        expect=Expect("ESTABLISHED", GONE, PERMANENT, rst=False, settled=("5min", "7min"), reads=()),
        horizon="1h",
        concerns="server",
        within="1min",
        contrasts=(
            Contrast(
                "a server as RFC 9293 has it: no limit",
                {"stack_server": "rfc9293"},
                Expect("ESTABLISHED", "FIN-WAIT-1", RUNNING, rst=False),
            ),
        ),
        cures=("server.user-timeout=30s", "server-linger=0s", "client-restarts=30s"),
        in_vain=("fin-timeout=10s", "orphan-retries=2", "server.keepalive=10s", "server-linger=30s"),
    ),
    Scenario(
        name="fin-wait-1-towards-a-full-accept-queue",
        theme="pile up, then end",
        title="FIN-WAIT-1 on loopback: the other program does not accept",
        question="Why are there sockets in FIN-WAIT-1 on loopback, which loses nothing?",
        story="A proxy opens four connections at once to a backend on the same host. The backend does not"
        " call accept(), and its accept queue has room for two. For the other two the kernel drops the last"
        " ACK of the handshake and all data. The proxy believes that it is connected: it sends its request,"
        " waits 2 s and closes. Nothing is ever acknowledged, so its sockets are in FIN-WAIT-1 with 258"
        " bytes in Send-Q. They have no owner, and they end after the retries of an orphan. At the backend"
        " one sees the other halves: SYN-RECEIVED, and CLOSE-WAIT in the accept queue. A larger backlog"
        " hides it until that is full too.",
        watch="a last ACK that the server drops; FIN-WAIT-1 without a loss on the path",
        source="Linux net/ipv4/tcp_ipv4.c tcp_v4_syn_recv_sock() (the accept queue is full)",
        client="asks-at-once",
        server="does-not-accept",
        arguments={"client.request": 258},
        delay="30us",
        expect=Expect(GONE, "2 CLOSE-WAIT", PERMANENT, rst=False, settled=("100s", "115s"), reads=()),
        horizon="1h",
        concerns="client",
        within="10s",
        contrasts=(
            Contrast(
                "a backlog of 16: no FIN-WAIT-1 for long, and four CLOSE-WAIT that nobody accepts",
                {"parameters": {"server.backlog": 16}},
                Expect(GONE, "4 CLOSE-WAIT", PERMANENT, rst=False),
            ),
        ),
        cures=("server-accepts", "client-linger=0s"),
        in_vain=("fin-timeout=10s", "client.keepalive=5s"),
    ),
    Scenario(
        name="closing-on-a-one-way-path",
        theme="pile up, then end",
        title="Both close at the same time, and one direction of the path is dead",
        question="Why are there sockets in CLOSING on my server?",
        story="Both sides close at 300 ms, so both FINs are under way at the same time. From then on nothing"
        " that the server sends arrives, as after a change of routes or firewall rules. The server hears the"
        " client's FIN, but no ACK of its own: it is in CLOSING and repeats its FIN. The client hears"
        " nothing and is in FIN-WAIT-1. Both are orphans, and both give up after almost two minutes.",
        watch="CLOSING on the side that still hears, FIN-WAIT-1 on the side that does not",
        source="RFC 9293 section 3.6 case 3; " + _ORPHANS,
        client="closes-at",
        server="closes-at",
        arguments={"at": "300ms"},
        drops=("every server ANY after 295ms",),
        expect=Expect(GONE, GONE, CLEAN, rst=False, settled=("112s", "120s"), reads=(1000,)),
        horizon="1h",
        concerns="server",
        within="10s",
        cures=("orphan-retries=2", "server.user-timeout=5s", "server-linger=0s"),
        in_vain=("fin-timeout=10s", "server.keepalive=10s"),
    ),
    Scenario(
        name="closing-behind-a-closed-window",
        theme="leaks on the server",
        title="CLOSING without end: the client half-closes and does not read",
        question="Can a socket stay in CLOSING for ever?",
        source="RFC 9293 section 3.8.6.1 (probes go on as long as they are answered)",
        story="The client asks for 100,000 bytes, reads none of them and half-closes. The server has closed"
        " already, but its FIN waits behind data that the client's window does not admit. It hears the"
        " client's FIN and is in CLOSING. RFC 9293 sets no limit for probes that are answered, so CLOSING"
        " stays as long as the client lives. Linux gives up after six minutes.",
        watch="probes from CLOSING, answers from FIN-WAIT-2",
        client="half-closes-unread",
        server="responds-then-closes",
        arguments={"server.response": 100_000},
        stack_server="rfc9293",
        expect=Expect("FIN-WAIT-2", "CLOSING", RUNNING, rst=False, reads=()),
        horizon="1h",
        concerns="server",
        contrasts=(
            Contrast(
                "a server on Linux",
                {"stack_server": "linux"},
                Expect("FIN-WAIT-2", GONE, PERMANENT, rst=False, settled=("5min", "7min")),
            ),
        ),
        cures=("server-linger=0s", "server.user-timeout=30s", "client-restarts=30s"),
        in_vain=("fin-timeout=10s", "orphan-retries=2"),
    ),
    Scenario(
        name="handshake-that-is-never-complete",
        theme="pile up, then end",
        title="The SYN arrives, and the SYN-ACK does not",
        question="Why are there sockets in SYN-RECEIVED on my server and in SYN-SENT on my client?",
        story="The client's SYN reaches the server, and the server's SYN-ACK never comes back: the route"
        " back is missing, or a firewall blocks it. The client repeats its SYN for about two minutes, and"
        " connect() fails with ETIMEDOUT. The server keeps a request of the listener, repeats the SYN-ACK"
        " and forgets the request after a minute and a half. No program of the server ever hears of it.",
        watch="SYN-ACK after SYN-ACK, SYN-RECEIVED on the server, SYN-SENT on the client",
        source="Linux tcp_syn_retries, tcp_synack_retries",
        client="closes-on-eof",
        server="responds-then-closes",
        drops=("every server SYN-ACK",),
        expect=Expect(GONE, GONE, CLEAN, rst=False, settled=("130s", "132s"), reads=()),
        horizon="10min",
        concerns="server",
        within="10s",
        in_vain=("fin-timeout=10s", "server.keepalive=10s", "server-restarts=1min"),
    ),
)
