"""Closing while the client still sends: lingering_close(), its absence, and SO_LINGER.

Owns: the stories of Apache's page and of Roy Fielding's appendix to it. Refuses to know: how a run
comes to its end (the tests run each and compare).
"""

from __future__ import annotations

from tcpsim.catalogue.scenario import Contrast, Expect, Scenario
from tcpsim.catalogue.themes.expected_ends import CLEAN, GONE, PERMANENT, RUNNING

SCENARIOS = (
    Scenario(
        name="unread-data-reset",
        theme="closing with care",
        title="close() with unread data sends a RST",
        question="Why does my server send a RST instead of a FIN?",
        story="The server reads half of the request, answers and closes. The other half is in its receive"
        " queue, and nobody will read it. So its kernel sends a RST instead of a FIN.",
        watch="a RST where a FIN would be; no TIME-WAIT on either side",
        source="RFC 2525 section 2.17",
        client="closes-on-eof",
        server="leaves-unread",
        expect=Expect(GONE, GONE, CLEAN, rst=True),
        horizon="10min",
    ),
    Scenario(
        name="lingering-close",
        theme="closing with care",
        title="lingering_close(): 2 s between reads, 30 s in all",
        question="What does lingering_close() cost?",
        story="The server half-closes after its response and goes on reading. So a client that still sends"
        " gets no RST before it has read the response. This client sends every second. The server's process"
        " is tied up for 30 s, and then it closes. What comes later gets a RST. A client that is silent ties"
        " the process up for 2 s.",
        watch="30 s of reading, in which the process can do nothing else",
        source="Apache httpd documentation, Connections in the FIN_WAIT_2 state and Apache",
        client="keeps-sending",
        server="drains",
        arguments={"every": "1s", "blocks": 60},
        expect=Expect(GONE, GONE, CLEAN, rst=True, settled=("30s", "33s"), reads=(1000, 0)),
        horizon="1h",
        contrasts=(
            Contrast(
                "a client that says nothing more, and does not close",
                {"client": "never-closes"},
                Expect("CLOSE-WAIT", GONE, PERMANENT, rst=False, settled=("62s", "63s"), reads=(1000, 0)),
            ),
        ),
    ),
    Scenario(
        name="lingering-close-4.4bsd",
        theme="closing with care",
        title="Why a stack with a FIN-WAIT-2 timer still leaks",
        question="Why does FIN-WAIT-2 stay on a system that has a timer for it?",
        story="4.4BSD has a FIN-WAIT-2 timer of 600 s, but arms it in one place only: when the ACK of the"
        " FIN arrives and the socket can no longer receive, which means that close() came first."
        " lingering_close() does it the other way round. shutdown(SHUT_WR) sends the FIN, the ACK arrives"
        " while the program still reads, and the kernel arms nothing. Two seconds later close() lets go of"
        " the socket, and again the kernel arms nothing. The orphan stays in FIN-WAIT-2 until the client"
        " closes or the server is rebooted. That is the bug in the BSD stack that Apache's page suspected.",
        watch="the ACK of the FIN before close(); no timer",
        source="Apache httpd documentation, Connections in the FIN_WAIT_2 state and Apache",
        client="never-closes",
        server="drains",
        stack_server="4.4bsd",
        expect=Expect(
            "CLOSE-WAIT", "FIN-WAIT-2", PERMANENT, rst=False, settled=("100ms", "120ms"), reads=(1000, 0)
        ),
        horizon="24h",
        concerns="server",
        contrasts=(
            Contrast(
                "without lingering_close() the same timer is armed",
                {"server": "responds-then-closes"},
                Expect("CLOSE-WAIT", GONE, PERMANENT, rst=False, settled=("600s", "690s")),
            ),
            Contrast(
                "FreeBSD, which arms it on close() as well",
                {"stack_server": "freebsd"},
                Expect("CLOSE-WAIT", GONE, PERMANENT, rst=False, settled=("602s", "690s")),
            ),
        ),
        cures=("second-arm-point", "no-lingering-close", "client-checks-sockets"),
        in_vain=("fin-timeout=60s",),
    ),
    Scenario(
        name="post-without-authorisation",
        theme="closing with care",
        title="The RST of a close() destroys the response",
        question="Why does my client get ECONNRESET instead of the server's error page?",
        story="The client posts without authorisation. The server reads the head, answers 401 and closes."
        " The body is unread, so the server's kernel sends a RST. The client's program is busy for a moment."
        " When it reads, its kernel (Windows 2003 here) has thrown the response away because of the RST, and"
        " the connection has failed for no apparent reason. On Linux a program reads what has arrived before"
        " it gets the error.",
        watch="the response arrives, then the RST; what recv() returns",
        source="Roy Fielding, appendix to Apache's page on FIN_WAIT_2",
        client="posts",
        server="leaves-unread",
        arguments={"server.reads": 200},
        stack_client="windows-2003",
        expect=Expect(GONE, GONE, CLEAN, rst=True, reads=("ECONNRESET",)),
        horizon="10min",
        contrasts=(
            Contrast(
                "a client on Linux finishes reading",
                {"stack_client": "linux"},
                Expect(GONE, GONE, CLEAN, rst=True, reads=(1000, "ECONNRESET")),
            ),
            Contrast(
                "on Linux too, if the response's segment is lost: the RST overtakes it",
                {"stack_client": "linux", "drops": ("server DATA 1",)},
                Expect(GONE, GONE, CLEAN, rst=True, reads=("ECONNRESET",)),
            ),
        ),
        cures=("lingering-close",),
    ),
    Scenario(
        name="pipelining-error",
        theme="closing with care",
        title="An error in the middle of pipelined requests",
        question="Why is the answer to the first of three requests lost?",
        story="The client sends three requests at once. The server answers the first, refuses the second and"
        " closes. The third is unread, so the server's kernel sends a RST. If the client's kernel flushes"
        " its receive queue on a RST, the client loses even the answer to the first request.",
        watch="two responses arrive, and neither is read",
        source="Roy Fielding, appendix to Apache's page on FIN_WAIT_2",
        client="pipelines",
        server="errs-in-the-middle",
        stack_client="windows-2003",
        expect=Expect(GONE, GONE, CLEAN, rst=True, reads=("ECONNRESET",)),
        horizon="10min",
        contrasts=(
            Contrast(
                "a client on Linux finishes reading",
                {"stack_client": "linux"},
                Expect(GONE, GONE, CLEAN, rst=True, reads=(1300, "ECONNRESET")),
            ),
        ),
        cures=("lingering-close",),
    ),
    Scenario(
        name="so-linger-works",
        theme="closing with care",
        title="SO_LINGER: close() waits until the response is acknowledged",
        question="Does SO_LINGER make close() safe?",
        story="The server sets SO_LINGER to 30 s and closes. The response's only segment is lost. close()"
        " blocks until the repeated segment is acknowledged, and then it returns. So long the process is"
        " tied up, and no longer. But the kernel does not read meanwhile. What the client still sends gets a"
        " RST, so SO_LINGER does not replace lingering_close().",
        watch="close() returns after the retransmission, long before 30 s",
        source="Roy Fielding, appendix to Apache's page on FIN_WAIT_2",
        client="closes-on-eof",
        server="lingers",
        drops=("server DATA 1",),
        expect=Expect(GONE, GONE, CLEAN, rst=False, reads=(1000, 0)),
        horizon="10min",
        contrasts=(
            Contrast(
                "unread data in the server's buffer: RST at once, lingering or not",
                {"client": "posts", "stack_client": "windows-2003"},
                Expect(GONE, GONE, CLEAN, rst=True, reads=("ECONNRESET",)),
            ),
        ),
    ),
    Scenario(
        name="so-linger-broken",
        theme="closing with care",
        title="SO_LINGER, and no limit after it",
        question="What happens when the time of SO_LINGER is over?",
        story="The client asks for a large response and does not read it, so its window is closed. close()"
        " waits the 30 s of SO_LINGER and lets the process go. After that nothing limits the socket. Its"
        " kernel probes the closed window, the client's kernel answers every probe, and the rest of the"
        " response stays in memory. In Roy Fielding's words: the TCP memory segments just pile up until the"
        " next reboot.",
        watch="window 0, probes and answers without end; bytes that stay unacknowledged",
        source="Roy Fielding, appendix to Apache's page on FIN_WAIT_2",
        client="stops-reading",
        server="lingers",
        arguments={"server.response": 100_000},
        stack_server="rfc9293",
        expect=Expect("ESTABLISHED", "FIN-WAIT-1", RUNNING, rst=False),
        horizon="24h",
        concerns="server",
        contrasts=(
            Contrast(
                "Linux limits an orphan's probes",
                {"stack_server": "linux"},
                Expect("ESTABLISHED", GONE, PERMANENT, rst=False),
            ),
        ),
        cures=("server.user-timeout=30s", "server-linger=0s", "client-restarts=10min"),
        in_vain=("fin-timeout=10s", "orphan-retries=2", "server.keepalive=10min"),
    ),
)
