"""The list of fixes: changes that an operator, a programmer or a kernel can make.

Owns: for each fix its name, who makes it, on which side and in which states it acts, and what it changes of a
scenario (fields of `Setting`). Refuses to know: whether a fix helps (a scenario says so, and the tests run
it), and how "fin-timeout=30s" is read (fixes).

A fix of a stack is in the fields of its profile, not in the stack's own names, so it can be tried on every
stack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tcpsim.app.behaviour import COUNT, SECONDS, TIME, Kind
from tcpsim.errors import InputError
from tcpsim.path import SIDES
from tcpsim.tcp.state import State
from tcpsim.units import format_duration, parse_duration

Changes = Mapping[str, Any]


class Fix(NamedTuple):
    """One fix: who makes it, what it is, and what it changes given its value (None: it takes none).

    `side` is the host that it changes: "client", "server", "either" (both, unless a side is named in front),
    "both" or "path". `states` are those in which it acts; () means that it acts before there is a connection,
    or on the descriptor of one that is over.
    """

    name: str
    who: str
    does: str
    side: str
    states: tuple[State, ...]
    changes: Callable[[Any], Changes]
    kind: Kind | None = None
    default: str | int | None = None

    @property
    def spelled(self) -> str:
        """As one writes it: "fin-timeout=60s", or just the name."""
        return self.name if self.kind is None else f"{self.name}={self.default}"

    @property
    def applies_to(self) -> str:
        """The side and the states in words: "server in CLOSE-WAIT"."""
        side = {"either": "either side", "both": "both sides", "path": "the path"}.get(self.side, self.side)
        if not self.states:
            return side
        *most, last = map(str, self.states)
        return f"{side} in {', '.join(most) + ' or ' if most else ''}{last}"


def _behaviour(side: str, name: str) -> Callable[[Any], Changes]:
    return lambda value: {side: name}


def _knobs(**always: Any) -> Callable[[Any], Changes]:
    return lambda value: {"knobs": always}


def _field(name: str, **always: Any) -> Callable[[Any], Changes]:
    return lambda value: {"knobs": {name: value, **always}}


def _relays(**always: Any) -> Callable[[Any], Changes]:
    """Parameters of the relays' program; None stands for the fix's value."""
    return lambda value: {
        "parameters": {f"relay.{name}": value if each is None else each for name, each in always.items()}
    }


def _of_program(setting: str, side: str) -> Callable[[Any], Changes]:
    """A setting that changes whatever program the side has."""
    return lambda value: {setting: {side: True if value is None else format_duration(value)}}


def _read_linger(value: Any, where: str) -> int:
    linger_us = parse_duration(value, where)
    if linger_us % 1_000_000:
        raise InputError(where, repr(value), _LINGER.allowed)
    return linger_us


_LINGER = Kind("time", 'a whole number of seconds, such as "0s" or "30s"', _read_linger)
_SILENT = ("established", "fin_wait", "close_wait", "last_ack")  # in which nothing need be sent

_OPEN = (State.ESTABLISHED, State.FIN_WAIT_2, State.CLOSE_WAIT)  # in which a program can hold a silent socket
_UNACKED = (State.ESTABLISHED, State.FIN_WAIT_1, State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK)
_HALF = (State.FIN_WAIT_2, State.CLOSE_WAIT)  # in which a relay's legs wait for the second end-of-file
_HELD = (State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSE_WAIT)


FIXES = (
    Fix(
        "client-closes",
        "the client's program",
        "closes when a read returns zero",
        "client",
        (State.CLOSE_WAIT,),
        _behaviour("client", "closes-on-eof"),
    ),
    Fix(
        "server-closes",
        "the server's program",
        "closes when a read returns zero",
        "server",
        (State.CLOSE_WAIT,),
        _behaviour("server", "closes-on-eof"),
    ),
    Fix(
        "client-closes-on-error",
        "the client's program",
        "closes its socket when a call fails",
        "client",
        (),
        _of_program("close_on_error", "client"),
    ),
    Fix(
        "server-closes-on-error",
        "the server's program",
        "closes its socket when a call fails",
        "server",
        (),
        _of_program("close_on_error", "server"),
    ),
    Fix(
        "client-checks-sockets",
        "the client's program",
        "looks every few seconds whether the server has closed, and then closes too (Apache's advice)",
        "client",
        (State.CLOSE_WAIT,),
        lambda every: {"client": "polls-its-socket", "parameters": {"client.every": every}},
        TIME,
        "5s",
    ),
    Fix(
        "pool-idle",
        "the client's program",
        "closes a pooled connection that has been idle for this long (the client's idle timeout)",
        "client",
        (State.ESTABLISHED,),
        lambda idle: {"client": "closes-first", "parameters": {"client.delay": idle}},
        TIME,
        "10s",
    ),
    Fix(
        "server-idle",
        "the server's program",
        "closes a connection on which no request has come for this long (the server's idle timeout)",
        "server",
        (State.ESTABLISHED, State.CLOSE_WAIT),
        lambda idle: {"server": "keep-alive-timeout", "parameters": {"server.timeout": idle}},
        TIME,
        "15s",
    ),
    Fix(
        "client-restarts",
        "the client's operator",
        "restarts the program after this long; its kernel closes every socket that the old process had",
        "client",
        _HELD,
        _of_program("restart", "client"),
        TIME,
        "10min",
    ),
    Fix(
        "server-restarts",
        "the server's operator",
        "restarts the program after this long; its kernel closes every socket that the old process had, and"
        " those in its accept queue",
        "server",
        _HELD,
        _of_program("restart", "server"),
        TIME,
        "10min",
    ),
    Fix(
        "client-linger",
        "the client's program",
        "sets SO_LINGER: close() waits this long for its data to be acknowledged; with 0 s it sends a RST and"
        " forgets the connection, and what was not delivered is lost",
        "client",
        (State.FIN_WAIT_1, State.LAST_ACK, State.TIME_WAIT),
        _of_program("linger", "client"),
        _LINGER,
        "0s",
    ),
    Fix(
        "server-linger",
        "the server's program",
        "sets SO_LINGER: close() waits this long for its data to be acknowledged; with 0 s it sends a RST and"
        " forgets the connection, and what was not delivered is lost",
        "server",
        (State.FIN_WAIT_1, State.LAST_ACK, State.TIME_WAIT),
        _of_program("linger", "server"),
        _LINGER,
        "0s",
    ),
    Fix(
        "client-closes-first",
        "the client's program",
        "closes as soon as it has its response",
        "client",
        (State.ESTABLISHED,),
        _behaviour("client", "closes-first"),
    ),
    Fix(
        "server-closes-first",
        "the server's program",
        "closes as soon as it has sent its response",
        "server",
        (State.ESTABLISHED,),
        _behaviour("server", "responds-then-closes"),
    ),
    Fix(
        "server-accepts",
        "the server's program",
        "calls accept() for every connection, serves it and closes it",
        "server",
        (State.ESTABLISHED, State.CLOSE_WAIT),
        _behaviour("server", "serves-in-children"),
    ),
    Fix(
        "keepalive",
        "either program",
        "sets SO_KEEPALIVE with the first probe after this long; if nobody answers, the connection ends, but"
        " the program still has to close the descriptor",
        "either",
        _OPEN,
        _field("keep_idle_us", keepalive_default=True),
        SECONDS,
        "2h",
    ),
    Fix(
        "fin-timeout",
        "the operator",
        "limits how long an orphan stays in FIN-WAIT-2 (tcp_fin_timeout and its likes)",
        "either",
        (State.FIN_WAIT_2,),
        _field("fin_wait_2_us"),
        TIME,
        "60s",
    ),
    Fix(
        "kill-socket",
        "the operator",
        "kills what is in FIN-WAIT-2, CLOSE-WAIT or LAST-ACK, this long after the start (ss -K, tcpdrop); who"
        " holds a socket keeps the descriptor",
        "either",
        (State.FIN_WAIT_2, State.CLOSE_WAIT, State.LAST_ACK),
        lambda after: {"kill_sockets": {side: format_duration(after) for side in SIDES}},
        TIME,
        "10min",
    ),
    Fix(
        "second-arm-point",
        "the kernel",
        "arms the FIN-WAIT-2 timer also when close() comes in that state, as the BSDs do today",
        "either",
        (State.FIN_WAIT_2,),
        _knobs(fin_wait_2_on_close=True),
    ),
    Fix(
        "fin-timeout-rst",
        "the kernel",
        "sends a RST when its FIN-WAIT-2 timer ends a connection, as HP-UX does",
        "either",
        (State.FIN_WAIT_2,),
        _knobs(fin_wait_2_rst=True),
    ),
    Fix(
        "user-timeout",
        "either program",
        "sets TCP_USER_TIMEOUT: the connection ends when its data stays unacknowledged for this long",
        "either",
        _UNACKED,
        _field("user_timeout_us"),
        TIME,
        "30s",
    ),
    Fix(
        "orphan-retries",
        "the operator",
        "repeats the FIN of an orphan only this many times (tcp_orphan_retries)",
        "either",
        (State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK),
        _field("orphan_retries"),
        COUNT,
        2,
    ),
    Fix(
        "nat-timeout",
        "the operator of the NAT or firewall",
        "lets it remember a silent connection for this long, half-closed or not",
        "path",
        (),
        lambda limit: {"knobs": {f"middlebox.{state}": limit for state in _SILENT}},
        TIME,
        "2h",
    ),
    Fix(
        "no-lingering-close",
        "the server's program",
        "calls close() directly after the response (-DNO_LINGCLOSE)",
        "server",
        (State.FIN_WAIT_2,),
        _behaviour("server", "responds-then-closes"),
    ),
    Fix(
        "lingering-close",
        "the server's program",
        "half-closes, reads on for 2 s after each read and 30 s in all, and then closes",
        "server",
        (State.ESTABLISHED,),
        _behaviour("server", "drains"),
    ),
    Fix(
        "persistent-connections",
        "both programs",
        "use one connection for a whole page (KeepAlive On)",
        "both",
        (State.ESTABLISHED,),
        lambda value: {"client": "fetches-page-persistently", "server": "keep-alive-timeout"},
    ),
    Fix(
        "close-on-exec",
        "the server's program",
        "opens its sockets with O_CLOEXEC, so that no child inherits the descriptor",
        "server",
        (State.ESTABLISHED,),
        _behaviour("server", "responds-then-closes"),
    ),
    Fix(
        "backlog",
        "the server's program",
        "calls listen() with this backlog, so that the accept queue has more room",
        "server",
        (),
        lambda backlog: {"parameters": {"server.backlog": backlog}},
        COUNT,
        16,
    ),
    Fix(
        "connect-timeout",
        "the client's program",
        "waits for connect() longer than the kernel waits before it repeats a SYN",
        "client",
        (State.SYN_SENT,),
        lambda timeout: {"parameters": {"client.timeout": timeout}},
        TIME,
        "5s",
    ),
    Fix(
        "relay-drain",
        "the relay's program",
        "closes both legs this long after the first end-of-file, if the second has not come by then",
        "relay",
        _HALF,
        _relays(drain=None),
        TIME,
        "30s",
    ),
    Fix(
        "relay-idle",
        "the relay's program",
        "closes both legs when no byte has gone either way for this long",
        "relay",
        _OPEN,
        _relays(idle=None),
        TIME,
        "1h",
    ),
    Fix(
        "relay-pool-idle",
        "the relay's program",
        "closes a kept connection to the server that has been idle for this long",
        "relay",
        (State.ESTABLISHED,),
        _relays(server_idle=None),
        TIME,
        "10s",
    ),
    Fix(
        "relay-passes-half-close",
        "the relay's program",
        "calls shutdown(SHUT_WR) on the other leg behind an end-of-file, and waits for both ends",
        "relay",
        _HALF,
        _relays(half_close="passed", ends="both"),
    ),
    Fix(
        "relay-closes-both",
        "the relay's program",
        "closes both legs at the first end-of-file; what still comes the other way is lost",
        "relay",
        _HALF,
        _relays(ends="first"),
    ),
    Fix(
        "relay-connect-timeout",
        "the relay's program",
        "gives up connect() to the server after this long, and closes the client's leg",
        "relay",
        (State.SYN_SENT,),
        _relays(connect_timeout=None),
        TIME,
        "5s",
    ),
    Fix(
        "relay-aborts-on-close",
        "the relay's program",
        "gives up connect() to the server when the client closes (haproxy: option abortonclose)",
        "relay",
        (State.SYN_SENT,),
        _relays(abort_on_close="yes"),
    ),
    Fix(
        "relay-keepalive-client",
        "the relay's program",
        "sets SO_KEEPALIVE on the client's leg, with the first probe after this long",
        "relay",
        _OPEN,
        _relays(keepalive_client=None),
        SECONDS,
        "60s",
    ),
    Fix(
        "relay-keepalive-server",
        "the relay's program",
        "sets SO_KEEPALIVE on the server's leg, with the first probe after this long",
        "relay",
        _OPEN,
        _relays(keepalive_server=None),
        SECONDS,
        "60s",
    ),
    Fix(
        "relay-restarts",
        "the relay's operator",
        "restarts the program after this long; its kernel closes every socket that the old process had",
        "relay",
        _HELD,
        _of_program("restart", "relay"),
        TIME,
        "10min",
    ),
)
