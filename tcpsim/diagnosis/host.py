"""The host of a dump: its listeners, its side of each connection, and its stack.

Owns: conclusions about the host as a whole, and the stack's profile with the sysctls that the dump shows.
Refuses to know: what a single socket means (classify).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Literal, NamedTuple

from tcpsim.dumps import Address, Dump, Socket
from tcpsim.errors import InputError
from tcpsim.tcp.stack import Stack, knob_names, stack
from tcpsim.tcp.state import State

Role = Literal["server", "client"]
_PROFILES = {"linux": "linux", "freebsd": "freebsd", "macos": "macos", "windows": "windows"}
_FIRST_EPHEMERAL = 32_768  # a lower port is more likely a service's
_LOOPBACK = ("127.", "::1")


class Listening(NamedTuple):
    """A local port on which somebody listens: how many wait for accept(), and how many there is room for."""

    socket: Socket
    waiting: int
    room: int | None  # None: the format does not say (netstat, /proc)

    @property
    def full(self) -> bool:
        """The accept queue is full; Linux holds one more than the backlog."""
        return self.room is not None and self.waiting > self.room

    @property
    def maybe_full(self) -> bool:
        """Full, or somebody waits and the room is not known."""
        return self.full or (self.room is None and self.waiting > 0)


class Host:
    """One dump's host."""

    def __init__(
        self, dump: Dump, profile: str | None = None, knobs: Mapping[str, str] | None = None
    ) -> None:
        self.dump = dump
        self.system = dump.system
        self.profile = profile or _PROFILES.get(dump.system or "linux", "linux")
        self.assumed = profile is None and dump.system is None
        self.stack, self.turned = _turned(stack(self.profile), dump.settings, knobs or {})
        self.linux = self.profile.startswith("linux")
        self.shows_owners = "owners" in dump.shows
        self.listening = _listening(dump.sockets, self.linux)
        self.lists_listeners = bool(self.listening)
        self._locals, self._peers = _ports(dump.sockets)
        self._roles: dict[tuple[int | None, int | None], tuple[Role, bool]] = {}

    @property
    def changed(self) -> dict[str, str]:
        """The host's settings that differ from the profile's."""
        plain = stack(self.profile)
        return {
            name: value for name, value in self.turned.items() if plain.with_knobs({name: value}) != plain
        }

    def role(self, local: Address, peer: Address) -> tuple[Role, bool]:
        """Whether this host is the server of a connection, and whether that is certain (its port listens)."""
        key = local.port, peer.port
        found = self._roles.get(key)
        if found is None:
            found = self._roles[key] = self._role(*key)
        return found

    def _role(self, local: int | None, peer: int | None) -> tuple[Role, bool]:
        if local in self.listening:
            return "server", True
        if self.lists_listeners:
            return "client", True
        ours, theirs = self._locals[local], self._peers[peer]
        if ours != theirs:
            return ("server", False) if ours > theirs else ("client", False)
        if local is None or peer is None:
            return "client", False
        low = local < _FIRST_EPHEMERAL <= peer or (local < 1024 <= peer)
        return ("server", False) if low else ("client", False)

    def owner_of(self, port: int | None) -> str | None:
        """The name of the program that listens on a port, where the dump shows it."""
        found = self.listening.get(port) if port is not None else None
        return found.socket.owners[0].name if found is not None and found.socket.owners else None


def local_peer(socket: Socket) -> bool:
    """Whether both ends of a connection are on this host."""
    return socket.peer.host == socket.local.host or socket.peer.host.startswith(_LOOPBACK)


def _listening(sockets: list[Socket], linux: bool) -> dict[int, Listening]:
    found: dict[int, Listening] = {}
    for each in sockets:
        if each.state is State.LISTEN and each.local.port is not None:
            waiting, room = (each.recv_q or 0, each.send_q or None) if linux else (0, None)
            old = found.get(each.local.port)
            if old is None or waiting > old.waiting:
                found[each.local.port] = Listening(each, waiting, room)
    return found


def _ports(sockets: list[Socket]) -> tuple[Counter[int | None], Counter[int | None]]:
    """How often each port stands on either side."""
    ours: Counter[int | None] = Counter()
    theirs: Counter[int | None] = Counter()
    for each in sockets:
        if each.state is not State.LISTEN:
            ours[each.local.port] += 1
            theirs[each.peer.port] += 1
    return ours, theirs


def _turned(
    profile: Stack, settings: Mapping[str, str], knobs: Mapping[str, str]
) -> tuple[Stack, dict[str, str]]:
    """The profile with the host's own settings, those that it knows, and what is asked for on top."""
    own = knob_names(profile.name)
    turned = {}
    for name, value in settings.items():
        short = name.rpartition(".")[2]
        known = next((each for each in (name, short) if each in own), None)
        if known is not None and len(value.split()) == 1:
            turned[known] = value
    if "net.ipv4.tcp_mem" in settings and "tcp_mem[2]" in own:
        turned["tcp_mem[2]"] = settings["net.ipv4.tcp_mem"].split()[-1]
    good: dict[str, str] = {}
    for knob, value in turned.items():
        try:
            profile = profile.with_knobs({knob: value})
        except (InputError, ValueError):
            continue  # a garbled line of a paste; what --set says is checked below
        good[knob] = value
    ports = settings.get("net.ipv4.ip_local_port_range", "").split()
    if len(ports) == 2 and all(port.isdigit() for port in ports) and int(ports[0]) <= int(ports[1]):
        profile = profile.with_knobs({"ephemeral_ports": int(ports[1]) - int(ports[0]) + 1})
    if knobs:
        profile = profile.with_knobs(dict(knobs))
        good |= knobs
    return profile, good
