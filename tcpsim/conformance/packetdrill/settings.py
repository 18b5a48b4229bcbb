"""The options of a script: ``--tolerance_usecs=4000`` and the like.

Owns: their names, values and defaults. Refuses to know: who reads them.
"""

from __future__ import annotations

from typing import NamedTuple

from tcpsim.conformance.packetdrill.script import ScriptError, Setting, Unsupported

_HEADERS = {"ipv4": 40, "ipv4-mapped-ipv6": 40, "ipv6": 60}  # octets of IP and TCP header
# Options about the tool's own machine, which is not there: reasons beside them
_NO_EFFECT = {
    "send_omit_free": "how the tool frees its memory",
    "gateway_ip": "one address on each side",
    "netmask_ip": "one address on each side",
    "local_linux_ip": "one address on each side",
    "speed": "the tun device takes everything at once",
    "verbose": "what the tool prints",
    "debug": "what the tool prints",
    "init_scripts": "what the set-up command does as well",
}


class Settings(NamedTuple):
    """What a script sets; packetdrill's own defaults."""

    tolerance_us: int = 4_000
    tolerance_percent: int = 0
    tick_us: int = 0  # of the endpoint's timestamps; 0: their values are not compared
    ip_version: str = "ipv4"
    mtu: int = 1500
    gso_size: int = 0  # --mss: of which segments an injected one is said to be made; 0: of itself
    local_ip: str = "192.168.0.1"
    remote_ip: str = "192.0.2.1"

    @property
    def mss(self) -> int:
        """What the endpoint offers."""
        return self.mss_over(self.mtu)

    def mss_over(self, mtu: int) -> int:
        """Octets beside the headers in a packet of so many."""
        return mtu - _HEADERS[self.ip_version]

    def slack_us(self, gap_us: int) -> int:
        """How far off a time may be, when the event before was `gap_us` ago: 12.5 % of it at least."""
        return max(self.tolerance_us, gap_us // 8, gap_us * self.tolerance_percent // 100)


def settings(options: tuple[Setting, ...]) -> Settings:
    """The settings of a script.

    Raises:
        ScriptError: no such option, or a value that it does not take.
        Unsupported: an option of packetdrill that this player has not.
    """
    found = Settings()
    for option in options:
        match option.name:
            case "tolerance_usecs":
                found = found._replace(tolerance_us=_number(option, 0, 10**9))
            case "tolerance_percent":
                found = found._replace(tolerance_percent=_number(option, 0, 100))
            case "tcp_ts_tick_usecs":
                found = found._replace(tick_us=_number(option, 0, 10**6))
            case "mtu":
                found = found._replace(mtu=_number(option, 68, 65535))
            case "mss":
                found = found._replace(gso_size=_number(option, 1, 65535))
            case "ip_version":
                if option.value not in _HEADERS:
                    raise ScriptError(
                        option.place, f"--ip_version={option.value}: expected {', '.join(_HEADERS)}"
                    )
                found = found._replace(ip_version=option.value)
                if option.value == "ipv6" and found.local_ip == Settings().local_ip:
                    found = found._replace(local_ip="fd3d:fa7b:d17d::1", remote_ip="2001:db8::1")
            case "local_ip":
                found = found._replace(local_ip=option.value)
            case "remote_ip":
                found = found._replace(remote_ip=option.value.partition("/")[0])
            case name if name in _NO_EFFECT:
                continue
            case name if name in ("wire_client", "wire_server", "dry_run", "bind_port", "connect_port"):
                raise Unsupported(option.place, f"option --{name}")
            case name if name in ("non_fatal", "code_command", "code_format", "code_sockopt", "so_filename"):
                raise Unsupported(option.place, f"option --{name}")
            case name:
                raise ScriptError(option.place, f"unknown option --{name}")
    if found.mss < 1:
        raise ScriptError(
            options[0].place, f"--mtu={found.mtu}: no room for a segment over {found.ip_version}"
        )
    return found


def _number(option: Setting, least: int, most: int) -> int:
    if not option.value.isascii() or not option.value.isdigit() or len(option.value) > 12:
        raise ScriptError(option.place, f"--{option.name}={option.value}: expected a whole number")
    value = int(option.value)
    if not least <= value <= most:
        raise ScriptError(option.place, f"--{option.name}={value}: not in {least} to {most}")
    return value
