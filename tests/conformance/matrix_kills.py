"""The row of the matrix that is no segment: an operator kills the socket (ss -K, tcpdrop), in every state.

Data, written by hand from the sources named below. A script brings the socket into the state, kills it by its
state, expects the RST or its absence, and asks with one more segment what is left.
"""

from __future__ import annotations

from tests.conformance.matrix_cells import COLUMNS
from tests.conformance.matrix_ways import WAYS, prologue

SOURCES = {
    "linux": "Linux net/ipv4/tcp.c tcp_abort (ss -K): tcp_need_reset; a request or a tw_sock is forgotten",
    "freebsd": "FreeBSD tcpdrop(8), sys/netinet/tcp_subr.c sysctl_drop: tcp_drop; no listener, no syncache",
}
# RN: a RST,ACK at SND.NXT; -: silence; spared: it is not reached, and lives on
ANSWERS = {
    "linux": {
        **dict.fromkeys(("SR2", "EST", "FW1", "FW1o", "FW2", "CW"), "RN"),
        **dict.fromkeys(("LIS", "SS", "SR", "FW2o", "CLG", "LA", "TW"), "-"),
    },
    "freebsd": {
        **dict.fromkeys(("SR2", "EST", "FW1", "FW1o", "FW2", "FW2o", "CW", "CLG", "LA"), "RN"),
        **dict.fromkeys(("SS", "TW"), "-"),
        **dict.fromkeys(("LIS", "SR"), "spared"),
    },
}
_PROBE = 777
_HELD = ("EST", "CW", "FW1", "FW2", "CLG", "LA")  # by a program, which has descriptor 4
_STATE = {
    "linux": {"SR": "syn-recv", "SR2": "syn-recv", "LIS": "listening"},
    "freebsd": {"SR": "SYN_RCVD", "SR2": "SYN_RCVD"},
}


def name(stack: str, way: str) -> str:
    """The script's path below the folder of scripts."""
    return f"{stack}/kill-{COLUMNS[way]}.pkt"


def script(stack: str, way: str) -> str:
    """The text of a script."""
    answer = ANSWERS[stack][way]
    lines = [
        f"// {COLUMNS[way].upper()}, {stack}: an operator kills the socket.",
        f"// The answer is {'a RST,ACK at SND.NXT' if answer == 'RN' else 'nothing'}"
        f"{', and it lives on' if answer == 'spared' else ', and it is gone'}.",
        f"// {SOURCES[stack]}",
        *prologue(way, stack),
        "",
        f"+0.01 `{_command(stack, way)}`",
        *_sent(stack, way),
        *_left(stack, way),
    ]
    return "\n".join(lines) + "\n"


def _command(stack: str, way: str) -> str:
    state = WAYS[way].state
    if stack == "freebsd":
        return f"tcpdrop -s {_STATE[stack].get(way, state)}"
    listening = " -l" if way == "LIS" else ""
    return f"ss -K{listening} state {_STATE[stack].get(way, state.lower().replace('_', '-'))}"


def _sent(stack: str, way: str) -> list[str]:
    if ANSWERS[stack][way] != "RN":
        return []
    nxt, rcv_nxt = WAYS[way].snd_nxt, WAYS[way].rcv_nxt
    return [f"+0.00 > R. {nxt}:{nxt}(0) ack {rcv_nxt} win 0"]


def _left(stack: str, way: str) -> list[str]:
    """What a segment finds, and what the program is told."""
    spared = ANSWERS[stack][way] == "spared"
    if way == "LIS":
        answer = "> S. 0:0(0) ack 1 <mss 1460>" if spared else "> R. 0:0(0) ack 1 win 0"
        return ["+0.01 < S 0:0(0) win 65535 <mss 1460>", f"+0.00 {answer}"]
    if spared:
        return ["+0.01 < . 10001:10001(0) ack 1 win 65535", "+0.00 accept(3, ..., ...) = 4"]
    told = ["+0.00 getsockopt(4, SOL_SOCKET, SO_ERROR, [ECONNABORTED], [4]) = 0"] if way in _HELD else []
    rcv_nxt = WAYS[way].rcv_nxt
    return [
        *told,
        f"+0.30 < . {rcv_nxt}:{rcv_nxt}(0) ack {_PROBE} win 65535",
        f"+0.00 > R {_PROBE}:{_PROBE}(0)",
    ]


def scripts() -> dict[str, str]:
    """Every script by its path."""
    return {name(stack, way): script(stack, way) for stack, ways in ANSWERS.items() for way in ways}
