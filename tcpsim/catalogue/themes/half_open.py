"""Half-open connections: one side is gone, and the other side does not know.

Owns: the half-open connections. Refuses to know: how a run
comes to its end (the tests run each and compare).
"""

from __future__ import annotations

from tcpsim.catalogue.scenario import Contrast, Expect, Scenario
from tcpsim.catalogue.themes.expected_ends import CLEAN, GONE, PERMANENT

SCENARIOS = (
    Scenario(
        name="vanished-client",
        theme="half-open",
        title="The client's line is cut before the server closes",
        question="How long does a server keep a connection to a client that is gone?",
        story="The client loses its line while the connection is open. After KeepAliveTimeout the server"
        " closes. Nobody acknowledges its FIN. The socket is an orphan in FIN-WAIT-1, and the kernel gives"
        " up after about two minutes.",
        watch="ten FINs without an answer, FIN-WAIT-1, and silence",
        source="Apache httpd documentation, Connections in the FIN_WAIT_2 state and Apache",
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
        question="Why is my client ESTABLISHED towards a server that has no such connection?",
        story="Every FIN of the server is lost. The server's orphan repeats its FIN, gives up after about"
        " two minutes and disappears without a RST. The client waits for data on a connection that only it"
        " has: a half-open ESTABLISHED. It has nothing to send, so it never notices.",
        watch="ten transmissions of the FIN; no segment from the client",
        client="closes-on-eof",
        server="responds-then-closes",
        arguments={"server.delay": "200ms"},
        drops=("every server FIN",),
        expect=Expect("ESTABLISHED", GONE, PERMANENT, rst=False, settled=("112s", "120s")),
        horizon="1h",
        concerns="client",
        cures=("keepalive=10min",),
        in_vain=("fin-timeout=30s", "user-timeout=30s", "client-closes", "kill-socket=10min"),
    ),
    Scenario(
        name="heartbeats-to-a-dead-peer",
        theme="half-open",
        title="The client sends heartbeats, and nobody acknowledges them",
        question="Why does a dead peer go unnoticed for a quarter of an hour although keepalive is on?",
        story="The client sends a heartbeat every 45 s. After 100 s the line to the server is cut. The"
        " client's kernel repeats the next heartbeat until its limit (tcp_retries2), and the program's sends"
        " succeed all that time, because they only fill the send buffer. A send fails 945 s after the first"
        " heartbeat that got lost. Keepalive changes nothing, because the kernel sends no probes while data"
        " is unacknowledged. TCP_USER_TIMEOUT is the right knob. The server only reads, so it never notices"
        " at all.",
        watch="one heartbeat that is repeated for a quarter of an hour, and no keepalive probe",
        source="Linux net/ipv4/tcp_timer.c tcp_write_timeout(), tcp_keepalive_timer()",
        client="heartbeats",
        server="only-reads",
        arguments={"client.every": "45s"},
        drops=("both after 100s",),
        expect=Expect(GONE, "ESTABLISHED", PERMANENT, rst=False, settled=("1080s", "1081s"), reads=()),
        horizon="2h",
        concerns="client",
        within="200s",
        contrasts=(
            Contrast(
                "the server has set SO_KEEPALIVE: it has no data of its own, so it sends probes",
                {"knobs": {"server.keep_idle_us": "60s", "server.keepalive_default": True}},
                Expect(GONE, GONE, CLEAN, rst=True),
            ),
        ),
        cures=("client.user-timeout=30s",),
        in_vain=("client.keepalive=60s", "server.keepalive=60s", "fin-timeout=10s", "client-closes-on-error"),
    ),
    Scenario(
        name="half-open-discovery",
        theme="half-open",
        title="A client reboots and connects again from the same port",
        question="How does a server find out that its client has rebooted?",
        story="The client's machine reboots while the connection is idle, and tells nobody. A new process"
        " connects from the same port. Its SYN meets the old connection, which is ESTABLISHED at the server."
        " The server answers with an ACK that says what it expects. This ACK acknowledges nothing that the"
        " new client has sent, so its kernel sends a RST with that number. The RST ends the old connection."
        " The SYN is repeated, and the second connection begins. These are the messages of figure 9.",
        watch="SYN, ACK, RST, and the SYN again",
        source="RFC 9293 section 3.5.1, figure 9",
        client="reboots-and-reconnects",
        server="forgets-every-connection",
        stack_client="rfc9293",
        stack_server="rfc9293",
        expect=Expect(
            "FIN-WAIT-2", "CLOSE-WAIT", PERMANENT, rst=True, settled=("22s", "23s"), reads=(1000, 1000)
        ),
        horizon="1h",
        contrasts=(
            Contrast(
                "the client comes back as another kernel: Linux repeats the SYN at once",
                {"stack_client": "linux"},
                Expect(GONE, "CLOSE-WAIT", PERMANENT, rst=True, reads=(1000, 1000)),
            ),
        ),
    ),
    Scenario(
        name="half-open-meets-data",
        theme="half-open",
        title="A client reboots, and the server has more to say",
        question="What happens when a server sends to a client that has rebooted?",
        story="The client's machine reboots while the connection is idle, and nobody there connects again."
        " Ten minutes later the server sends ten bytes. The client's kernel knows no such connection and"
        " answers with a RST. The number of the RST is what the server expects, so the connection ends and"
        " the server's program gets ECONNRESET. These are the messages of figure 10.",
        watch="data, and a RST that answers it",
        source="RFC 9293 section 3.5.1, figure 10",
        client="reboots",
        server="sends-once-more",
        stack_client="rfc9293",
        stack_server="rfc9293",
        expect=Expect(GONE, GONE, CLEAN, rst=True, settled=("600s", "601s"), reads=(1000,)),
        horizon="1h",
        contrasts=(
            Contrast(
                "a client that is switched off for good: no RST, and retransmissions until the limit",
                {"client": "vanishes"},
                Expect(GONE, GONE, CLEAN, rst=False),
            ),
        ),
    ),
    Scenario(
        name="old-duplicate-syn",
        theme="half-open",
        title="An old SYN arrives when both sides only listen",
        question="What happens to a SYN that arrives long after its client is gone?",
        story="A SYN is under way for ten seconds. In the meantime the client's machine has rebooted and its"
        " new process listens on the same port. When the SYN arrives, the server's kernel answers it. The"
        " client's kernel knows of no SYN, so it answers the SYN-ACK with a RST, and the server forgets the"
        " request. Both sides listen as before. These are the messages of figure 11.",
        watch="a late SYN, a SYN-ACK, and a RST",
        source="RFC 9293 section 3.5.1, figure 11",
        client="reboots-while-connecting",
        server="only-reads",
        stack_client="rfc9293",
        stack_server="rfc9293",
        drops=("delay client SYN 1 by 10s",),
        expect=Expect(GONE, GONE, CLEAN, rst=True, settled=("10s", "11s"), reads=()),
        horizon="1h",
    ),
)
