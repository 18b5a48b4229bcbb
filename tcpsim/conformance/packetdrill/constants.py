"""Constants of the socket API as scripts write them: names to numbers, and errnos.

Owns: the values. Refuses to know: which call takes which (calls). Sources: the headers of Linux
(include/uapi/asm-generic); where a FreeBSD script is written with names, the numbers do not matter.
"""

from __future__ import annotations

import errno
import os

from tcpsim.conformance.packetdrill.script import Either, Expression, Name, Place, ScriptError

NUMBERS = {
    "AF_UNSPEC": 0,
    "AF_UNIX": 1,
    "AF_LOCAL": 1,
    "PF_UNSPEC": 0,
    "PF_UNIX": 1,
    "PF_LOCAL": 1,
    "AF_INET": 2,
    "AF_INET6": 10,
    "PF_INET": 2,
    "PF_INET6": 10,
    "SOCK_STREAM": 1,
    "SOCK_DGRAM": 2,
    "SOCK_RAW": 3,
    "SOCK_RDM": 4,
    "SOCK_SEQPACKET": 5,
    "SOCK_NONBLOCK": 0x800,
    "SOCK_CLOEXEC": 0x80000,
    "IPPROTO_IP": 0,
    "IPPROTO_ICMP": 1,
    "IPPROTO_IGMP": 2,
    "IPPROTO_TCP": 6,
    "IPPROTO_UDP": 17,
    "IPPROTO_DCCP": 33,
    "IPPROTO_IPV6": 41,
    "IPPROTO_GRE": 47,
    "IPPROTO_ICMPV6": 58,
    "IPPROTO_SCTP": 132,
    "IPPROTO_UDPLITE": 136,
    "IPPROTO_RAW": 255,
    "IPPROTO_MPTCP": 262,
    "SOL_IP": 0,
    "SOL_TCP": 6,
    "SOL_UDP": 17,
    "SOL_IPV6": 41,
    "SOL_ICMPV6": 58,
    "SOL_SCTP": 132,
    "SOL_SOCKET": 1,
    "SHUT_RD": 0,
    "SHUT_WR": 1,
    "SHUT_RDWR": 2,
    "O_RDONLY": 0,
    "O_WRONLY": 1,
    "O_RDWR": 2,
    "O_NONBLOCK": 0x800,
    "O_NDELAY": 0x800,
    "F_GETFD": 1,
    "F_SETFD": 2,
    "F_GETFL": 3,
    "F_SETFL": 4,
    "FD_CLOEXEC": 1,
    "MSG_PEEK": 0x2,
    "MSG_OOB": 0x1,
    "MSG_WAITALL": 0x100,
    "MSG_DONTWAIT": 0x40,
    "MSG_EOR": 0x80,
    "MSG_NOSIGNAL": 0x4000,
    "MSG_MORE": 0x8000,
    "MSG_FASTOPEN": 0x2000_0000,
    "MSG_ZEROCOPY": 0x400_0000,
    "MSG_TRUNC": 0x20,
    "MSG_ERRQUEUE": 0x2000,
    "POLLIN": 0x1,
    "POLLPRI": 0x2,
    "POLLOUT": 0x4,
    "POLLERR": 0x8,
    "POLLHUP": 0x10,
    "POLLNVAL": 0x20,
    "POLLRDNORM": 0x40,
    "POLLRDHUP": 0x2000,
    "INADDR_ANY": 0,
}
# Which type of socket a protocol is for; a protocol that may have several is not here
PROTOCOL_TYPES = {
    NUMBERS["IPPROTO_TCP"]: NUMBERS["SOCK_STREAM"],
    NUMBERS["IPPROTO_MPTCP"]: NUMBERS["SOCK_STREAM"],
    NUMBERS["IPPROTO_UDP"]: NUMBERS["SOCK_DGRAM"],
    NUMBERS["IPPROTO_UDPLITE"]: NUMBERS["SOCK_DGRAM"],
}
OPTION_NAMES = {  # by level and number, for scripts that write the number
    (1, 2): "SO_REUSEADDR",
    (1, 4): "SO_ERROR",
    (1, 7): "SO_SNDBUF",
    (1, 8): "SO_RCVBUF",
    (1, 9): "SO_KEEPALIVE",
    (1, 13): "SO_LINGER",
    (6, 1): "TCP_NODELAY",
    (6, 2): "TCP_MAXSEG",
    (6, 4): "TCP_KEEPIDLE",
    (6, 5): "TCP_KEEPINTVL",
    (6, 6): "TCP_KEEPCNT",
    (6, 8): "TCP_LINGER2",
    (6, 12): "TCP_QUICKACK",
    (6, 18): "TCP_USER_TIMEOUT",
}
_SAME_ERRNO = {"EWOULDBLOCK": "EAGAIN", "ENOTSUP": "EOPNOTSUPP"}


def number(expression: Expression, place: Place) -> int:
    """What a constant expression comes to.

    Raises:
        ScriptError: it is no number, or a name that stands for none.
    """
    if isinstance(expression, int):
        return expression
    if isinstance(expression, Either):
        value = 0
        for part in expression.parts:
            value |= number(part, place)
        return value
    if isinstance(expression, Name):
        if expression.name in NUMBERS:
            return NUMBERS[expression.name]
        raise ScriptError(place, f"unknown symbol: '{expression.name}'")
    raise ScriptError(place, f"bad argument: expected a number, found {type(expression).__name__.lower()}")


def errno_name(name: str, place: Place) -> str:
    """An errno by the name that tcpsim gives it.

    Raises:
        ScriptError: there is no such errno.
    """
    if not hasattr(errno, name):
        raise ScriptError(place, f"unknown symbol: '{name}'")
    return _SAME_ERRNO.get(name, name)


def errno_words(name: str) -> str:
    """``104 (Connection reset by peer)``: as packetdrill's messages have it."""
    value: int = getattr(errno, name, 0)
    return f"{value} ({os.strerror(value)})"
