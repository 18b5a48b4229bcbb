"""A NAT or a firewall between the two forgets the connection before they do.

Owns: the stories in which a connection tracker decides who is left in what. Refuses to know: how long a box
remembers (its profile in path/middleboxes.toml), and how a run comes to its end (the tests run each and
compare).
"""

from __future__ import annotations

from tcpsim.catalogue.scenario import Contrast, Expect, Scenario
from tcpsim.catalogue.themes.ends import CLEAN, GONE, ONLY_FD, PERMANENT

SCENARIOS = (
    Scenario(
        name="firewall-forgets-half-closed",
        theme="NAT and firewall",
        title="A firewall forgets a half-closed connection",
        story="The server half-closes and waits for the client, which is entitled to take its time: it closes"
        " 100 s later. The firewall between is Linux conntrack, which remembers a flow with one FIN and"
        " its ACK for 60 s. The client's FIN belongs to no flow and cannot begin one: it is dropped, ten"
        " times, and the orphan gives up. The server's program waits in FIN-WAIT-2: no timer for a"
        " socket that somebody holds. The flow's CLOSE_WAIT is the tracker's, not an end's.",
        watch="ten FINs that the firewall drops; FIN-WAIT-2 with an owner",
        client="closes-on-eof",
        server="half-closes",
        arguments={"client.delay": "100s"},
        middlebox="linux-conntrack",
        expect=Expect(GONE, "FIN-WAIT-2", PERMANENT, rst=False, reads=(1000, 0)),
        horizon="3h",
        concerns="server",
        contrasts=(
            Contrast(
                "the client sends data first: conntrack picks the flow up again (nf_conntrack_tcp_loose)",
                {"client": "keeps-sending", "parameters": {"every": "100s", "blocks": 2}},
                Expect(GONE, GONE, CLEAN, rst=False),
            ),
            Contrast(
                "the same with nf_conntrack_tcp_loose = 0",
                {
                    "client": "keeps-sending",
                    "parameters": {"every": "100s", "blocks": 2},
                    "knobs": {"middlebox.nf_conntrack_tcp_loose": 0},
                },
                Expect(GONE, "FIN-WAIT-2", PERMANENT, rst=False),
            ),
            Contrast(
                "Junos remembers it for 150 s",
                {"middlebox": "junos"},
                Expect(GONE, GONE, CLEAN, rst=False, settled=("160s", "161s")),
            ),
            Contrast(
                "a firewall that rejects with RST frees the client at once, and the server as little",
                {"middlebox": "reject-firewall"},
                Expect(GONE, "FIN-WAIT-2", PERMANENT, rst=False, settled=("100s", "101s")),
            ),
        ),
        cures=("keepalive=50s", "nat-timeout=10min", "no-lingering-close"),
        in_vain=("fin-timeout=10s",),
    ),
    Scenario(
        name="nat-forgets-idle-connection",
        theme="NAT and firewall",
        title="A NAT forgets an idle connection",
        story="A pooled connection through a cloud's NAT is idle for half an hour; the NAT remembers a silent"
        " flow for 20 minutes. The client's next request meets no mapping and is dropped, as often as it"
        " is repeated, until the kernel gives up after a quarter of an hour. The server hears nothing of"
        " it: half-open until its own timeout, here two hours, or for ever. Only a keepalive shorter than"
        " the NAT's patience, or a pool that is, keeps the three in step; Linux's default of two hours is"
        " neither.",
        watch="a request into the void, ETIMEDOUT, and an ESTABLISHED with nobody at the other end",
        client="asks-again",
        server="keep-alive-timeout",
        arguments={"client.idle": "30min", "server.timeout": "2h"},
        middlebox="gcp-nat",
        expect=Expect(GONE, GONE, CLEAN, rst=False, settled=("2h", "122min"), reads=(1000, "ETIMEDOUT")),
        horizon="6h",
        contrasts=(
            Contrast(
                "a server without a timeout of its own",
                {"server": "closes-on-eof"},
                Expect(GONE, "ESTABLISHED", PERMANENT, rst=False, reads=(1000, "ETIMEDOUT")),
            ),
            Contrast(
                "a NAT that answers with RST: the client knows at once, the server no sooner",
                {"middlebox": "aws-nat"},
                Expect(GONE, GONE, CLEAN, rst=False, settled=("2h", "122min"), reads=(1000, "ECONNRESET")),
            ),
            Contrast(
                "Linux conntrack remembers it for five days",
                {"middlebox": "linux-conntrack"},
                Expect(GONE, GONE, CLEAN, rst=False, settled=("30min", "32min"), reads=(1000, 1000)),
            ),
            Contrast(
                "three hours behind OpenWrt: forgotten, and picked up again with the client's first segment",
                {"middlebox": "openwrt", "parameters": {"client.idle": "3h", "server.timeout": "4h"}},
                Expect(GONE, GONE, CLEAN, rst=False, settled=("3h", "182min"), reads=(1000, 1000)),
            ),
        ),
        cures=("keepalive=5min", "pool-idle=10s", "nat-timeout=1h"),
        in_vain=("keepalive=2h", "user-timeout=30s"),
    ),
    Scenario(
        name="last-rst-dropped-by-a-firewall",
        theme="NAT and firewall",
        title="The last RST comes to a firewall that has forgotten",
        story="As one-rst-stack: the server's FIN-WAIT-2 timer fires after ten minutes and sends the one RST"
        " that could end the client's CLOSE-WAIT. Between them conntrack has forgotten the half-closed"
        " flow after 60 s, and drops what belongs to none. No segment needs to be lost by accident for"
        " Rick Jones's \"if that one RST is lost, that's it\": a firewall loses it every time.",
        watch="one RST after ten minutes, dropped; CLOSE-WAIT for ever",
        client="never-closes",
        server="responds-then-closes",
        stack_server="hpux-11",
        knobs={"server.fin_wait_2_us": "600s", "server.orphan_keep_idle_us": "none"},
        middlebox="linux-conntrack",
        expect=Expect("CLOSE-WAIT", GONE, PERMANENT, rst=True, settled=("600s", "601s")),
        horizon="1h",
        concerns="client",
        contrasts=(
            Contrast(
                "without a firewall the RST arrives",
                {"middlebox": "none"},
                Expect(ONLY_FD, GONE, CLEAN, rst=True, settled=("600s", "601s")),
            ),
        ),
        cures=("fin-timeout=50s", "nat-timeout=15min", "client-closes"),
        in_vain=("fin-timeout=5min",),
    ),
    Scenario(
        name="port-reuse-behind-a-nat",
        theme="NAT and firewall",
        title="Port reuse where a firewall eats the challenge",
        story="As port-reuse-into-close-wait, behind a firewall that wants a SYN to be answered by a SYN-ACK."
        " The client's second SYN is dropped while the firewall remembers the old flow (150 s). Later"
        " ones get through and meet the stale CLOSE-WAIT; its kernel answers with a challenge ACK, which"
        " the firewall takes for nonsense and drops. So the client never sends the RST that would clear"
        " the way, and connect() ends in ETIMEDOUT (as Cloudflare reported in 2016).",
        watch="SYN after SYN, the challenge ACKs that are dropped, ETIMEDOUT",
        client="reuses-its-port",
        server="forgets-every-connection",
        middlebox="junos",
        expect=Expect(GONE, "CLOSE-WAIT", PERMANENT, rst=False, settled=("250s", "252s"), reads=(1000,)),
        horizon="1h",
        contrasts=(
            Contrast(
                "Linux conntrack lets the challenge ACK and the RST through: it recovers",
                {"middlebox": "linux-conntrack"},
                Expect(GONE, "CLOSE-WAIT", PERMANENT, rst=True, settled=("180s", "182s"), reads=(1000, 1000)),
            ),
        ),
        cures=("keepalive=60s",),
        in_vain=("nat-timeout=1h",),
    ),
)
