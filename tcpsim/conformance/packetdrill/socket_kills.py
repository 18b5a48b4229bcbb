"""The commands with which an operator kills sockets: ``tcpdrop`` (BSD) and ``ss -K`` (Linux).

Owns: which sockets of a table such a command is about. Refuses to know: what a kill does (tcp), and pipelines
(shell).

Sources: tcpdrop(8) of FreeBSD; ss(8). A filter that is not known here is UNSUPPORTED, never taken for all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from tcpsim.conformance.packetdrill.script import Place, ScriptError, Unsupported
from tcpsim.tcp.state import State, parse_state


class Held(NamedTuple):
    """One socket of the endpoint, as a table of sockets lists it."""

    state: State
    local: str
    foreign: str
    local_port: int
    remote_port: int | None
    sid: int | None  # the endpoint's number; None: a socket that is not bound to a connection


class Host(NamedTuple):
    """What a command may look at and do."""

    sockets: Callable[[], tuple[Held, ...]]
    kill: Callable[[Held], None]


_GROUPS = {
    "all": frozenset(State),
    "listening": frozenset({State.LISTEN}),
    "connected": frozenset(State) - {State.LISTEN, State.CLOSED},
    "synchronized": frozenset(State) - {State.LISTEN, State.CLOSED, State.SYN_SENT},
    "bucket": frozenset({State.SYN_RECEIVED, State.TIME_WAIT}),
    "big": frozenset(State) - {State.SYN_RECEIVED, State.TIME_WAIT},
}
_ADDRESS = re.compile(r"(?P<host>.*?)[:.]?(?P<port>[0-9]+)")


def is_kill(words: list[str]) -> bool:
    """Whether an ``ss`` is one that kills."""
    return any(word == "--kill" or re.fullmatch("-[A-Za-z0-9]*K[A-Za-z0-9]*", word) for word in words[1:])


def must_find(name: str, words: list[str]) -> bool:
    """Whether it is an error that nothing was found: of a tcpdrop that names one connection."""
    return name == "tcpdrop" and not any(word.startswith("-") for word in words[1:])


def tcpdrop(words: list[str], sockets: tuple[Held, ...], place: Place) -> list[Held]:
    """The connections that ``tcpdrop`` with these arguments is about; with ``-l`` it only lists."""
    found = [held for held in sockets if held.sid is not None and held.state is not State.LISTEN]
    lists, some, arguments = False, False, iter(words)
    ends: list[str] = []
    for word in arguments:
        if word == "-l":
            lists = True
        elif word == "-a":
            some = True
        elif word == "-s":
            some, state = True, _state(next(arguments, ""), place)
            found = [held for held in found if held.state is state]
        elif word in ("-S", "-C"):
            some = next(arguments, "") != "" or some  # one TCP stack, and one congestion control
        elif word.startswith("-"):
            raise Unsupported(place, f"tcpdrop {word}")
        else:
            ends.append(word)
    if not some:
        found = _between(ends, found, place)
    elif ends:
        raise ScriptError(place, f"tcpdrop: {ends[0]!r} beside a choice of several connections")
    return [] if lists else found


def _between(ends: list[str], found: list[Held], place: Place) -> list[Held]:
    """``addr port addr port`` or ``addr:port addr:port``."""
    if len(ends) == 4:
        ports = ends[1], ends[3]
    elif len(ends) == 2:
        matches = [_ADDRESS.fullmatch(end) for end in ends]
        ports = tuple("" if match is None else match["port"] for match in matches)  # type: ignore[assignment]
    else:
        raise ScriptError(place, "tcpdrop: expected -a, -s STATE, or both ends of a connection")
    if not all(port.isdigit() for port in ports):
        raise ScriptError(place, f"tcpdrop: {ports} are no ports")
    local, remote = (int(port) for port in ports)
    return [held for held in found if (held.local_port, held.remote_port) == (local, remote)]


def ss(words: list[str], sockets: tuple[Held, ...], place: Place) -> list[Held]:
    """The sockets that ``ss -K`` with these arguments is about: ``state X``, ``exclude X``, ports."""
    found = [held for held in sockets if held.sid is not None]
    named: set[State] | None = None
    tokens = iter(re.findall(r"-{1,2}[A-Za-z0-9]+|[^\s()=]+", " ".join(words)))
    listens = False
    for token in tokens:
        if token.startswith("-"):
            listens = listens or bool(re.fullmatch("-[A-Za-z0-9]*[al][A-Za-z0-9]*", token))
        elif token == "state":
            named = (named or set()) | _states(next(tokens, ""), place)
        elif token == "exclude":
            without = _states(next(tokens, ""), place)
            found = [held for held in found if held.state not in without]
        elif token in ("sport", "dport"):
            port = int(re.sub(r"^.*:", "", next(tokens, "")) or -1)
            found = [h for h in found if port == (h.local_port if token == "sport" else h.remote_port)]
        elif token in ("src", "dst"):
            host = next(tokens, "").partition(":")[0]
            found = [h for h in found if (h.local if token == "src" else h.foreign).startswith(host)]
        elif token not in ("and", "eq"):
            raise Unsupported(place, f"ss -K {token}")
    if named is None:
        named = set(_GROUPS["all"] if listens else _GROUPS["connected"])
    return [held for held in found if held.state in named]


def _states(word: str, place: Place) -> frozenset[State]:
    return _GROUPS.get(word) or frozenset({_state(word, place)})


def _state(word: str, place: Place) -> State:
    try:
        return parse_state(word)
    except ValueError:
        raise ScriptError(place, f"no such state: {word!r}") from None
