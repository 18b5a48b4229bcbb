"""NATs and firewalls that forget a connection before its hosts do.

Owns: the stories in which a connection tracker decides who is left in what. Refuses to know: how long a box
remembers (its profile in path/middleboxes.toml), and how a run comes to its end (the tests run each and
compare).
"""

from __future__ import annotations

from tcpsim.catalogue.scenario import Contrast, Expect, Scenario
from tcpsim.catalogue.themes.expected_ends import CLEAN, GONE, ONLY_FD, PERMANENT

SCENARIOS = (
    Scenario(
        name="firewall-forgets-half-closed",
        theme="NAT and firewall",
        title="A firewall forgets a half-closed connection",
        question="Why is my server in FIN-WAIT-2 although every client closes?",
        story="The server half-closes and waits for the client. The client takes its time, as it may, and"
        " closes 100 s later. The firewall between them is Linux conntrack, which remembers a flow with one"
        " FIN for 60 s. The client's FIN belongs to no flow and cannot begin one, so the firewall drops it."
        " The client repeats it ten times and gives up. The server's program waits in FIN-WAIT-2 for ever,"
        " because no timer ends a FIN-WAIT-2 that a program holds. conntrack calls the state of the flow"
        " CLOSE_WAIT; neither host has to be in that state.",
        watch="ten FINs that the firewall drops; FIN-WAIT-2 with an owner",
        source="Linux net/netfilter/nf_conntrack_proto_tcp.c",
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
                Expect(GONE, "FIN-WAIT-2", PERMANENT, rst=True, settled=("100s", "101s")),
            ),
        ),
        cures=("keepalive=50s", "nat-timeout=10min", "no-lingering-close"),
        in_vain=("fin-timeout=10s",),
    ),
    Scenario(
        name="nat-forgets-idle-connection",
        theme="NAT and firewall",
        title="A NAT forgets an idle connection",
        question="Why does a request on an idle connection hang for a quarter of an hour?",
        story="A client in a cloud has a pooled connection that is idle for half an hour. The NAT on the"
        " path forgets a silent flow after 20 minutes. The client's next request meets no mapping, and the"
        " NAT drops it and every repetition. After a quarter of an hour the client's kernel gives up. The"
        " server hears nothing of all this. Its socket is half-open until the server's own timeout, which is"
        " two hours here. What helps is a keepalive or an idle timeout of the pool that is shorter than the"
        " memory of the NAT. The two hours of Linux's default are too long.",
        watch="a request without an answer, ETIMEDOUT, and an ESTABLISHED with nobody at the other end",
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
                Expect(GONE, GONE, CLEAN, rst=True, settled=("2h", "122min"), reads=(1000, "ECONNRESET")),
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
        title="A firewall drops the last RST",
        question="Why does CLOSE-WAIT stay although the server sends a RST?",
        story="As in one-rst-stack, the server's FIN-WAIT-2 timer sends one RST after ten minutes, which"
        " could end the client's CLOSE-WAIT. A firewall with conntrack is between them. It has forgotten the"
        " half-closed flow after 60 s and drops what belongs to no flow. So the RST is lost every time,"
        " without any loss on the line.",
        watch="one RST after ten minutes, dropped; CLOSE-WAIT for ever",
        source="Rick Jones, CLOSE_WAIT, openstack list, 31 January 2013",
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
        title="A firewall drops the challenge ACK when a port is used again",
        question="Why does connect() time out behind a firewall when the server works?",
        story="As in port-reuse-into-close-wait, the client connects from the port of a stale CLOSE-WAIT."
        " Here a firewall lets nothing but a SYN-ACK answer a SYN. It drops the client's SYN as long as it"
        " remembers the old flow, which is 150 s. A later SYN gets through and meets the stale CLOSE-WAIT."
        " The server's kernel answers with a challenge ACK, and the firewall drops that. So the client never"
        " sends the RST that would clear the way, and connect() fails with ETIMEDOUT.",
        watch="SYN after SYN, challenge ACKs that are dropped, ETIMEDOUT",
        source="Marek Majkowski, Cloudflare blog, August 2016",
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
    Scenario(
        name="load-balancer-forgets-an-idle-pool",
        theme="NAT and firewall",
        title="A load balancer forgets an idle connection",
        question="Why does my pool get ECONNRESET after six minutes of silence, while the server shows"
        " ESTABLISHED?",
        story="A load balancer between a pool and a server forgets a connection after 350 s without a"
        " segment. It tells nobody. The client uses the pooled connection after ten minutes, and the"
        " balancer answers with a RST. The client's request fails with ECONNRESET, and a program that"
        " retries goes on with a new connection. The server hears nothing. Its socket stays ESTABLISHED, one"
        " more for each idle connection, because its program has no idle timeout.",
        watch="a RST that the server did not send; ESTABLISHED on the server for ever",
        source="AWS documentation: NAT gateway, Network Load Balancer (350 s, RST to whoever sends after"
        " that)",
        client="asks-again",
        server="answers-until-eof",
        middlebox="aws-nat",
        expect=Expect(
            GONE, "ESTABLISHED", PERMANENT, rst=True, settled=("600s", "601s"), reads=(1000, "ECONNRESET")
        ),
        horizon="4h",
        concerns="server",
        contrasts=(
            Contrast(
                "the profile of AWS NLB: the same 350 s, and a RST to whoever speaks",
                {"middlebox": "aws-nlb"},
                Expect(GONE, "ESTABLISHED", PERMANENT, rst=True, reads=(1000, "ECONNRESET")),
            ),
            Contrast(
                "Azure's balancer after four minutes: silence",
                {"middlebox": "azure-lb"},
                Expect(GONE, "ESTABLISHED", PERMANENT, rst=False, reads=(1000, "ETIMEDOUT")),
            ),
            Contrast(
                "a NAT that drops in silence: the client waits for a quarter of an hour",
                {"middlebox": "gcp-nat", "parameters": {"client.idle": "30min"}},
                Expect(GONE, "ESTABLISHED", PERMANENT, rst=False, reads=(1000, "ETIMEDOUT")),
            ),
        ),
        cures=("server.keepalive=5min", "client.keepalive=5min", "server-idle=5min", "pool-idle=1min"),
        in_vain=("keepalive=2h", "fin-timeout=10s", "server.user-timeout=30s"),
    ),
    Scenario(
        name="port-of-the-nat-goes-to-another-host",
        theme="NAT and firewall",
        title="A port of the NAT goes to another pod and meets TIME-WAIT",
        question="Why does a new connection through the NAT begin with a RST?",
        story="Two pods are behind the same NAT. The connection of the first pod is over, and the server"
        " keeps it in TIME-WAIT. Ten seconds later the NAT gives the same outside port to the second pod."
        " Nothing ties the numbers of the two hosts together. Here those of the second pod are older. So the"
        " server does not take the SYN for a new connection and answers with an ACK. The second pod's kernel"
        " sends a RST, which ends TIME-WAIT, and its next SYN opens the connection.",
        watch="SYN, ACK, RST, and the SYN again; TIME-WAIT ends early",
        source="Linux net/ipv4/tcp_minisocks.c tcp_timewait_state_process()",
        client="passes-its-port-on",
        server="serves-one-by-one",
        arguments={"client.hosts": 2},
        middlebox="linux-conntrack",
        expect=Expect(GONE, GONE, CLEAN, rst=True, settled=("70s", "71s"), reads=(1000, 0, 1000, 0)),
        horizon="1h",
        contrasts=(
            Contrast(
                "the second pod's numbers are newer: TIME-WAIT gives way at once",
                {"parameters": {"client.hosts": 1}},
                Expect(GONE, GONE, CLEAN, rst=False, reads=(1000, 0, 1000, 0)),
            ),
            Contrast(
                "a firewall that lets nothing but a SYN-ACK answer a SYN: connect() times out",
                {"middlebox": "junos"},
                Expect(GONE, GONE, CLEAN, reads=(1000, 0)),
            ),
        ),
    ),
    Scenario(
        name="conntrack-table-full",
        theme="NAT and firewall",
        title="The table of conntrack is full",
        question="Why does connect() time out although neither host shows any connection?",
        story="Others have filled the table of the box between. The client's SYN would create an entry, and"
        ' the box drops it in silence. The kernel of the box logs "nf_conntrack: table full, dropping'
        ' packet". The client repeats its SYN for two minutes, and connect() fails with ETIMEDOUT. The'
        " server never hears of it. netstat on the box shows nothing, because the entries are no sockets."
        " How the table fills is shown by: tcpsim exhaust conntrack-full-of-close-wait.",
        watch="SYN after SYN that the box drops; SYN-SENT at the client, nothing at the server",
        source="Linux net/netfilter/nf_conntrack_core.c __nf_conntrack_alloc()",
        client="closes-on-eof",
        server="responds-then-closes",
        middlebox="linux-conntrack",
        knobs={"middlebox.flows": 0},
        expect=Expect(GONE, GONE, CLEAN, rst=False, settled=("131s", "132s"), reads=()),
        horizon="1h",
        contrasts=(
            Contrast(
                "a table with one free place",
                {"knobs": {"middlebox.flows": 1}},
                Expect(GONE, GONE, CLEAN, rst=False, reads=(1000, 0)),
            ),
        ),
    ),
)
