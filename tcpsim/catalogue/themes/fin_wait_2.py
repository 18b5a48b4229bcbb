"""Connections in FIN-WAIT-2, and what ends that state.

Owns: the stories of Apache's page on connections in the FIN_WAIT_2 state. Refuses to know: how a run
comes to its end (the tests run each and compare).
"""

from __future__ import annotations

from tcpsim.catalogue.scenario import Contrast, Expect, Scenario
from tcpsim.catalogue.themes.ends import CLEAN, GONE, PERMANENT, RUNNING

SCENARIOS = (
    Scenario(
        name="keepalive-timeout-buggy-client",
        theme="FIN-WAIT-2",
        title="KeepAliveTimeout, and a client that does not answer the FIN",
        story="The connection is persistent and idle. After KeepAliveTimeout the server closes; the browser's"
        " kernel acknowledges the FIN, but the browser never closes its end (Apache: buggy clients and"
        " persistent connections). The server's kernel has no limit for FIN-WAIT-2, as RFC 9293 has"
        " none: the socket stays until the system is rebooted. It is an orphan; no httpd process is tied"
        " up.",
        watch="FIN and ACK after 15 s, and nothing ever after",
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
        cures=("client-checks-sockets", "pool-idle=10s", "fin-timeout=60s"),
    ),
    Scenario(
        name="fin-wait-2-until-another-is-opened",
        theme="FIN-WAIT-2",
        title="The client opens another connection",
        story="The buggy browser lets go of its old connection only when it opens another one, here after ten"
        " minutes: that is the first of the three ways in which FIN-WAIT-2 ends on a server without a"
        " timer (Apache). The server gives each connection to a child.",
        watch="FIN-WAIT-2 for ten minutes; then the old connection's last FIN, while the new one opens",
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
        story="The browser holds its half of the connection until the user quits it after an hour; then its"
        " kernel closes what is open, and the server's FIN-WAIT-2 is over (Apache, the second way).",
        watch="FIN-WAIT-2 for an hour, ended by the FIN of a process that is no more",
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
        story="The server runs Solaris 8, which flushes FIN-WAIT-2 after tcp_fin_wait_2_flush_interval, 675 s"
        " (Apache, the third way). It says nothing to the client, whose CLOSE-WAIT stays: the timer"
        " frees the server, not the browser.",
        watch="675 s of FIN-WAIT-2, and no RST",
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
        story="The user leaves the browser open over a long weekend. It has no further use for the"
        " connection, but finds out only when it next has work, three days later. So long the server is"
        " in FIN-WAIT-2 if nothing limits that (Apache).",
        watch="three days of silence",
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
        title="The modem hangs up on a FIN-WAIT-2",
        story="The browser's kernel acknowledges the server's FIN; a little later the user hangs up the modem"
        " before the browser has closed anything. Nobody is left who could send the FIN that the server"
        " waits for (Apache). SO_KEEPALIVE does not help an orphan; HP-UX probes those after two"
        " minutes.",
        watch="FIN-WAIT-2 towards a host that is no more",
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
        story="The server half-closes and waits for the client's FIN with SO_KEEPALIVE set. The client's host"
        " is gone. After two hours the server's kernel sends nine probes, 75 s apart, then a RST to"
        " nobody, and tells the program ETIMEDOUT. A client that lives and never closes answers each"
        " probe: no end. And 4.4BSD probes in ESTABLISHED and CLOSE-WAIT only.",
        watch="nine probes after two hours",
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
)
