"""How a script of the matrix comes into each state: a prologue of calls and packets, in each stack's words.

The peer's ISN is 10000, so that there is room left of the window; it offers an MSS and nothing else, so that
no segment but a SYN carries options.
"""

from __future__ import annotations

from typing import NamedTuple

SET_UP = {
    "rfc9293": ["`: rfc9293`"],
    "linux": ["`./defaults.sh`"],
    "freebsd": ["`sysctl -w net.inet.tcp.hostcache.purgenow=1`", "`sysctl -w net.inet.tcp.drop_synfin=0`"],
}
SET_UP["freebsd-insecure"] = [
    *SET_UP["freebsd"],
    "`sysctl -w net.inet.tcp.insecure_rst=1`",
    "`sysctl -w net.inet.tcp.insecure_syn=1`",
    "`sysctl -w net.inet.tcp.insecure_ack=1`",
]
SET_UP["freebsd-synfin"] = [SET_UP["freebsd"][0], "`sysctl -w net.inet.tcp.drop_synfin=1`"]
_SYN = {
    "rfc9293": "<mss 1460,nop,wscale 0,sackOK,TS val 100 ecr 0>",
    "linux": "<mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8>",
    "freebsd": "<mss 1460,nop,wscale 6,sackOK,TS val 100 ecr 0>",
}


class Way(NamedTuple):
    """The numbers at the end of a prologue, and the state in the words of tcp_info and sockstat."""

    rcv_nxt: int
    snd_una: int
    snd_nxt: int
    state: str
    listens: bool = False


WAYS = {
    "CLO": Way(10_001, 1, 1, "CLOSED"),
    "LIS": Way(10_001, 1, 1, "LISTEN", True),
    "SS": Way(10_001, 0, 1, "SYN_SENT"),
    "SR": Way(10_001, 0, 1, "SYN_RECEIVED", True),
    "SR2": Way(10_001, 0, 1, "SYN_RECEIVED"),
    "EST": Way(10_001, 1, 1, "ESTABLISHED"),
    "FW1": Way(10_001, 1, 2, "FIN_WAIT_1"),
    "FW1o": Way(10_001, 1, 2, "FIN_WAIT_1"),
    "FW2": Way(10_001, 2, 2, "FIN_WAIT_2"),
    "FW2o": Way(10_001, 2, 2, "FIN_WAIT_2"),
    "CW": Way(10_002, 1, 1, "CLOSE_WAIT"),
    "CLG": Way(10_002, 1, 2, "CLOSING"),
    "LA": Way(10_002, 1, 2, "LAST_ACK"),
    "TW": Way(10_002, 2, 2, "TIME_WAIT", True),
}
_PEER_SYN = "+0.00 < S 10000:10000(0) win 65535 <mss 1460>"
_OUR_FIN = "+0.00 > F. 1:1(0) ack 10001"


def prologue(way: str, stack: str) -> list[str]:
    """The lines of the way into a state."""
    kind = stack.partition("-")[0]
    return [*SET_UP[stack], *_LINES[way](kind)]


def _listen(kind: str) -> list[str]:
    return [
        "+0.00 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3",
        "+0.00 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0",
        "+0.00 bind(3, ..., ...) = 0",
        "+0.00 listen(3, 1) = 0",
    ]


def _syn_received(kind: str) -> list[str]:
    return [*_listen(kind), _PEER_SYN, "+0.00 > S. 0:0(0) ack 10001 <mss 1460>"]


def _accepted(kind: str) -> list[str]:
    return [
        *_syn_received(kind),
        "+0.05 < . 10001:10001(0) ack 1 win 65535",
        "+0.00 accept(3, ..., ...) = 4",
    ]


def _established(kind: str) -> list[str]:
    return [*_accepted(kind), "+0.00 close(3) = 0"]


def _syn_sent(kind: str) -> list[str]:
    return [
        "+0.00 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3",
        "+0.00 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0",
        "+0.00 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)",
        f"+0.00 > S 0:0(0) {_SYN[kind]}",
    ]


def _syn_received_simultaneous(kind: str) -> list[str]:
    return [*_syn_sent(kind), "+0.05" + _PEER_SYN[5:], "+0.00 > S. 0:0(0) ack 10001 <mss 1460>"]


def _half_closed(kind: str) -> list[str]:
    return [*_established(kind), "+0.00 shutdown(4, SHUT_WR) = 0", _OUR_FIN]


def _closed(kind: str) -> list[str]:
    return [*_established(kind), "+0.00 close(4) = 0", _OUR_FIN]


def _fin_acked(lines: list[str]) -> list[str]:
    return [*lines, "+0.05 < . 10001:10001(0) ack 2 win 65535"]


def _close_wait(kind: str) -> list[str]:
    return [
        *_established(kind),
        "+0.01 < F. 10001:10001(0) ack 1 win 65535",
        "+0.00 > . 1:1(0) ack 10002",
    ]


def _closing(kind: str) -> list[str]:
    ack = "F. 1:1(0)" if kind == "freebsd" else ". 2:2(0)"  # tcp_output: our FIN rides on it
    return [
        *_half_closed(kind),
        "+0.01 < F. 10001:10001(0) ack 1 win 65535",
        f"+0.00 > {ack} ack 10002",
    ]


def _last_ack(kind: str) -> list[str]:
    return [*_close_wait(kind), "+0.00 shutdown(4, SHUT_WR) = 0", "+0.00 > F. 1:1(0) ack 10002"]


def _time_wait(kind: str) -> list[str]:
    return [
        *_fin_acked([*_accepted(kind), "+0.00 close(4) = 0", _OUR_FIN]),
        "+0.01 < F. 10001:10001(0) ack 2 win 65535",
        "+0.00 > . 2:2(0) ack 10002",
    ]


_LINES = {
    "CLO": lambda kind: [],
    "LIS": _listen,
    "SS": _syn_sent,
    "SR": _syn_received,
    "SR2": _syn_received_simultaneous,
    "EST": _established,
    "FW1": _half_closed,
    "FW1o": _closed,
    "FW2": lambda kind: _fin_acked(_half_closed(kind)),
    "FW2o": lambda kind: _fin_acked(_closed(kind)),
    "CW": _close_wait,
    "CLG": _closing,
    "LA": _last_ack,
    "TW": _time_wait,
}
