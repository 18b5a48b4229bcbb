"""setsockopt() and getsockopt() in scripts: names, values and structures.

Owns: the forms in which a script writes an option's value. Refuses to know: which options there are (the
endpoint says, and a script that asks for another is UNSUPPORTED).
"""

from __future__ import annotations

from tcpsim import sockets
from tcpsim.conformance.packetdrill.arguments import Arguments, Asked, TcpInfo, out_differs
from tcpsim.conformance.packetdrill.constants import NUMBERS, OPTION_NAMES, number
from tcpsim.conformance.packetdrill.option_names import KNOWN_OPTIONS
from tcpsim.conformance.packetdrill.script import Apply, Ellipsis_, Items, Name, ScriptError, Struct, Text


def _option_name(a: Arguments) -> str:
    level, option = a[1], a[2]
    if isinstance(option, Name):
        if isinstance(level, Name) and level.name not in NUMBERS:
            raise ScriptError(a.at(1), f"unknown symbol: '{level.name}'")
        if option.name not in KNOWN_OPTIONS:
            raise ScriptError(a.at(2), f"unknown symbol: '{option.name}'")
        return option.name
    name = OPTION_NAMES.get((a.number(1), a.number(2)))
    if name is None:
        raise a.unsupported(2, f"option {a.number(2)}")
    return name


def setsockopt(a: Arguments) -> Asked:
    a.count(5)
    name, value = _option_name(a), a[3]
    if isinstance(value, Items) and len(value.items) == 1:
        value = value.items[0]
    if isinstance(value, Struct):
        parts = [value.get(field) for field in ("onoff", "linger")]
        if None in parts:
            parts = [value.get(field) for field in ("l_onoff", "l_linger")]
        if name != "SO_LINGER" or len(value.fields) != 2:
            raise a.unsupported(3, f"a structure for {name}")
        on, seconds = (number(part, a.at(3)) if part is not None else 0 for part in parts)
        return Asked(sockets.SetSockOpt(a.fd(), name, (on, seconds)))
    if isinstance(value, Ellipsis_ | Text | Items | Apply):
        raise a.unsupported(3, f"this value for {name}")
    return Asked(sockets.SetSockOpt(a.fd(), name, number(value, a.at(3))))


def getsockopt(a: Arguments) -> Asked | TcpInfo:
    a.count(5)
    name = _option_name(a)
    if name == "TCP_INFO":
        fields = a[3].fields if isinstance(a[3], Struct) else ()
        return TcpInfo(tuple((field, number(value, a.at(3))) for field, value in fields if field))
    call = sockets.GetSockOpt(a.fd(), name)
    return Asked(call, result=lambda reply: 0, differs=lambda reply: out_differs(a, 3, reply.value))
