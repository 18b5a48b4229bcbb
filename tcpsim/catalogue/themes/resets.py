"""Resets that hide a program that never closes.

Owns: the stories of Rick Jones's list. Refuses to know: how a run
comes to its end (the tests run each and compare).

"Rick Jones" is his mail to the OpenStack list on CLOSE_WAIT (31 January 2013).
"""

from __future__ import annotations

from tcpsim.catalogue.scenario import Contrast, Expect, Scenario
from tcpsim.catalogue.themes.expected_ends import CLEAN, GONE, ONLY_FD, PERMANENT, RUNNING

SCENARIOS = (
    Scenario(
        name="data-after-close",
        theme="leaks that heal",
        title="Data after the peer's close() gets a RST",
        question="Why do some CLOSE-WAIT sockets disappear although nobody closes them?",
        story="The server has closed, so nobody there will read. The client does not notice, and 5 s later"
        " it sends again on the connection. The server's kernel answers with a RST, and CLOSE-WAIT is over."
        " The descriptor stays open on a dead socket.",
        watch="the RST, and the socket that has a descriptor but no state",
        source="Rick Jones, CLOSE_WAIT, openstack list, 31 January 2013",
        client="sends-once-more",
        server="responds-then-closes",
        expect=Expect(ONLY_FD, GONE, CLEAN, rst=True, settled=("5s", "5100ms")),
        horizon="10min",
    ),
    Scenario(
        name="keepalive-rescues",
        theme="leaks that heal",
        title="SO_KEEPALIVE ends a CLOSE-WAIT",
        question="Does SO_KEEPALIVE help against CLOSE-WAIT?",
        story="The client ignores end-of-file, but it has set SO_KEEPALIVE. After two hours of silence its"
        " kernel sends a probe. The server's socket is long gone, so the server's kernel answers with a RST,"
        " and CLOSE-WAIT is over. If the server's socket still existed it would answer the probe, and"
        " CLOSE-WAIT would go on.",
        watch="one probe after two hours, one RST",
        source="Rick Jones, CLOSE_WAIT, openstack list, 31 January 2013",
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
        title="A RST is lost, and repeated data asks for another",
        question="What if the RST that should end a CLOSE-WAIT is lost?",
        story="As in data-after-close, the client sends once more and gets a RST, but here that RST is lost."
        " Nobody repeats a RST. The client repeats its data, and the data gets another RST. A timer that"
        " sends a RST has no data to repeat: if its only RST is lost, that's it.",
        watch="two RSTs, and one retransmission between them",
        source="Rick Jones, CLOSE_WAIT, openstack list, 31 January 2013",
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
        title="No RST ever arrives, and the retransmission limit ends it",
        question="How long does a connection last if every RST is lost?",
        story="As in data-after-close, but every RST is lost. The client repeats its data until the limit of"
        " its kernel, which on Linux follows from tcp_retries2: about a quarter of an hour. Then the"
        " connection is over without a RST.",
        watch="seventeen transmissions, seventeen RSTs, and silence",
        source="Rick Jones, CLOSE_WAIT, openstack list, 31 January 2013",
        client="sends-once-more",
        server="responds-then-closes",
        drops=("every server RST",),
        expect=Expect(ONLY_FD, GONE, CLEAN, rst=True, settled=("920s", "990s")),
        horizon="1h",
    ),
    Scenario(
        name="one-rst-stack",
        theme="leaks that heal",
        title="A FIN-WAIT-2 timer that sends a RST",
        question="Can the other side's FIN-WAIT-2 timer free my CLOSE-WAIT?",
        story="The server runs HP-UX 11 with tcp_fin_wait_2_timeout set to ten minutes. The timer ends the"
        " connection and sends one RST, which ends the client's CLOSE-WAIT too. No other stack here does"
        " that. Nobody repeats a RST. If this one is lost, the CLOSE-WAIT stays for ever.",
        watch="one RST after ten minutes, and no second",
        source="Rick Jones, CLOSE_WAIT, openstack list, 31 January 2013",
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
