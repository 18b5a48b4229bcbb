"""Calls that move bytes: read, write and their family, with flags, vectors and messages.

Owns: how many bytes each asks for. Refuses to know: what becomes of them.
"""

from __future__ import annotations

from collections.abc import Callable

from tcpsim import sockets
from tcpsim.conform.packetdrill.arguments import Arguments, Asked
from tcpsim.conform.packetdrill.constants import NUMBERS, number
from tcpsim.conform.packetdrill.script import Ellipsis_, Expression, Items, Place, ScriptError, Struct

_ALLOWED_FLAGS = NUMBERS["MSG_DONTWAIT"] | NUMBERS["MSG_NOSIGNAL"]


def _message_flags(a: Arguments, index: int) -> bool:
    """Whether a call with MSG_* flags must not block."""
    flags = a.number(index) if len(a.call.arguments) > index else 0
    if flags & ~_ALLOWED_FLAGS:
        raise a.unsupported(index, "flags other than MSG_DONTWAIT and MSG_NOSIGNAL")
    return bool(flags & NUMBERS["MSG_DONTWAIT"])


def transfer(make: Callable[[int, int], sockets.Call], most: int) -> Callable[[Arguments], Asked]:
    """read, write, recv, send, recvfrom, sendto: a length, and maybe flags."""

    def rule(a: Arguments) -> Asked:
        a.count(3 if most == 3 else 4, most)
        return Asked(make(a.fd(), a.number(2)), nonblocking=_message_flags(a, 3))

    return rule


def vector(make: Callable[[int, int], sockets.Call]) -> Callable[[Arguments], Asked]:
    """readv, writev: the sum of the lengths."""

    def rule(a: Arguments) -> Asked:
        a.count(3)
        return Asked(make(a.fd(), _total(a[1], a.at(1))))

    return rule


def message(make: Callable[[int, int], sockets.Call]) -> Callable[[Arguments], Asked]:
    """recvmsg, sendmsg: the sum of the lengths of msg_iov."""

    def rule(a: Arguments) -> Asked:
        a.count(3)
        message = a[1]
        if not isinstance(message, Struct):
            raise ScriptError(a.at(1), "bad argument: expected {msg_name=..., msg_iov=[...], ...}")
        control = message.get("msg_control")
        if control not in (None, Ellipsis_(), Items(())):
            raise a.unsupported(1, "control messages")
        total = _total(message.get("msg_iov") or Items(()), a.at(1))
        return Asked(make(a.fd(), total), nonblocking=_message_flags(a, 2))

    return rule


def _total(vector: Expression, place: Place) -> int:
    if not isinstance(vector, Items):
        raise ScriptError(place, "bad argument: expected [{..., length}, ...]")
    total = 0
    for part in vector.items:
        if not isinstance(part, Struct) or not part.fields:
            raise ScriptError(place, "bad argument: expected {..., length}")
        total += number(part.fields[-1][1], place)
    return total
