"""Which settings help and which do not. The scenario that shows the case says so.

Owns: a text for each fix, and the command that shows the fixes. Refuses to know: whether a fix
helps; the scenario names those that do and those that do not, and tests run it with each.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from tcpsim.catalogue import scenario
from tcpsim.catalogue.fixes import fix
from tcpsim.diagnosis.kinds import Shown
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.stack import knobs as profile_knobs
from tcpsim.units import format_duration

_WORDS = {
    "closes": "{who} closes on end-of-file",
    "closes-on-error": "{who} closes on errors",
    "checks-sockets": "{who} looks at its idle sockets every few seconds",
    "pool-idle": "an idle limit of the pool ({who})",
    "idle": "an idle limit in {who}",
    "restarts": "a restart of {who}",
    "linger": "SO_LINGER in {who}",
    "closes-first": "{who} closes first",
    "accepts": "{who} calls accept()",
    "keepalive": "SO_KEEPALIVE ({who}; then close())",
    "fin-timeout": "tcp_fin_timeout",
    "second-arm-point": "a kernel that arms its FIN-WAIT-2 timer at another event",
    "fin-timeout-rst": "a RST when FIN-WAIT-2 ends ({who})",
    "user-timeout": "TCP_USER_TIMEOUT ({who})",
    "orphan-retries": "tcp_orphan_retries",
    "nat-timeout": "a longer timeout of the firewall",
    "no-lingering-close": "no lingering close in {who}",
    "lingering-close": "a lingering close in {who}",
    "persistent-connections": "one connection for many requests",
    "close-on-exec": "O_CLOEXEC in {who}",
    "backlog": "a larger backlog",
    "connect-timeout": "a longer connect timeout in {who}",
}


# The fields of a stack's profile that change how long a case lasts on this very host
_LAST = {
    "time-wait": ("time_wait_us", "ephemeral_ports"),
    "fin-wait-2-orphan": ("fin_wait_2_us",),
    "fin-wait-1": ("orphan_retries",),
    "last-ack": ("orphan_retries",),
    "closing": ("orphan_retries",),
    "syn-sent": ("syn_retries",),
    "syn-received": ("synack_retries",),
    "established-unanswered": ("retries",),
    "close-wait-sending": ("retries",),
    "established-probed": ("keep_intvl_us", "keep_cnt"),
}


class Knobs(NamedTuple):
    """What helps, what does not, and the command that shows both."""

    helps: tuple[str, ...]
    in_vain: tuple[str, ...]
    compare: str
    own: tuple[str, ...] = ()  # numbers of this host that the length of the case depends on


def with_own(found: Knobs, kind: str, stack: Stack) -> Knobs:
    """The same with the host's own numbers, by its own names, as they are now."""
    named = {each.field: each.own_name for each in profile_knobs(stack.name) if each.own_name}
    own = [
        f"{named[field]} (now {_value(getattr(stack, field), field)})"
        for field in _LAST.get(kind, ())
        if field in named
    ]
    return found._replace(own=tuple(own))


def _value(value: object, field: str) -> str:
    return format_duration(value) if field.endswith("_us") and isinstance(value, int) else str(value)


@cache
def knobs(shown: Shown) -> Knobs:
    """The knobs of a case."""
    story = scenario(shown.scenario)
    cures = story.cures if shown.cures is None else shown.cures
    in_vain = story.in_vain if shown.in_vain is None else shown.in_vain
    words = ["tcpsim", "compare", shown.scenario]
    if shown.options:
        words.append(shown.options)
    if shown.cures is not None or shown.in_vain is not None:
        words += [f"--fix {each}" for each in (*cures, *in_vain)]
    return Knobs(_told(cures, shown), _told(in_vain, shown), " ".join(words))


def _told(fixes: tuple[str, ...], shown: Shown) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_words(each, shown) for each in fixes))


def _words(spelled: str, shown: Shown) -> str:
    name = spelled.partition("=")[0]
    side, dot, plain = name.partition(".")
    if not dot:
        side, plain = "", name
        for each in ("client-", "server-"):
            if name.startswith(each):
                side, plain = each.rstrip("-"), name.removeprefix(each)
    if not side:
        side = {"the client's program": "client", "the server's program": "server"}.get(fix(spelled).who, "")
    who = "a program" if not side else "this program" if side == shown.here else "that program"
    if plain == "fin-timeout-rst":
        who = "that host's kernel"
    return _WORDS.get(plain, plain).format(who=who)
