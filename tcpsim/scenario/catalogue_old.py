"""The catalogue: every scenario that can be asked for by name.

Owns: the stories, which behaviours and losses tell them, and how they must end. Refuses to know: how an
end is reached; the tests run each scenario and compare.

"Rick Jones" is his mail to the OpenStack list on CLOSE_WAIT (31 January 2013), "Apache" is httpd's page on
connections in FIN_WAIT_2.
"""

from __future__ import annotations

from collections.abc import Sequence

from tcpsim.app.behaviour import unknown
from tcpsim.scenario.run import Verdict
from tcpsim.scenario.scenario import Contrast, Expect, Scenario

CLEAN, PERMANENT, RUNNING = Verdict.CLEAN, Verdict.PERMANENT, Verdict.RUNNING
GONE, ONLY_FD = "gone", "gone but for its descriptor"

_ALL = (
    Scenario(
        name="normal-close",
        theme="how it should be",
        title="Both sides close",
        story="The server answers and closes. The client reads end-of-file and closes 50 ms later. The"
        " server, which closed first, keeps TIME-WAIT.",
        watch="FIN, ACK, FIN, ACK; TIME-WAIT on the side that closed first",
        client="closes-on-eof",
        server="responds-then-closes",
        expect=Expect(GONE, GONE, CLEAN, rst=False),
        horizon="10min",
    ),
    Scenario(
        name="closewait-ignored-eof",
        theme="leaks",
        title="A client ignores end-of-file",
        story="The server answers and closes. The client reads end-of-file, the classic read return of"
        " zero, and does nothing. Its socket stays in CLOSE-WAIT; no kernel timer ends that state. The"
        " server's is an orphan in FIN-WAIT-2, which Linux drops after 60 s without a word (Rick"
        " Jones).",
        watch="the server's FIN-WAIT-2 disappears silently; the client never learns of it",
        client="never-closes",
        server="responds-then-closes",
        expect=Expect("CLOSE-WAIT", GONE, PERMANENT, rst=False),
        horizon="1h",
        contrasts=(
            Contrast(
                "no FIN-WAIT-2 timeout, as in RFC 9293",
                {"stack_server": "rfc9293"},
                Expect("CLOSE-WAIT", "FIN-WAIT-2", PERMANENT, rst=False),
            ),
        ),
    ),
    Scenario(
        name="simplex-half-close",
        theme="how it should be",
        title="One direction goes on",
        story="The server half-closes with SHUT_WR and keeps reading. The client sends for another 100 s,"
        " then closes. CLOSE-WAIT and FIN-WAIT-2 are no bug here but a simplex connection (Rick"
        " Jones); the server's socket has an owner, so the FIN-WAIT-2 timeout does not apply to it.",
        watch="data flows from CLOSE-WAIT to FIN-WAIT-2, beyond the 60 s of tcp_fin_timeout",
        client="keeps-sending",
        server="half-closes",
        arguments={"every": "10s", "blocks": 10},
        expect=Expect(GONE, GONE, CLEAN, rst=False),
        horizon="10min",
    ),
    Scenario(
        name="data-after-close",
        theme="leaks that heal",
        title="Data after the peer's close() draws a RST",
        story="The server has closed, so nobody is left to read. The client never looks, but 5 s later"
        " sends on the connection: the server's kernel answers with RST, and CLOSE-WAIT is over (Rick"
        " Jones, 1). The descriptor stays open on a dead socket.",
        watch="the RST, and the socket that has a descriptor but no state",
        client="sends-once-more",
        server="responds-then-closes",
        expect=Expect(ONLY_FD, GONE, CLEAN, rst=True),
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
        expect=Expect(ONLY_FD, GONE, CLEAN, rst=True),
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
        name="vanished-client",
        theme="half-open",
        title="The modem hangs up first",
        story="The client loses its line with the connection open. After KeepAliveTimeout the server"
        " closes; its FIN is never acknowledged, and the orphan gives up after about two minutes"
        " (Apache: the dial-up client that is gone before it closed).",
        watch="ten FINs into the void, FIN-WAIT-1, and silence",
        client="vanishes",
        server="keep-alive-timeout",
        expect=Expect(GONE, GONE, CLEAN, rst=False),
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
        story="Every FIN of the server is lost. Its orphan retransmits, gives up after about two minutes"
        " and is gone without a RST. The client reads on a connection that only it believes in: the"
        " third end of the same story, a half-open ESTABLISHED.",
        watch="ten transmissions of the FIN; the client has nothing to retransmit and never notices",
        client="closes-on-eof",
        server="responds-then-closes",
        arguments={"server.delay": "200ms"},
        drops=("every server FIN",),
        expect=Expect("ESTABLISHED", GONE, PERMANENT, rst=False),
        horizon="1h",
    ),
    Scenario(
        name="simultaneous-close",
        theme="how it should be",
        title="Both close at once",
        story="Both sides close 300 ms after the start. The FINs cross, both go through CLOSING, and both"
        " keep TIME-WAIT.",
        watch="CLOSING, and TIME-WAIT twice",
        client="closes-at",
        server="closes-at",
        arguments={"at": "300ms"},
        expect=Expect(GONE, GONE, CLEAN, rst=False),
        horizon="10min",
    ),
    Scenario(
        name="time-wait-reack",
        theme="how it should be",
        title="What TIME-WAIT is for",
        story="The server closes at 300 ms, the client 50 ms after end-of-file; the last ACK is lost. The"
        " client is in LAST-ACK and repeats its FIN, and the server is still there to acknowledge it"
        " again.",
        watch="the repeated FIN and its ACK; TIME-WAIT starts anew",
        client="closes-on-eof",
        server="closes-at",
        arguments={"at": "300ms"},
        drops=("server ACK 1 after 350ms before 500ms",),
        expect=Expect(GONE, GONE, CLEAN, rst=False),
        horizon="10min",
    ),
    Scenario(
        name="last-rst-lost",
        theme="leaks that heal",
        title="A RST is lost, and data asks for another",
        story="As data-after-close, but the RST is lost. Nobody retransmits a RST; the client retransmits"
        " its data, and that draws another (Rick Jones). Where a timer sent the only RST there is no"
        " data to repeat: if that one is lost, that's it.",
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
        name="unread-data-reset",
        theme="resets",
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
        name="many-segments-lossy",
        theme="under loss",
        title="A long response over a lossy path",
        story="The response is 100,000 bytes, and 2 % of all packets are lost. Retransmission brings it"
        " through, and both sides close in the end.",
        watch="fast retransmissions and timeouts; the FIN comes last",
        client="closes-on-eof",
        server="responds-then-closes",
        arguments={"response": 100_000},
        loss=0.02,
        expect=Expect(GONE, GONE, CLEAN, rst=False),
        horizon="30min",
    ),
    Scenario(
        name="w1",
        theme="populations",
        title="The benchmark's connection",
        story="100 B request, 1000 B response, the server closes first, the client closes 50 ms after end-"
        " of-file except for one in ten, which never does. Made for `tcpsim population`.",
        watch="CLOSE-WAIT grows by a tenth of the arrivals",
        client="sometimes-forgets",
        server="responds-then-closes",
        arguments={"never": 0.1, "delay": "50ms", "server.delay": "0s"},
        expect=Expect(GONE, GONE, CLEAN, rst=False),
        horizon="10min",
    ),
)

_BY_NAME = {scenario.name: scenario for scenario in _ALL}


def scenarios() -> Sequence[Scenario]:
    """All of them, in the order in which they are best told."""
    return _ALL


def scenario(name: str) -> Scenario:
    """The scenario of that name.

    Raises:
        InputError: there is none; the message names those that are spelt nearly so.
    """
    if name not in _BY_NAME:
        raise unknown("scenario", name, list(_BY_NAME))
    return _BY_NAME[name]
