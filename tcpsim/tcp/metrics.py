"""The metrics cache of a host: round-trip times of a peer for later connections (Linux tcp_metrics).

Owns: when a connection stores its round-trip time, and the first RTO of a later connection. Most endpoints
have one peer, so there is one number. A relay has several, by the port that accepts. Refuses to know:
everything else in Linux's cache (the largest window, which Linux uses only if it is configured, and
reordering, which is not modelled).

Source: Linux net/ipv4/tcp_metrics.c tcp_update_metrics, tcp_init_metrics (CONFIG_HZ of `rto_tick_us`).
"""

from __future__ import annotations

from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import CLOSED, ESTABLISHED, LAST_ACK, SYN_RECEIVED, SYN_SENT
from tcpsim.tcp.tcb import Tcb

Cache = int | tuple[tuple[int, int], ...]  # the round-trip time by eight, or one for each accepting port


def after(cached: Cache, before: Tcb, t: Tcb, s: Stack) -> Cache:
    """What is remembered when a socket was `before` and is `t` now.

    A longer round-trip time is taken over, a shorter one pulls by an eighth; one that ends backed off wipes.
    """
    ends = (t.mini and not before.mini) or (
        before.state is LAST_ACK and t.state is CLOSED and t.closed_by == "closed"
    )
    if not s.caches_metrics or not ends:
        return cached
    if isinstance(cached, int):
        return _pulled(cached, t)
    known = dict(cached)
    known[_peer(t)] = _pulled(known.get(_peer(t), 0), t)
    return tuple(sorted(known.items()))


def _pulled(cached8: int, t: Tcb) -> int:
    if t.backoff or not t.srtt8:
        return 0
    return t.srtt8 if cached8 <= t.srtt8 else cached8 - ((cached8 - t.srtt8) >> 3)


def _peer(t: Tcb) -> int:
    """The port of the end that accepted: it tells a relay's neighbours apart."""
    return t.local_port if t.parent else t.remote_port


def begin(cached: Cache, before: Tcb, t: Tcb, s: Stack) -> None:
    """A connection that is open now: a longer round-trip time than its handshake's makes its first RTO."""
    opens = before.state in (SYN_SENT, SYN_RECEIVED) and t.state >= ESTABLISHED and t.state is not CLOSED
    if not s.caches_metrics or not opens:
        return
    cached8 = cached if isinstance(cached, int) else dict(cached).get(_peer(t), 0)
    if cached8 <= t.srtt8:
        return
    rtt_us = cached8 // (8 * s.rto_tick_us) * s.rto_tick_us
    t.rto_us = min(rtt_us + max(2 * rtt_us, s.rto_min_us), s.rto_max_us)
