"""Stories of pools: three idle timeouts, a client object per request, and connections not given back.

Owns: the stories. Refuses to know: how a pool works (host.pool).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tcpsim.host.clienteles.clientele import NONE, Clientele, Span, Variant
from tcpsim.host.limits import HostLimits, Limits
from tcpsim.host.pool import Keeping, Requests
from tcpsim.units import parse_duration

# Who is first decides what is seen: errors among some 600 requests, CLOSE-WAIT at the most
_SOUND: Mapping[str, Span] = {"failed": NONE, "client CLOSE-WAIT": NONE}
_STALE: Mapping[str, Span] = {"failed": (20, 100), "client CLOSE-WAIT": (1, 6)}
_SILENT: Mapping[str, Span] = {"failed": (20, 100), "client CLOSE-WAIT": NONE}
_LOOKED: Mapping[str, Span] = {"failed": (0, 1), "client CLOSE-WAIT": (1, 6)}
_DESCRIPTORS = Limits(client=HostLimits(descriptors=1_021))


def _order(words: str, expect: Mapping[str, Span], box: str = "nobody", **keeping: Any) -> Variant:
    """Pool, server and firewall lose patience with an idle connection in the order of the words."""
    order, _, _ = words.partition(":")
    at = dict(zip(order.split(", "), ("20s", "40s", "80s"), strict=True))
    kept = Keeping(requests=None, idle_us=parse_duration(at["pool"]), **{"checks": False, **keeping})
    overrides = {
        "parameters": {"server.timeout": at["server"]},
        "knobs": {"middlebox.established": at["firewall"], "middlebox.answers": box},
    }
    return Variant(words, Requests(kept), expect, overrides)


def _horizon(name: str, users: Requests, failed: Span) -> Variant:
    left = (1_021, 1_021) if failed != NONE else (0, 10)
    expect = {"failed": failed, "client CLOSE-WAIT left": left}
    return Variant(name, users, expect, limits=_DESCRIPTORS)


def _forgetting(name: str, keeping: Keeping, expect: Mapping[str, Span]) -> Variant:
    return Variant(name, Requests(keeping, forgets=0.01), expect)


CLIENTELES = (
    Clientele(
        name="three-idle-timeouts",
        title="Pool, server, firewall: whose idle timeout must be the shortest?",
        story="A database pool is behind a stateful firewall and gets ten requests a minute. Pool, server"
        " and firewall give up an idle connection after 20, 40 and 80 s, in every order. The library"
        " does not check a connection before it uses it. If the server is first, the pool fills with"
        " CLOSE-WAIT, and a request meets end-of-file. If the firewall is first, no host has closed"
        " the connection, and a request waits for its answer until the client gives up. A check before"
        " use sees nothing then, because no FIN passes the firewall. If the firewall answers with a"
        " RST, the error comes quickly. Keepalive keeps the connection open, if TCP_KEEPINTVL is short"
        " too.",
        watch="errors of requests, and CLOSE-WAIT in the pool; only the pool's own timeout may be the"
        " shortest",
        per_second=1 / 6,
        lasts="1h",
        settle="10min",
        columns=("done", "failed", "95 % within", "client CLOSE-WAIT", "server FIN-WAIT-1"),
        variants=(
            _order("pool, server, firewall", _SOUND),
            _order("pool, firewall, server", _SOUND),
            _order("server, pool, firewall", _STALE),
            _order("server, firewall, pool", _STALE),
            _order("firewall, pool, server", _SILENT),
            _order("firewall, server, pool", _SILENT),
            _order("server, firewall, pool: looks before use", _LOOKED, checks=True),
            _order("firewall, server, pool: looks before use", _SILENT, checks=True),
            _order("firewall, server, pool: it answers RST", _SILENT, "client"),
            replace(
                _order("firewall, server, pool: keepalive 15 s, looks", _LOOKED, checks=True),
                overrides={
                    "client": "keepalive-obeys",
                    "parameters": {"server.timeout": "40s", "client.idle": "15s", "client.interval": "15s"},
                    "knobs": {"middlebox.established": "20s"},
                },
            ),
        ),
        overrides={
            "server": "keep-alive-timeout",
            "middlebox": "junos",
            "parameters": {"server.think": "exp(2s)", "client.patience": "30s"},
        },
        poisson=True,
    ),
    Clientele(
        name="object-per-request",
        title="A client object per request, or one that all share",
        story="A Horizon worker has 1021 free descriptors and gets a request every five seconds. If each"
        " request makes an object, each request has its own pool. Its connection is never used again"
        " and never closed. The API server closes it after 15 s, so the number of CLOSE-WAIT grows"
        " without bound (the OpenStack chain; see also `tcpsim exhaust openstack-chain`). A shared"
        " pool never has more CLOSE-WAIT than connections, and each is closed when it is next used.",
        watch="CLOSE-WAIT at the end, and requests that find no descriptor",
        per_second=0.2,
        lasts="2h",
        settle="0s",
        columns=("done", "failed", "connections", "client CLOSE-WAIT", "client CLOSE-WAIT left"),
        variants=(
            _horizon("an object for each request", Requests(shared=False), failed=(300, 500)),
            _horizon("the same, closed after use", Requests(Keeping(idle_us=0), shared=False), failed=NONE),
            _horizon("one object, a pool of ten", Requests(Keeping(tries=2)), failed=NONE),
            _horizon(
                "the same, each idle for 10 s at most", Requests(Keeping(idle_us=10_000_000)), failed=NONE
            ),
        ),
        poisson=True,
    ),
    Clientele(
        name="connections-not-given-back",
        title="One caller in a hundred forgets to give its connection back",
        story="A caller does not read a response to its end, or an exception occurs, and the caller keeps"
        " the connection. The server closes it, and the socket stays in CLOSE-WAIT. Their number is"
        " bounded by the size of the pool. But when all connections are out, every further request"
        " waits for one that never comes back. The application hangs, or fails after its timeout. A"
        " larger pool only delays this. If the pool has no limit, the descriptors run out.",
        watch="requests that wait or fail, and CLOSE-WAIT, which is the size of the pool",
        per_second=1.0,
        lasts="80min",
        settle="0s",
        columns=("done", "failed", "waiting", "client CLOSE-WAIT left"),
        variants=(
            _forgetting(
                "a pool of ten", Keeping(), {"waiting": (3_000, 4_500), "client CLOSE-WAIT left": (10, 10)}
            ),
            _forgetting(
                "a pool of ten, patience 30 s",
                Keeping(patience_us=30_000_000),
                {"failed": (3_000, 4_500), "waiting": (25, 30), "client CLOSE-WAIT left": (10, 10)},
            ),
            _forgetting(
                "a pool of twenty, patience 30 s",
                Keeping(size=20, patience_us=30_000_000),
                {"failed": (1_000, 3_000), "client CLOSE-WAIT left": (20, 20)},
            ),
        ),
    ),
)
