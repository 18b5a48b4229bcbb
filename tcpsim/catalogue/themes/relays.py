"""A program between client and server: proxies, sidecars, tunnels, and the two sockets that each may leak.

Owns: the leaks of a relay. Refuses to know: how a run comes to its end (the tests run each and compare).
"""

from __future__ import annotations

from tcpsim.catalogue.relay import Relay
from tcpsim.catalogue.scenario import Contrast, Expect, Scenario
from tcpsim.catalogue.themes.expected_ends import CLEAN, GONE, PERMANENT

_THEME = "relays"
_STUCK = ("FIN-WAIT-2 + CLOSE-WAIT",)

SCENARIOS = (
    Scenario(
        name="relay-waits-for-both-ends",
        theme=_THEME,
        title="The client vanishes, and a relay that waits for both ends leaks two sockets",
        question="Why does my proxy have as many CLOSE-WAIT sockets as FIN-WAIT-2 sockets?",
        story="A proxy copies between two connections. It passes a half-close on and waits until both ends"
        " have closed. The client crashes without a FIN. Later the server closes. The proxy reads"
        " end-of-file from the server and half-closes the client's leg. Nobody acknowledges that FIN, or, as"
        " here, the client had half a life left: its kernel acknowledged, and then its machine was gone. Now"
        " the client's leg is in FIN-WAIT-2 and the server's leg in CLOSE-WAIT. The proxy waits for an"
        " end-of-file that cannot come, and no timer of the kernel runs, as a program holds both sockets."
        " Each such connection costs two descriptors.",
        watch="the FIN that the relay passes on, its ACK, and then nothing on either leg",
        source="istio/ztunnel and Envoy reports: CLOSE-WAIT and FIN-WAIT-2 in equal numbers on one host",
        client="vanishes",
        server="responds-then-closes",
        relays=(Relay("copy-bidirectional"),),
        expect=Expect(GONE, GONE, PERMANENT, rst=False, relays=_STUCK, settled=("60s", "61s")),
        horizon="3h",
        concerns="relay",
        cures=("relay-drain=30s", "relay-idle=1h", "relay-closes-both", "relay-restarts=10min"),
        in_vain=("fin-timeout=30s", "relay-passes-half-close", "relay-keepalive-server=60s"),
        contrasts=(
            Contrast(
                "a drain of 30 s: both legs end 30 s after the first end-of-file",
                {"parameters": {"relay.drain": "30s"}},
                Expect(GONE, GONE, CLEAN, relays=(GONE,)),
            ),
            Contrast(
                "keepalive on the client's leg: it meets nobody, and its end is the end of both",
                {"parameters": {"relay.keepalive_client": "60s"}},
                Expect(GONE, GONE, CLEAN, relays=(GONE,)),
            ),
            Contrast(
                "the server stays idle too: both legs are ESTABLISHED for ever, and nobody can tell",
                {"server": "closes-on-eof"},
                Expect(GONE, "ESTABLISHED", PERMANENT, relays=("2 ESTABLISHED",)),
            ),
        ),
    ),
    Scenario(
        name="relay-drops-the-half-close",
        theme=_THEME,
        title="The client half-closes, and the relay does not pass that on",
        question="Why does `shutdown(SHUT_WR)` hang behind our load balancer?",
        story="The client sends its request, half-closes and reads. The server answers when it has read"
        " end-of-file. The relay reads the client's end-of-file and tells nobody. So the server waits for"
        " more of the request, the client waits for the answer, and the relay waits for both. A protocol that"
        " ends its request by a half-close does not work through such a relay. Without the relay it does.",
        watch="the client's FIN on the first leg, and no FIN on the second",
        source="Envoy, haproxy and nginx differ in this: nginx stream has proxy_half_close, off by default",
        client="half-closes",
        server="answers-at-eof",
        relays=(Relay("drops-the-half-close"),),
        expect=Expect(
            "FIN-WAIT-2", "ESTABLISHED", PERMANENT, rst=False, reads=(), relays=("CLOSE-WAIT + ESTABLISHED",)
        ),
        horizon="3h",
        cures=("relay-passes-half-close",),
        in_vain=("fin-timeout=30s", "keepalive=10min"),
        contrasts=(
            Contrast(
                "the half-close is passed on: the answer comes, and all end",
                {"relay": "copies"},
                Expect(GONE, GONE, CLEAN, relays=(GONE,), reads=(1000, 0)),
            ),
            Contrast(
                "a relay that closes both at the first end-of-file: the answer is cut off",
                {"relay": "nginx-stream"},
                Expect(GONE, GONE, CLEAN, relays=(GONE,), reads=(0,)),
            ),
        ),
    ),
    Scenario(
        name="relay-with-a-one-hour-idle-timeout",
        theme=_THEME,
        title="The idle timeout of a relay ends what nobody else would, after an hour",
        question="Why do my proxy's sockets stay for exactly one hour?",
        story="Envoy's TCP proxy passes a half-close on and waits for both ends, but at most one hour without"
        " a byte. The client has vanished after the server closed. Both legs stay for one hour, and then the"
        " proxy closes them. The client's leg is an orphan in FIN-WAIT-2 from then on, so the kernel's"
        " timer runs. At 10 such clients a second 36,000 pairs of sockets are held at any time.",
        watch="one hour of silence, and then both legs end together",
        source="Envoy tcp_proxy.proto: idle_timeout, 1 hour by default",
        client="vanishes",
        server="responds-then-closes",
        relays=(Relay("envoy-tcp-proxy"),),
        expect=Expect(GONE, GONE, CLEAN, relays=(GONE,), settled=("3600s", "3740s")),
        horizon="3h",
        concerns="relay",
        within="10min",
        cures=("relay-drain=30s", "relay-idle=1min", "relay-keepalive-server=60s"),
        in_vain=("fin-timeout=30s", "relay-passes-half-close"),
        contrasts=(
            Contrast(
                "without the timeout",
                {"parameters": {"relay.idle": "none"}},
                Expect(GONE, GONE, PERMANENT, relays=_STUCK),
            ),
        ),
    ),
    Scenario(
        name="relay-and-conntrack",
        theme=_THEME,
        title="A conntrack between client and relay forgets the half-closed leg after a minute",
        question="Why does a proxy behind a NAT keep sockets whose client closed properly?",
        story="The server closes. The relay passes that on to the client, whose program is busy. The client's"
        " leg is half-closed. The conntrack between them remembers it in CLOSE-WAIT for 60 s. When the"
        " client closes after two minutes, its FIN belongs to no flow that the box knows, and is dropped. The"
        " client gives up after its retries. The relay's leg stays in FIN-WAIT-2 and the other in"
        " CLOSE-WAIT, although both ends have closed.",
        watch="the client's FINs, each dropped by the box; nothing at the relay",
        source="Linux net/netfilter/nf_conntrack_proto_tcp.c: CLOSE_WAIT 60 s",
        client="closes-on-eof",
        server="responds-then-closes",
        arguments={"client.delay": "2min"},
        middlebox="linux-conntrack",
        knobs={"middlebox.nf_conntrack_tcp_loose": 0},
        relays=(Relay("copies"),),
        expect=Expect(GONE, GONE, PERMANENT, rst=False, relays=_STUCK),
        horizon="3h",
        concerns="relay",
        cures=("nat-timeout=10min", "relay-drain=30s", "relay-keepalive-client=30s"),
        in_vain=("fin-timeout=30s", "relay-passes-half-close"),
    ),
    Scenario(
        name="relay-upstream-blackholed",
        theme=_THEME,
        title="The server's address answers nothing, and the client has long hung up",
        question="Why does my proxy hold CLOSE-WAIT sockets for two minutes when an upstream is down?",
        story="The relay accepts at once, and the client sends its request. The relay's SYN to the server is"
        " lost, and every repetition. The client gives up after 5 s and closes. The relay does not look at"
        " the client's leg while it connects. So that leg stays in CLOSE-WAIT until connect() fails, after"
        " the kernel's SYN retries. With 20 clients a second there are thousands of them.",
        watch="SYNs of the relay without an answer, the client's FIN, and CLOSE-WAIT until connect() fails",
        source="haproxy configuration manual: option abortonclose, timeout connect",
        client="gives-up",
        server="responds-then-closes",
        arguments={"client.patience": "5s"},
        relays=(Relay("copies", drops=("every client SYN",)),),
        expect=Expect(GONE, GONE, CLEAN, relays=(GONE,), settled=("120s", "140s")),
        horizon="1h",
        concerns="relay",
        within="1min",
        cures=("relay-connect-timeout=5s", "relay-aborts-on-close"),
        in_vain=("relay-drain=30s", "relay-idle=1h", "relay-keepalive-client=60s"),
    ),
    Scenario(
        name="relay-pool-and-idle-timeouts",
        theme=_THEME,
        title="The server's idle timeout is shorter than the proxy's: a request meets a closed connection",
        question="Why does our reverse proxy fail now and then on a connection that it has kept?",
        story="A proxy keeps its connection to the server for the next request, for 60 s. The server closes a"
        " silent one after 15 s. The client's next request comes at that very moment: the proxy sends it on"
        " while the server's FIN is under way, and the server answers with a RST. The request is lost. The"
        " window is one way long, so at 15 s of silence it is met now and then. Each timeout has to be"
        " shorter than that of the next machine towards the server: the client's the shortest, then the"
        " proxy's, the server's the longest. A proxy that tries again on a new connection hides it, for"
        " requests that may be sent twice.",
        watch="the proxy's second request and the server's FIN crossing each other, and the RST",
        source="nginx ngx_http_upstream_module: keepalive_timeout; Apache KeepAliveTimeout",
        client="asks-again",
        server="serves-in-children",
        arguments={"client.idle": "14.97s"},
        relays=(Relay("pools"),),
        expect=Expect(GONE, GONE, CLEAN, rst=True, relays=(GONE,), reads=(1000, "ECONNRESET")),
        horizon="1h",
        cures=("relay-pool-idle=10s", "server-idle=2min"),
        in_vain=("fin-timeout=30s", "keepalive=5s"),
        contrasts=(
            Contrast(
                "nginx tries again on a new connection",
                {"relay": "nginx-http"},
                Expect(GONE, GONE, CLEAN, relays=(GONE,), reads=(1000, 1000)),
            ),
        ),
    ),
    Scenario(
        name="relay-restarts",
        theme=_THEME,
        title="A relay is restarted: its kernel closes both legs, and neither end asked for that",
        question="Why do clients see end-of-file or a reset whenever the sidecar is deployed?",
        story="Client and server keep an idle connection through a relay. The relay's process is killed. Its"
        " kernel closes both legs. To the client it looks as if the server had closed, to the server as if"
        " the client had. A client that does not look at its connection keeps it in CLOSE-WAIT, and the"
        " relay's orphan is in FIN-WAIT-2 for a minute.",
        watch="two FINs of the relay at one moment, one to each side",
        source="Linux kernel/exit.c do_exit(): the kernel closes what a process had open",
        client="closes-with-next-work",
        server="answers-until-eof",
        relays=(Relay("is-restarted"),),
        expect=Expect(GONE, GONE, CLEAN, relays=(GONE,), reads=(1000, 0)),
        horizon="1h",
        concerns="client",
        within="1min",
        cures=("client-checks-sockets=2s",),
        in_vain=("client.fin-timeout=30s", "server-idle=15s"),
    ),
    Scenario(
        name="sidecar-on-both-sides",
        theme=_THEME,
        title="A sidecar beside the client and one beside the server: one vanished client, four sockets",
        question="Why does one dead client cost sockets on every proxy of the mesh?",
        story="In a mesh each program has a relay of its own in front, so a connection has three legs. The"
        " server closes, and both relays pass that on. Then the client's machine vanishes. Each relay waits"
        " for the client's end-of-file, with FIN-WAIT-2 towards the client and CLOSE-WAIT towards the server:"
        " four sockets on two hosts for one dead client. A limit on the outer relay frees both.",
        watch="the server's FIN passed on twice",
        source="istio/ztunnel: a relay on each node",
        client="vanishes",
        server="responds-then-closes",
        relays=(Relay("copies", delay="1ms"), Relay("copies", delay="1ms")),
        expect=Expect(GONE, GONE, PERMANENT, rst=False, relays=(*_STUCK, *_STUCK)),
        horizon="3h",
        cures=("relay-drain=30s", "relay-idle=1h"),
        in_vain=("fin-timeout=30s", "relay-passes-half-close"),
        contrasts=(
            Contrast(
                "a drain on the first relay alone frees both",
                {"parameters": {"relay 1.drain": "30s"}},
                Expect(GONE, GONE, CLEAN, relays=(GONE, GONE)),
            ),
        ),
    ),
    Scenario(
        name="relay-with-a-slow-reader",
        theme=_THEME,
        title="The client stops reading, and the relay closes with its buffers full",
        question="Why is a download through the proxy cut off, with a reset or without one?",
        story="The server sends a megabyte and closes. The client reads a little and then no more. The"
        " client's window is full, then the send buffer of the relay's leg, then the relay's own buffer, and"
        " the relay stops reading from the server. When no byte has gone for a minute the relay's idle"
        " timeout closes both legs. What the relay had not sent is lost. Towards the server its kernel sends"
        " a RST, as there is unread data; towards the client the orphan probes a window that stays shut.",
        watch="a window of zero on the client's leg, then on the server's, and a RST to the server alone",
        source="Linux net/ipv4/tcp.c __tcp_close(): a RST if data was not read",
        client="stops-reading",
        server="responds-then-closes",
        arguments={"server.response": 1_000_000},
        relays=(Relay("copies", arguments={"idle": "60s"}),),
        expect=Expect("ESTABLISHED", GONE, PERMANENT, rst=True, relays=(GONE,)),
        horizon="1h",
        concerns="client",
        cures=("client.keepalive=10min",),
        in_vain=("fin-timeout=30s", "relay-drain=30s"),
    ),
)
