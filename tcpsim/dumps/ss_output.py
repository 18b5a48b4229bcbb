"""Sockets as `ss -tanop` prints them.

Owns: the columns, and the spelling of a timer. It is the inverse of reading (ss): the output is read
back as the same sockets. Refuses to know: where the sockets come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tcpsim.dumps.dump import Address, Owner, Socket, Timer
from tcpsim.tcp.state import State

_NAMES = {
    State.ESTABLISHED: "ESTAB",
    State.SYN_RECEIVED: "SYN-RECV",
    State.CLOSED: "UNCONN",
}
_HEADER = ("State", "Recv-Q", "Send-Q", "Local Address", "Port", "Peer Address", "Port", "Process")


def ss(sockets: Iterable[Socket], header: bool = True) -> str:
    """The whole output, listeners first.

    >>> from tcpsim.dumps import read
    >>> text = "LISTEN 0 128 0.0.0.0:80 0.0.0.0:*\\nESTAB 0 0 192.0.2.1:80 192.0.2.2:5000"
    >>> print(ss(read(text).sockets, header=False), end="")
    LISTEN 0      128      0.0.0.0:80   0.0.0.0:*
    ESTAB  0      0      192.0.2.1:80 192.0.2.2:5000
    """
    rows = [_row(each) for each in sorted(sockets, key=lambda each: each.state is not State.LISTEN)]
    if header:
        rows.insert(0, _HEADER)
    widths = [max((len(row[at]) for row in rows), default=0) for at in range(8)]
    return "".join(_line(row, widths) for row in rows)


def timer(found: Timer) -> str:
    """`timer:(keepalive,1min12sec,0)`, with what is small left off (iproute2 misc/ss.c print_ms_timer).

    >>> [timer(Timer("on", left_us, 0, 3)) for left_us in (1_804_000, 820_000, 24_300_000, 725_000_000)]
    ['timer:(on,1.804ms,3)', 'timer:(on,820ms,3)', 'timer:(on,24sec,3)', 'timer:(on,12min,3)']
    """
    milliseconds = found.left_us // 1_000
    minutes, seconds = milliseconds // 60_000, milliseconds // 1_000 % 60
    milliseconds %= 1_000
    text = ""
    if minutes:
        text, milliseconds = f"{minutes}min", 0
        seconds = 0 if minutes > 9 else seconds
    if seconds:
        milliseconds = 0 if seconds > 9 else milliseconds
        text += f"{seconds}{'.' if milliseconds else 'sec'}"
    if milliseconds:
        text += f"{milliseconds:03}ms"
    return f"timer:({found.kind},{text},{found.fired})"


def _row(each: Socket) -> tuple[str, ...]:
    shown = [_users(each.owners)] if each.owners else []
    if each.timer is not None:
        shown.append(timer(each.timer))
    state = _NAMES.get(each.state, str(each.state))
    queues = str(each.recv_q or 0), str(each.send_q or 0)
    return (
        state,
        *queues,
        _host(each.local),
        _port(each.local),
        _host(each.peer),
        _port(each.peer),
        " ".join(shown),
    )


def _users(owners: Sequence[Owner]) -> str:
    return "users:((" + "),(".join(f'"{each.name}",pid={each.pid},fd={each.fd}' for each in owners) + "))"


def _host(address: Address) -> str:
    return f"[{address.host}]" if ":" in address.host else address.host


def _port(address: Address) -> str:
    return "*" if address.port is None else str(address.port)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    state, recv_q, send_q, local, local_port, peer, peer_port, process = row
    queues = f"{state:<{widths[0]}} {recv_q:<{max(widths[1], 6)}} {send_q:<{max(widths[2], 6)}}"
    ends = f"{local:>{widths[3]}}:{local_port:<{widths[4]}} {peer:>{widths[5]}}:{peer_port:<{widths[6]}}"
    return f"{queues} {ends} {process}".rstrip() + "\n"
