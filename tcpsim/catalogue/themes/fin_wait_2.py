"""Connections in FIN-WAIT-2, and what ends that state.

Owns: the stories of Apache's page on connections in the FIN_WAIT_2 state. Refuses to know: how a run
comes to its end (the tests run each and compare).
"""

from __future__ import annotations

from tcpsim.catalogue.scenario import Contrast, Expect, Scenario
from tcpsim.catalogue.themes.expected_ends import CLEAN, GONE, PERMANENT, RUNNING

SCENARIOS = (
    Scenario(
        name="keepalive-timeout-buggy-client",
        theme="FIN-WAIT-2",
        title="The server closes an idle connection, and the client does not",
        question="Why does my server have sockets in FIN-WAIT-2 for hours?",
        story="The connection is persistent and idle. After KeepAliveTimeout the server closes. The"
        " browser's kernel acknowledges the FIN, but the browser never closes its end. The server's kernel"
        " here has no limit for FIN-WAIT-2, as RFC 9293 has none, so the socket stays until the system is"
        " rebooted. It is an orphan, and no httpd process is tied up.",
        watch="FIN and ACK after 15 s, and nothing after that",
        source="Apache httpd documentation, Connections in the FIN_WAIT_2 state and Apache",
        client="never-closes",
        server="keep-alive-timeout",
        stack_server="rfc9293",
        expect=Expect("CLOSE-WAIT", "FIN-WAIT-2", PERMANENT, rst=False, reads=(1000, 0)),
        horizon="24h",
        concerns="server",
        contrasts=(
            Contrast(
                "a server with tcp_fin_timeout, as Linux",
                {"stack_server": "linux"},
                Expect("CLOSE-WAIT", GONE, PERMANENT, rst=False, settled=("75s", "76s")),
            ),
        ),
        cures=("client-checks-sockets", "pool-idle=10s", "fin-timeout=60s", "kill-socket=10min"),
        in_vain=("server.user-timeout=30s", "server-closes-on-error", "server-restarts=10min"),
    ),
    Scenario(
        name="fin-wait-2-until-another-is-opened",
        theme="FIN-WAIT-2",
        title="The client opens another connection",
        question="What ends FIN-WAIT-2 on a server without a timer?",
        story="The browser lets go of its old connection only when it opens another one, here after ten"
        " minutes. That is the first of three ways in which FIN-WAIT-2 ends on a server without a timer. The"
        " server gives each connection to a child process.",
        watch="FIN-WAIT-2 for ten minutes; then the old connection's last FIN while the new one opens",
        source="Apache httpd documentation, Connections in the FIN_WAIT_2 state and Apache",
        client="opens-another",
        server="serves-in-children",
        stack_server="rfc9293",
        expect=Expect(GONE, GONE, CLEAN, rst=False),
        horizon="1h",
    ),
    Scenario(
        name="fin-wait-2-until-the-client-quits",
        theme="FIN-WAIT-2",
        title="The user quits the browser",
        question="Does FIN-WAIT-2 end when the client's process ends?",
        story="The browser holds its half of the connection until the user quits it after an hour. Then its"
        " kernel closes what is open, and the server's FIN-WAIT-2 is over. That is the second of the three"
        " ways.",
        watch="FIN-WAIT-2 for an hour, ended by the FIN of a process that has ended",
        source="Apache httpd documentation, Connections in the FIN_WAIT_2 state and Apache",
        client="leaks-until-killed",
        server="keep-alive-timeout",
        arguments={"client.lives": "1h"},
        stack_server="rfc9293",
        expect=Expect(GONE, GONE, CLEAN, rst=False, settled=("3855s", "3856s")),
        horizon="2h",
    ),
    Scenario(
        name="fin-wait-2-until-the-timer-fires",
        theme="FIN-WAIT-2",
        title="The server's FIN-WAIT-2 timer fires",
        question="Does the server's FIN-WAIT-2 timer help the client?",
        story="The server runs Solaris 8, which drops a FIN-WAIT-2 after 675 s"
        " (tcp_fin_wait_2_flush_interval). That is the third of the three ways. The server says nothing to"
        " the client, so the client's CLOSE-WAIT stays. The timer frees the server, not the browser.",
        watch="675 s of FIN-WAIT-2, and no RST",
        source="Apache httpd documentation, Connections in the FIN_WAIT_2 state and Apache",
        client="never-closes",
        server="keep-alive-timeout",
        stack_server="solaris-8",
        expect=Expect("CLOSE-WAIT", GONE, PERMANENT, rst=False, settled=("690s", "691s")),
        horizon="2h",
        concerns="client",
        cures=("client-checks-sockets", "fin-timeout-rst"),
        in_vain=("fin-timeout=30s",),
    ),
    Scenario(
        name="client-idle-for-days",
        theme="FIN-WAIT-2",
        title="A client that is idle for days",
        question="How long can FIN-WAIT-2 last without a timer?",
        story="The user leaves the browser open over a long weekend. The browser has no use for the"
        " connection, and it notices that the server has closed only when it next has work, three days"
        " later. The server is in FIN-WAIT-2 for those three days, because nothing limits it.",
        watch="three days of silence",
        source="Apache httpd documentation, Connections in the FIN_WAIT_2 state and Apache",
        client="closes-with-next-work",
        server="keep-alive-timeout",
        arguments={"client.idle": "3d"},
        stack_server="rfc9293",
        expect=Expect(GONE, GONE, CLEAN, rst=False, settled=("72h", "73h")),
        horizon="7d",
    ),
    Scenario(
        name="dial-up-client-vanishes",
        theme="FIN-WAIT-2",
        title="The client's line is cut while the server is in FIN-WAIT-2",
        question="Why does FIN-WAIT-2 stay although the client is gone?",
        story="The browser's kernel acknowledges the server's FIN. A little later the user hangs up the"
        " modem, and the browser has not closed anything. Nobody is left who could send the FIN that the"
        " server waits for. SO_KEEPALIVE does not help, because the socket is an orphan. HP-UX probes"
        " orphans after two minutes.",
        watch="FIN-WAIT-2 towards a host that is gone",
        source="Apache httpd documentation, Connections in the FIN_WAIT_2 state and Apache",
        client="vanishes",
        server="keep-alive-timeout",
        arguments={"client.after": "30s"},
        stack_server="rfc9293",
        expect=Expect(GONE, "FIN-WAIT-2", PERMANENT, rst=False),
        horizon="24h",
        concerns="server",
        contrasts=(
            Contrast(
                "a stack that probes orphans, as HP-UX 11",
                {"stack_server": "hpux-11"},
                Expect(GONE, GONE, CLEAN, rst=False),
            ),
        ),
        cures=("fin-timeout=60s",),
        in_vain=("keepalive=60s",),
    ),
    Scenario(
        name="keepalive-in-fin-wait-2",
        theme="FIN-WAIT-2",
        title="SO_KEEPALIVE in FIN-WAIT-2",
        question="Does SO_KEEPALIVE end FIN-WAIT-2?",
        story="The server half-closes and waits for the client's FIN with SO_KEEPALIVE set. The client's"
        " host is gone. After two hours the server's kernel sends nine probes, 75 s apart. Then it sends a"
        " RST and reports ETIMEDOUT to the program. A client that is alive and never closes answers every"
        " probe, so nothing ends. 4.4BSD probes in ESTABLISHED and CLOSE-WAIT only.",
        watch="nine probes after two hours",
        source="Apache httpd documentation, Connections in the FIN_WAIT_2 state and Apache",
        client="vanishes",
        server="keepalive-half-closes",
        expect=Expect(GONE, GONE, CLEAN, rst=True, settled=("7875s", "7876s")),
        horizon="6h",
        contrasts=(
            Contrast(
                "the client lives, and never closes",
                {"client": "never-closes"},
                Expect("CLOSE-WAIT", "FIN-WAIT-2", RUNNING, rst=False),
            ),
            Contrast(
                "4.4BSD does not probe in FIN-WAIT-2",
                {"stack_server": "4.4bsd"},
                Expect(GONE, "FIN-WAIT-2", PERMANENT, rst=False),
            ),
        ),
    ),
    Scenario(
        name="client-waits-in-fin-wait-2",
        theme="FIN-WAIT-2",
        title="The client half-closes, and the server never closes",
        question="Why does my client hang in FIN-WAIT-2 although tcp_fin_timeout is 60 s?",
        story="The client sends its request, half-closes and reads to end-of-file. The server answers and"
        " forgets the connection. The client waits in FIN-WAIT-2, and the server is in CLOSE-WAIT."
        " tcp_fin_timeout limits orphans only, and the client's program still holds this socket."
        " SO_KEEPALIVE does not help either: the server's host is alive and answers every probe.",
        watch="FIN-WAIT-2 with an owner on the client, CLOSE-WAIT on the server",
        source="Linux net/ipv4/tcp_input.c tcp_rcv_state_process() (TCP_FIN_WAIT1: only a dead socket is"
        " timed)",
        client="half-closes",
        server="never-closes",
        expect=Expect("FIN-WAIT-2", "CLOSE-WAIT", PERMANENT, rst=False, reads=(1000,)),
        horizon="4h",
        concerns="client",
        contrasts=(
            Contrast(
                "with SO_KEEPALIVE: probes and answers without end",
                {"knobs": {"client.keep_idle_us": "600s", "client.keepalive_default": True}},
                Expect("FIN-WAIT-2", "CLOSE-WAIT", RUNNING, rst=False),
            ),
        ),
        cures=("server-closes", "server-idle=15s", "server-restarts=10min", "client-restarts=10min"),
        in_vain=("fin-timeout=10s", "client.keepalive=10min", "client-closes-on-error"),
    ),
)
