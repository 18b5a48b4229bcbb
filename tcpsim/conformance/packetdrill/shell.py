"""Shell commands in scripts, as far as they affect the endpoint: sysctl, sockstat and kills.

Owns: parsing a command line, the pipeline after ``sockstat``, and the commands that change nothing (the
dialect's table, each with its reason). Refuses to know: what a sysctl does (dialect), how sockets are counted
and killed (the caller's `Host`), and which sockets a kill selects (socket_kills).

Nothing is executed on this machine. An unknown command is UNSUPPORTED. It is never skipped.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple

from tcpsim.conformance.packetdrill import socket_kills
from tcpsim.conformance.packetdrill.dialect import Dialect, turned
from tcpsim.conformance.packetdrill.script import Place, ScriptError, Unsupported
from tcpsim.conformance.packetdrill.socket_kills import Held, Host
from tcpsim.tcp.stack import Stack
from tcpsim.tcp.state import State

_REDIRECTION = re.compile(r"[12&]?>>?\s*(?:/dev/null|&[12])")
_OR_TRUE = re.compile(r"\|\|\s*(?:true|:)\s*$")
_KEY_VALUE = re.compile(r"(?:/proc/sys/)?([A-Za-z][A-Za-z0-9_./-]*)\s*=\s*(.*)", re.DOTALL)
# A queue on the device: it takes everything at once, or, with a limit of nothing, nothing
_QDISC = re.compile(
    r"(?P<act>add|replace|change|del|delete)( dev \S+)?( root)?"
    r"( (pfifo|bfifo|noqueue|pfifo_fast|fq|fq_codel)( limit (?P<limit>[0-9]+))?)?( dev \S+)?"
)
_SOCKSTAT_STATES = {State.SYN_RECEIVED: "SYN_RCVD"}


class Done(NamedTuple):
    """What a command left: the profile, and whether it failed, with what it said."""

    stack: Stack
    failed: bool = False
    output: str = ""


def run(text: str, stack: Stack, dialect: Dialect, host: Host, place: Place) -> Done:
    """Every command of a text, in order; stops at the first that fails.

    Raises:
        ScriptError: an unknown sysctl key or value.
        Unsupported: a command that is not known.
    """
    done = Done(stack)
    for offset, line in enumerate(text.replace("\\\n", "  ").split("\n")):
        for command in re.split(r"&&|;", line.partition("#")[0]):
            if command.strip():
                there = place if not offset else Place(place.line + offset, 1)
                done = _command(command.strip(), done.stack, dialect, host, there)
                if done.failed:
                    return done
    return done


def _command(command: str, stack: Stack, dialect: Dialect, host: Host, place: Place) -> Done:
    if _OR_TRUE.search(command):
        return _command(_OR_TRUE.sub("", command).strip(), stack, dialect, host, place)._replace(failed=False)
    bare = _REDIRECTION.sub(" ", command).strip()
    try:
        words = shlex.split(bare)
    except ValueError as error:
        raise ScriptError(place, f"command {command!r}: {error}") from None
    if not words:
        return Done(stack)
    name = words[0].rpartition("/")[2]
    if name == "defaults.sh" and dialect.defaults:
        return Done(stack.with_knobs(dict(dialect.defaults)))
    if name in ("sysctl", "set_sysctls.py"):
        for key, value in _assignments(words[1:], command, place):
            stack = turned(stack, dialect, key, value, place)
        return Done(stack)
    if words[:2] == ["tc", "qdisc"] and (changed := _QDISC.fullmatch(" ".join(words[2:]))):
        refuses = changed["act"][:3] != "del" and int(changed["limit"] or 1) == 0
        return Done(stack.with_knobs({"device_refuses": refuses}))
    if name == "sockstat":
        return _pipeline(bare, stack, host, place)
    if name == "tcpdrop" or (name == "ss" and socket_kills.is_kill(words)):
        choose = socket_kills.tcpdrop if name == "tcpdrop" else socket_kills.ss
        chosen = choose(words[1:], host.sockets(), place)
        for held in chosen:
            host.kill(held)
        return Done(
            stack, failed=not chosen and socket_kills.must_find(name, words), output="no such connection"
        )
    if any(pattern.fullmatch(" ".join(words)) for pattern in dialect.commands):
        return Done(stack)
    raise Unsupported(place, f"command {command!r}")


def _assignments(words: list[str], command: str, place: Place) -> Iterator[tuple[str, str]]:
    """``key=value`` and ``-w key=value``; reading a key is not supported."""
    for word in words:
        if word.startswith("-") and "=" not in word:
            continue
        found = _KEY_VALUE.fullmatch(word)
        if found is None:
            raise Unsupported(place, f"command {command!r}: only key=value")
        yield found[1].replace("/", "."), found[2]


def _pipeline(command: str, stack: Stack, host: Host, place: Place) -> Done:
    """``sockstat ... | grep ... | grep -c STATE | grep N``: fails if the last command does."""
    first, *rest = (shlex.split(stage) for stage in command.split("|"))
    lines = _sockstat(first[1:], host.sockets(), place)
    table = "; ".join(f"{held.state} {held.local} {held.foreign}" for held in host.sockets()) or "no sockets"
    found = bool(lines)
    for stage in rest:
        if stage and stage[0] in ("grep", "egrep", "fgrep"):
            lines, found = _grep(stage, lines, place)
        elif stage in (["wc", "-l"], ["wc"]):
            lines, found = [f"{len(lines):8d}"], True
        else:
            raise Unsupported(place, f"command {' '.join(stage)!r} behind sockstat")
    return Done(stack, not found, f"output {' '.join(lines)!r}; sockets: {table}")


def _sockstat(words: list[str], sockets: tuple[Held, ...], place: Place) -> list[str]:
    ports: set[int] | None = None
    wanted = {"4": False, "6": False, "l": False, "c": False}
    arguments = iter(words)
    for word in arguments:
        if not word.startswith("-"):
            raise Unsupported(place, f"sockstat {word}")
        for index, letter in enumerate(word[1:], start=2):
            if letter in "pP":
                value = word[index:] or next(arguments, "")
                if letter == "p":
                    ports = {int(port) for port in value.split(",") if port.isdigit()}
                elif "tcp" not in value.split(","):
                    sockets = ()
                break
            if letter in wanted:
                wanted[letter] = True
            elif letter not in "sqnLSwiUCb":
                raise Unsupported(place, f"sockstat -{letter}")
    if wanted["6"] and not wanted["4"]:
        sockets = tuple(held for held in sockets if held.local.count(":") > 1)
    lines = []
    for held in sockets:
        listening = held.state is State.LISTEN
        if (wanted["l"] or wanted["c"]) and not (wanted["l"] if listening else wanted["c"]):
            continue
        if ports is None or {held.local_port, held.remote_port} & ports:
            state = _SOCKSTAT_STATES.get(held.state, str(held.state).replace("-", "_"))
            version = "tcp6" if held.local.count(":") > 1 else "tcp4"
            lines.append(
                f"root     packetdrill 4711  3 {version}   {held.local:21} {held.foreign:21} {state}"
            )
    return lines


def _grep(words: list[str], lines: list[str], place: Place) -> tuple[list[str], bool]:
    """The lines that are left (or their count, with -c), and whether there is one."""
    flags = set("".join(word[1:] for word in words[1:] if word.startswith("-")))
    patterns = [word for word in words[1:] if not word.startswith("-")]
    if len(patterns) != 1 or flags - set("cvqiwFEex"):
        raise Unsupported(place, f"command {' '.join(words)!r}")
    pattern = re.escape(patterns[0]) if "F" in flags or words[0] == "fgrep" else patterns[0]
    if "w" in flags:
        pattern = rf"\b(?:{pattern})\b"
    if "x" in flags:
        pattern = rf"^(?:{pattern})$"
    try:
        compiled = re.compile(pattern, re.IGNORECASE if "i" in flags else 0)
    except re.error as error:
        raise ScriptError(place, f"grep pattern {patterns[0]!r}: {error}") from None
    kept = [line for line in lines if bool(compiled.search(line)) != ("v" in flags)]
    return ([str(len(kept))] if "c" in flags else kept), bool(kept)
