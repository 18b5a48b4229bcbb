"""The populations by name: hosts that run out of a resource.

Owns: the stories, their connections and rates, the limits of each host, and which limit must be met when.
Refuses to know: how a run is judged (measure), and single connections (catalogue).

The pool of mbufs is a limit on the bytes that the server's sockets hold: NMBCLUSTERS clusters of 1024 bytes,
as in 4.3BSD's param.h. Beyond it, the kernel does not refuse: "your kernel will likely crash" (Apache).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tcpsim.catalogue import build, merged, scenario
from tcpsim.errors import unknown
from tcpsim.host.limits import HostLimits, Limits, Restart, own_limits
from tcpsim.host.population import Arrivals, Plan
from tcpsim.host.socket_accounting import Place
from tcpsim.tcp.stack import Stack
from tcpsim.units import parse_duration

CLUSTER_BYTES = 1024
_PLENTY = 10**9  # of workers: without a limit nobody counts them; of flows: the box has a limit of its own

# What running out looks like, by resource
SYMPTOMS: Mapping[str, str] = {
    "descriptors": "EMFILE, too many open files",
    "ports": "EADDRNOTAVAIL, no port is left for connect()",
    "workers": "connections wait in the accept queue",
    "backlog": "SYNs are dropped",
    "orphans": "too many orphaned sockets: RST",
    "minis": "timewait sockets are dropped",
    "bytes": "no memory for another socket",
    "pages": "TCP: out of memory, consider tuning tcp_mem: RST to orphans with data, send() waits",
    "flows": "nf_conntrack: table full, dropping packet; the host's own sockets show nothing",
}

# Whose number it is, by resource
KNOBS: Mapping[str, str] = {
    "descriptors": "ulimit -n (RLIMIT_NOFILE)",
    "ports": "ip_local_port_range, or further addresses",
    "workers": "MaxRequestWorkers (MaxClients)",
    "backlog": "listen(), and somaxconn above it",
    "orphans": "tcp_max_orphans",
    "minis": "tcp_max_tw_buckets",
    "bytes": "NMBCLUSTERS",
    "pages": "tcp_mem",
    "flows": "nf_conntrack_max",
}


@dataclass(frozen=True, slots=True)
class Limit:
    """What a host has of a resource (see `Usage`); from when to when that must be used up, None: never."""

    side: Place
    resource: str
    amount: int
    met: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Crowd:
    """Many connections of one scenario: `kinds` are weights and what is changed for that share of them.

    With any of `cures` the limit is not met in the time in which it is without; with any of `in_vain` it is.
    """

    name: str
    title: str
    story: str
    watch: str
    scenario: str
    per_second: float
    lasts: str
    limit: Limit
    overrides: Mapping[str, Any] = field(default_factory=dict)
    kinds: Sequence[tuple[float, Mapping[str, Any]]] = ((1.0, {}),)
    cures: Sequence[str] = ()
    in_vain: Sequence[str] = ()

    def plan(
        self,
        fixed: Mapping[str, Any] | None = None,
        per_second: float | None = None,
        lasts_us: int | None = None,
        seed: int = 1,
        restarts: Sequence[Restart] = (),
        plenty: bool = False,
    ) -> Plan:
        """What to run, with overrides on top (a fix, say), at another rate or for another time.

        With `plenty` the host has as much of what the story is about as is asked for.
        """
        pairs = [
            (weight, build(scenario(self.scenario), **merged(self.overrides, changes, fixed or {})))
            for weight, changes in self.kinds
        ]
        arrivals = Arrivals(
            self.per_second if per_second is None else per_second,
            for_us=parse_duration(self.lasts) if lasts_us is None else lasts_us,
            poisson=False,
        )
        short = self.limit.amount
        amount = short if not plenty else _PLENTY if self.limit.resource in ("workers", "flows") else None
        limits = self._limits(pairs[0][1].server.system.end.stack, amount)
        return Plan(tuple(pairs), arrivals, seed=seed, limits=limits, restarts=tuple(restarts))

    def with_limit(self, amount: int) -> Crowd:
        """The same on a host that has another amount of what the story is about."""
        return replace(self, limit=replace(self.limit, amount=amount))

    def _limits(self, server: Stack, amount: int | None) -> Limits:
        side, resource = self.limit.side, self.limit.resource
        if side == "middlebox":
            return Limits(own_limits(server), flows=amount)
        if side == "client":
            return Limits(own_limits(server), HostLimits()._replace(**{resource: amount}))
        return Limits(own_limits(server)._replace(**{resource: amount}))


_HALF_BUGGY: Sequence[tuple[float, Mapping[str, Any]]] = ((0.5, {}), (0.5, {"client": "closes-on-eof"}))
_NO_TIMER: Mapping[str, Any] = {"stack_server": "4.4bsd", "knobs": {"server.fin_wait_2_us": "none"}}
_POOL = 256 * CLUSTER_BYTES

_ALL = (
    Crowd(
        name="mbufs-without-a-timer",
        title="FIN-WAIT-2 fills the pool of mbufs until the kernel crashes",
        story="A server of 4.4BSD's kind without a FIN-WAIT-2 timer, as 4.2BSD was. Half of its clients never"
        " answer the FIN after KeepAliveTimeout; each leaves a socket of 512 bytes for good. With"
        " NMBCLUSTERS 256 there is room for about 512. A larger pool makes it go longer before crashing;"
        " it will not prevent it (Apache).",
        watch="the time until the pool is used up, which grows with the pool",
        cures=("fin-timeout=60s", "client-checks-sockets=5s"),
        in_vain=("keepalive=1min", "no-lingering-close"),
        scenario="keepalive-timeout-buggy-client",
        overrides=_NO_TIMER,
        kinds=_HALF_BUGGY,
        per_second=1.0,
        lasts="5h",
        limit=Limit("server", "bytes", _POOL, ("14min", "17min")),
    ),
    Crowd(
        name="mbufs-with-a-timer",
        title="With a timer the pool is used up only if rate x timeout exceeds it",
        story="The same clients, and 4.4BSD with its timer, which ends FIN-WAIT-2 after eleven minutes at the"
        " latest. So many sockets stand in the pool as come in that time, and no more: at half a buggy"
        " client per second the 256 clusters last for ever, at a whole one they do not last a quarter of"
        " an hour.",
        watch="a plateau below the pool; with --rate 2/s, one above it",
        scenario="keepalive-timeout-buggy-client",
        overrides={"stack_server": "4.4bsd"},
        kinds=_HALF_BUGGY,
        per_second=1.0,
        lasts="2h",
        limit=Limit("server", "bytes", _POOL, None),
    ),
    Crowd(
        name="mbufs-and-lingering-close",
        title="The same timer, and lingering_close() that goes around it",
        story="4.4BSD with its timer, and httpd 1.2 with lingering_close(): the FIN is sent by a half-close,"
        " and the timer is not armed by the close() that follows. Users who saw nothing with 1.1 crash"
        " with 1.2 (Apache).",
        watch="no plateau; with --fix no-lingering-close there is one",
        cures=("no-lingering-close", "second-arm-point"),
        in_vain=("fin-timeout=30s",),
        scenario="lingering-close-4.4bsd",
        kinds=_HALF_BUGGY,
        per_second=1.0,
        lasts="5h",
        limit=Limit("server", "bytes", _POOL, ("14min", "17min")),
    ),
    Crowd(
        name="pages-without-persistence",
        title="KeepAlive Off: eleven sockets in TIME-WAIT for each page",
        story="Sound clients, each of which fetches a page with ten images over a new connection each. The"
        " server closes first, so each connection leaves a TIME-WAIT for 60 s: at one page a second 660 of"
        " them, more than the pool holds. With one persistent connection for each page, which the client"
        " closes, the server keeps nothing (Apache: a busy server may need persistence).",
        watch="TIME-WAIT on the server, and how little is left of it with --fix persistent-connections",
        cures=("persistent-connections",),
        in_vain=("fin-timeout=1s",),
        scenario="page-with-images",
        overrides={"stack_server": "4.4bsd"},
        per_second=1.0,
        lasts="10min",
        limit=Limit("server", "bytes", _POOL, ("44s", "48s")),
    ),
    Crowd(
        name="openstack-chain",
        title="A Horizon worker makes a client object per request",
        story="Every request to the dashboard makes a new client object, whose HTTP library has a connection"
        " pool of its own, with one connection, never used again and never closed. The API server closes"
        " it after 15 s: CLOSE-WAIT in the worker, one per request, until its 1024 descriptors are used"
        " up. SO_KEEPALIVE ends the state and not the descriptor.",
        watch="1021 sockets in CLOSE-WAIT, then EMFILE for every further request; and --restart-every 1h",
        cures=("client-closes", "client-checks-sockets=5s", "pool-idle=10s"),
        in_vain=("fin-timeout=1s", "keepalive=60s"),
        scenario="keepalive-timeout-buggy-client",
        overrides={"stack_server": "linux"},
        per_second=0.2,
        lasts="3h",
        limit=Limit("client", "descriptors", 1021, ("84min", "86min")),
    ),
    Crowd(
        name="orphan-storm",
        title="Many clients vanish, and every close leaves an orphan",
        story="Clients lose their line with the connection open. After KeepAliveTimeout the server closes"
        " each; the FIN is never acknowledged, and the orphan is a full socket for about two minutes."
        " Fifty a second are more orphans than tcp_max_orphans, here 4096: every further one is reset at"
        " once.",
        watch="FIN-WAIT-1 orphans up to the limit",
        cures=("user-timeout=30s",),
        in_vain=("fin-timeout=10s",),
        scenario="vanished-client",
        per_second=50.0,
        lasts="5min",
        limit=Limit("server", "orphans", 4096, ("90s", "105s")),
    ),
    Crowd(
        name="ports-by-time-wait",
        title="TIME-WAIT uses up the ephemeral ports",
        story="A proxy opens a connection for each request to the same server and closes it first. The"
        " port is in TIME-WAIT for 60 s, so P ports are enough for P/60 connections a second: 470 with"
        " the 28,232 of Linux, 47 with a tenth of them, which is what this proxy has. At 50 a second"
        " connect() fails with EADDRNOTAVAIL within the first minute.",
        watch="2,823 ports in TIME-WAIT; with --rate 47/s it goes on for ever",
        in_vain=("fin-timeout=10s",),
        scenario="normal-close",
        overrides={"client": "closes-first", "server": "closes-on-eof"},
        per_second=50.0,
        lasts="3min",
        limit=Limit("client", "ports", 2_823, ("56s", "57s")),
    ),
    Crowd(
        name="abandoned-downloads",
        title="Downloads that are given up pin the memory of TCP",
        story="A server with 512 MiB of memory, so that tcp_mem ends at 12,288 pages. Clients ask for 44,000"
        " bytes and lose their line in the middle. The server has written all and closes after"
        " KeepAliveTimeout; the rest waits in an orphan for an acknowledgment that never comes, a dozen pages"
        " each, for about two minutes. At ten a second that is more than there is: orphans with data are"
        " reset, and send() waits, also for those who would read.",
        watch="pages run out at about a thousand orphans, where tcp_max_orphans allows 131,072",
        scenario="vanished-client",
        overrides={
            "client": "vanishes",
            "parameters": {"client.response": 1, "client.after": "5ms", "server.response": 44_000},
        },
        cures=("user-timeout=30s",),
        in_vain=("fin-timeout=10s", "keepalive=60s"),
        per_second=10.0,
        lasts="5min",
        limit=Limit("server", "pages", 12_288, ("60s", "130s")),
    ),
    Crowd(
        name="conntrack-full-of-close-wait",
        title="CLOSE_WAIT fills the table of conntrack while netstat shows none",
        story="A node forwards the connections of its pods, and its conntrack remembers a flow with one FIN"
        " for an hour, as kube-proxy sets it. The server closes and forgets, and the client never answers"
        " its FIN. On the node netstat shows nothing, because the sockets are elsewhere. The table has a"
        " CLOSE_WAIT for each connection of the last hour. 6,554 places at 13 a second are full after"
        " 504 s, as 655,360 are at 1,300 a second; 46,800 are needed. Then each new SYN is dropped in"
        " silence, and connect() fails with ETIMEDOUT after two minutes.",
        watch="flows in CLOSE_WAIT up to the limit; SYN-SENT at the clients",
        cures=("nat-timeout=1min", "client-closes"),
        in_vain=("fin-timeout=10s", "server.keepalive=60s"),
        scenario="closewait-ignored-eof",
        overrides={"middlebox": "kube-proxy"},
        per_second=13.0,
        lasts="10min",
        limit=Limit("middlebox", "flows", 6_554, ("499s", "509s")),
    ),
    Crowd(
        name="workers-and-lingering-close",
        title="FIN-WAIT-2 ties up no server process, lingering close does",
        story="httpd with 150 processes, and clients that never answer the FIN. lingering_close() waits two"
        " seconds for each of them before it lets go: at a hundred a second that is 200 processes, so"
        " requests wait in the accept queue, longer and longer. Without it a process is free as soon as"
        " it has answered; the sockets in FIN-WAIT-2 that are left belong to none.",
        watch="all 150 workers busy within two seconds; with --fix no-lingering-close none is kept",
        scenario="lingering-close",
        overrides={"client": "never-closes"},
        cures=("no-lingering-close", "client-closes"),
        in_vain=("fin-timeout=1s",),
        per_second=100.0,
        lasts="30s",
        limit=Limit("server", "workers", 150, ("1s", "2s")),
    ),
)

_BY_NAME = {crowd.name: crowd for crowd in _ALL}


def crowds() -> tuple[Crowd, ...]:
    """All of them."""
    return _ALL


def crowd(name: str) -> Crowd:
    """The crowd of that name.

    Raises:
        InputError: there is none; the message names those that are spelt nearly so.
    """
    if name not in _BY_NAME:
        raise unknown("population", name, list(_BY_NAME))
    return _BY_NAME[name]
