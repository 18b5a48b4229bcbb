"""One scenario per system of Apache's two lists, with and without a FIN-WAIT-2 timeout.

Owns: the systems of the lists that have a profile, and what the page says of each. Refuses to know: the
timers themselves (the stack's profile) and systems that the page does not list.
"""

from __future__ import annotations

from typing import NamedTuple

from tcpsim.catalogue.run import Verdict
from tcpsim.catalogue.scenario import Contrast, Expect, Scenario
from tcpsim.catalogue.themes.expected_ends import GONE, PERMANENT, RUNNING


class _System(NamedTuple):
    """A system: what the page says, and how a close() and a lingering_close() end on it."""

    stack: str
    title: str
    page: str
    found: str
    closed: tuple[str, str] | None  # when FIN-WAIT-2 is over after close() at 15 s; None: never
    lingered: tuple[str, str] | None  # the same after a half-close at once and close() 2 s later
    goes_on: Verdict = PERMANENT  # what a run is where it is never over


_SYSTEMS = (
    _System(
        "freebsd",
        "FreeBSD",
        "has a timeout, from 2.0 or earlier",
        "a limit of 600 s of idleness, checked every 75 s and armed on both ways into the state",
        ("615s", "705s"),
        ("602s", "690s"),
    ),
    _System(
        "netbsd",
        "NetBSD",
        "has a timeout, from 1.2",
        "a limit of 600 s of idleness, armed on both ways into the state",
        ("615s", "705s"),
        ("602s", "690s"),
    ),
    _System(
        "openbsd-2024",
        "OpenBSD",
        "has a timeout, all versions",
        "a limit of 600 s of idleness up to 2024; since 2025 it is 16 hours",
        ("615s", "705s"),
        ("602s", "690s"),
    ),
    _System(
        "solaris-8",
        "Solaris",
        "has a timeout from about 2.2, which may be tuned with ndd",
        "a limit of 675 s once no program holds the socket (tcp_fin_wait_2_flush_interval)",
        ("690s", "691s"),
        ("677s", "678s"),
    ),
    _System(
        "linux-2.2",
        "Linux of the time",
        "has a timeout, 2.0.x and earlier",
        "a limit of 180 s in 2.2 once no program holds the socket; today it is 60 s",
        ("195s", "196s"),
        ("182s", "183s"),
    ),
    _System(
        "hpux-11",
        "HP-UX",
        "has a timeout in 10.x: the normal keepalive timeouts",
        "no limit by default in 11: the kernel probes an orphan every two minutes, and it lives as long as"
        " the client's host answers",
        None,
        None,
        RUNNING,
    ),
    _System(
        "sunos-4",
        "SunOS 4",
        "has none, and never will",
        "half a timer, from the source of 4.1.4: 600 s after a close(), none after a half-close",
        ("615s", "705s"),
        None,
    ),
)


def _scenario(system: _System) -> Scenario:
    return Scenario(
        name=f"fin-wait-2-on-{system.stack}",
        theme="FIN-WAIT-2 by system",
        title=f"{system.title}: {_length(system)}",
        question=f"How long does FIN-WAIT-2 last on {system.title}?",
        story=f"The client never closes, so the server is in FIN-WAIT-2, here on {system.title}. Apache's"
        f" page says that it {system.page}. The profile of this project has {system.found}. The server closes"
        " after KeepAliveTimeout. With lingering_close() it half-closes first, which is another way into the"
        " state.",
        watch="how long the server is in FIN-WAIT-2",
        source="Apache httpd documentation, Connections in the FIN_WAIT_2 state and Apache",
        client="never-closes",
        server="keep-alive-timeout",
        stack_server=system.stack,
        expect=_expect(system, system.closed),
        horizon="6h",
        concerns="server",
        contrasts=(
            Contrast("with lingering_close()", {"server": "drains"}, _expect(system, system.lingered)),
        ),
    )


def _length(system: _System) -> str:
    if system.closed is None:
        return "no limit while the client answers"
    return "a limit" if system.lingered else "a limit, but not after a half-close"


def _expect(system: _System, over: tuple[str, str] | None) -> Expect:
    if over is None:
        return Expect("CLOSE-WAIT", "FIN-WAIT-2", system.goes_on, rst=False)
    return Expect("CLOSE-WAIT", GONE, PERMANENT, rst=False, settled=over)


SCENARIOS = tuple(_scenario(system) for system in _SYSTEMS)
