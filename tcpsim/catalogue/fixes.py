"""What an operator or a programmer can change about a scenario: fixes with a name.

Owns: the fixes, what each changes of a scenario (fields of `Setting`), and reading "fin-timeout=30s".
Refuses to know: whether a fix helps; a scenario names those that do and those that do not, and the
tests run it with each.

A fix of a stack is in the fields of its profile, not in the stack's own names, so that it can be tried on
every stack. It turns both stacks: which side leaks, the scenario shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from tcpsim.app.behaviour import COUNT, SECONDS, TIME, Kind, unknown
from tcpsim.errors import InputError

Changes = Mapping[str, Any]


class Fix(NamedTuple):
    """One fix: who makes it, what it is, and what it changes given its value (None: it takes none)."""

    name: str
    who: str
    does: str
    changes: Callable[[Any], Changes]
    kind: Kind | None = None
    default: str | int | None = None

    @property
    def spelled(self) -> str:
        """As one writes it: "fin-timeout=60s", or just the name."""
        return self.name if self.kind is None else f"{self.name}={self.default}"


def _behaviour(side: str, name: str) -> Callable[[Any], Changes]:
    return lambda value: {side: name}


def _knobs(**always: Any) -> Callable[[Any], Changes]:
    return lambda value: {"knobs": always}


def _field(name: str, **always: Any) -> Callable[[Any], Changes]:
    return lambda value: {"knobs": {name: value, **always}}


_SILENT = ("established", "fin_wait", "close_wait", "last_ack")  # in which nothing need be sent

_ALL = (
    Fix(
        "client-closes",
        "the client's program",
        "closes when a read returns zero",
        _behaviour("client", "closes-on-eof"),
    ),
    Fix(
        "client-checks-sockets",
        "the client's program",
        "looks every few seconds whether the server has closed, and closes too (Apache's advice)",
        lambda every: {"client": "polls-its-socket", "parameters": {"client.every": every}},
        TIME,
        "5s",
    ),
    Fix(
        "pool-idle",
        "the client's program",
        "drops a pooled connection that has been idle for so long",
        lambda idle: {"client": "closes-first", "parameters": {"client.delay": idle}},
        TIME,
        "10s",
    ),
    Fix(
        "keepalive",
        "either program",
        "sets SO_KEEPALIVE, the first probe after so long; the descriptor is the program's to close",
        _field("keep_idle_us", keepalive_default=True),
        SECONDS,
        "2h",
    ),
    Fix(
        "fin-timeout",
        "the operator",
        "limits FIN-WAIT-2 of orphans (tcp_fin_timeout and its likes)",
        _field("fin_wait_2_us"),
        TIME,
        "60s",
    ),
    Fix(
        "second-arm-point",
        "the kernel",
        "arms the FIN-WAIT-2 timer on a close() in that state too, as the BSDs do since",
        _knobs(fin_wait_2_on_close=True),
    ),
    Fix(
        "fin-timeout-rst",
        "the kernel",
        "sends a RST when the FIN-WAIT-2 timer ends a connection, as HP-UX does",
        _knobs(fin_wait_2_rst=True),
    ),
    Fix(
        "user-timeout",
        "either program",
        "sets TCP_USER_TIMEOUT: unacknowledged data ends a connection after so long",
        _field("user_timeout_us"),
        TIME,
        "30s",
    ),
    Fix(
        "nat-timeout",
        "the operator of the NAT or firewall",
        "has it remember a silent connection for so long, half-closed or not",
        lambda limit: {"knobs": {f"middlebox.{state}": limit for state in _SILENT}},
        TIME,
        "2h",
    ),
    Fix(
        "no-lingering-close",
        "the server's program",
        "closes at once after the response (-DNO_LINGCLOSE)",
        _behaviour("server", "responds-then-closes"),
    ),
    Fix(
        "lingering-close",
        "the server's program",
        "half-closes and reads on, 2 s between reads, 30 s in all, before it closes",
        _behaviour("server", "drains"),
    ),
    Fix(
        "persistent-connections",
        "both programs",
        "use one connection for a whole page (KeepAlive On)",
        lambda value: {"client": "fetches-page-persistently", "server": "keep-alive-timeout"},
    ),
    Fix(
        "close-on-exec",
        "the server's program",
        "opens with O_CLOEXEC, so that no child holds on to the descriptor",
        _behaviour("server", "responds-then-closes"),
    ),
    Fix(
        "backlog",
        "the server's program",
        "listens with a larger backlog",
        lambda backlog: {"parameters": {"server.backlog": backlog}},
        COUNT,
        16,
    ),
    Fix(
        "connect-timeout",
        "the client's program",
        "waits longer for connect() than the kernel does before it repeats a SYN",
        lambda timeout: {"parameters": {"client.timeout": timeout}},
        TIME,
        "5s",
    ),
)

_BY_NAME = {each.name: each for each in _ALL}


def fixes() -> tuple[Fix, ...]:
    """All of them, those of programs first."""
    return _ALL


def changes(wanted: Iterable[str], where: str = "fix") -> dict[str, Any]:
    """What several fixes, written as "name" or "name=value", change together: overrides for `build`.

    >>> changes(["client-checks-sockets=2s", "fin-timeout=30s"])["knobs"]
    {'fin_wait_2_us': 30000000}

    Raises:
        InputError: no such fix, a value it does not take, or two fixes that change the same thing.
    """
    together: dict[str, Any] = {}
    for words in wanted:
        for key, value in _one(words, where).items():
            if isinstance(value, Mapping):
                inner = together.setdefault(key, {})
                for name, setting in value.items():
                    if inner.setdefault(name, setting) != setting:
                        raise InputError(where, f"{words!r} and another fix for {name}", "one of them")
            elif together.setdefault(key, value) != value:
                raise InputError(where, f"{words!r} and another fix of the {key}", "one of them")
    return together


def fix(words: str, where: str = "fix") -> Fix:
    """The fix that "name" or "name=value" is about."""
    name = words.partition("=")[0]
    found = _BY_NAME.get(name)
    if found is None:
        raise unknown(where, name, list(_BY_NAME))
    return found


def _one(words: str, where: str) -> Changes:
    found = fix(words, where)
    _, equals, value = words.partition("=")
    if found.kind is None:
        if equals:
            raise InputError(f"{where}.{found.name}", repr(value), "no value")
        return found.changes(None)
    return found.changes(found.kind.read(value if equals else found.default, f"{where}.{found.name}"))
