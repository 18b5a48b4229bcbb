"""Probes of what an ICMP error does to a connection."""

from __future__ import annotations

from tcpsim.tcp import endpoint as tcp
from tcpsim.tcp.icmp_messages import MESSAGES
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import State
from tests.tcp.probes.battery import probe
from tests.tcp.ways import reach


def after_icmp(s: Stack, way: str, message: str) -> tuple[State, str | None]:
    """The state and what SO_ERROR says once a message quotes what is outstanding."""
    line, side = reach(way, s)
    if way == "ESTABLISHED":
        line.send(side, 100)
    t = line.tcb(side)
    line.ends[side] = tcp.icmp(line.ends[side], t.local_port, t.remote_port, t.snd_una, message, line.now).end
    return line.state(side), line.error(side)


def deadly(s: Stack, way: str) -> set[str]:
    """The messages that end a connection in a state."""
    return {message for message in MESSAGES if after_icmp(s, way, message)[0] is State.CLOSED}


@probe("linux", "icmp_hard", "icmp_hard_while", "icmp_errnos", "soft_error_is_told")
def icmp_at_linux(s: Stack) -> None:
    """tcp_ipv4.c tcp_v4_err: in SYN_SENT every error but source quench ends it, later none does; icmp.c
    icmp_err_convert has its own errno for an unknown host; what ends nothing is sk_err_soft."""
    assert deadly(s, "SYN-SENT") == MESSAGES - {"source_quench", "frag_needed"}
    assert deadly(s, "SYN-RECEIVED/simultaneous") == MESSAGES - {"source_quench", "frag_needed"}
    assert deadly(s, "ESTABLISHED") == set()
    assert after_icmp(s, "SYN-SENT", "host_unknown") == (State.CLOSED, "EHOSTDOWN")
    assert after_icmp(s, "ESTABLISHED", "host_unreachable") == (State.ESTABLISHED, "EHOSTUNREACH")


@probe("freebsd", "icmp_hard", "icmp_hard_while", "icmp_errnos", "soft_error_is_told")
def icmp_at_freebsd(s: Stack) -> None:
    """tcp_subr.c tcp_ctlinput, tcp_drop_syn_sent; ip_icmp.c icmp_errmap: prohibited is refused."""
    hard = {"protocol_unreachable", "port_unreachable", "net_prohibited", "host_prohibited"}
    hard |= {"packet_filtered", "exceeded_ttl", "admin_prohibited", "unknown_next_header"}
    assert deadly(s, "SYN-SENT") == hard
    assert deadly(s, "SYN-RECEIVED/simultaneous") == set()
    assert after_icmp(s, "SYN-SENT", "host_prohibited") == (State.CLOSED, "ECONNREFUSED")
    assert after_icmp(s, "ESTABLISHED", "host_unreachable") == (State.ESTABLISHED, None)


@probe("rfc9293", "icmp_hard", "icmp_hard_while")
def icmp_of_the_rfc(s: Stack) -> None:
    """RFC 9293 3.9.2.2 SHLD-26: hard errors abort, in every state."""
    assert deadly(s, "ESTABLISHED") == {"protocol_unreachable", "port_unreachable"}
