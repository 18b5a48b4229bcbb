"""Calls that transfer bytes: read, write and their variants with flags, vectors and messages.

Owns: the number of bytes of each call. Refuses to know: what happens to the bytes.
"""

from __future__ import annotations

from collections.abc import Callable

from tcpsim import sockets
from tcpsim.conformance.packetdrill.arguments import Arguments, Asked
from tcpsim.conformance.packetdrill.constants import NUMBERS, number
from tcpsim.conformance.packetdrill.script import Ellipsis_, Expression, Items, Place, ScriptError, Struct

_DONTWAIT, _PEEK = NUMBERS["MSG_DONTWAIT"], NUMBERS["MSG_PEEK"]
# Of the flags that change nothing: a signal is not raised here, and the bytes themselves are not kept
_IDLE_FLAGS = NUMBERS["MSG_NOSIGNAL"] | NUMBERS["MSG_TRUNC"]

Make = Callable[[int, int], sockets.Recv] | Callable[[int, int], sockets.Send]


def _asked(a: Arguments, make: Make, octets: int, index: int) -> Asked:
    """The call with its MSG_* flags, the argument at `index`."""
    call = make(a.fd(), octets)
    flags = a.number(index) if len(a.call.arguments) > index else 0
    rest = flags & ~(_DONTWAIT | _IDLE_FLAGS)
    if isinstance(call, sockets.Recv):
        rest, call = rest & ~_PEEK, call._replace(peek=bool(flags & _PEEK), dontwait=bool(flags & _DONTWAIT))
    if rest:
        raise a.unsupported(index, "flags other than MSG_DONTWAIT, MSG_NOSIGNAL and, to receive, MSG_PEEK")
    return Asked(call, nonblocking=bool(flags & _DONTWAIT) and isinstance(call, sockets.Send))


def transfer(make: Make, most: int) -> Callable[[Arguments], Asked]:
    """read, write, recv, send, recvfrom, sendto: a length, and maybe flags."""

    def rule(a: Arguments) -> Asked:
        a.count(3 if most == 3 else 4, most)
        return _asked(a, make, a.number(2), 3)

    return rule


def vector(make: Make) -> Callable[[Arguments], Asked]:
    """readv, writev: the sum of the lengths."""

    def rule(a: Arguments) -> Asked:
        a.count(3)
        return Asked(make(a.fd(), _total(a[1], a.at(1))))

    return rule


def message(make: Make) -> Callable[[Arguments], Asked]:
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
        return _asked(a, make, total, 2)

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
