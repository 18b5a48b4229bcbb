"""Closing while the client still sends: lingering_close(), its absence, and SO_LINGER.

Owns: the stories of Apache's page and of Roy Fielding's appendix to it. Refuses to know: how a run
comes to its end (the tests run each and compare).
"""

from __future__ import annotations

from tcpsim.catalogue.scenario import Contrast, Expect, Scenario
from tcpsim.catalogue.themes.ends import CLEAN, GONE, PERMANENT, RUNNING

SCENARIOS = (
    Scenario(
        name="unread-data-reset",
        theme="closing with care",
        title="close() with unread data is a RST",
        story="The server reads half of the request, answers and closes. Bytes that nobody will read are in"
        " its receive queue, so its kernel sends RST instead of FIN (RFC 2525, 2.17).",
        watch="a RST where a FIN would be; no TIME-WAIT on either side",
        client="closes-on-eof",
        server="leaves-unread",
        expect=Expect(GONE, GONE, CLEAN, rst=True),
        horizon="10min",
    ),
    Scenario(
        name="lingering-close",
        theme="closing with care",
        title="lingering_close(): 2 s between reads, 30 s in all",
        story="The server half-closes after its response and reads on, so that a client that still sends is"
        " not answered with RST before it has read the response. This client goes on sending every"
        " second: the server's process is tied up for 30 s, then it closes, and what comes later draws a"
        " RST. A client that is silent ties it up for 2 s.",
        watch="30 s of reading; the process is busy all that time, unlike with a plain close()",
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
        story="4.4BSD has a FIN-WAIT-2 timer of 600 s, but arms it in one place only: when the ACK of the FIN"
        " arrives and the socket can no longer receive, that is, close() came first. lingering_close()"
        " goes the other way: shutdown(SHUT_WR) sends the FIN, its ACK arrives while the program still"
        " reads, and nothing is armed; two seconds later close() only lets go of the socket. An orphan"
        " in FIN-WAIT-2 without a timer: it stays until the client closes or the server is rebooted."
        " That is the problem in the BSD stack that Apache's page suspected.",
        watch="the ACK of the FIN before close(); no timer ever",
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
        title="The RST of a close() flushes the response",
        story="The client posts without authorisation. The server reads the head, answers 401 and closes; the"
        " body is unread, so its kernel sends RST. The client's program is busy for a moment; when it"
        " reads, its kernel (here Windows 2003) has thrown the response away with the RST: the"
        " connection failed for no apparent reason (Roy Fielding). On Linux what has arrived is read"
        " first.",
        watch="the response arrives, then the RST; what recv() returns",
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
        story="The client sends three requests at once. The server answers the first, refuses the second and"
        " closes; the third is unread, so its kernel sends RST. A client whose kernel flushes on RST"
        " loses the answer to the first as well, though it was served (Roy Fielding).",
        watch="two responses arrive, and neither is read",
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
        title="SO_LINGER: close() waits for the response to be acknowledged",
        story="The server sets SO_LINGER to 30 s and closes; the response's only segment is lost. close()"
        " blocks until the retransmission is acknowledged and returns; the process is tied up so long"
        " and no longer. It does not read, though: what the client still sends draws a RST, so it is no"
        " replacement for lingering_close().",
        watch="close() returns after the retransmission, long before 30 s",
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
        title="SO_LINGER without a limit behind it",
        story="The client asks for a large response and does not read it: its window is closed. close() waits"
        " the 30 s of SO_LINGER and lets the process go, but nothing limits the socket: its kernel"
        " probes the closed window, the client's answers each probe, and the rest of the response stays"
        " in memory (Roy Fielding: the TCP memory segments just pile up until the next reboot).",
        watch="window 0, probes and answers without end; the bytes that stay unacknowledged",
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
    ),
)
