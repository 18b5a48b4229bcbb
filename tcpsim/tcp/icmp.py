"""An ICMP error about a segment of ours (RFC 9293 3.9.2.2, RFC 5927 section 4, RFC 1122 4.2.3.9).

Owns: the messages by name, the errno that each becomes, and whether a connection ends of it at once or
remembers it as the reason should it fail later. Refuses to know: which connection it is (end), and path
MTU discovery.

Messages bear packetdrill's names. What the two families of systems make of them: Linux net/ipv4/icmp.c
icmp_err_convert; FreeBSD sys/netinet/ip_icmp.c icmp_errmap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcpsim.tcp.event import Fact
from tcpsim.tcp.seqnum import le, lt
from tcpsim.tcp.state import State

if TYPE_CHECKING:
    from tcpsim.tcp.step import Step

_ERRNOS = {
    "net_unreachable": ("ENETUNREACH", "EHOSTUNREACH"),
    "host_unreachable": ("EHOSTUNREACH", "EHOSTUNREACH"),
    "protocol_unreachable": ("ENOPROTOOPT", "ECONNREFUSED"),
    "port_unreachable": ("ECONNREFUSED", "ECONNREFUSED"),
    "source_route_failed": ("EOPNOTSUPP", "EHOSTUNREACH"),
    "net_unknown": ("ENETUNREACH", "EHOSTUNREACH"),
    "host_unknown": ("EHOSTDOWN", "EHOSTUNREACH"),
    "source_host_isolated": ("ENONET", "EHOSTUNREACH"),
    "net_prohibited": ("ENETUNREACH", "ECONNREFUSED"),
    "host_prohibited": ("EHOSTUNREACH", "ECONNREFUSED"),
    "net_unreachable_for_tos": ("ENETUNREACH", "EHOSTUNREACH"),
    "host_unreachable_for_tos": ("EHOSTUNREACH", "EHOSTUNREACH"),
    "packet_filtered": ("EHOSTUNREACH", "ECONNREFUSED"),
    "precedence_violation": ("EHOSTUNREACH", "EHOSTUNREACH"),
    "precedence_cutoff": ("EHOSTUNREACH", "EHOSTUNREACH"),
    "exceeded_ttl": ("EHOSTUNREACH", "EHOSTUNREACH"),
    "exceeded_reassembly": ("EHOSTUNREACH", "EHOSTUNREACH"),
    "parameter_problem": ("EPROTO", "ENOPROTOOPT"),
}
_QUENCH = "source_quench"  # known, and discarded (MUST-55)
MESSAGES = frozenset(_ERRNOS) | {_QUENCH}

_OPENING = {
    "any": frozenset(State),
    "opening": frozenset({State.SYN_SENT, State.SYN_RECEIVED}),
    "syn-sent": frozenset({State.SYN_SENT}),
}


def arrives(step: Step, seq: int, message: str) -> None:
    """One message that quotes our segment at `seq`; nothing but what is outstanding can have caused it."""
    t, s = step.t, step.s
    if message == _QUENCH or not (le(t.snd_una, seq) and lt(seq, t.snd_nxt)):
        step.drop("ICMP of no concern")
        return
    error = _ERRNOS[message][s.icmp_errnos == "bsd"]
    if t.parent and t.state == State.SYN_RECEIVED and s.requests:
        step.drop("ICMP about an embryonic connection")  # nobody is there to be told; it has its retries
    elif message in s.icmp_hard and t.state in _OPENING[s.icmp_hard_while]:
        step.end(Fact.RESET, f"ICMP {message}", error)
    else:
        t.soft_error = error
