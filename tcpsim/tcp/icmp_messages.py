"""ICMP errors by name, and the errno that each becomes.

Owns: the table. Refuses to know: what a message does to a connection (icmp).

Messages have packetdrill's names, and also those of ICMPv6 where they differ. Sources for the errno of each:
Linux net/ipv4/icmp.c icmp_err_convert, net/ipv6/icmp.c icmpv6_err_convert; FreeBSD sys/netinet/ip_icmp.c
icmp_errmap, sys/netinet6/icmp6.c icmp6_errmap.
"""

from __future__ import annotations

ERRNOS = {
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
    "no_route": ("ENETUNREACH", "EHOSTUNREACH"),
    "admin_prohibited": ("EACCES", "ECONNREFUSED"),
    "not_neighbour": ("EHOSTUNREACH", "ENOPROTOOPT"),
    "address_unreachable": ("EHOSTUNREACH", "EHOSTUNREACH"),
    "unknown_next_header": ("EPROTO", "ECONNREFUSED"),
}
QUENCH = "source_quench"  # known, and discarded (MUST-55)
TOO_BIG = "frag_needed"
MESSAGES = frozenset(ERRNOS) | {QUENCH, TOO_BIG}
