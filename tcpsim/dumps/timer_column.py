"""The remaining time of a timer in the timer column of a dump.

Owns: the spellings of `ss` and of netstat, and how coarse each is. Refuses to know: what the timer does.

`ss` prints minutes, seconds or milliseconds and leaves out smaller units (iproute2 misc/ss.c
print_ms_timer): "1.804ms" is 1.804 s, "12min" is anything from 12 to 13 minutes.
"""

from __future__ import annotations

import re

from tcpsim.dumps.dump import Timer

_SS = re.compile(r"(?:(\d{1,6})min)?(?:(\d{1,2})(?:sec|\.(\d{3})ms))?(?:(\d{1,3})ms)?\Z", re.ASCII)
_KINDS = frozenset({"on", "keepalive", "timewait", "persist", "unknown"})
_NETSTAT = {
    "on": "on",
    "keepalive": "keepalive",
    "timewait": "timewait",
    "probe": "persist",
    "unkn-4": "persist",
}
_SEEN: dict[tuple[str, str, str], Timer | None] = {}


def of_ss(kind: str, left: str, count: str) -> Timer | None:
    """The timer of `timer:(kind,left,count)`.

    >>> of_ss("keepalive", "1min12sec", "0")
    Timer(kind='keepalive', left_us=72000000, step_us=1000000, fired=0)
    >>> of_ss("on", "1.804ms", "3").left_us, of_ss("on", "820ms", "0").left_us, of_ss("on", "", "0").left_us
    (1804000, 820000, 0)
    """
    key = kind, left, count
    try:
        return _SEEN[key]
    except KeyError:
        found = _read(kind, left, count)
        if len(_SEEN) < 100_000:
            _SEEN[key] = found
        return found


def _read(kind: str, left: str, count: str) -> Timer | None:
    match = _SS.match(left)
    if kind not in _KINDS or match is None or not (count.isascii() and count.isdigit()):
        return None
    minutes, seconds, thousandths, milliseconds = (int(part or 0) for part in match.groups())
    left_us = (minutes * 60 + seconds) * 1_000_000 + (thousandths + milliseconds) * 1_000
    coarse = 60_000_000 if minutes > 9 else 1_000_000
    return Timer(kind, left_us, coarse if minutes or seconds > 9 else 1_000, int(count))


def of_netstat(kind: str, values: str) -> Timer | None:
    """The timer of `keepalive (7190.12/0/0)`: seconds, retransmissions, unanswered probes. "off" is none.

    >>> of_netstat("on", "(0.20/3/0)")
    Timer(kind='on', left_us=200000, step_us=10000, fired=3)
    """
    left, _, rest = values.strip("()").partition("/")
    again, _, probes = rest.partition("/")
    named = _NETSTAT.get(kind)
    try:
        seconds, counts = float(left), (int(again), int(probes))
    except ValueError:
        return None
    if named is None or not 0 <= seconds < 1e9:
        return None
    return Timer(named, round(seconds * 1_000_000), 10_000, max(counts))
