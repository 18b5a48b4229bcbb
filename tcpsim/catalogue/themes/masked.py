"""What masks a program that never closes: resets, and who asks for them.

Owns: the stories of Rick Jones's list. Refuses to know: how a run
comes to its end (the tests run each and compare).

"Rick Jones" is his mail to the OpenStack list on CLOSE_WAIT (31 January 2013).
"""

from __future__ import annotations

from tcpsim.catalogue.scenario import Contrast, Expect, Scenario
from tcpsim.catalogue.themes.ends import CLEAN, GONE, ONLY_FD, PERMANENT, RUNNING

SCENARIOS = (
    Scenario(
        name="data-after-close",
        theme="leaks that heal",
        title="Data after the peer's close() draws a RST",
        story="The server has closed, so nobody is left to read. The client never looks, but 5 s later sends"
        " on the connection: the server's kernel answers with RST, and CLOSE-WAIT is over (Rick Jones,"
        " 1). The descriptor stays open on a dead socket.",
        watch="the RST, and the socket that has a descriptor but no state",
        client="sends-once-more",
        server="responds-then-closes",
        expect=Expect(ONLY_FD, GONE, CLEAN, rst=True, settled=("5s", "5100ms")),
        horizon="10min",
    ),
    Scenario(
        name="keepalive-rescues",
        theme="leaks that heal",
        title="SO_KEEPALIVE ends a CLOSE-WAIT",
        story="The client ignores end-of-file, but has set SO_KEEPALIVE. After two hours of silence its"
        " kernel sends a probe; the server's socket is long gone, its kernel answers with RST (Rick"
        " Jones, 1).",
        watch="one probe after two hours, one RST",
        client="keepalive-never-closes",
        server="responds-then-closes",
        expect=Expect(ONLY_FD, GONE, CLEAN, rst=True, settled=("2h", "7201s"), reads=(1000, 0)),
        horizon="3h",
        contrasts=(
            Contrast(
                "the server stays in FIN-WAIT-2 and answers each probe",
                {"stack_server": "rfc9293"},
                Expect("CLOSE-WAIT", "FIN-WAIT-2", RUNNING, rst=False),
            ),
        ),
    ),
    Scenario(
        name="last-rst-lost",
        theme="leaks that heal",
        title="A RST is lost, and data asks for another",
        story="As data-after-close, but the RST is lost. Nobody retransmits a RST; the client retransmits its"
        " data, and that draws another (Rick Jones). Where a timer sent the only RST there is no data to"
        " repeat: if that one is lost, that's it.",
        watch="two RSTs, one retransmission between them",
        client="sends-once-more",
        server="responds-then-closes",
        drops=("server RST 1",),
        expect=Expect(ONLY_FD, GONE, CLEAN, rst=True),
        horizon="1h",
        contrasts=(
            Contrast(
                "no RST ever arrives: the client's retransmission limit ends it",
                {"drops": ("every server RST",)},
                Expect(ONLY_FD, GONE, CLEAN, rst=True),
            ),
            Contrast(
                "the FIN-WAIT-2 timer's single RST is lost",
                {
                    "client": "never-closes",
                    "stack_server": "rfc9293",
                    "knobs": {
                        "server.fin_wait_2_us": "60s",
                        "server.fin_wait_2_on_fin_acked": "cannot-receive",
                        "server.fin_wait_2_on_close": True,
                        "server.fin_wait_2_rst": True,
                    },
                },
                Expect("CLOSE-WAIT", GONE, PERMANENT, rst=True),
            ),
        ),
    ),
    Scenario(
        name="no-rst-ever-arrives",
        theme="leaks that heal",
        title="No RST ever arrives: the retransmission limit",
        story="As data-after-close, but every RST is lost. The client retransmits its data until its kernel's"
        " limit: on Linux that of tcp_retries2, after about a quarter of an hour. Then the connection is"
        " over without anybody's RST (Rick Jones).",
        watch="seventeen transmissions, seventeen RSTs, and silence",
        client="sends-once-more",
        server="responds-then-closes",
        drops=("every server RST",),
        expect=Expect(ONLY_FD, GONE, CLEAN, rst=True, settled=("920s", "990s")),
        horizon="1h",
    ),
    Scenario(
        name="one-rst-stack",
        theme="leaks that heal",
        title="A FIN-WAIT-2 timer that sends a RST when it fires",
        story="The server runs HP-UX 11 with tcp_fin_wait_2_timeout set to ten minutes. When it fires, the"
        " connection is killed and one RST is sent, which ends the client's CLOSE-WAIT as well (Rick"
        " Jones: it may send a RST; of the stacks here no other does). Nobody repeats a RST: if that one"
        " is lost, that's it, and the CLOSE-WAIT remains for ever.",
        watch="one RST after ten minutes, and no second",
        client="never-closes",
        server="responds-then-closes",
        stack_server="hpux-11",
        knobs={"server.fin_wait_2_us": "600s", "server.orphan_keep_idle_us": "none"},
        expect=Expect(ONLY_FD, GONE, CLEAN, rst=True, settled=("600s", "601s")),
        horizon="1h",
        contrasts=(
            Contrast(
                "the RST is lost",
                {"drops": ("server RST 1",)},
                Expect("CLOSE-WAIT", GONE, PERMANENT, rst=True, settled=("600s", "601s")),
            ),
            Contrast(
                "a timer that fires in silence, as Linux's",
                {"stack_server": "linux"},
                Expect("CLOSE-WAIT", GONE, PERMANENT, rst=False, settled=("600s", "1201s")),
            ),
        ),
    ),
)
