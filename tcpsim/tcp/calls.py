"""The user's calls on a connection (RFC 9293 3.9.1, 3.10.2 to 3.10.5).

Owns: SEND, RECEIVE, CLOSE, half-close and ABORT of one TCB. Refuses to know: descriptors, blocking and
errno, which are the system-call layer's, and OPEN (opening).
"""

from __future__ import annotations

from typing import Any

from tcpsim.tcp import acks, output, rcvbuf, right_sizing, sending, sndbuf, timers, window, write_queue
from tcpsim.tcp.event import Fact
from tcpsim.tcp.seqnum import MASK
from tcpsim.tcp.state import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
)
from tcpsim.tcp.step import Step

_RESETTABLE = frozenset({SYN_RECEIVED, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT})
_CAN_SEND_FIN = frozenset({SYN_RECEIVED, ESTABLISHED, CLOSE_WAIT})


def send(step: Step, octets: int) -> int:
    """SEND: queue as much as fits and send what may go; returns the octets taken."""
    t = step.t
    if not octets or t.close_called or t.state is CLOSED:
        return 0
    taken = write_queue.write(step, octets, output.segment_room(t), _push)
    t.no_space = taken < octets and sndbuf.grows(t, step.s)
    return taken


def _push(step: Step, what: str) -> None:
    sending.push(step, nagle=what == "all", one=what == "one")


def receive(step: Step, octets: int) -> int:
    """RECEIVE: take what is in order; a window that opened enough is told to the peer at once."""
    t = step.t
    taken = min(octets, t.readable)
    for part in rcvbuf.parts(t, taken):  # buffer by buffer
        t.readable -= part
        rcvbuf.read(t, part)
        right_sizing.copied(t, step.s, t.readable + t.fin_received)
    connected = t.state not in (CLOSED, TIME_WAIT) and not t.mini
    if connected and acks.after_read(step, taken, window.possible(t, step.s)):
        output.send_ack(step)
    return taken


def shutdown(step: Step, rd: bool, wr: bool) -> None:
    """Half-close: SHUT_RD keeps the peer sending into nothing, SHUT_WR sends our FIN."""
    t = step.t
    t.rd_shut = t.rd_shut or rd
    if rd and step.s.shut_rd_discards:
        t.readable = 0
    if wr:
        _send_fin(step)


def _send_fin(step: Step) -> None:
    t = step.t
    if t.state is SYN_SENT:
        step.end(Fact.CLOSE_CALLED, "closed before it was open", None)
    elif t.state in _CAN_SEND_FIN:
        t.close_called = True
        t.write_seq = (t.write_seq + 1) & MASK
        step.fact(Fact.CLOSE_CALLED)
        sending.push(step, nagle=False)


def close(step: Step) -> None:
    """CLOSE: no application holds the socket any more (Linux __tcp_close; RFC 9293 3.10.4, RFC 2525 2.17)."""
    t, s = step.t, step.s
    unread, t.readable = t.readable, 0
    rcvbuf.forget(t)
    if t.state is CLOSED or t.mini:  # the program's socket is gone already; what is left waits alone
        t.orphaned = t.rd_shut = True
        return
    linger = t.options.linger
    if unread and s.rst_on_unread_close and t.state is not TIME_WAIT:
        _throw_away(step, "closed with unread data", True)
    elif linger is not None and linger[0] and linger[1] == 0:
        abort(step)
    else:
        t.orphaned = t.rd_shut = True
        _send_fin(step)
        if t.state is FIN_WAIT_2 and s.fin_wait_2_on_close:
            t.fw2_armed = True
        if t.state is FIN_WAIT_2 and (t.options.linger2_us or 0) < 0 and s.linger2_max_us is not None:
            _throw_away(step, "TCP_LINGER2 below zero", True)
    t.orphaned = t.rd_shut = True


def abort(step: Step) -> None:
    """ABORT: RST where the peer has a connection; where it is closing anyway, just forget (3.10.5)."""
    t = step.t
    if t.state is CLOSED:
        return
    unsent = t.snd_nxt != t.write_seq and t.state in (CLOSING, LAST_ACK)
    pending = unsent and step.s.rst_on_abort_of_unsent
    _throw_away(step, "aborted", t.state in _RESETTABLE or pending)


def destroy(step: Step) -> None:
    """An operator removes the connection (Linux tcp_abort, BSD tcp_drop), and the peer is told."""
    t = step.t
    if t.mini or (t.parent and t.state is SYN_RECEIVED and step.s.requests):
        rst = False  # a reduced record is forgotten
    else:
        rst = t.state in _RESETTABLE or (step.s.destroy_rule == "drop" and t.state in (CLOSING, LAST_ACK))
    _throw_away(step, "killed by the operator", rst, "ECONNABORTED")


def _throw_away(step: Step, why: str, rst: bool, error: str = "ECONNRESET") -> None:
    if rst:
        output.send_rst(step)
    step.end(Fact.ABORTED, why, error)


def set_options(step: Step, changes: dict[str, Any]) -> None:
    """Change the socket's options; the timers that read them follow by themselves."""
    t, kept = step.t, step.t.options.keepalive
    t.options = t.options._replace(**changes)
    if changes.get("sndbuf") is not None:
        t.snd_space = sndbuf.buffer_for(step.s, t.options)
    if changes.get("rcvbuf") is not None:
        rcvbuf.resize(t, step.s)
    if not kept or not t.options.keepalive:
        t.keep_at_us = None  # it begins, or ends
    elif "keep_idle_us" in changes and t.keep_at_us is not None:
        heard = timers.silent_since_us(t) if step.s.keep_idle_from == "heard" else step.now
        t.keep_at_us = max(heard + timers.keep_idle_us(t, step.s), step.now + 1)
    if changes.get("nodelay"):
        sending.push(step)
    if changes.get("quickack"):
        t.pingpong = False
