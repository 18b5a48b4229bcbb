"""ICMP messages in scripts: types and codes by name, and what each means to a connection.

Owns: the names of ICMP and ICMPv6, a code's number behind each, and which of tcpsim's messages that is.
Refuses to know: what a connection makes of it (tcp.icmp), and how an event is written (packets).

Sources of the numbers: RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1, RFC 4443. A code may be written
``code_N`` as well. One number has several names: those of packetdrill and those of the systems' headers.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tcpsim.conformance.packetdrill.script import IcmpPacket, Place, ScriptError

TOO_BIG = "frag_needed"
_NUMBERED = re.compile(r"code_([0-9]{1,3})")


class _Type(NamedTuple):
    """A type: names of its codes, and what code N is to a connection; None: nothing at all."""

    codes: tuple[tuple[str, ...], ...] = ()
    messages: tuple[str | None, ...] = ()


def _alike(*names: str) -> tuple[tuple[str, ...], ...]:
    """One name, or several with ``|``, for each code in order."""
    return tuple(tuple(name.split("|")) for name in names)


_NOTHING = _Type()
_UNREACHABLE_4 = (
    "net_unreachable",
    "host_unreachable",
    "protocol_unreachable",
    "port_unreachable",
    TOO_BIG,
    "source_route_failed",
    "net_unknown",
    "host_unknown",
    "source_host_isolated",
    "net_prohibited",
    "host_prohibited",
    "net_unreachable_for_tos",
    "host_unreachable_for_tos",
    "packet_filtered",
    "precedence_violation",
    "precedence_cutoff",
)
_UNREACHABLE_6 = _alike(
    "no_route|net_unreachable",
    "admin_prohibited|communication_prohibited|packet_filtered",
    "not_neighbour|not_neighbor|beyond_scope",
    "addr_unreachable|address_unreachable|host_unreachable",
    "port_unreachable",
    "policy_fail|source_address_policy",
    "reject_route",
)
_EXCEEDED = _Type(
    _alike(
        "ttl_exceeded_in_transit|exceeded_ttl|ttl_exceeded|in_transit|exceeded_hop_limit|hop_limit_exceeded",
        "frag_reass_exceeded|exceeded_reassembly|reassembly|exceeded_frag_time|frag_time_exceeded",
    ),
    ("exceeded_ttl", "exceeded_reassembly"),
)
_REDIRECT = _Type(_alike("net_redirect|net", "host_redirect|host", "tos_net|net_tos", "tos_host|host_tos"))

_ASKED = (
    "echo_request", "echo_reply", "timestamp_request", "timestamp_reply", "information_request",
    "information_reply", "address_mask_request", "address_mask_reply", "router_advertisement",
    "router_solicitation",
)  # fmt: skip
_ICMP = {
    "unreachable": _Type(_alike(*_UNREACHABLE_4), _UNREACHABLE_4),
    "time_exceeded": _EXCEEDED,
    "parameter_problem": _Type(
        _alike("pointer|pointer_indicates_error", "option_missing|missing_option", "bad_length"),
        ("parameter_problem",) * 3,
    ),
    "source_quench": _Type(messages=("source_quench",)),
    "redirect": _REDIRECT,
    **dict.fromkeys(_ASKED, _NOTHING),
}
_ICMPV6 = {
    "unreachable": _Type(
        _UNREACHABLE_6,
        ("no_route", "admin_prohibited", "not_neighbour", "address_unreachable", "port_unreachable")
        + ("admin_prohibited",) * 2,
    ),
    "packet_too_big": _Type(messages=(TOO_BIG,)),
    "time_exceeded": _EXCEEDED,
    "parameter_problem": _Type(
        _alike(
            "header_field|erroneous_header_field",
            "unknown_next_header|unk_next_header|next_header",
            "unknown_option|unk_option|option",
        ),
        ("parameter_problem", "unknown_next_header", "parameter_problem"),
    ),
    "redirect": _REDIRECT,
    **dict.fromkeys(_ASKED, _NOTHING),
}
TYPES = frozenset(_ICMP) | frozenset(_ICMPV6)


def message_of(packet: IcmpPacket, ip_version: str, place: Place) -> str | None:
    """What a message is to a connection (`tcp.icmp.MESSAGES`, or `TOO_BIG`); None: no concern of TCP's.

    Raises:
        ScriptError: the family has no such type, or the type no such code.
    """
    family = _ICMPV6 if ip_version == "ipv6" else _ICMP
    kind = family.get(packet.type)
    if kind is None:
        name = "ICMPv6" if ip_version == "ipv6" else "ICMPv4"
        raise ScriptError(place, f"bad {name} type name: '{packet.type}'")
    code = _code(kind, packet.code)
    if code is None:
        raise ScriptError(place, f"bad ICMP code name for {packet.type}: '{packet.code}'")
    return kind.messages[code] if code < len(kind.messages) else None


def _code(kind: _Type, name: str) -> int | None:
    """The number of a code; without a name it is 0."""
    if not name:
        return 0
    numbered = _NUMBERED.fullmatch(name)
    if numbered:
        return int(numbered[1]) if int(numbered[1]) < 256 else None
    return next((number for number, names in enumerate(kind.codes) if name in names), None)
