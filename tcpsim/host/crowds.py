"""The catalogue of populations: hosts that run out of something, by name.

Owns: the stories, the connections and the rates that tell them, what each host has, and which limit must be
met when. Refuses to know: how a run is judged (measure), and single connections (scenario).

The pool of mbufs is a limit on the bytes that the server's sockets hold: NMBCLUSTERS clusters of 1024 bytes,
as in 4.3BSD's param.h. What lies beyond it is no refusal but the end: "your kernel will likely crash"
(Apache). So a run knows nothing of it; when it was met is read from the census afterwards, and what came
later did not happen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tcpsim.app.behaviour import unknown
from tcpsim.host.limits import HostLimits, Limits, own_limits
from tcpsim.host.population import Arrivals, Plan
from tcpsim.pair import Side
from tcpsim.scenario import build, scenario
from tcpsim.tcp.stack import Stack
from tcpsim.units import parse_duration

CLUSTER_BYTES = 1024
_MBUFS = "bytes"  # the resource that the pool limits

# What running out looks like, by resource
SYMPTOMS: Mapping[str, str] = {
    "descriptors": "EMFILE, too many open files",
    "ports": "EADDRNOTAVAIL, no port is left for connect()",
    "workers": "connections wait in the accept queue",
    "backlog": "SYNs are dropped",
    "orphans": "too many orphaned sockets: RST",
    "minis": "mini-sockets vanish",
    "bytes": "out of mbufs: the kernel crashes",
}


@dataclass(frozen=True, slots=True)
class Limit:
    """What a host has of a resource (see `Usage`); from when to when that must be used up, None: never."""

    side: Side
    resource: str
    amount: int
    met: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Crowd:
    """Many connections of one scenario: `kinds` are weights and what is changed for that share of them."""

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

    def plan(
        self,
        fixed: Mapping[str, Any] | None = None,
        per_second: float | None = None,
        lasts_us: int | None = None,
        seed: int = 1,
    ) -> Plan:
        """What to run, with overrides on top (a fix, say), at another rate or for another time."""
        pairs = [
            (weight, build(scenario(self.scenario), **_merged(self.overrides, changes, fixed or {})))
            for weight, changes in self.kinds
        ]
        arrivals = Arrivals(
            self.per_second if per_second is None else per_second,
            for_us=parse_duration(self.lasts) if lasts_us is None else lasts_us,
            poisson=False,
        )
        return Plan(
            tuple(pairs), arrivals, seed=seed, limits=self._limits(pairs[0][1].server.system.end.stack)
        )

    def with_limit(self, amount: int) -> Crowd:
        """The same on a host that has another amount of what the story is about."""
        return replace(self, limit=replace(self.limit, amount=amount))

    def _limits(self, server: Stack) -> Limits:
        side, resource = self.limit.side, self.limit.resource
        own = {} if resource == _MBUFS else {resource: self.limit.amount}
        if side == "client":
            return Limits(own_limits(server), HostLimits(**own))
        return Limits(own_limits(server)._replace(**own))


def _merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Overrides for `build`, the later on top of the earlier."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            merged[key] = {**merged.get(key, {}), **value} if isinstance(value, Mapping) else value
    return merged


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
        scenario="keepalive-timeout-buggy-client",
        overrides=_NO_TIMER,
        kinds=_HALF_BUGGY,
        per_second=1.0,
        lasts="5h",
        limit=Limit("server", _MBUFS, _POOL, ("14min", "17min")),
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
        limit=Limit("server", _MBUFS, _POOL, None),
    ),
    Crowd(
        name="mbufs-and-lingering-close",
        title="The same timer, and lingering_close() that goes around it",
        story="4.4BSD with its timer, and httpd 1.2 with lingering_close(): the FIN is sent by a half-close,"
        " and the timer is not armed by the close() that follows. Users who saw nothing with 1.1 crash"
        " with 1.2 (Apache).",
        watch="no plateau; with --fix no-lingering-close there is one",
        scenario="lingering-close-4.4bsd",
        kinds=_HALF_BUGGY,
        per_second=1.0,
        lasts="5h",
        limit=Limit("server", _MBUFS, _POOL, ("14min", "17min")),
    ),
    Crowd(
        name="pages-without-persistence",
        title="KeepAlive Off: eleven sockets in TIME-WAIT for each page",
        story="Sound clients, each of which fetches a page with ten images over a new connection each. The"
        " server closes first, so each connection leaves a TIME-WAIT for 60 s: at one page a second 660 of"
        " them, more than the pool holds. With one persistent connection for each page, which the client"
        " closes, the server keeps nothing (Apache: a busy server may need persistence).",
        watch="TIME-WAIT on the server, and how little is left of it with --fix persistent-connections",
        scenario="page-with-images",
        overrides={"stack_server": "4.4bsd"},
        per_second=1.0,
        lasts="10min",
        limit=Limit("server", _MBUFS, _POOL, ("44s", "48s")),
    ),
    Crowd(
        name="openstack-chain",
        title="A Horizon worker makes a client object per request",
        story="Every request to the dashboard makes a new client object, whose HTTP library has a connection"
        " pool of its own, with one connection, never used again and never closed. The API server closes"
        " it after 15 s: CLOSE-WAIT in the worker, one per request, until its 1024 descriptors are used"
        " up. SO_KEEPALIVE ends the state and not the descriptor.",
        watch="1021 sockets in CLOSE-WAIT, then EMFILE for every further request",
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
        scenario="normal-close",
        overrides={"client": "closes-first", "server": "closes-on-eof"},
        per_second=50.0,
        lasts="3min",
        limit=Limit("client", "ports", 2_823, ("56s", "57s")),
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
        raise unknown("crowd", name, list(_BY_NAME))
    return _BY_NAME[name]
